"""Reads what Helm installed from the storage of its releases. It needs no chart, no repository and no rendering.

Helm keeps each revision of a release in a Secret or a ConfigMap of its namespace, with its name, number and status as
labels: https://helm.sh/docs/topics/advanced/#storage-backends. The list has only their metadata. The contents of the
revisions to compare are requested one by one; they contain the values of the release and of its Secrets.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from drift.errors import DriftError, RequestError, SourceError
from drift.kube.live import LiveObject
from drift.kube.resources import Resource
from drift.model import SourceInfo, SourceKind
from drift.objects import Manifest, Object, as_object, at, text_at
from drift.sources.helm import read_templates
from drift.sources.model import ALL, Rendered, SourceContext, StoredObjects

_STORED: Final = re.compile(r"sh\.helm\.release\.v1\.(?P<name>.+)\.v(?P<number>[0-9]{1,9})")
_DEPLOYED: Final = "deployed"
#: The statuses of a release that was uninstalled and keeps its history.
_UNINSTALLED: Final = frozenset({"uninstalled", "uninstalling"})
#: An object in the cluster has at most 1.5 MiB; base64 and gzip make more of it.
_MAX_MANIFEST_BYTES: Final = 128 * 1024 * 1024
_GZIP: Final = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class _Revision:
    """One revision of a release, by the metadata of the object that stores it."""

    namespace: str
    name: str
    number: int
    status: str
    resource: Resource
    stored_as: str


@dataclass(frozen=True, slots=True)
class Release:
    """A release as Helm installed it.

    Attributes:
        number: The newest revision that is deployed, else the newest one.
        chart: The name of the chart of that revision.
        chart_version: Its version.
        deployed_at: RFC 3339, when that revision was deployed; None if unknown.
        manifests: The objects of that revision, without hooks.
        problem: What is wrong with the newest revision, as a sentence, or None.
        synced: What was last sent to the cluster: the objects of a newer revision that failed or is pending, else the
            same; None if no revision was ever deployed.
    """

    number: int
    chart: str
    chart_version: str
    deployed_at: str | None
    manifests: tuple[Manifest, ...] = field(repr=False)
    problem: str | None
    synced: tuple[Manifest, ...] | None = field(repr=False)

    @property
    def revision(self) -> str:
        """The revision and its chart, for the report."""
        return f"{self.number} ({self.chart} {self.chart_version})"


def render_releases(target: str, context: SourceContext) -> list[Rendered]:
    """Reads releases.

    Args:
        target: ``all``, ``NAME`` or ``NAMESPACE/NAME``.
        context: The cluster.

    Raises:
        SourceError: The account may not list them, or there is no such release.
    """
    releases = [*_by_release(_targeted(target, context))]
    if not releases and target != ALL:
        raise SourceError("there is no such Helm release; `helm list --all-namespaces` lists all")
    return [_rendered(found, context) for found in releases]


def release_state(target: str, context: SourceContext) -> Hashable:
    """Returns a value that changes when one of the releases does.

    Raises:
        SourceError: The account may not list them.
    """
    return frozenset(_targeted(target, context))


def storage_state(namespace: str, context: SourceContext) -> Hashable:
    """Returns a value that changes when one of the releases that are stored in a namespace does.

    Raises:
        SourceError: The account may not list them.
    """
    return frozenset(_revisions(context, namespace, None))


def find_release(namespace: str, name: str, context: SourceContext) -> Release | None:
    """Returns a release, or None if it is not installed.

    Raises:
        SourceError: It cannot be read.
    """
    # The request has no name, so that one list serves all charts in the namespace.
    stored = [revision for revision in _revisions(context, namespace, None) if revision.name == name]
    return next((_read(revisions, context) for revisions in _by_release(stored)), None)


def _targeted(target: str, context: SourceContext) -> Sequence[_Revision]:
    if target == ALL:
        return _revisions(context, None, None)
    namespace, _, name = target.rpartition("/")
    return _revisions(context, namespace or context.namespace, name)


def _by_release(revisions: Sequence[_Revision]) -> Iterator[Sequence[_Revision]]:
    """Yields the revisions of each release that is installed, the newest first."""
    releases: dict[tuple[str, str], list[_Revision]] = {}
    for revision in sorted(revisions, key=lambda item: item.number, reverse=True):
        releases.setdefault((revision.namespace, revision.name), []).append(revision)
    for _, found in sorted(releases.items()):
        if found[0].status not in _UNINSTALLED:
            yield found


def _revisions(context: SourceContext, namespace: str | None, name: str | None) -> list[_Revision]:
    stored = _stored(context)
    selector = "owner=helm" if name is None else f"owner=helm,name={name}"
    found: list[_Revision] = []
    for kind in ("Secret", "ConfigMap"):
        resource = context.cluster.resources.find("v1", kind)
        if resource is None:
            continue
        try:
            for live in stored.list_labelled(resource, namespace, selector):
                revision = _revision(live, resource)
                if revision is not None:
                    found.append(revision)
        except RequestError as error:
            if kind == "ConfigMap" and error.status == HTTPStatus.FORBIDDEN:
                # Few clusters have Helm store its releases there.
                continue
            raise SourceError(_why_unread(error, resource, namespace)) from None
    return found


def _why_unread(error: RequestError, resource: Resource, namespace: str | None) -> str:
    if error.status != HTTPStatus.FORBIDDEN:
        return str(error)
    place = "all namespaces" if namespace is None else f"the namespace {namespace}"
    return (
        f"Helm keeps its releases in {resource.plural}, and this account may not read them "
        f"(it needs get and list for {resource.plural} in {place})"
    )


def _stored(context: SourceContext) -> StoredObjects:
    if context.stored is None:
        raise SourceError("a dump does not hold what Helm stores in Secrets; name a cluster instead of --live")
    return context.stored


def _revision(live: LiveObject, resource: Resource) -> _Revision | None:
    stored = _STORED.fullmatch(live.name)
    status = text_at(live.body, "metadata", "labels", "status")
    if stored is None or live.namespace is None or not status:
        return None
    return _Revision(live.namespace, stored["name"], int(stored["number"]), status, resource, live.name)


def _rendered(revisions: Sequence[_Revision], context: SourceContext) -> Rendered:
    newest = revisions[0]
    title = f"release {newest.namespace}/{newest.name}"
    info = SourceInfo(SourceKind.HELM_RELEASE, title, revision=str(newest.number))
    try:
        release = _read(revisions, context)
    except SourceError as error:
        return Rendered(info, failure=f"{title}: {error}")
    info = replace(
        info,
        revision=release.revision,
        ready=release.problem is None,
        message=release.problem,
        last_synced=release.deployed_at,
    )
    return Rendered(
        info,
        release.manifests,
        release.synced or (),
        notes=() if release.problem is None else (f"{title}: {release.problem}",),
    )


def _read(revisions: Sequence[_Revision], context: SourceContext) -> Release:
    newest = revisions[0]
    deployed = next((found for found in revisions if found.status == _DEPLOYED), None)
    chosen = deployed or newest
    content = _content(chosen, context)
    manifests = _manifests(content, chosen)
    problem: str | None = None
    synced: tuple[Manifest, ...] | None = manifests
    if deployed is None:
        problem, synced = f"revision {newest.number} is {newest.status}, and none was deployed before", None
    elif deployed is not newest:
        problem = f"revision {newest.number} is {newest.status}; {deployed.number} is deployed"
        synced = _manifests(_content(newest, context), newest)
    return Release(
        number=chosen.number,
        chart=str(at(content, "chart", "metadata", "name")),
        chart_version=str(at(content, "chart", "metadata", "version")),
        deployed_at=text_at(content, "info", "last_deployed") or None,
        manifests=manifests,
        problem=problem,
        synced=synced,
    )


def _manifests(content: Object, revision: _Revision) -> tuple[Manifest, ...]:
    text = at(content, "manifest")
    if not isinstance(text, str):
        raise SourceError(f"revision {revision.number} has no manifest")
    try:
        # Flux may keep the releases of one namespace in another.
        namespace = str(content.get("namespace") or revision.namespace)
        return read_templates(text.encode("utf-8", "replace"), namespace, lambda _template, _body: None)
    except DriftError as error:
        raise SourceError(f"revision {revision.number} cannot be read: {error}") from None


def _content(revision: _Revision, context: SourceContext) -> Object:
    """Returns the decoded content of a revision. It contains secret values.

    Raises:
        SourceError: It cannot be read. The message quotes nothing of it.
    """
    try:
        body = _stored(context).get_stored(revision.resource, revision.namespace, revision.stored_as)
    except RequestError as error:
        raise SourceError(_why_unread(error, revision.resource, revision.namespace)) from None
    stored = text_at(body, "data", "release")
    if not stored:
        raise SourceError(f"revision {revision.number} was removed while it was read")
    try:
        # The Secret adds another base64 to Helm's own.
        packed = base64.b64decode(stored, validate=True) if revision.resource.kind == "Secret" else stored.encode()
        packed = base64.b64decode(packed, validate=True)
        unpacker = zlib.decompressobj(_GZIP)
        text = unpacker.decompress(packed, _MAX_MANIFEST_BYTES)
        if unpacker.unconsumed_tail:
            raise SourceError(f"revision {revision.number} is larger than {_MAX_MANIFEST_BYTES // 1024 // 1024} MiB")
        content = json.loads(text)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        raise SourceError(f"revision {revision.number} is not in the format of Helm 3 and 4") from None
    return as_object(content)
