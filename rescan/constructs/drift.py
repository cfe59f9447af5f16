"""The job that reports what in the cluster is not what Git says, and what it is given for that.

An init container fetches the repository; the reporter compares a folder in it with the namespace, or the whole cluster
with what GitOps controllers and Helm say. Only the reporter gets the token of the service account, and that may get and
list the kinds of the manifests, nothing else.
"""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from cdk8s import ApiObject
from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import KEEP_WHEN_REMOVED_FROM_GIT, Checked, FolderChart, object_meta
from rescan.constructs.pods import TEMPORARY_PATH, TEMPORARY_VOLUME, container, empty_volume, pod_spec
from rescan.constructs.scalars import quantity
from rescan.formats import ClusterSource, CronJobName, DnsLabel, GitBranch, GitUrl, LabelValue, RelativePath
from rescan.kinds import resource_of
from rescan.settings import DriftJob, Pods
from rescan.settings.declaration import props

_INDEX = "JOB_COMPLETION_INDEX"
"""The variable by which Kubernetes tells the pods of an Indexed Job which one they are."""
_CLONE_VOLUME, _CLONE_PATH = "clone", "/git"
_HISTORY_VOLUME, _HISTORY_PATH = "history", "/history"
_CONFIG_VOLUME, _CONFIG_PATH = "config", "/etc/drift"
_ACCOUNT_VOLUME, _ACCOUNT_PATH = "account", "/var/run/secrets/kubernetes.io/serviceaccount"
_CREDENTIALS_VOLUME, _CREDENTIALS_PATH = "git-secret", "/etc/git-secret"
_WORK_VOLUME = "work"
_LINK = "current"
_CONFIG_FILE = "drift.yaml"
_READ = ["get", "list"]
_RBAC = "rbac.authorization.k8s.io/v1"

_WITHOUT_SECRETS = """\
# The account of the job may not read Secrets: the API server is not asked for any, and the scan is complete without.
unchecked:
- group: ''
  kind: Secret
  reason: the account of the drift job may not read Secrets
"""
_WITH_SECRETS = """\
# Nothing is left out. Rules for what is not drift go into a drift.yaml of your own: the setting `drift.config`.
"""
_FLUX_SECRETS = """\
# Values that Flux takes from Secrets are compared, and shown nowhere.
flux:
  readSecrets: true
"""

_FLUX = frozenset(
    {
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ("source.toolkit.fluxcd.io/v1", "Bucket"),
        ("source.toolkit.fluxcd.io/v1", "GitRepository"),
        ("source.toolkit.fluxcd.io/v1", "OCIRepository"),
    }
)
_ARGOCD = frozenset({("argoproj.io/v1alpha1", "Application")})
# Options of Argo CD, variables of Flux, and what Helm may store its releases in.
_FOR_ANY = frozenset({("v1", "ConfigMap"), ("v1", "Namespace")})


@props
class Repository:
    """A branch of a Git repository."""

    url: GitUrl
    branch: GitBranch = "main"


@props
class ClusterSources:
    """What GitOps controllers and Helm say they deploy: `all` of it, or by `NAMESPACE/NAME`. Read in all namespaces."""

    flux: tuple[ClusterSource, ...] = ()
    """Kustomizations and HelmReleases. HelmReleases need `DriftJob.read_secrets`."""
    argocd: tuple[ClusterSource, ...] = ()
    """Applications."""
    helm_releases: tuple[ClusterSource, ...] = ()
    """Releases, which Helm stores in Secrets: they need `DriftJob.read_secrets`."""
    repositories: tuple[Repository, ...] = ()
    """Where their files are, beside the repository of the job. Fetched with the same credentials."""

    @property
    def kinds(self) -> AbstractSet[tuple[str, str]]:
        """The kinds that say so: `("argoproj.io/v1alpha1", "Application")`."""
        return _FOR_ANY | (_FLUX if self.flux else frozenset()) | (_ARGOCD if self.argocd else frozenset())


@props
class DriftReporterProps:
    """What is compared, and with which settings."""

    name: CronJobName
    """The name of the CronJob and of everything that belongs to it, and the `app` label of its pods."""
    job: DriftJob
    namespace: DnsLabel
    repository_url: GitUrl
    branch: GitBranch
    path: RelativePath | None = None
    """A folder of the repository: `dist/prod`."""
    sources: ClusterSources | None = None
    """Compares the whole cluster, with a ClusterRole. Their files are those of the repository, found by its URL."""
    environment: LabelValue
    """The `environment` label of the metrics."""
    pods: Pods = Pods()


