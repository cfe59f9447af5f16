"""Caches the reports of objects that are in sync, for `drift watch`, which compares the same objects repeatedly."""

from drift.kube.live import LiveObject
from drift.model import Manifest, ObjectReport


class NoCache:
    """Caches nothing: for a single scan.

    Attributes:
        inferred_applier: The applier that the last full scan inferred, or None.
    """

    inferred_applier: str | None = None

    def find(self, manifest: Manifest, live: LiveObject) -> ObjectReport | None:
        """Returns None."""
        del manifest, live
        return None

    def keep(self, manifest: Manifest, live: LiveObject, report: ObjectReport) -> ObjectReport:
        """Returns the report unchanged."""
        del manifest, live
        return report


class ComparisonCache(NoCache):
    """Caches the report of a manifest and its live object until either of the two is replaced by another value.

    It is valid for one set of options, manifests and schemas. If these change, use a new cache.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Manifest, LiveObject, ObjectReport]] = {}

    def find(self, manifest: Manifest, live: LiveObject) -> ObjectReport | None:
        """Returns the cached report, or None if there is none for exactly these two values."""
        cached = self._entries.get(id(manifest))
        # The cache holds a reference to the manifest, so no other object can have its id.
        return cached[2] if cached is not None and cached[0] is manifest and cached[1] is live else None

    def keep(self, manifest: Manifest, live: LiveObject, report: ObjectReport) -> ObjectReport:
        """Caches the report in place of an earlier one of the same manifest, and returns it."""
        self._entries[id(manifest)] = (manifest, live, report)
        return report
