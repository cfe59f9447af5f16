"""The job that reports what in the cluster is not what Git says, and what it is given for that.

An init container fetches the repository; the reporter compares a folder in it with the namespace. Only the reporter
gets the token of the service account, and that may get and list the kinds of the manifests, nothing else.
"""

from collections.abc import Set as AbstractSet

from cdk8s import ApiObject
from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import KEEP_WHEN_REMOVED_FROM_GIT, Checked, FolderChart, object_meta
from rescan.constructs.pods import TEMPORARY_PATH, TEMPORARY_VOLUME, container, empty_volume, pod_spec
from rescan.constructs.scalars import quantity
from rescan.formats import CronJobName, DnsLabel, GitBranch, GitUrl, LabelValue, RelativePath
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
_LINK = "current"
_CONFIG_FILE = "drift.yaml"
_READ = ["get", "list"]

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


@props
class DriftReporterProps:
    """The folder of a repository that is compared, and with which settings."""

    name: CronJobName
    """The name of the CronJob and of everything that belongs to it, and the `app` label of its pods."""
    job: DriftJob
    namespace: DnsLabel
    repository_url: GitUrl
    branch: GitBranch
    path: RelativePath
    """The folder of the repository: `dist/prod`."""
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
            k8s.KubeConfigMap(self, "config", metadata=metadata, data={_CONFIG_FILE: text})
        # The pod asks for the token itself, for one of its containers.
        k8s.KubeServiceAccount(self, "account", metadata=metadata, automount_service_account_token=False)
        k8s.KubeRoleBinding(
            self,
            "binding",
            metadata=metadata,
            role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=props.name),
            subjects=[k8s.Subject(kind="ServiceAccount", name=props.name, namespace=props.namespace)],
        )

    def read(self, chart: FolderChart, others: AbstractSet[tuple[str, str]] = frozenset()) -> None:
        """Let the reporter get and list the kinds of the objects in the chart, and others: `("v1", "Pod")`."""
        made = [each for each in chart.node.find_all() if isinstance(each, ApiObject)]
        kinds = {(each.api_version, each.kind) for each in made}
        kinds.add(("rbac.authorization.k8s.io/v1", "Role"))
        kinds |= others
        if self.props.job.read_secrets:
            kinds.add(("v1", "Secret"))
        k8s.KubeRole(
            self,
            "role",
            metadata=object_meta(self.name),
            rules=[*_rules(kinds - {("v1", "Namespace")}), self._own_namespace()],
        )

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
        init_containers=[_git_sync(props)],
        containers=[_reporter(props)],
        volumes=_volumes(props),
    )


def _git_sync(props: DriftReporterProps) -> k8s.Container:
    job = props.job
    credentials = k8s.VolumeMount(name=_CREDENTIALS_VOLUME, mount_path=_CREDENTIALS_PATH, read_only=True)
    over_ssh = _over_ssh(props)
    return container(
        "git-sync",
        job.git_sync_image,
        job.resources,
        read_only_root=True,
        args=[
            f"--repo={props.repository_url}",
            f"--ref={props.branch}",
            f"--depth={job.git_depth}",
            f"--root={_CLONE_PATH}",
            f"--link={_LINK}",
            "--one-time",
        ],
        env=_password(job.git_secret) if job.git_secret and not over_ssh else None,
        volume_mounts=[
            k8s.VolumeMount(name=_CLONE_VOLUME, mount_path=_CLONE_PATH),
            # Its home folder, where Git keeps its settings.
            k8s.VolumeMount(name=TEMPORARY_VOLUME, mount_path=TEMPORARY_PATH),
            *([credentials] if job.git_secret and over_ssh else []),
        ],
    )


def _over_ssh(props: DriftReporterProps) -> bool:
    return props.repository_url.startswith("ssh://")


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
            k8s.VolumeMount(name=_CLONE_VOLUME, mount_path=_CLONE_PATH, read_only=True),
            k8s.VolumeMount(name=_HISTORY_VOLUME, mount_path=_HISTORY_PATH),
            k8s.VolumeMount(name=_ACCOUNT_VOLUME, mount_path=_ACCOUNT_PATH, read_only=True),
            *([configuration] if job.config is None else []),
        ],
    )


def _arguments(props: DriftReporterProps) -> list[str]:
    """The command line. Drift is no failure of the job: what it finds is in the report, the metrics and the log."""
    job = props.job
    clone = f"{_CLONE_PATH}/{_LINK}"
    # One file for each pod; the namespaces of a pod stay the same as long as their number does.
    part = f"-$({_INDEX})" if job.shards > 1 else ""
    return [
        "report",
        f"{clone}/{props.path}",
        f"--config={_CONFIG_PATH}/{_CONFIG_FILE}" if job.config is None else f"--config={clone}/{job.config}",
        f"--history={_HISTORY_PATH}/drift{part}.db",
        "--output=text",
        f"--output=json={_HISTORY_PATH}/report{part}.json",
        "--exit-zero",
        *(["--push-metrics"] if job.pushgateway_url else []),
    ]


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
        empty_volume(_CLONE_VOLUME, job.clone_limit),
        empty_volume(TEMPORARY_VOLUME, "16Mi"),
        k8s.Volume(name=_HISTORY_VOLUME, persistent_volume_claim=claim),
        k8s.Volume(name=_ACCOUNT_VOLUME, projected=_account()),
    ]
    if job.config is None:
        volumes.append(k8s.Volume(name=_CONFIG_VOLUME, config_map=k8s.ConfigMapVolumeSource(name=props.name)))
    if job.git_secret and _over_ssh(props):
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
