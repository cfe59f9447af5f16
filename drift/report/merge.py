"""Merging reports of several clusters or shards into one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from drift.model import (
    ClusterKey,
    ManifestsInfo,
    ObjectReport,
    Report,
    Resolved,
    Shard,
    SourceInfo,
    SourceKey,
    SourceKind,
    Status,
    report_order,
)
from drift.objects import ObjectKey
from drift.report.json_report import to_json
from drift.report.view import names_by_cluster

#: If two reports have the same object, the lower rank wins: a comparison is better than a failed check, and "unmanaged"
#: is the weakest, because the other report read more of Git.
_STATUS_RANK: Final = {
    Status.IN_SYNC: 0,
    Status.DRIFTED: 0,
    Status.MISSING: 0,
    Status.UNCHECKED: 1,
    Status.UNMANAGED: 2,
}
#: The cluster of reports that were made from dumps.
_DUMP: Final[ClusterKey] = ("", "")
_DUMP_NAME: Final = "a dump"
#: How many missing shards a message names.
_MAX_NAMED: Final = 20
#: What does not depend on the cluster.
_LOCAL: Final = {SourceKind.FILES, SourceKind.KUSTOMIZE, SourceKind.HELM_CHART}
_Item = TypeVar("_Item", ObjectReport, Resolved, SourceInfo)


def merge(reports: Sequence[Report], shard: Shard | None = None) -> Report:
    """Merges reports; their order makes no difference.

    The result has each object of a cluster once, from the best informed report and then from the newest. Clusters are
    identified by the server's URL, inside of pods also by their id; all reports of dumps count as one cluster. If a
    shard is missing, the result is incomplete and an error says so.

    Args:
        reports: At least one. A single report of a whole scan is returned unchanged.
        shard: The shard that all reports are of, if they are the same shard of several clusters; the result is of
            that shard too.
    """
    if len(reports) == 1 and reports[0].shard == shard:
        return reports[0]
    # The newest comes last and replaces the others. Reports of the same time are ordered by their content.
    times = Counter(report.generated_at for report in reports)
    ordered = sorted(
        reports,
        key=lambda one: (datetime.fromisoformat(one.generated_at), times[one.generated_at] > 1 and to_json(one)),
    )
    clusters = {cluster.key: cluster for report in ordered for cluster in report.each_cluster}
    kept = _best_objects(ordered)
    names = names_by_cluster(clusters.values()) if len({*clusters, *(key for key, _ in kept)}) > 1 else {}
    objects = (replace(item, cluster=_cluster_name(cluster, names)) for (cluster, _), item in kept.items())
    requests = [report.api_requests for report in ordered if report.api_requests is not None]
    scans = _scans_of_shards(ordered) if shard is None else []

    def from_all(of: Callable[[Report], Sequence[str]]) -> Iterator[str]:
        return (text for report in ordered for text in _sentences(report, of(report), names))

    missing = (text for parts in scans for text in _sentences(parts[0], [*_missing(parts)], names))
    unused = (text for parts in scans for text in _sentences(parts[0], _unused_in_all(parts), names))
    return Report(
        generated_at=ordered[-1].generated_at,
        cluster=next(iter(clusters.values())) if clusters and not names else None,
        manifests=_manifests(ordered),
        objects=tuple(sorted(objects, key=report_order)),
        notes=_sorted(*unused, *from_all(lambda report: report.notes)),
        unread=tuple(dict.fromkeys(line for report in ordered for line in report.unread)),
        errors=_sorted(*missing, *from_all(lambda report: report.errors)),
        clusters=tuple(sorted(clusters.values(), key=lambda cluster: names[cluster.key])) if names else (),
        # The shards of a scan run at the same time, so the slowest one counts.
        duration_seconds=max(report.duration_seconds or 0 for report in ordered) or None,
        api_requests=sum(requests) if requests else None,
        shard=shard,
        unused_rules=() if shard is None else _sorted(*from_all(lambda report: report.unused_rules)),
        resolved=_resolved(ordered, names, kept),
        sources=_sources(ordered, names),
    )


def _scans_of_shards(reports: Sequence[Report]) -> Sequence[Sequence[Report]]:
    """Groups the reports of shards by scan: those with the same manifests, clusters and count."""
    scans: dict[tuple[object, ...], list[Report]] = {}
    for report in reports:
        if report.shard is not None:
            clusters = tuple(sorted(cluster.key for cluster in report.each_cluster))
            scans.setdefault((clusters, report.manifests.paths, report.shard.count), []).append(report)
    return [*scans.values()]


def _missing(parts: Sequence[Report]) -> Iterator[str]:
    """Yields one sentence that names the missing shards of a scan, or nothing if all are present."""
    present = {part.shard.index for part in parts if part.shard is not None}
    count = max(part.shard.count for part in parts if part.shard is not None)
    if len(present) < count:
        # The count comes from a file and may be huge, so the search stops after the shards that are named.
        absent = (str(index) for index in range(1, count + 1) if index not in present)
        more = " and others" if count - len(present) > _MAX_NAMED else ""
        named = ", ".join(islice(absent, _MAX_NAMED))
        yield f"missing shard {named}{more} of {count}; render the reports of all shards together"


def _unused_in_all(parts: Sequence[Report]) -> Sequence[str]:
    """Returns the notes on rules that match nothing in any shard of a scan, or nothing if a shard is missing."""
    return [] if any(_missing(parts)) else sorted(set[str].intersection(*(set(part.unused_rules) for part in parts)))


def _cluster_name(cluster: ClusterKey, names: Mapping[ClusterKey, str]) -> str | None:
    return names.get(cluster, _DUMP_NAME) if names else None


def _sources(ordered: Sequence[Report], names: Mapping[ClusterKey, str]) -> tuple[SourceInfo, ...]:
    """Returns each source of each cluster once; of one that several reports have, the newest.

    A local path whose facts are the same for all clusters is one source without a cluster.
    """
    found: dict[SourceKey, SourceInfo] = {}
    for report in ordered:
        for source, cluster in _with_clusters(report, report.sources):
            # Reports of older releases on several clusters do not say which cluster a source is of.
            is_known = source.cluster is not None or not report.clusters
            key = (_cluster_name(cluster, names) if is_known else None, source.name)
            known = found.get(key)
            # The shards of a scan count their unchecked objects by themselves.
            count = source.unchecked if known is None else max(source.unchecked, known.unchecked)
            found[key] = replace(source, unchecked=count, cluster=key[0])
    versions: dict[str, set[SourceInfo]] = {}
    for source in found.values():
        versions.setdefault(source.name, set()).add(replace(source, cluster=None))
    return tuple(
        dict.fromkeys(
            replace(source, cluster=None) if source.kind in _LOCAL and len(versions[source.name]) == 1 else source
            for source in found.values()
        )
    )


def _best_objects(ordered: Sequence[Report]) -> dict[tuple[ClusterKey, ObjectKey], ObjectReport]:
    """Returns the best report on each object, by its cluster and its key."""
    best: dict[tuple[ClusterKey, ObjectKey], ObjectReport] = {}
    for report in ordered:
        for item, cluster in _with_clusters(report, report.objects):
            known = best.get((cluster, item.key))
            if known is None or _STATUS_RANK[item.status] <= _STATUS_RANK[known.status]:
                best[cluster, item.key] = item
    return best


def _resolved(
    ordered: Sequence[Report],
    names: Mapping[ClusterKey, str],
    kept: Mapping[tuple[ClusterKey, ObjectKey], ObjectReport],
) -> tuple[Resolved, ...]:
    """Returns the resolved findings that no newer report has again."""
    still_open = {(cluster, finding.id) for (cluster, _), item in kept.items() for finding in item.findings}
    found: dict[tuple[ClusterKey, str], Resolved] = {}
    for report in ordered:
        for resolved, cluster in _with_clusters(report, report.resolved):
            if (cluster, resolved.id) not in still_open:
                found[cluster, resolved.id] = replace(resolved, cluster=_cluster_name(cluster, names))
    return tuple(found[key] for key in sorted(found))


def _cluster(report: Report) -> ClusterKey:
    return _DUMP if report.cluster is None else report.cluster.key


def _with_clusters(report: Report, items: Iterable[_Item]) -> Iterator[tuple[_Item, ClusterKey]]:
    """Yields each item with its cluster."""
    clusters = {name: cluster for cluster, name in names_by_cluster(report.clusters).items()}
    for item in items:
        yield item, _cluster(report) if item.cluster is None else clusters.get(item.cluster, _DUMP)


def _manifests(ordered: Sequence[Report]) -> ManifestsInfo:
    known = [report.manifests for report in ordered]
    one_commit = len({info.git_commit for info in known}) == 1
    dirty = {info.git_dirty for info in known} if one_commit else {None}
    return ManifestsInfo(
        paths=tuple(sorted({path for info in known for path in info.paths})),
        git_commit=known[0].git_commit if one_commit else None,
        git_dirty=True if True in dirty else None if None in dirty else False,
    )


def _sentences(report: Report, sentences: Sequence[str], names: Mapping[ClusterKey, str]) -> Iterator[str]:
    """Yields notes or errors of a report, each with the cluster that it is about."""
    for sentence in sentences:
        is_clear = not names or report.clusters
        yield sentence if is_clear else f"{_cluster_name(_cluster(report), names)}: {sentence}"


def _sorted(*sentences: str) -> tuple[str, ...]:
    return tuple(sorted(set(sentences)))
