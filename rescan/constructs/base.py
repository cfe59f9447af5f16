"""What every construct builds on: charts that are folders, props that are checked, and metadata."""

from collections.abc import Callable, Mapping, Sequence

import jsii
from cdk8s import Chart
from cdk8s_plus_27 import k8s
from constructs import Construct, IConstruct, IValidation

from rescan.errors import BrokenRulesError
from rescan.rules.declared import FORMAT, mistakes
from rescan.rules.model import BrokenRule

KEEP_WHEN_REMOVED_FROM_GIT = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    # Or Argo CD would call the Application OutOfSync for as long as the object is kept, and sync it again and again.
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
"""For objects that hold data: a mistake in Git must not delete what Git cannot bring back."""


def sync_wave(wave: int) -> dict[str, str]:
    """When Argo CD applies the object: wave after wave, each healthy before the next; the rest is in wave 0."""
    return {"argocd.argoproj.io/sync-wave": str(wave)}


class FolderChart(Chart):
    """A chart whose objects are written into `folder`, a path below the output folder with `/` between its parts.

    Its objects get `namespace` and `labels`; a cluster-scoped object belongs into a chart of its own, as `Namespace`.
    """

    def __init__(
        self,
        scope: Construct,
        folder: str,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        kustomized: bool = False,
        construct_id: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id or folder.replace("/", "-"),
            namespace=namespace,
            labels=labels,
            disable_resource_name_hashes=True,
        )
        self.folder = folder
        self.kustomized = kustomized
        """Whether the folder gets a kustomization.yaml that lists its files."""


class Namespace(FolderChart):
    """The namespace of a chart. It admits only pods that keep the restricted Pod Security Standard."""

    def __init__(self, scope: FolderChart, construct_id: str) -> None:
        super().__init__(scope, scope.folder, labels=scope.labels, construct_id=construct_id)
        if scope.namespace is None:
            raise BrokenRulesError(f"{scope.node.path}: the chart has no namespace; give it one")
        k8s.KubeNamespace(
            self,
            "namespace",
            metadata=k8s.ObjectMeta(
                name=scope.namespace,
                labels={"pod-security.kubernetes.io/enforce": "restricted"},
                annotations={**KEEP_WHEN_REMOVED_FROM_GIT, **sync_wave(-2)},
            ),
        )


class Checked(Construct):
    """A construct that checks its props, as settings are checked, and other rules when the tree is validated.

    Raises:
        BrokenRulesError: A prop is misspelt or missing, or has the wrong type. What has the wrong format or breaks a
            rule is reported by `validate`, for all constructs at once.
    """

    def __init__(self, scope: Construct, construct_id: str, props: object) -> None:
        super().__init__(scope, construct_id)
        path = self.node.path
        found = [BrokenRule(path, rule, breach) for rule, breach in mistakes(props)]
        impossible = [str(broken) for broken in found if broken.rule.startswith("settings-") and broken.rule != FORMAT]
        if impossible:
            raise BrokenRulesError("\n".join(impossible))
        lines = [str(broken) for broken in found]
        if lines:
            self.require(lambda: lines)

    def require(self, rule: Callable[[], Sequence[str]]) -> None:
        """Let `validate` call a rule, which returns a line for each mistake."""
        self.node.add_validation(_Validation(rule))


@jsii.implements(IValidation)
class _Validation:
    def __init__(self, rule: Callable[[], Sequence[str]]) -> None:
        self._rule = rule

    def validate(self) -> list[str]:
        return list(self._rule())


def validate(root: IConstruct) -> None:
    """Run the validations of all constructs in a tree.

    Raises:
        BrokenRulesError: At least one found a mistake; its text has a line for each.
    """
    lines = [line for construct in root.node.find_all() for line in construct.node.validate()]
    if lines:
        raise BrokenRulesError("\n".join(lines))


def object_meta(
    name: str, annotations: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None
) -> k8s.ObjectMeta:
    """Metadata of an object; the chart adds its namespace and labels."""
    return k8s.ObjectMeta(name=name, annotations=annotations or None, labels=labels or None)
