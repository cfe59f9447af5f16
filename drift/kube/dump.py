"""A dump (``kubectl get ... -o yaml --show-managed-fields``) as a source of live objects.

It needs no network: the types of fields come from the schema that is shipped with the reporter.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from drift.documents.files import document_files, mode_of, read_file
from drift.documents.parse import read_documents
from drift.errors import DumpError, ManifestError, RequestError, UsageError
from drift.kube.live import LiveObject, is_object, read_live
from drift.kube.resources import Resource, Resources
from drift.objects import Json, text_at
from drift.redaction import is_name, is_secret


class Dump:
    """Live objects read from files.

    Attributes:
        info: None, because there is no server.
        request_count: None, because there is no server.
        resources: The built-in kinds, and the kinds of the objects in the dump.
        default_namespace: The namespace of objects that name none.
    """

    info = None
    request_count = None

    def __init__(self, paths: Sequence[str], built_in: Sequence[Resource], default_namespace: str) -> None:
        """Reads the dumps.

        ``built_in`` are the kinds of Kubernetes itself.

        Raises:
            UsageError: A path does not exist.
            DumpError: A file cannot be read as a dump.
        """
        self._objects: dict[tuple[str, str], list[LiveObject]] = {}
        custom: dict[tuple[str, str], Resource] = {}
        known = {(resource.api_version, resource.kind) for resource in built_in}
        for live in _read_all(paths):
            kind = (live.api_version, live.kind)
            self._objects.setdefault(kind, []).append(live)
            if kind not in known and kind not in custom:
                custom[kind] = _custom_resource(live)
        # The preferred version of a kind is the first: one in which the dump has its objects.
        by_preference = sorted(
            [*built_in, *custom.values()], key=lambda one: (one.api_version, one.kind) not in self._objects
        )
        self.resources = Resources(by_preference)
        self.default_namespace = default_namespace

    def schema(self, resource: Resource) -> dict[str, Any] | None:
        """Returns None, because a dump contains no schemas."""
        del resource
        return None

    def _in_other_versions(self, resource: Resource) -> list[LiveObject]:
        return [
            live
            for (api_version, kind), objects in self._objects.items()
            if kind == resource.kind and api_version.rpartition("/")[0] == resource.group
            for live in objects
        ]

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """Returns one object, or None if the dump does not contain it."""
        return next((live for live in self.list(resource, namespace) if live.name == name), None)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind, in all namespaces if the namespace is None.

        Raises:
            RequestError: The dump contains them only in another version, in which they cannot be compared.
        """
        del at_most
        objects = self._objects.get((resource.api_version, resource.kind))
        others = [] if objects is not None else self._in_other_versions(resource)
        if others and not metadata_only:
            name = ".".join(part for part in (resource.plural, resource.version, resource.group) if part)
            raise RequestError(
                f"the dump has them as {others[0].api_version}, the manifests as {resource.api_version}; "
                f"dump that version (kubectl get {name}) or move the manifests",
                status=0,
                reason="OtherVersion",
            )
        for live in others if objects is None else objects:
            if namespace is None or live.namespace == namespace:
                yield live


def _read_all(paths: Sequence[str]) -> Iterator[LiveObject]:
    for path in paths:
        has_document = False
        for file in _files(Path(path)):
            try:
                for document in read_documents(read_file(file, named=file == Path(path)), str(file)):
                    has_document |= document.value is not None
                    yield from _objects(document.value, f"{file}:{document.line}")
            except OSError as error:
                raise DumpError(f"--live {file}: cannot be read: {error.strerror}") from None
            except ManifestError as error:
                raise DumpError(f"--live {error}") from None
        if not has_document:
            # A dump of nothing is a list without items. All objects would be missing.
            raise DumpError(f"--live {path}: is empty; check the command that wrote it")


def _files(path: Path) -> list[Path]:
    try:
        if mode_of(path) is None:
            raise UsageError(f"--live {path}: no such file or folder")
        return document_files(path)
    except OSError as error:
        raise DumpError(f"--live {error.filename}: cannot be read: {error.strerror}") from None


def _objects(value: Json, position: str) -> Iterator[LiveObject]:
    if value is None:
        return
    bodies = value.get("items") or [] if isinstance(value, dict) and "items" in value else [value]
    for body in bodies:
        if not _can_be_shown(body):
            raise DumpError(f"--live {position}: not a dump of Kubernetes objects")
        yield read_live(body, body["apiVersion"], body["kind"])


def _can_be_shown(body: Json) -> bool:
    """Whether a value is a Kubernetes object whose kind and name can be shown."""
    if not is_object(body):
        return False
    api_version, kind = text_at(body, "apiVersion"), text_at(body, "kind")
    if not all(len(word.split()) == 1 and word.isprintable() for word in (api_version, kind)):
        return False
    metadata = body["metadata"]
    names = [metadata["name"], *([metadata["namespace"]] if metadata.get("namespace") else [])]
    return not is_secret(api_version, kind) or all(map(is_name, names))


def _custom_resource(live: LiveObject) -> Resource:
    group, _, version = live.api_version.rpartition("/")
    return Resource(
        group, version, live.kind, live.kind.lower(), live.namespace is not None, frozenset({"get", "list"})
    )
