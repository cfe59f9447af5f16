"""``python -m tools.learn`` writes the data files. Run it after a change of the sandbox's Kubernetes version."""

import sys

from tools.learn.learn import FOLDER, learn
from tools.sandbox.cluster import Cluster


def main() -> None:
    """Writes the files."""
    with Cluster.start() as cluster:
        files = learn(cluster)
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
        sys.stdout.write(f"{name}: {len(content)} bytes\n")


if __name__ == "__main__":
    main()