class DriftReporter(Checked):
    """The CronJob, its account, its volume and its settings. Call `read` when the chart has all its objects."""

    def __init__(self, scope: Construct, construct_id: str, props: DriftReporterProps) -> None:
        super().__init__(scope, construct_id, props)
        self.props = props
        self.name = props.name
        # Another label than the application's, or its Service would send requests to these pods.
        self.selector = {"app": props.name}
        job, metadata = props.job, object_meta(props.name)
        k8s.KubeCronJob(self, "cron-job", metadata=metadata, spec=self._cron_job())
        k8s.KubePersistentVolumeClaim(
            self,
            "history",
            metadata=object_meta(props.name, KEEP_WHEN_REMOVED_FROM_GIT),
            spec=k8s.PersistentVolumeClaimSpec(
                access_modes=[job.access_mode.value],
                resources=k8s.ResourceRequirements(requests={"storage": quantity(job.history_size)}),
                storage_class_name=job.storage_class,
            ),
        )
        if job.config is None:
            text = _WITH_SECRETS if job.read_secrets else _WITHOUT_SECRETS
            if job.read_secrets and props.sources is not None and props.sources.flux:
                text += _FLUX_SECRETS
            k8s.KubeConfigMap(self, "config", metadata=metadata, data={_CONFIG_FILE: text})
        # The pod asks for the token itself, for one of its containers.
        k8s.KubeServiceAccount(self, "account", metadata=metadata, automount_service_account_token=False)
        if props.sources is None:
            k8s.KubeRoleBinding(
                self, "binding", metadata=metadata, role_ref=self._role("Role"), subjects=[self._subject()]
            )
        self.require(self._missing)

    def read(self, chart: FolderChart, others: AbstractSet[tuple[str, str]] = frozenset()) -> None:
        """Let the reporter get and list the kinds of the objects in the chart, and others: `("v1", "Pod")`."""
        made = [each for each in chart.node.find_all() if isinstance(each, ApiObject)]
        kinds = {(each.api_version, each.kind) for each in made} | others
        if self.props.job.read_secrets:
            kinds.add(("v1", "Secret"))
        sources, metadata = self.props.sources, object_meta(self.name)
        if sources is not None:
            kinds |= sources.kinds | {(_RBAC, "ClusterRole"), (_RBAC, "ClusterRoleBinding")}
            # Their chart has no namespace, which cdk8s would give to them.
            cluster = FolderChart(chart, chart.folder, labels=chart.labels, construct_id=f"{self.node.id}-cluster")
            k8s.KubeClusterRole(cluster, "role", metadata=metadata, rules=_rules(kinds))
            k8s.KubeClusterRoleBinding(
                cluster, "binding", metadata=metadata, role_ref=self._role("ClusterRole"), subjects=[self._subject()]
            )
            return
        kinds.add((_RBAC, "Role"))
        k8s.KubeRole(
            self,
            "role",
            metadata=metadata,
            rules=[*_rules(kinds - {("v1", "Namespace")}), self._own_namespace()],
        )

    def _role(self, kind: str) -> k8s.RoleRef:
        return k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind=kind, name=self.name)

    def _subject(self) -> k8s.Subject:
        return k8s.Subject(kind="ServiceAccount", name=self.name, namespace=self.props.namespace)

    def _missing(self) -> list[str]:
        props = self.props
        mistakes = []
        if props.path is None and (props.sources is None or props.sources == ClusterSources()):
            mistakes.append(f"{self.node.path}: nothing is compared; set path or sources")
        if props.sources is not None and props.sources.helm_releases and not props.job.read_secrets:
            mistakes.append(f"{self.node.path}: sources.helm_releases are stored in Secrets; set job.read_secrets=True")
        return mistakes

    def _own_namespace(self) -> k8s.PolicyRule:
        """The one cluster-scoped object: a Role may allow to get its own namespace, so no ClusterRole is needed."""
        return k8s.PolicyRule(
            api_groups=[""], resources=["namespaces"], resource_names=[self.props.namespace], verbs=["get"]
        )

    def _cron_job(self) -> k8s.CronJobSpec:
        job = self.props.job
        indexed = job.shards > 1
        return k8s.CronJobSpec(
            schedule=job.schedule,
            time_zone=job.time_zone,
            concurrency_policy="Forbid",
            starting_deadline_seconds=job.deadline,
            successful_jobs_history_limit=1,
            failed_jobs_history_limit=3,
            job_template=k8s.JobTemplateSpec(
                spec=k8s.JobSpec(
                    completion_mode="Indexed" if indexed else None,
                    completions=job.shards if indexed else None,
                    parallelism=job.shards if indexed else None,
                    backoff_limit=job.shards,
                    active_deadline_seconds=job.deadline,
                    template=k8s.PodTemplateSpec(metadata=k8s.ObjectMeta(labels=self.selector), spec=_pod(self.props)),
                )
            ),
        )


