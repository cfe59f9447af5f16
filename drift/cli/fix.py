"""The commands that act on the findings of a saved report.

``drift adopt`` prints a patch that makes Git say what is live, or edits the files. ``drift revert`` prints the commands
that make the cluster say what Git says, and runs nothing. ``drift guard`` says what merging a change does to the drift
that is open.
"""

import argparse
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from drift.actions.adopt import Adoption, Generator, adopt
from drift.actions.files import FileChange, patch, shows_secrets
from drift.actions.guard import FORMATS, Effect, guard
from drift.actions.rendered import SUFFIX, read_settings_map
from drift.actions.revert import revert
from drift.actions.selection import select, select_to_fix
from drift.cli.console import say, write_stderr, write_stdout
from drift.cli.outputs import read_saved_report, replace_file
from drift.config.reader import load_settings
from drift.config.settings import SourceRequest
from drift.errors import SourceError, UnreadableManifestsError, UsageError
from drift.globs import FileGlob
from drift.kube.limits import SCAN_SECONDS, Deadline
from drift.model import Cause, Change, Report, SourceInfo, SourceKind
from drift.objects import Manifest
from drift.report.view import visible
from drift.sources.git import Git, load_manifests_at, work_tree_of
from drift.sources.kustomizations import kind_of_path
from drift.sources.load import exists, load_manifests
from drift.sources.merge import Comparison, compared
from drift.sources.path_renderer import render_at
from drift.words import plural

#: Lines of a cdk8s.yaml that name the folder of the synthesized manifests.
_CDK8S_OUTPUT: Final = re.compile(r"^output:[ \t]*[\"']?([^\"'\s#]+)", re.MULTILINE)
_DEFAULT_OUTPUT: Final = "dist"
#: As many as Linux follows.
_MAX_LINKS: Final = 40
#: The exit status.
_INCOMPLETE: Final = 3


def run_adopt(options: argparse.Namespace) -> int:
    """Adopts the findings that the user names, or all edits by hand.

    Returns:
        0; 1 if a finding was refused.

    Raises:
        SavedReportError: The file is not a complete report of one cluster.
        UsageError: A name matches no finding, or a file cannot be written.
    """
    report = read_saved_report(options.report)
    findings = select_to_fix(report, options.names)
    adoption = adopt(findings, report, _read, _generator_of, _is_plain)
    found = [replace(change, file=_in_patch(change.file)) for change in adoption.changes]
    withheld = {} if options.write else {change.file: why for change in found if (why := _why_not_in_patch(change))}
    changes = [change for change in found if change.file not in withheld]
    if options.write:
        # If one cannot be written, no kustomization lists a file that does not exist.
        for change in sorted(changes, key=lambda one: (one.after is None, one.before is not None)):
            _write(change)
    else:
        write_stdout(patch(changes))
    for warning in _removals(adoption, withheld):
        say(warning)
    for refused in adoption.refused:
        say(f"not adopted: {refused}")
    for kustomization, text in adoption.patches:
        say(f"add to {kustomization}:")
        write_stderr("".join(f"{visible(line)}\n" for line in text.splitlines()))
    for file, why in withheld.items():
        say(f"{file}: not in the patch, {why}; use --write")
    if not withheld:
        done = "adopted" if options.write else "the patch adopts"
        files = plural(len(changes), "file")
        say(f"{done} {len(adoption.adopted)} of {plural(len(findings), 'finding')}, in {files}")
    return 1 if adoption.refused or withheld else 0


def _removals(adoption: Adoption, withheld: Collection[str]) -> Iterator[str]:
    """Yields what leaves Git although the object may never have been in the cluster, except from withheld files."""
    deleted = {change.file for change in adoption.changes if change.after is None}
    for selected in adoption.adopted:
        item, finding = selected.item, selected.finding
        if finding.change is Change.MISSING and finding.cause is Cause.UNKNOWN and item.source is not None:
            file = item.source.file
            if _in_patch(file) in withheld:
                continue
            what = f"{file} from Git" if file in deleted else f"a manifest from {file}"
            why = "is not in the cluster, and nothing shows whether it was deleted or never synced"
            yield f"removes {what}: {selected} {why}"


