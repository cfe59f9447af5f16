"""The commands of kubectl, Flux and Argo CD about an object, quoted for a POSIX shell.

No other program is needed, and a kubectl command that changes something fails if the object is no longer as the report
has it.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from drift.advice.last_object import once_per_object
from drift.advice.refusals import is_testable, needs_version
from drift.model import Cause, Change, Finding, ObjectReport, SourceInfo, SourceKind
from drift.objects import Json, Object
from drift.paths import SET_FIELD, ItemKey, Path, escape_pointer, parse

#: The name of a source that a controller in the cluster syncs.
_NAME: Final = re.compile(r"\w+ (?P<namespace>[a-z0-9][-a-z0-9.]*)/(?P<name>[a-z0-9][-a-z0-9.]*)(?: source [0-9]+)?")
_Command = Callable[[str, str, ObjectReport], tuple[str, ...]]
_STATUS: Final[Mapping[SourceKind, _Command]] = {
    SourceKind.FLUX_KUSTOMIZATION: lambda namespace, name, _: ("flux", "get", "kustomization", name, "-n", namespace),
    SourceKind.FLUX_HELM_RELEASE: lambda namespace, name, _: ("flux", "get", "helmrelease", name, "-n", namespace),
    SourceKind.ARGOCD_APPLICATION: lambda namespace, name, _: (
        *("argocd", "app", "get", name),
        *("--app-namespace", namespace),
    ),
}
#: Flux and Argo CD put back what was edited. helm-controller does so only where a HelmRelease asks for it.
_SYNC: Final[Mapping[SourceKind, _Command]] = {
    SourceKind.FLUX_KUSTOMIZATION: lambda namespace, name, _: (
        *("flux", "reconcile", "kustomization", name),
        *("-n", namespace, "--with-source"),
    ),
    SourceKind.ARGOCD_APPLICATION: lambda namespace, name, item: (
        *("argocd", "app", "sync", name, "--app-namespace", namespace),
        *("--resource", f"{item.key.group}:{item.kind}:{f'{item.namespace}/' if item.namespace else ''}{item.name}"),
    ),
}
#: Kinds of source whose command line takes ``--context``.
_WITH_CONTEXT: Final = frozenset({SourceKind.FLUX_KUSTOMIZATION, SourceKind.FLUX_HELM_RELEASE})

_NOT_ASCII: Final = re.compile(r"[^\x20-\x7e]")
_LAST_OF_PLANE_0: Final = 0xFFFF
#: Linux takes arguments of up to 128 KiB; a character may have four bytes, and a quote is written as five.
_MAX_ARGUMENT: Final = 20_000
#: The groups of the kinds with a Pod template.
_POD_GROUPS: Final = frozenset({"", "apps", "batch"})

_METADATA_MAPS: Final = ("/metadata/annotations", "/metadata/labels")
#: The maps to which appliers and controllers add entries of their own.
_SHARED_MAPS: Final = (*_METADATA_MAPS, "/nodeSelector", "/limits", "/requests")


def look(item: ObjectReport, verb: str, *flags: str, context: str | None) -> str:
    """Returns a command that shows an object: ``kubectl get deployment.apps/web -n shop -o yaml``."""
    kind = item.kind.lower()
    name = f"{kind}.{item.key.group}/{item.name}" if item.key.group else f"{kind}/{item.name}"
    namespace = ("-n", item.namespace) if item.namespace else ()
    return shlex.join(("kubectl", verb, name, *namespace, *_context(context), *flags))


def look_at_events(item: ObjectReport, context: str | None) -> str:
    """Returns a command that shows the events of an object, which outlive it for an hour."""
    namespace = ("-n", item.namespace) if item.namespace else ("-A",)
    selector = f"involvedObject.kind={item.kind},involvedObject.name={item.name}"
    return shlex.join(("kubectl", "get", "events", *namespace, *_context(context), "--field-selector", selector))


def revert_object(item: ObjectReport, finding: Finding, context: str | None) -> str:
    """Returns the command that deletes an unmanaged object, or creates a missing one."""
    if finding.change is Change.UNMANAGED:
        uid = _write("get", _resource(item), "--output=jsonpath={.metadata.uid}", item=item, context=context)
        # A finalizer may keep the object for as long as its controller does not run.
        delete = _write("delete", _resource(item), "--wait=false", item=item, context=context)
        return f'test "$({uid})" = {shlex.quote(str(item.uid))} && {delete}'
    file = item.source.file if item.source else ""
    # kubectl create changes no object that exists.
    return _write("create", f"--filename={file}", item=item, context=context)


def revert_fields(item: ObjectReport, findings: Sequence[Finding], context: str | None) -> str:
    """Returns the command that patches an object so that fields say what Git says.

    It has several lines if the patch is too long for an argument.
    """
    patch = _json(_operations(item, findings))
    flags = ("patch", _resource(item), "--type=json")
    if len(patch) <= _MAX_ARGUMENT:
        return _write(*flags, f"--patch={patch}", item=item, context=context)
    return f"{_write(*flags, '--patch-file=/dev/stdin', item=item, context=context)} <<'PATCH'\n{patch}\nPATCH"


def _json(value: Json) -> str:
    """Returns JSON in ASCII but for printable characters beyond U+FFFF: kubectl refuses these as two escapes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _NOT_ASCII.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    if ord(character) <= _LAST_OF_PLANE_0:
        return f"\\u{ord(character):04x}"
    # kubectl reads a patch as YAML, which has this escape.
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _write(*arguments: str, item: ObjectReport, context: str | None) -> str:
    namespace = ("--namespace", item.namespace) if item.namespace else ()
    return shlex.join(("kubectl", *arguments, *namespace, *_context(context)))


