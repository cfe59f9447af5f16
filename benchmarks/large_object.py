"""Measures the comparison of one object with very many differences: ``python -m benchmarks.large_object``.

In a ConfigMap, a third of the keys is changed, a third removed, and as many are added. In a Service, all ports get
another number. The time per difference must not grow with the number of differences.
"""

import argparse
import time
from typing import TYPE_CHECKING, Any

from drift.compare.objects import compare_object
from drift.objects import ObjectKey
from drift.policy.findings import object_findings
from drift.schema.types import SchemaDocument, compact_schemas

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (5_000, 10_000, 20_000)
TIME = "2026-01-01T00:00:00Z"

Pair = tuple[dict[str, Any], dict[str, Any]]


def main() -> None:
    """Measures and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="keys or items, separated by commas")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    shapes: dict[str, Callable[[int], Pair]] = {"keys of a ConfigMap": _config_map, "ports of a Service": _service}
    print("| object | differences | time | per difference |\n|---|---|---|---|")
    for name, make in shapes.items():
        for size in sizes:
            count, seconds = _measure(*make(size))
            print(f"| {size:,} {name} | {count:,} | {seconds:.2f} s | {seconds / count * 1e6:.0f} us |")


def _config_map(size: int) -> Pair:
    desired = {f"key-{number}": "value" for number in range(size)}
    changed = {f"key-{number}": "other" for number in range(0, size, 3)}
    kept = {f"key-{number}": "value" for number in range(1, size, 3)}
    added = {f"new-{number}": "value" for number in range(0, size, 3)}
    owned: dict[str, Any] = {f"f:{name}": {} for name in (*changed, *added)}
    return (
        _object("ConfigMap", {"data": desired}, {}),
        _object("ConfigMap", {"data": {**kept, **changed, **added}}, {"f:data": owned}),
    )


def _service(size: int) -> Pair:
    desired = [{"name": f"port-{number}", "port": number + 1} for number in range(size)]
    live = [{"name": f"port-{number}", "port": number + 1 + size} for number in range(size)]
    owned: dict[str, Any] = {
        f'k:{{"port":{item["port"]},"protocol":"TCP"}}': {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}
        for item in live
    }
    return (
        _object("Service", {"spec": {"ports": desired}}, {}),
        _object("Service", {"spec": {"ports": live}}, {"f:spec": {"f:ports": owned}}),
    )


def _object(kind: str, body: dict[str, Any], owned: dict[str, Any]) -> dict[str, Any]:
    entry = {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "time": TIME, "fieldsV1": owned}
    metadata = {"name": "large", "namespace": "default", "managedFields": [entry] if owned else []}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def _measure(desired: dict[str, Any], live: dict[str, Any]) -> tuple[int, float]:
    """Returns the number of findings, and the seconds that the comparison took."""
    schema = SchemaDocument(compact_schemas()).kind("", "v1", desired["kind"])
    if schema is None:
        raise LookupError(desired["kind"])
    begin = time.perf_counter()
    compared = compare_object(desired, live, None, schema)
    findings = object_findings(compared, ObjectKey("", desired["kind"], "default", "large"), "cluster")
    return len(findings), time.perf_counter() - begin


if __name__ == "__main__":
    main()
