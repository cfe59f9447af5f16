"""``drift guard``: says what merging a change does to the drift that is open."""

import argparse
from collections.abc import Sequence

from drift.actions.guard import Effect, guard
from drift.actions.guard_formats import FORMATS
from drift.actions.selection import select
from drift.cli.console import say, write_stdout
from drift.cli.render import read_saved_report
from drift.config.load import load_settings
from drift.config.settings import SourceRequest
from drift.errors import SourceError, UnreadableManifestsError, UsageError
from drift.globs import FileGlob
from drift.model import Manifest, Report, SourceInfo, SourceKind
from drift.sources.git import load_manifests_at
from drift.sources.load import load_manifests
from drift.sources.path_renderer import render_at

_INCOMPLETE = 3


def run(options: argparse.Namespace) -> int:
    """Compares the manifests of two revisions where the report has drift.

    Returns:
        0; 1 if the change would undo an edit by hand; 3 if that cannot be told for one.

    Raises:
        SavedReportError: The file is not a complete report of one cluster.
        UsageError: A revision does not exist.
        ManifestError: A manifest is invalid.
    """
    report = read_saved_report(options.report)
    settings = load_settings(options.config)
    exclude = (*map(FileGlob, options.exclude), *settings.exclude)
    findings = select(report, ())
    names = {name for selected in findings for name in selected.item.origins}
    sources = [one for one in report.sources if one.kind is not SourceKind.FILES and one.name in names]
    rendered, unknown = _rendered(report, sources, settings.sources, options.base, options.head)
    paths = _paths(report)
    base, head = (_files_at(revision, paths, exclude) for revision in (options.base, options.head))
    guarded = guard(findings, [*base, *rendered[0]], [*head, *rendered[1]], unknown)
    write_stdout(FORMATS[options.output](guarded))
    if any(one.is_blocking for one in guarded):
        return 1
    return _INCOMPLETE if any(one.effect is Effect.UNKNOWN for one in guarded) else 0


def _paths(report: Report) -> tuple[str, ...]:
    if not report.manifests.paths:
        raise UsageError("the report names no files or folders, so there is nothing to compare at two revisions")
    other = {source.path for source in report.sources if source.kind is not SourceKind.FILES}
    return tuple(path for path in report.manifests.paths if path not in other)


def _files_at(revision: str | None, paths: Sequence[str], exclude: Sequence[FileGlob]) -> Sequence[Manifest]:
    if not paths:
        return ()
    if revision is not None:
        return load_manifests_at(revision, paths, exclude)
    loaded = load_manifests(paths, exclude=exclude)
    if loaded.errors:
        raise UnreadableManifestsError(loaded.errors)
    return loaded.manifests


def _rendered(
    report: Report, sources: Sequence[SourceInfo], requests: Sequence[SourceRequest], *revisions: str | None
) -> tuple[Sequence[Sequence[Manifest]], frozenset[str]]:
    """Returns the manifests of rendered sources at each revision, and the names of the sources that are unknown."""
    version = report.cluster.version if report.cluster is not None else None
    manifests: list[list[Manifest]] = [[] for _ in revisions]
    unknown: set[str] = set()
    for source in sources:
        try:
            at_revisions = [render_at(revision, source, requests, version) for revision in revisions]
        except SourceError as error:
            say(str(error))
            unknown.add(source.name)
        else:
            for known, found in zip(manifests, at_revisions, strict=True):
                known.extend(found)
    return manifests, frozenset(unknown)
