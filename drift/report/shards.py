"""Reports of shards that belong together: which are missing, and what holds of the whole once all are there."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from drift.model import Report, Shard

#: Missing shards that are named one by one.
_NAMED: Final = 20


class ShardSet:
    """The reports of one scan's shards; some may be missing, and some there twice.

    Args:
        parts: At least one; each is of a shard of the same number.
    """

    def __init__(self, parts: Sequence[Report]) -> None:
        self._parts = parts
        self._shards = {part.shard for part in parts if part.shard is not None}
        self._count = max(shard.count for shard in self._shards)

    @property
    def first(self) -> Report:
        """Any of the reports, for what all have in common."""
        return self._parts[0]

    def missing(self) -> Iterator[str]:
        """One sentence on the shards that are not there; none where all are."""
        if len(self._shards) < self._count:
            # A file may claim any number of shards, so they are not all looked at.
            absent = (index for index in range(1, self._count + 1) if Shard(index, self._count) not in self._shards)
            which = ", ".join(map(str, islice(absent, _NAMED)))
            more = " and others" if self._count - len(self._shards) > _NAMED else ""
            yield f"missing shard {which}{more} of {self._count}; render the reports of all shards together"

    def unused_rules(self) -> list[str]:
        """The notes on rules that cover nothing in any shard; nothing is known of them where one is missing."""
        if len(self._shards) < self._count:
            return []
        return sorted(set[str].intersection(*(set(part.unused_rules) for part in self._parts)))


def shard_sets(reports: Sequence[Report]) -> list[ShardSet]:
    """The reports of shards, those together that are parts of one scan: of the same manifests and clusters."""
    sets: dict[tuple[object, ...], list[Report]] = {}
    for report in reports:
        if report.shard is not None:
            clusters = report.clusters if report.cluster is None else (report.cluster,)
            servers = tuple(sorted(cluster.server for cluster in clusters))
            sets.setdefault((servers, report.manifests.paths, report.shard.count), []).append(report)
    return [ShardSet(parts) for parts in sets.values()]
