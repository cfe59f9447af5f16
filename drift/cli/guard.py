"""``drift guard``: says what merging a change does to the drift that is open."""

import argparse

from drift.actions.guard import Effect, guard
from drift.actions.guard_formats import FORMATS
from drift.actions.selection import select
from drift.cli.console import write_stdout
from drift.cli.render import read_saved_report
from drift.config.load import load_settings
from drift.errors import UnreadableManifestsError, UsageError
from drift.globs import FileGlob
from drift.model import Report, SourceKind
from drift.sources.git_revision import load_manifests_at
from drift.sources.load import load_manifests

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
    rendered = frozenset(source.name for source in report.sources if source.kind is not SourceKind.FILES)
    paths = _paths(report)
    exclude = (*map(FileGlob, options.exclude), *load_settings(options.config).exclude)
    base = load_manifests_at(options.base, paths, exclude).manifests
    if options.head is None:
        loaded = load_manifests(paths, exclude=exclude)
        if loaded.errors:
            raise UnreadableManifestsError(loaded.errors)
    else:
        loaded = load_manifests_at(options.head, paths, exclude)
    guarded = guard(select(report, ()), base, loaded.manifests, rendered)
    write_stdout(FORMATS[options.output](guarded))
    if any(one.is_blocking for one in guarded):
        return 1
    return _INCOMPLETE if any(one.effect is Effect.UNKNOWN for one in guarded) else 0


def _paths(report: Report) -> tuple[str, ...]:
    if not report.manifests.paths:
        raise UsageError("the report names no files or folders, so there is nothing to compare at two revisions")
    return report.manifests.paths
