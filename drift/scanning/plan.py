"""The plan of a scan: the manifests by kind and namespace, and those that need no live object to be reported."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from drift.gitops.flux_values import VariableKey, hashed_prefix, mask_names, prefix_key, variable_key
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resource
from drift.model import ObjectReport, Status
from drift.objects import Manifest, Object, ObjectKey
from drift.scanning.options import Options

#: Argo CD's own kinds. Argo Workflows and Rollouts use the same group, but their objects are ordinary manifests.
_ARGOCD_KINDS: Final = frozenset({"Application", "ApplicationSet", "AppProject"})
_VARIABLE_NAME: Final = (
    "its name, namespace or kind has a variable (${...}), which looks like Flux's postBuild substitution: "
    "--flux compares what Flux applies"
)
_HASHED_NAME: Final = (
    "generated from a file that is encrypted with SOPS, so the hash in its name is another one in the cluster"
)
#: The end of the API groups of all Flux kinds.
_FLUX_GROUPS: Final = ".toolkit.fluxcd.io"


def _configures_gitops(resource: Resource) -> bool:
    """Whether objects of a kind tell a GitOps controller what to sync."""
    if resource.group == "argoproj.io":
        return resource.kind in _ARGOCD_KINDS
    return resource.group.endswith(_FLUX_GROUPS)


@dataclass(frozen=True, slots=True)
class PlannedKind:
    """The manifests of one kind.

    Attributes:
        resource: The kind, in the version of the manifests.
        namespaces: The manifests by namespace (None for a cluster-scoped kind) and name.
    """

    resource: Resource
    namespaces: dict[str | None, dict[str, Manifest]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """A manifest and its live object.

    Attributes:
        manifest: The manifest.
        desired: Its desired object.
        live: The live object, in the manifest's version.
        key: The key of both.
        resource: Their kind.
    """

    manifest: Manifest
    desired: Object
    live: LiveObject
    key: ObjectKey
    resource: Resource

    def report(self, status: Status, reason: str | None = None) -> ObjectReport:
        """Returns the report of the object, without findings."""
        return ObjectReport.of(self.manifest, self.key, status, reason)


@dataclass(frozen=True, slots=True)
class AbsentObject:
    """A manifest whose live object does not exist.

    Attributes:
        manifest: The manifest.
        key: The key of the object.
        reason: Why it does not exist, as a sentence, or None.
    """

    manifest: Manifest
    key: ObjectKey
    reason: str | None = None


class PendingKind:
    """The manifests of a kind that have no result yet.

    Attributes:
        kind: All manifests of the kind, pending or not.
    """

    def __init__(self, kind: PlannedKind) -> None:
        self.kind = kind
        self._namespaces = {namespace: dict(manifests) for namespace, manifests in kind.namespaces.items()}

    def pair(self, live: LiveObject) -> Pair | None:
        """Returns a live object and its manifest, or None if no pending manifest describes the object."""
        namespace = self._namespace(live)
        manifest = self._namespaces.get(namespace, {}).get(live.name)
        if manifest is None:
            return None
        return Pair(manifest, manifest.body, live, self.kind.resource.key(namespace, live.name), self.kind.resource)

    def describes(self, live: LiveObject) -> bool:
        """Whether any manifest describes a live object, pending or not."""
        return live.name in self.kind.namespaces.get(self._namespace(live), ())

    def remove(self, pair: Pair) -> None:
        """Removes the manifest of a pair that has a result."""
        del self._namespaces[pair.key.namespace][pair.key.name]

    def pop(self, namespace: str | None) -> Mapping[str, Manifest] | None:
        """Removes and returns the manifests of a namespace by name; None if that was done before or it has none."""
        return self._namespaces.pop(namespace, None)

    def rest(self) -> Iterator[tuple[str | None, Mapping[str, Manifest]]]:
        """Yields the pending manifests by name, for each namespace."""
        yield from self._namespaces.items()

    def absent(self) -> Iterator[AbsentObject]:
        """Yields the pending manifests as absent: all live objects of the kind have been read."""
        for namespace, manifests in self.rest():
            for name, manifest in manifests.items():
                yield AbsentObject(manifest, self.kind.resource.key(namespace, name))

    def _namespace(self, live: LiveObject) -> str | None:
        return live.namespace if self.kind.resource.namespaced else None


@dataclass(frozen=True, slots=True)
class Plan:
    """All manifests, resolved against the kinds that the cluster or dump has.

    Attributes:
        kinds: The manifests whose live objects are to be read.
        described: The keys of all manifests.
        unchecked: The reports of the manifests that are not compared.
        absent: The manifests whose kind the cluster or dump does not have.
        patterns: The keys of manifests with an unknown part in their key. Each may describe any object that matches.
        repeats: One line for each manifest that describes an object which an earlier one of the same source describes.
    """

    kinds: tuple[PlannedKind, ...]
    described: frozenset[ObjectKey]
    unchecked: tuple[ObjectReport, ...]
    absent: tuple[AbsentObject, ...]
    patterns: tuple[VariableKey, ...] = ()
    repeats: tuple[str, ...] = ()

    @property
    def searched(self) -> list[str]:
        """The namespaces to search for unmanaged objects, sorted.

        A namespace whose only manifests configure a GitOps controller (Argo CD Applications, Flux Kustomizations)
        belongs to that controller, so other objects in it are not unmanaged.
        """
        kinds = [kind for kind in self.kinds if not _configures_gitops(kind.resource)]
        return sorted({name for kind in kinds for name in kind.namespaces if name is not None})

    @property
    def compared(self) -> Mapping[ObjectKey, Manifest]:
        """The manifests whose live objects are to be read, by key."""
        return {
            kind.resource.key(namespace, name): manifest
            for kind in self.kinds
            for namespace, manifests in kind.namespaces.items()
            for name, manifest in manifests.items()
        }

    def may_describe(self, key: ObjectKey) -> bool:
        """Returns whether a manifest with an unknown part in its key may describe an object."""
        return any(pattern.matches(key) for pattern in self.patterns)

    def part(self, has: Callable[[str | None], bool]) -> "Plan":
        """Returns the part of the plan that has some namespaces; None stands for cluster-scoped objects.

        It has every namespaced kind, even if it has no manifests of the kind.
        """
        return replace(
            self,
            kinds=tuple(
                PlannedKind(kind.resource, {name: found for name, found in kind.namespaces.items() if has(name)})
                for kind in self.kinds
                if kind.resource.namespaced or has(None)
            ),
            unchecked=tuple(report for report in self.unchecked if has(report.key.namespace)),
            absent=tuple(absent for absent in self.absent if has(absent.key.namespace)),
        )


class ResourceMapper:
    """Maps manifests to the resources and keys of the cluster or dump."""

    def __init__(self, source: LiveSource, options: Options) -> None:
        self._source = source
        self._options = options

    def by_key(self, manifests: Iterable[Manifest]) -> Mapping[ObjectKey, Manifest]:
        """Returns the manifests by key."""
        return {self._key(manifest, self._resource(manifest)): manifest for manifest in manifests}

    def resolve(self, manifests: Sequence[Manifest]) -> Plan:
        """Groups manifests by kind and namespace."""
        kinds: dict[tuple[str, str], PlannedKind] = {}
        unchecked: list[ObjectReport] = []
        absent: list[AbsentObject] = []
        patterns: list[VariableKey] = []
        merged, conflicts, repeats = self._merge(manifests)
        # kustomize computes the hash in their names from encrypted files, and Flux from the decrypted ones.
        hashed = {key: prefix for key, one in merged.items() if (prefix := hashed_prefix(one)) is not None}
        if hashed:
            names = {key.name for key in hashed}
            merged = {key: replace(one, content=mask_names(one.body, names)) for key, one in merged.items()}
        for key, manifest in merged.items():
            resource = self._resource(manifest)
            excluded = self._options.unchecked_kind(manifest.group, manifest.kind)
            pattern = variable_key(manifest, key) if self._options.may_have_variables(manifest) else None
            if excluded is not None:
                unchecked.append(replace(_unchecked(manifest, key, excluded.reason), is_skipped=True))
            elif pattern is not None:
                patterns.append(pattern)
                unchecked.append(_unchecked(manifest, key, _VARIABLE_NAME))
            elif key in hashed:
                patterns.append(prefix_key(key, hashed[key]))
                unchecked.append(_unchecked(manifest, key, _HASHED_NAME))
            elif key in conflicts:
                unchecked.append(_unchecked(manifest, key, conflicts[key]))
            elif resource is None:
                unserved = self._not_served(manifest, key)
                if isinstance(unserved, AbsentObject):
                    absent.append(unserved)
                else:
                    unchecked.append(unserved)
            else:
                kind = kinds.setdefault((resource.api_version, resource.kind), PlannedKind(resource))
                kind.namespaces.setdefault(key.namespace, {})[manifest.name] = manifest
        return Plan(
            tuple(kinds.values()),
            frozenset(merged),
            tuple(unchecked),
            tuple(absent),
            tuple(patterns),
            repeats=tuple(repeats),
        )

    def _merge(
        self, manifests: Sequence[Manifest]
    ) -> tuple[Mapping[ObjectKey, Manifest], Mapping[ObjectKey, str], Sequence[str]]:
        """Returns one manifest for each object, why some are not compared, and a line for each that is defined twice.

        Two sources may define an object if both definitions are equal. Two files may not, nor may one source define it
        twice: the result would depend on the applier.
        """
        merged: dict[ObjectKey, Manifest] = {}
        conflicts: dict[ObjectKey, str] = {}
        repeats: list[str] = []
        for manifest in manifests:
            key = self._key(manifest, self._resource(manifest))
            other = merged.setdefault(key, manifest)
            if other is manifest:
                continue
            origins = {*manifest.origins, *other.origins}
            if len(origins) < 2 or self._options.files >= origins:  # noqa: PLR2004 - two sources
                place = f"{manifest.place}:1" if manifest.source is not None else manifest.place
                repeats.append(f"{place}: {key} is also defined in {other.place}; remove one of them")
                conflicts[key] = f"also defined in {manifest.place}; remove one of them"
                continue
            merged[key] = replace(other, origins=(*other.origins, *manifest.origins))
            if not _are_alike(manifest, other):
                conflicts[key] = (
                    f"described differently by {' and '.join(merged[key].origins)} ({other.place}; {manifest.place})"
                )
        return merged, conflicts, repeats

    def _resource(self, manifest: Manifest) -> Resource | None:
        return self._source.resources.find(manifest.api_version, manifest.kind)

    def _key(self, manifest: Manifest, resource: Resource | None) -> ObjectKey:
        if resource is None:
            return manifest.key
        if not resource.namespaced:
            # kubectl and the API server ignore the namespace of a cluster-scoped object.
            return resource.key(None, manifest.name)
        default = self._options.namespace or self._source.default_namespace
        return resource.key(manifest.namespace or default, manifest.name)

    def _not_served(self, manifest: Manifest, key: ObjectKey) -> ObjectReport | AbsentObject:
        resources = self._source.resources
        other = resources.preferred(manifest.group, manifest.kind)
        if other is not None:
            reason = f"{manifest.api_version} is not served here; move the manifest to {other.api_version}"
            return _unchecked(manifest, key, reason)
        if manifest.api_version in resources.broken:
            reason = f"cannot read objects of {manifest.api_version}: that API does not answer"
            return _unchecked(manifest, key, reason)
        similar = " or ".join(resources.similar(manifest.api_version, manifest.kind))
        if self._source.info is None:
            reason = f"the dump has no {manifest.kind} of {manifest.api_version}"
            return AbsentObject(manifest, key, f"{reason}; did you mean {similar}?" if similar else reason)
        reason = f"the server has no kind {manifest.kind} in {manifest.api_version}; is its CRD installed"
        return AbsentObject(manifest, key, f"{reason}, or did you mean {similar}?" if similar else f"{reason}?")


def _are_alike(manifest: Manifest, other: Manifest) -> bool:
    """Whether two manifests of an object are equal, apart from a namespace that only one of them names."""
    return manifest.api_version == other.api_version and _without_namespace(manifest) == _without_namespace(other)


def _without_namespace(manifest: Manifest) -> Object:
    metadata = {name: value for name, value in manifest.body["metadata"].items() if name != "namespace"}
    return {**manifest.body, "metadata": metadata}


def _unchecked(manifest: Manifest, key: ObjectKey, reason: str) -> ObjectReport:
    return ObjectReport.of(manifest, key, Status.UNCHECKED, reason)