def _rules(kinds: set[tuple[str, str]]) -> list[k8s.PolicyRule]:
    by_group: dict[str, set[str]] = {}
    for version, kind in kinds:
        group = version.rpartition("/")[0]
        by_group.setdefault(group, set()).add(resource_of(kind))
    return [
        k8s.PolicyRule(api_groups=[group], resources=sorted(resources), verbs=_READ)
        for group, resources in sorted(by_group.items())
    ]


def _pod(props: DriftReporterProps) -> k8s.PodSpec:
    return pod_spec(
        props.pods,
        props.job.identity,
        service_account_name=props.name,
        restart_policy="Never",
        init_containers=[_git_sync(props, clone) for clone in _clones(props)],
        containers=[_reporter(props)],
        volumes=_volumes(props),
    )


class _Clone(NamedTuple):
    """A repository that an init container fetches into a volume of its own."""

    repository: Repository
    number: str
    """What its names end with; nothing for the first one."""

    @property
    def volume(self) -> k8s.VolumeMount:
        return k8s.VolumeMount(name=f"{_CLONE_VOLUME}{self.number}", mount_path=f"{_CLONE_PATH}{self.number}")

    @property
    def path(self) -> str:
        """Where its files are."""
        return f"{_CLONE_PATH}{self.number}/{_LINK}"

    @property
    def over_ssh(self) -> bool:
        return self.repository.url.startswith("ssh://")


def _clones(props: DriftReporterProps) -> list[_Clone]:
    more = () if props.sources is None else props.sources.repositories
    repositories = [Repository(url=props.repository_url, branch=props.branch), *more]
    return [_Clone(each, f"-{number}" if number > 1 else "") for number, each in enumerate(repositories, start=1)]


def _git_sync(props: DriftReporterProps, clone: _Clone) -> k8s.Container:
    job = props.job
    credentials = k8s.VolumeMount(name=_CREDENTIALS_VOLUME, mount_path=_CREDENTIALS_PATH, read_only=True)
    return container(
        f"git-sync{clone.number}",
        job.git_sync_image,
        job.resources,
        read_only_root=True,
        args=[
            f"--repo={clone.repository.url}",
            f"--ref={clone.repository.branch}",
            f"--depth={job.git_depth}",
            f"--root={clone.volume.mount_path}",
            f"--link={_LINK}",
            "--one-time",
        ],
        env=_password(job.git_secret) if job.git_secret and not clone.over_ssh else None,
        volume_mounts=[
            clone.volume,
            # Its home folder, where Git keeps its settings.
            k8s.VolumeMount(name=TEMPORARY_VOLUME, mount_path=TEMPORARY_PATH),
            *([credentials] if job.git_secret and clone.over_ssh else []),
        ],
    )


def _password(secret: str) -> list[k8s.EnvVar]:
    return [
        k8s.EnvVar(
            name=f"GITSYNC_{key.upper()}",
            value_from=k8s.EnvVarSource(secret_key_ref=k8s.SecretKeySelector(name=secret, key=key)),
        )
        for key in ("username", "password")
    ]


def _reporter(props: DriftReporterProps) -> k8s.Container:
    configuration = k8s.VolumeMount(name=_CONFIG_VOLUME, mount_path=_CONFIG_PATH, read_only=True)
    job = props.job
    return container(
        "drift",
        job.image,
        job.resources,
        read_only_root=True,
        args=_arguments(props),
        env=_variables(props) or None,
        volume_mounts=[
            *(_read_only(clone.volume) for clone in _clones(props)),
            k8s.VolumeMount(name=_HISTORY_VOLUME, mount_path=_HISTORY_PATH),
            k8s.VolumeMount(name=_ACCOUNT_VOLUME, mount_path=_ACCOUNT_PATH, read_only=True),
            k8s.VolumeMount(name=_WORK_VOLUME, mount_path=TEMPORARY_PATH),
            *([configuration] if job.config is None else []),
        ],
    )


def _read_only(mount: k8s.VolumeMount) -> k8s.VolumeMount:
    return k8s.VolumeMount(name=mount.name, mount_path=mount.mount_path, read_only=True)