def _context(context: str | None) -> Sequence[str]:
    return ("--context", context) if context else ()


def _resource(item: ObjectReport) -> str:
    """Returns the object with its version, in which the pointers of a patch are valid."""
    group, _, version = item.api_version.rpartition("/")
    kind = item.kind.lower()
    return f"{kind}.{version}.{group}/{item.name}" if group else f"{kind}/{item.name}"


# -- JSON patches (RFC 6902)


def _operations(item: ObjectReport, findings: Sequence[Finding]) -> Sequence[Object]:
    """Returns a patch in which all pointers are those of the live object.

    It tests and replaces before anything moves. Then it removes and adds from the end, so that the pointers of what is
    still to do stay right.
    """
    tests = [*_test_of_version(item, findings)]
    edited = _edited_keys(item.findings)
    replacements: list[Object] = []
    moves: list[tuple[Finding, Object]] = []
    for finding in findings:
        where = finding.live_pointer or finding.pointer
        tests += _tests_of_keys(finding, where, edited)
        if finding.change is Change.REMOVED:
            if where.endswith(_METADATA_MAPS):
                # Older reports also name the whole map if it only holds what they leave out, such as the last-applied
                # annotation. A patch takes an absent value for null.
                tests.append({"op": "test", "path": where, "value": None})
            moves.append((finding, {"op": "add", "path": where, "value": finding.desired}))
            continue
        if not isinstance(finding.live, dict | list):
            tests.append({"op": "test", "path": where, "value": finding.live})
        if finding.change is Change.ADDED:
            moves += ((finding, {"op": "remove", "path": path}) for path in _removed(where, finding.live))
            if where.endswith("/serviceAccountName") and item.key.group in _POD_GROUPS:
                # The server keeps a copy under the deprecated name, and would restore the field from it.
                moves.append((finding, {"op": "remove", "path": where.removesuffix("Name")}))
        else:
            replacements.append({"op": "replace", "path": where, "value": finding.desired})
            if (item.kind, where, finding.desired) == ("Deployment", "/spec/strategy/type", "Recreate"):
                # The server has filled this in, and refuses it beside Recreate. The report leaves defaults out.
                replacements.append({"op": "add", "path": "/spec/strategy/rollingUpdate", "value": None})
    moves.sort(key=_order_of_move, reverse=True)
    return [*{test["path"]: test for test in tests}.values(), *replacements, *(operation for _, operation in moves)]


def _order_of_move(move: tuple[Finding, Object]) -> tuple[list[tuple[int, str]], bool, list[tuple[int, str]]]:
    """Sort key: an item is added before the live item of the same pointer, and items of Git are in the order of Git."""
    finding, operation = move
    return _order(operation["path"]), operation["op"] == "remove", _order(finding.pointer)


def _removed(pointer: str, live: Json) -> Iterator[str]:
    """Yields the pointers to what was added.

    The report leaves out entries of maps that belong to appliers and controllers, such as their tracking annotations.
    These stay. Of an object with fixed fields, it only leaves out defaults.
    """
    if isinstance(live, dict) and live and pointer.endswith("/metadata"):
        for name, value in live.items():
            yield from _removed(f"{pointer}/{escape_pointer(name)}", value)
    elif isinstance(live, dict) and live and pointer.endswith(_SHARED_MAPS):
        yield from (f"{pointer}/{escape_pointer(name)}" for name in live)
    else:
        yield pointer


def _test_of_version(item: ObjectReport, findings: Sequence[Finding]) -> Iterator[Object]:
    """Yields a test that the object is unchanged, if the values of a finding do not show it."""
    paths = [parse(finding.path) for finding in findings if needs_version(finding)]
    if not paths:
        return
    if item.generation is not None and all(path[0] == "spec" for path in paths):
        # Unlike the resourceVersion, it stays when a controller writes the status.
        yield {"op": "test", "path": "/metadata/generation", "value": item.generation}
    else:
        yield {"op": "test", "path": "/metadata/resourceVersion", "value": item.resource_version}