def _why_not_in_patch(change: FileChange) -> str | None:
    if shows_secrets(change):
        return "which would show values of a Secret beside the change"
    if change.file.startswith(".."):
        return "as git apply changes nothing outside of the working directory"
    return None


def _in_patch(file: str) -> str:
    # git apply accepts neither absolute paths nor those that begin with a dot.
    return os.path.relpath(_without_links(file))


def _without_links(file: str) -> str:
    """Returns the file that a link leads to: a patch, and a new version of the file, would replace the link itself."""
    path = Path(file)
    for _ in range(_MAX_LINKS):
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return str(path)


def _is_plain(path: str) -> bool:
    return kind_of_path(path) is SourceKind.FILES


def _read(file: str) -> str:
    # Without newline="", Python would read line ends of Windows as newlines.
    with Path(file).open(encoding="utf-8", newline="") as opened:
        return opened.read()


def _write(change: FileChange) -> None:
    try:
        if change.after is None:
            Path(change.file).unlink()
        else:
            replace_file(Path(change.file), change.after)
    except OSError as error:
        raise UsageError(f"{change.file}: cannot be written: {error.strerror}") from None


def _generator_of(file: str) -> Generator | None:
    """Returns what synthesizes a file: a map beside one of its folders or a cdk8s.yaml above it says so.

    Raises:
        UsageError: The map cannot be read.
    """
    path = Path(file).resolve()
    for folder in path.parents:
        found = folder.parent / (folder.name + SUFFIX)
        if found.is_file():
            place = os.path.relpath(found)
            settings = read_settings_map(found.read_bytes(), place)
            return Generator(place, settings.command, settings)
        settings_file = folder / "cdk8s.yaml"
        try:
            text = settings_file.read_text("utf-8")
        except (OSError, UnicodeError):
            continue
        output = _CDK8S_OUTPUT.search(text)
        if path.is_relative_to(folder / (output[1] if output else _DEFAULT_OUTPUT)):
            return Generator(str(settings_file), "cdk8s synth")
    return None


def run_revert(options: argparse.Namespace) -> int:
    """Prints a shell script.

    Returns:
        0; 1 if a finding was refused.

    Raises:
        SavedReportError: The file is not a complete report of one cluster.
        UsageError: A name matches no finding.
    """
    report = read_saved_report(options.report)
    findings = select_to_fix(report, options.names)
    reversal = revert(findings, report)
    context = None if report.cluster is None else report.cluster.context
    if report.cluster is not None and reversal.commands:
        write_stdout(f"# for {visible(report.cluster.server)}{f' (context {visible(context)})' if context else ''}\n")
    for command in reversal.commands:
        for selected in command.findings:
            write_stdout(f"# {visible(str(selected))}\n")
        write_stdout(f"{command.text}\n")
        if command.sync is not None:
            write_stdout(f"# or: {command.sync}\n")
    for refused in reversal.refused:
        say(f"not reverted: {refused}")
    if reversal.commands and context is None:
        say("the report names no context, so the commands are for the current context of kubectl")
    count = sum(len(command.findings) for command in reversal.commands)
    say(f"the script reverts {count} of {plural(len(findings), 'finding')}; nothing was run")
    return 1 if reversal.refused else 0


