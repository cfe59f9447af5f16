"""What was found of objects that differ in nothing, for whoever scans the same ones again and again."""

from drift.kube.live_object import LiveObject
from drift.model import Manifest, ObjectReport


class NoCache:
    """Finds nothing again, and keeps no object alive: for a single scan.

    Attributes:
        inferred_applier: The applier that the last scan of the whole source inferred; None without one.
    """

    inferred_applier: str | None = None

    def find(self, manifest: Manifest, live: LiveObject) -> ObjectReport | None:
        """None."""
        del manifest, live
        return None

    def keep(self, manifest: Manifest, live: LiveObject, report: ObjectReport) -> ObjectReport:
        """The report, as it was given."""
        del manifest, live
        return report


class ComparisonCache(NoCache):
    """Reports of pairs of a manifest and a live object, found again as long as both are the very same values.

    It is right for one set of options, manifests and schemas; with others, start with a new one.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Manifest, LiveObject, ObjectReport]] = {}

    def find(self, manifest: Manifest, live: LiveObject) -> ObjectReport | None:
        """What was found of the two; None where that is not known."""
        known = self._known.get(id(manifest))
        # Kept alive here, the manifest's id is nobody else's.
        return known[2] if known is not None and known[0] is manifest and known[1] is live else None

    def keep(self, manifest: Manifest, live: LiveObject, report: ObjectReport) -> ObjectReport:
        """Remembers what was found, and gives it back; what was known of the manifest before is forgotten."""
        self._known[id(manifest)] = (manifest, live, report)
        return report
