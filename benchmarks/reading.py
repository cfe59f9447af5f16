"""Measures how fast manifests are read: ``python -m benchmarks.reading``.

Reads one thousand copies of a Deployment with ``drift``, which reads YAML as kubectl does, and with PyYAML's C loader.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from drift.documents.parse import read_documents

MANIFEST = Path(__file__).parents[1] / "dist" / "prod" / "deployment-rescan-app.yaml"
COPIES = 1000
RUNS = 5


def main() -> None:
    """Measures and prints a Markdown table."""
    text = b"---\n".join([MANIFEST.read_bytes()] * COPIES)
    readers: dict[str, Callable[[], object]] = {
        "drift": lambda: list(read_documents(text, "manifests")),
        "PyYAML CSafeLoader": lambda: list(yaml.load_all(text, yaml.CSafeLoader)),
    }
    print(f"| reader | median of {RUNS} | MB/s |\n|---|---|---|")
    for name, read in readers.items():
        seconds = statistics.median(_seconds(read) for _ in range(RUNS))
        print(f"| {name} | {seconds:.2f} s | {len(text) / seconds / 1e6:.1f} |")


def _seconds(read: Callable[[], object]) -> float:
    begin = time.perf_counter()
    read()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
