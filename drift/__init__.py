"""Compares a live Kubernetes cluster with manifests and reports what differs, who changed it and when.

    import drift

    report = drift.scan(["manifests/"], drift.open_cluster(context="production"))
    for item in report.objects:
        for finding in item.findings:
            print(item.key, finding.path, finding.cause, finding.actors)

``open_dump`` reads a dump instead of a cluster. `drift.model` describes the report, `drift.errors` the exceptions.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drift.api import open_cluster, open_dump, read_manifests, scan

__version__ = "0.1.0"
__all__ = ["__version__", "open_cluster", "open_dump", "read_manifests", "scan"]


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `drift --help` starts fast.
    if name in __all__:
        from drift import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
