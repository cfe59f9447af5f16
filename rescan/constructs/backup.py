"""The scheduled copy of a database into a bucket.

Two containers share a scratch volume: an init container with the database's own tool writes a consistent copy while
the application runs, then the main container uploads it. So neither image needs what the other has.
"""

from dataclasses import dataclass

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import Checked, object_meta
from rescan.constructs.configuration import SecretVariables, from_secret
from rescan.constructs.pods import container, empty_volume, pod_spec
from rescan.constructs.storage import SqliteStorage
from rescan.constructs.web import WebService
from rescan.formats import CronJobName, ObjectName, RelativePath, VariableName
from rescan.settings import Backup, Image, Pods
from rescan.settings.declaration import props

_SCRATCH_VOLUME = "scratch"
_SCRATCH_PATH = "/scratch"

# VACUUM INTO reads in one transaction. The shell's `.backup` starts over at every write of another process, so beside a
# busy writer it never ends, and it fails with "database is locked" if the database is not in WAL mode.
# Read-only, so that a wrong path is an error and not a new, empty database.
SQLITE_DUMP = """\
set -eu
sqlite3 -readonly "$DATABASE_FILE" ".timeout 60000" "VACUUM INTO '$SCRATCH/database.db'"
test "$(sqlite3 "$SCRATCH/database.db" 'PRAGMA integrity_check')" = ok
gzip "$SCRATCH/database.db"
"""

POSTGRESQL_DUMP = """\
set -eu
pg_dump --format=custom --no-owner --file="$SCRATCH/database.dump" --dbname="$DUMP_URL"
pg_restore --list "$SCRATCH/database.dump" > /dev/null
"""

UPLOAD = """\
set -eu
started="$(date -u +%Y%m%dT%H%M%SZ)"
for copy in "$SCRATCH"/database.*; do
  aws s3 cp --only-show-errors "$copy" "s3://$BUCKET/$PREFIX/$started/${copy##*/}"
done
"""


@props
class PostgreSqlUrl:
    """The key of a Secret that holds a URL for pg_dump: an application's own URL may have options that it refuses."""

    secret: ObjectName
    key: VariableName


@props
class BackupJobProps:
    """What is copied, with which settings, and to which folder of the bucket."""

    name: CronJobName
    """The name of the CronJob, and the `app` label of its pods."""
    backup: Backup
    web: WebService
    """The application that the database belongs to. Its user owns a SQLite file."""
    database: SqliteStorage | PostgreSqlUrl
    credentials: SecretVariables
    """AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    folder: RelativePath
    """Below the prefix of the settings."""
    pods: Pods = Pods()


@dataclass(frozen=True)
class _Dump:
    """How a database is copied: the script, and what it needs of the pod."""

    script: str
    env: list[k8s.EnvVar]
    mounts: list[k8s.VolumeMount]
    volumes: list[k8s.Volume]
    affinity: k8s.Affinity | None


class BackupJob(Checked):
    """A CronJob: never two at once, a late start rather than none, and a failure when it takes too long."""

    def __init__(self, scope: Construct, construct_id: str, props: BackupJobProps) -> None:
        super().__init__(scope, construct_id, props)
        self.props = props
        self.name = props.name
        # Another label than the application's, or its Service would send requests to the backup's pods.
        self.selector = {"app": props.name}
        backup = props.backup
        k8s.KubeCronJob(
            self,
            "cron-job",
            metadata=object_meta(props.name),
            spec=k8s.CronJobSpec(
                schedule=backup.schedule,
                time_zone=backup.time_zone,
                concurrency_policy="Forbid",
                starting_deadline_seconds=backup.deadline,
                successful_jobs_history_limit=3,
                failed_jobs_history_limit=3,
                job_template=k8s.JobTemplateSpec(
                    spec=k8s.JobSpec(
                        backoff_limit=2,
                        active_deadline_seconds=backup.deadline,
                        template=k8s.PodTemplateSpec(
                            metadata=k8s.ObjectMeta(labels=self.selector), spec=self._pod(backup)
                        ),
                    )
                ),
            ),
        )

    def _pod(self, backup: Backup) -> k8s.PodSpec:
        dump = _dump(self.props)
        scratch = k8s.VolumeMount(name=_SCRATCH_VOLUME, mount_path=_SCRATCH_PATH)
        upload = self._upload_env(backup)
        return pod_spec(
            self.props.pods,
            self.props.web.props.workload.identity,
            restart_policy="Never",
            affinity=dump.affinity,
            init_containers=[
                _container(
                    "dump", backup.dump_image, dump.script, backup=backup, env=dump.env, mounts=[*dump.mounts, scratch]
                )
            ],
            containers=[_container("upload", backup.upload_image, UPLOAD, backup=backup, env=upload, mounts=[scratch])],
            volumes=[*dump.volumes, empty_volume(_SCRATCH_VOLUME, backup.scratch_limit)],
        )

    def _upload_env(self, backup: Backup) -> list[k8s.EnvVar]:
        prefix = f"{backup.prefix}/{self.props.folder}"
        values = {"BUCKET": backup.bucket, "PREFIX": prefix, "AWS_REGION": backup.region}
        if backup.endpoint_url:
            values["AWS_ENDPOINT_URL"] = backup.endpoint_url
        return [*(k8s.EnvVar(name=name, value=value) for name, value in values.items()), *self.props.credentials.env]


def _container(
    name: str,
    image: Image,
    script: str,
    *,
    backup: Backup,
    env: list[k8s.EnvVar],
    mounts: list[k8s.VolumeMount],
) -> k8s.Container:
    # The root is read-only, so what a tool writes for itself goes to the scratch volume too.
    writable = [k8s.EnvVar(name=variable, value=_SCRATCH_PATH) for variable in ("SCRATCH", "HOME", "TMPDIR")]
    return container(
        name,
        image,
        backup.resources,
        read_only_root=True,
        command=["/bin/sh", "-c", script],
        env=[*writable, *env],
        volume_mounts=mounts,
    )


def _dump(props: BackupJobProps) -> _Dump:
    database = props.database
    if isinstance(database, PostgreSqlUrl):
        env = [from_secret(database.secret, database.key, "DUMP_URL")]
        return _Dump(script=POSTGRESQL_DUMP, env=env, mounts=[], volumes=[], affinity=None)
    return _Dump(
        script=SQLITE_DUMP,
        env=[k8s.EnvVar(name="DATABASE_FILE", value=database.props.file)],
        # Not a read-only mount: to read a database in WAL mode, SQLite writes its shared-memory file.
        mounts=[database.mount],
        volumes=[database.volume],
        affinity=_on_the_node_of(props.web),
    )


def _on_the_node_of(web: WebService) -> k8s.Affinity:
    """A ReadWriteOnce volume can be mounted by several pods, but on one node only."""
    term = k8s.PodAffinityTerm(
        topology_key="kubernetes.io/hostname", label_selector=k8s.LabelSelector(match_labels=web.selector)
    )
    return k8s.Affinity(pod_affinity=k8s.PodAffinity(required_during_scheduling_ignored_during_execution=[term]))