@once_per_object
def _edited_keys(findings: Sequence[Finding]) -> Mapping[Path, Json]:
    """Returns the live values of key fields that differ, by the path that Git's item has."""
    return dict(_find_edited_keys(findings))


def _find_edited_keys(findings: Sequence[Finding]) -> Iterator[tuple[Path, Json]]:
    for finding in findings:
        with suppress(ValueError):
            path = parse(finding.path)
            if len(path) > 1 and isinstance(path[-2], ItemKey) and finding.change is not Change.REMOVED:
                yield path, finding.live


def _tests_of_keys(finding: Finding, pointer: str, edited: Mapping[Path, Json]) -> Iterator[Object]:
    """Yields tests that the list items on the way to a field are where the report has them.

    Args:
        finding: The finding.
        pointer: Its pointer in the live object.
        edited: The live values of key fields that differ from the path.
    """
    above = ""
    path = parse(finding.path)
    tokens = pointer.split("/")[1:]
    for number, (element, token) in enumerate(zip(path[:-1], tokens, strict=False), start=1):
        above += f"/{token}"
        if isinstance(element, ItemKey):
            for name, value in element:
                key = (*path[:number], name)
                if name != SET_FIELD and (key in edited or is_testable(name, value)):
                    live = edited[key] if key in edited else typed_key(name, value)
                    yield {"op": "test", "path": f"{above}/{escape_pointer(name)}", "value": live}


def typed_key(name: str, value: Json) -> Json:
    """Returns a key's value with its type: of the keys of Kubernetes' lists, only ports are numbers."""
    return int(value) if name.lower().endswith("port") and re.fullmatch(r"\d+", str(value)) else value


def _order(pointer: str) -> list[tuple[int, str]]:
    return [(int(token), "") if token.isdecimal() else (-1, token) for token in pointer.split("/")]


# -- Flux and Argo CD


class ControllerState(Enum):
    """Whether the GitOps controller of a source syncs it."""

    UNKNOWN = auto()
    ACTIVE = auto()
    #: It syncs on request, as an Application without automatic sync.
    MANUAL = auto()
    SUSPENDED = auto()
    FAILING = auto()


def controller_state(source: SourceInfo | None) -> ControllerState:
    """Returns the state of a source's GitOps controller; unknown if nothing in the cluster syncs the source."""
    if source is None or source.suspended is None:
        return ControllerState.UNKNOWN
    if source.suspended:
        return ControllerState.MANUAL if _syncs_on_request(source) else ControllerState.SUSPENDED
    return ControllerState.FAILING if source.ready is False else ControllerState.ACTIVE


def status_command(source: SourceInfo, item: ObjectReport, context: str | None) -> str | None:
    """Returns the command that shows what the GitOps controller says about a source, or None."""
    return _command(_STATUS, source, item, context)


def sync_command(source: SourceInfo, item: ObjectReport, context: str | None) -> str | None:
    """Returns the command that makes the GitOps controller sync an object, or None if it would not."""
    if (source.suspended and not _syncs_on_request(source)) or (syncs_one_object(source) and ":" in item.name):
        # argocd reads the colon in a name such as system:node as the end of the name.
        return None
    return _command(_SYNC, source, item, context)


def may_undo(source: SourceInfo, finding: Finding) -> bool:
    """Whether a sync by the source's controller can end a finding.

    It does not remove what another manager added, except that kustomize-controller removes what kubectl set, but not
    through a subresource such as that of ``kubectl scale``:
    https://fluxcd.io/flux/faq/#why-are-kubectl-edits-rolled-back-by-flux
    """
    if finding.is_being_deleted:
        return False
    if finding.change is not Change.ADDED or finding.cause is Cause.PENDING_SYNC:
        return True
    return (
        source.kind is SourceKind.FLUX_KUSTOMIZATION
        and bool(finding.actors)
        and all(actor.manager.startswith("kubectl") and actor.subresource is None for actor in finding.actors)
    )


def _syncs_on_request(source: SourceInfo) -> bool:
    """Whether a source that does not sync by itself can be synced, as an Application that Argo CD does not skip."""
    return source.kind is SourceKind.ARGOCD_APPLICATION and not source.skips_reconcile


def syncs_one_object(source: SourceInfo) -> bool:
    """Whether `sync_command` leaves the other objects of the source alone."""
    return source.kind is SourceKind.ARGOCD_APPLICATION


def _command(
    commands: Mapping[SourceKind, _Command], source: SourceInfo, item: ObjectReport, context: str | None
) -> str | None:
    found = _NAME.fullmatch(source.name)
    if found is None or source.kind not in commands:
        return None
    words = commands[source.kind](found["namespace"], found["name"], item)
    flags = ("--context", context) if context and source.kind in _WITH_CONTEXT else ()
    return shlex.join((*words, *flags))
