"""The reports of one scan's shards: which shards are missing, and which rules are unused in all of them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from drift.model import Report, Shard

#: How many missing shards a message names.
_MAX_NAMED: Final = 20


class ShardSet:
    """The reports of one scan's shards. Shards may be missing, or present twice.

    Args:
        parts: At least one report, each of a shard with the same count.
    """

    def __init__(self, parts: Sequence[Report]) -> None:
        self._parts = parts
        self._shards = {part.shard for part in parts if part.shard is not None}
        self._count = max(shard.count for shard in self._shards)

    @property
    def first(self) -> Report:
        """One of the reports, for what all have in common."""
        return self._parts[0]

    def missing(self) -> Iterator[str]:
        """Yields one sentence that names the missing shards, or nothing if all are present."""
        if len(self._shards) < self._count:
            # The count comes from a file and may be huge, so the search stops after the shards that are named.
            absent = (index for index in range(1, self._count + 1) if Shard(index, self._count) not in self._shards)
            which = ", ".join(map(str, islice(absent, _MAX_NAMED)))
            more = " and others" if self._count - len(self._shards) > _MAX_NAMED else ""
            yield f"missing shard {which}{more} of {self._count}; render the reports of all shards together"

    def unused_rules(self) -> list[str]:
        """Returns the notes on rules that match nothing in any shard, or nothing if a shard is missing."""
        if len(self._shards) < self._count:
            return []
        return sorted(set[str].intersection(*(set(part.unused_rules) for part in self._parts)))


def shard_sets(reports: Sequence[Report]) -> list[ShardSet]:
    """Groups the reports of shards by scan: those with the same manifests, clusters and count."""
    sets: dict[tuple[object, ...], list[Report]] = {}
    for report in reports:
        if report.shard is not None:
            clusters = report.clusters if report.cluster is None else (report.cluster,)
            servers = tuple(sorted(cluster.server for cluster in clusters))
            sets.setdefault((servers, report.manifests.paths, report.shard.count), []).append(report)
    return [ShardSet(parts) for parts in sets.values()]
