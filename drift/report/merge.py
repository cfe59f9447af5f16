"""Merging reports of several clusters or shards into one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from drift.model import (
    ClusterInfo,
    ManifestsInfo,
    ObjectKey,
    ObjectReport,
    Report,
    Resolved,
    Shard,
    SourceInfo,
    Status,
    report_order,
)
from drift.report.json_report import to_json

#: If two reports have the same object, the lower rank wins: a comparison is better than a failed check, and "unmanaged"
#: is the weakest, because the other report read more of Git.
_STATUS_RANK: Final = {
    Status.IN_SYNC: 0,
    Status.DRIFTED: 0,
    Status.MISSING: 0,
    Status.UNCHECKED: 1,
    Status.UNMANAGED: 2,
}
#: The server of reports that were made from dumps.
_DUMP: Final = ""
_DUMP_NAME: Final = "a dump"
_Item = TypeVar("_Item", ObjectReport, Resolved)


def merge(reports: Sequence[Report], shard: Shard | None = None) -> Report:
    """Merges reports; their order makes no difference.

    The result has each object of a cluster once, from the best informed report and then from the newest. Clusters are
    identified by the server's URL; all reports of dumps count as one cluster. If a shard is missing, the result is
    incomplete and an error says so.

    Args:
        reports: At least one. A single report of a whole scan is returned unchanged.
        shard: The shard that all reports are of, if they are the same shard of several clusters; the result is of
            that shard too.
    """
    if len(reports) == 1 and reports[0].shard == shard:
        return reports[0]
    # The newest comes last and replaces the others. Reports of the same time are ordered by their content.
    ordered = sorted(reports, key=lambda report: (datetime.fromisoformat(report.generated_at), to_json(report)))
    clusters = {cluster.server: cluster for report in ordered for cluster in _clusters(report)}
    kept = _best_objects(ordered)
    servers = {*clusters, *(server for server, _ in kept)}
    names = _names(clusters) if len(servers) > 1 else {}
    requests = [report.api_requests for report in ordered if report.api_requests is not None]
    sets = shard_sets(ordered) if shard is None else []
    missing = [text for parts in sets for text in _sentences(parts.first, [*parts.missing()], names)]
    unused = [text for parts in sets for text in _sentences(parts.first, parts.unused_rules(), names)]
    return Report(
        generated_at=ordered[-1].generated_at,
        cluster=next(iter(clusters.values())) if clusters and not names else None,
        manifests=_manifests(ordered),
        objects=tuple(
            sorted(
                (
                    replace(item, cluster=names.get(server, _DUMP_NAME) if names else None)
                    for (server, _), item in kept.items()
                ),
                key=report_order,
            )
        ),
        notes=_sorted(*unused, *(text for report in ordered for text in _sentences(report, report.notes, names))),
        unread=tuple(dict.fromkeys(line for report in ordered for line in report.unread)),
        errors=_sorted(*missing, *(text for report in ordered for text in _sentences(report, report.errors, names))),
        clusters=tuple(sorted(clusters.values(), key=lambda cluster: names[cluster.server])) if names else (),
        # The shards of a scan run at the same time, so the slowest one counts.
        duration_seconds=max((report.duration_seconds or 0 for report in ordered), default=0) or None,
        api_requests=sum(requests) if requests else None,
        shard=shard,
        unused_rules=()
        if shard is None
        else _sorted(*(text for report in ordered for text in _sentences(report, report.unused_rules, names))),
        resolved=_resolved(ordered, names, kept),
        sources=_sources(ordered),
    )


def _sources(ordered: Sequence[Report]) -> tuple[SourceInfo, ...]:
    """Returns each source once; of one that several reports have, the newest. Clusters may have different ones."""
    found: dict[tuple[str, str], SourceInfo] = {}
    for report in ordered:
        for source in report.sources:
            server = _DUMP if report.cluster is None else report.cluster.server
            known = found.get((server, source.name))
            # The shards of a scan count their unchecked objects by themselves.
            count = source.unchecked if known is None else max(source.unchecked, known.unchecked)
            found[server, source.name] = replace(source, unchecked=count)
    return tuple(dict.fromkeys(found.values()))


def _best_objects(ordered: Sequence[Report]) -> dict[tuple[str, ObjectKey], ObjectReport]:
    """Returns the best report on each object, by the server of its cluster and its key."""
    best: dict[tuple[str, ObjectKey], ObjectReport] = {}
    for report in ordered:
        for item, server in _with_servers(report, report.objects):
            known = best.get((server, item.key))
            if known is None or _STATUS_RANK[item.status] <= _STATUS_RANK[known.status]:
                best[server, item.key] = item
    return best


def _resolved(
    ordered: Sequence[Report], names: Mapping[str, str], kept: Mapping[tuple[str, ObjectKey], ObjectReport]
) -> tuple[Resolved, ...]:
    """Returns the resolved findings that no newer report has again."""
    still_open = {(server, finding.id) for (server, _), item in kept.items() for finding in item.findings}
    found: dict[tuple[str, str], Resolved] = {}
    for report in ordered:
        for resolved, server in _with_servers(report, report.resolved):
            if (server, resolved.id) not in still_open:
                cluster = names.get(server, _DUMP_NAME) if names else None
                found[server, resolved.id] = replace(resolved, cluster=cluster)
    return tuple(found[key] for key in sorted(found))


def _clusters(report: Report) -> tuple[ClusterInfo, ...]:
    return report.clusters if report.cluster is None else (report.cluster,)


def _with_servers(report: Report, items: Iterable[_Item]) -> Iterator[tuple[_Item, str]]:
    """Yields each item with the server of its cluster."""
    own = _DUMP if report.cluster is None else report.cluster.server
    names = _names({cluster.server: cluster for cluster in report.clusters})
    servers = {name: server for server, name in names.items()}
    for item in items:
        yield item, own if item.cluster is None else servers.get(item.cluster, _DUMP)


def _names(clusters: Mapping[str, ClusterInfo]) -> dict[str, str]:
    """Returns a name for each server: its context, or its URL if two servers have the same context."""
    contexts = [cluster.context for cluster in clusters.values()]
    return {
        server: cluster.context if cluster.context and contexts.count(cluster.context) == 1 else server
        for server, cluster in clusters.items()
    }


def _manifests(ordered: Sequence[Report]) -> ManifestsInfo:
    known = [report.manifests for report in ordered]
    commits = {info.git_commit for info in known}
    one_commit = len(commits) == 1
    return ManifestsInfo(
        paths=tuple(sorted({path for info in known for path in info.paths})),
        git_commit=known[0].git_commit if one_commit else None,
        git_dirty=_any_dirty([info.git_dirty for info in known]) if one_commit else None,
    )


def _any_dirty(dirty: Sequence[bool | None]) -> bool | None:
    return True if True in dirty else None if None in dirty else False


def _sentences(report: Report, sentences: Sequence[str], names: Mapping[str, str]) -> Iterator[str]:
    """Yields notes or errors of a report, each with the cluster that it is about."""
    for sentence in sentences:
        if not names or report.clusters:
            yield sentence
        else:
            name = _DUMP_NAME if report.cluster is None else names[report.cluster.server]
            yield f"{name}: {sentence}"


def _sorted(*sentences: str) -> tuple[str, ...]:
    return tuple(sorted(set(sentences)))


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