def run_guard(options: argparse.Namespace) -> int:
    """Compares the manifests before and after a change where the report has drift.

    What others have merged into the base since the change left it is not a part of the change.

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
    git = Git(Deadline(options.deadline or SCAN_SECONDS))
    with ExitStack() as stack:
        paths = (*_file_paths(report), *map(_path_of, sources))
        comparisons = _comparisons(paths, options.base, options.head, git, stack)
        for note in dict.fromkeys(one.note for one in comparisons.values() if one.note is not None):
            say(note)
        reader = _Reader(report, sources, settings.sources, exclude, comparisons)
        base, unknown = reader.manifests(lambda one: one.before)
        into, has_moved_files = None, any(one.has_moved_files for one in comparisons.values())
        if not all(one.is_merged for one in comparisons.values()):
            # What others have changed since the change began is in neither.
            into, unknown = reader.manifests(lambda _: options.base, unknown)
        known = frozenset(origin for manifest in (*base, *(into or ())) for origin in manifest.origins)
        head, unknown = reader.manifests(lambda one: one.after, unknown, known)
        guarded = guard(findings, base, head, unknown, into, has_moved_files=has_moved_files)
    write_stdout(FORMATS[options.output](guarded))
    if any(one.is_blocking for one in guarded):
        return 1
    return _INCOMPLETE if any(one.effect is Effect.UNKNOWN for one in guarded) else 0


def _comparisons(
    paths: Sequence[str], base: str, head: str | None, git: Git, stack: ExitStack
) -> Mapping[str, Comparison]:
    """Returns what to compare of each path. Paths of one work tree have the same merge."""
    tops = {path: work_tree_of(Path(path)) for path in paths}
    # Without a work tree, reading the path says so.
    merges = {
        top: Comparison(base, head, git) if top is None else stack.enter_context(compared(top, base, head, git))
        for top in dict.fromkeys(tops.values())
    }
    return {path: merges[top] for path, top in tops.items()}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the manifests of a report at other revisions.

    Attributes:
        report: The report.
        sources: Its sources that are rendered.
        requests: The sources of drift.yaml, which say how a chart is installed.
        exclude: The files and folders to leave out.
        comparisons: What to compare of each path.
    """

    report: Report
    sources: Sequence[SourceInfo]
    requests: Sequence[SourceRequest]
    exclude: Sequence[FileGlob]
    comparisons: Mapping[str, Comparison]

    def manifests(
        self,
        revision_of: Callable[[Comparison], str | None],
        unknown: frozenset[str] = frozenset(),
        may_be_gone: frozenset[str] = frozenset(),
    ) -> tuple[Sequence[Manifest], frozenset[str]]:
        """Returns the manifests, and the names of the sources that are unknown.

        Args:
            revision_of: Returns the revision to read of a comparison; None for the work tree as it is.
            unknown: The names of the sources that are unknown already.
            may_be_gone: The paths and the names of sources that a change may have removed from the work tree.
        """
        version = self.report.cluster.version if self.report.cluster is not None else None
        paths = {path: (one, revision_of(one)) for path, one in self.comparisons.items()}
        files = {path: paths[path] for path in _file_paths(self.report)}
        found = [*self._files([path for path, (_, revision) in files.items() if revision is None], may_be_gone)]
        for path, (one, revision) in files.items():
            if revision is not None:
                found += load_manifests_at(revision, [path], self.exclude, one.git)
        failed: set[str] = set()
        for source in self.sources:
            if source.name not in unknown:
                one, revision = paths[_path_of(source)]
                if revision is None and source.name in may_be_gone and not exists(_path_of(source)):
                    continue
                try:
                    found += render_at(revision, source, self.requests, version, one.git)
                except SourceError as error:
                    say(str(error))
                    failed.add(source.name)
        return found, unknown | failed

    def _files(self, paths: Sequence[str], may_be_gone: Collection[str]) -> Sequence[Manifest]:
        """Returns the manifests of files and folders as they are."""
        if not paths:
            return ()
        loaded = load_manifests(paths, exclude=self.exclude, may_be_gone=may_be_gone)
        if loaded.errors:
            raise UnreadableManifestsError(loaded.errors)
        return loaded.manifests


def _file_paths(report: Report) -> Sequence[str]:
    if not report.manifests.paths:
        raise UsageError("the report names no files or folders, so there is nothing to compare at two revisions")
    other = {source.path for source in report.sources if source.kind is not SourceKind.FILES}
    return tuple(path for path in report.manifests.paths if path not in other)


def _path_of(source: SourceInfo) -> str:
    return source.path or "."
