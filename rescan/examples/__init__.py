"""Environments to copy from. They are synthesized in tests and never into dist/."""

from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL

EXAMPLES = (FULL, STATEFUL)
"""Between them they turn on every setting there is."""
