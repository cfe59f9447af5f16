"""The generator: what Rescan is made of in Kubernetes, its settings per environment and the rules they must keep.

Data flows one way: `environments` holds instances of the `settings` classes, `rules` judges them, `constructs` turns
them into cdk8s constructs, `charts` says which constructs go into which folder, and `manifests` writes the files.
`settings_map` tells which setting decides which field. Nothing in `settings`, `environments` or `rules` knows cdk8s.
"""

from rescan.node import use_locked_node

# Here, because Python runs this file before any other of the package, and so before anything can import cdk8s.
use_locked_node()
