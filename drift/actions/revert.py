"""Writes the commands that make the cluster say what Git says, for findings of a saved report. Runs nothing."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from drift.actions.selection import Refused, Selected
from drift.model import Cause, Change, Finding, Json, Object, ObjectReport, Report
from drift.paths import OCCURRENCE, SET_FIELD, ItemKey, escape_pointer, parse

#: What cannot be reverted, and why.
_REFUSALS: Final[Sequence[tuple[Callable[[ObjectReport, Finding], bool], str]]] = (
    (lambda _, finding: finding.cause is Cause.PENDING_SYNC, "Git is ahead; sync it instead"),
    (
        lambda _, finding: finding.cause is Cause.CONTROLLER,
        "a controller sets this field, and would set it again",
    ),
    (
        lambda _, finding: finding.redacted,
        "its value is hidden; sync the object with its GitOps controller, or apply its manifest",
    ),
    (
        lambda _, finding: finding.path == "metadata.deletionTimestamp",
        "a deletion cannot be undone; wait until the object is gone, then sync it",
    ),
    (
        lambda _, finding: finding.change is Change.REORDERED,
        "only the order of a list differs; sync the object with its GitOps controller",
    ),
    (
        lambda item, finding: (
            finding.change is Change.MISSING and (item.source is None or item.source.file == "<stdin>")
        ),
        "no file holds its manifest; sync it with its GitOps controller",
    ),
    (
        lambda item, finding: finding.change is Change.UNMANAGED and item.uid is None,
        "the report does not hold the uid of the object; make it again",
    ),
    (
        lambda item, finding: bool(finding.path) and _needs_version(finding) and item.resource_version is None,
        "the report does not hold the resourceVersion of the object; make it again",
    ),
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command for a POSIX shell.

    Attributes:
        findings: The findings that it ends, all of one object.
        text: The command, quoted.
    """

    findings: tuple[Selected, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """The commands that revert findings.

    Attributes:
        commands: In the order of the report.
        refused: The other findings, and why.
    """

    commands: tuple[Command, ...]
    refused: tuple[Refused, ...]


def revert(findings: Sequence[Selected], report: Report) -> Reversal:
    """Returns commands that fail if the cluster has changed since the report was made.

    Args:
        findings: The findings to revert.
        report: The report that has them.
    """
    commands: list[Command] = []
    refused: list[Refused] = []
    context = report.cluster.context if report.cluster is not None else None
    for _, group in groupby(findings, key=lambda selected: selected.item.key):
        patched: list[Selected] = []
        for selected in group:
            reason = _why_not(selected)
            if reason is not None:
                refused.append(Refused(selected, reason))
            elif selected.finding.path:
                patched.append(selected)
            else:
                commands.append(Command((selected,), _whole_object(selected, context)))
        if patched:
            commands.append(Command(tuple(patched), _patch(patched, context)))
    return Reversal(tuple(commands), tuple(refused))


def _why_not(selected: Selected) -> str | None:
    return next((reason for applies, reason in _REFUSALS if applies(selected.item, selected.finding)), None)


def _kubectl(*arguments: str, item: ObjectReport, context: str | None) -> str:
    namespace = ("--namespace", item.namespace) if item.namespace else ()
    cluster = ("--context", context) if context else ()
    return shlex.join(("kubectl", *arguments, *namespace, *cluster))


def _resource(item: ObjectReport) -> str:
    group, _, version = item.api_version.rpartition("/")
    kind = item.kind.lower()
    return f"{kind}.{version}.{group}/{item.name}" if group else f"{kind}/{item.name}"


def _whole_object(selected: Selected, context: str | None) -> str:
    item = selected.item
    if selected.finding.change is Change.UNMANAGED:
        uid = _kubectl("get", _resource(item), "--output=jsonpath={.metadata.uid}", item=item, context=context)
        delete = _kubectl("delete", _resource(item), item=item, context=context)
        return f'test "$({uid})" = {shlex.quote(str(item.uid))} && {delete}'
    file = item.source.file if item.source else ""
    # kubectl create changes no object that exists; if the file has other objects, it reports them as existing.
    return _kubectl("create", f"--filename={file}", item=item, context=context)


# -- JSON patches (RFC 6902)


def _patch(findings: Sequence[Selected], context: str | None) -> str:
    """Returns the command that patches an object: what is live is replaced and removed, then the rest is added.

    Pointers to what is live are valid before anything is removed, and those of the manifest after that.
    """
    item = findings[0].item
    version: Object = {"op": "test", "path": "/metadata/resourceVersion", "value": item.resource_version}
    operations = [version] if any(_needs_version(selected.finding) for selected in findings) else []
    removals: list[Object] = []
    additions: list[tuple[list[tuple[int, str]], Finding]] = []
    for finding in (selected.finding for selected in findings):
        if finding.change is Change.REMOVED:
            additions.append((_order(finding.pointer), finding))
            continue
        if not _needs_version(finding):
            operations.append({"op": "test", "path": finding.pointer, "value": finding.live})
        if finding.change is Change.ADDED:
            removals.append({"op": "remove", "path": finding.pointer})
            if finding.pointer.endswith("/serviceAccountName"):
                # The server keeps a copy under the deprecated name, and would restore the field from it.
                removals.append({"op": "remove", "path": finding.pointer.removesuffix("Name")})
        else:
            operations.append({"op": "replace", "path": finding.pointer, "value": finding.desired})
    # From the end, so that the indexes of what is still to do stay right.
    operations += sorted(removals, key=lambda operation: _order(operation["path"]), reverse=True)
    for _, finding in sorted(additions, key=lambda addition: addition[0]):
        operations += _tests_of_keys(finding)
        operations.append({"op": "add", "path": finding.pointer, "value": finding.desired})
    text = json.dumps(operations, ensure_ascii=True)
    return _kubectl("patch", _resource(item), "--type=json", f"--patch={text}", item=item, context=context)


def _needs_version(finding: Finding) -> bool:
    """Whether no value of the report tells that the live object is unchanged.

    The live object has no value for a field that only Git has, and the report leaves defaults out of lists and objects.
    """
    return finding.change is Change.REMOVED or isinstance(finding.live, dict | list)


def _tests_of_keys(finding: Finding) -> Iterator[Object]:
    """Yields tests that the list items on the way to a field are where the manifest has them."""
    pointer = ""
    path = parse(finding.path)
    for element, token in zip(path[:-1], finding.pointer.split("/")[1:], strict=False):
        pointer += f"/{token}"
        if isinstance(element, ItemKey):
            for name, value in element:
                if name not in {SET_FIELD, OCCURRENCE}:
                    yield {"op": "test", "path": f"{pointer}/{escape_pointer(name)}", "value": _typed(name, value)}


def _typed(name: str, value: Json) -> Json:
    """Returns a key's value with its type: of the keys of Kubernetes' lists, only ports are numbers."""
    return int(value) if name.lower().endswith("port") and re.fullmatch(r"\d+", str(value)) else value


def _order(pointer: str) -> list[tuple[int, str]]:
    return [(int(token), "") if token.isdecimal() else (-1, token) for token in pointer.split("/")]