def _arguments(props: DriftReporterProps) -> list[str]:
    """The command line. Drift is no failure of the job: what it finds is in the report, the metrics and the log."""
    job = props.job
    clone = f"{_CLONE_PATH}/{_LINK}"
    # One file for each pod; the namespaces of a pod stay the same as long as their number does.
    part = f"-$({_INDEX})" if job.shards > 1 else ""
    folder = [] if props.path is None else [f"{clone}/{props.path}"]
    return [
        "report",
        *folder,
        *_source_arguments(props),
        f"--config={_CONFIG_PATH}/{_CONFIG_FILE}" if job.config is None else f"--config={clone}/{job.config}",
        f"--history={_HISTORY_PATH}/drift{part}.db",
        "--output=text",
        f"--output=json={_HISTORY_PATH}/report{part}.json",
        "--exit-zero",
        *(["--push-metrics"] if job.pushgateway_url else []),
    ]


def _source_arguments(props: DriftReporterProps) -> list[str]:
    if props.sources is None:
        return []
    flags = {
        "flux": props.sources.flux,
        "argocd": props.sources.argocd,
        "helm-release": props.sources.helm_releases,
    }
    named = [f"--{flag}={name}" for flag, names in flags.items() for name in names]
    # With their URLs: the work trees of git-sync may have no remote.
    checkouts = [f"--checkout={clone.repository.url}={clone.path}" for clone in _clones(props)]
    return [*named, *checkouts, "--unmanaged=cluster"]


def _variables(props: DriftReporterProps) -> list[k8s.EnvVar]:
    job = props.job
    variables = []
    group = f"/metrics/job/{props.name}/environment/{props.environment}"
    if job.shards > 1:
        # Kubernetes sets the first one by itself, but behind the others, which could not refer to it then.
        index = k8s.ObjectFieldSelector(field_path="metadata.annotations['batch.kubernetes.io/job-completion-index']")
        variables += [
            k8s.EnvVar(name=_INDEX, value_from=k8s.EnvVarSource(field_ref=index)),
            k8s.EnvVar(name="JOB_COMPLETIONS", value=str(job.shards)),
        ]
        group += f"/shard/$({_INDEX})"
    if job.pushgateway_url:
        variables.append(k8s.EnvVar(name="DRIFT_PUSHGATEWAY_URL", value=f"{job.pushgateway_url.rstrip('/')}{group}"))
    return variables


def _volumes(props: DriftReporterProps) -> list[k8s.Volume]:
    job = props.job
    claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=props.name)
    volumes = [
        *(empty_volume(clone.volume.name, job.clone_limit) for clone in _clones(props)),
        empty_volume(TEMPORARY_VOLUME, "16Mi"),
        k8s.Volume(name=_HISTORY_VOLUME, persistent_volume_claim=claim),
        k8s.Volume(name=_ACCOUNT_VOLUME, projected=_account()),
        # Copies of the repository: what was last synced, and what kustomize and helm render. The root is read-only.
        empty_volume(_WORK_VOLUME, job.clone_limit),
    ]
    if job.config is None:
        volumes.append(k8s.Volume(name=_CONFIG_VOLUME, config_map=k8s.ConfigMapVolumeSource(name=props.name)))
    if job.git_secret and any(clone.over_ssh for clone in _clones(props)):
        # ssh takes no key that others could read.
        secret = k8s.SecretVolumeSource(secret_name=job.git_secret, default_mode=0o400)
        volumes.append(k8s.Volume(name=_CREDENTIALS_VOLUME, secret=secret))
    return volumes


def _account() -> k8s.ProjectedVolumeSource:
    """What Kubernetes would mount into every container of the pod, git-sync included, if it were asked to."""
    authority = k8s.ConfigMapProjection(name="kube-root-ca.crt", items=[k8s.KeyToPath(key="ca.crt", path="ca.crt")])
    namespace = k8s.DownwardApiVolumeFile(
        path="namespace", field_ref=k8s.ObjectFieldSelector(field_path="metadata.namespace")
    )
    return k8s.ProjectedVolumeSource(
        # Only the group of the process may read it.
        default_mode=0o440,
        sources=[
            k8s.VolumeProjection(
                service_account_token=k8s.ServiceAccountTokenProjection(path="token", expiration_seconds=3600)
            ),
            k8s.VolumeProjection(config_map=authority),
            k8s.VolumeProjection(downward_api=k8s.DownwardApiProjection(items=[namespace])),
        ],
    )
