"""The scheduled copy of the database into a bucket.

Two containers share a scratch volume: an init container with the database's own tool writes a consistent copy while
the application runs, then the main container uploads it. So neither image needs what the other has.
"""

from dataclasses import dataclass

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.configuration import from_secret, secret_env
from rescan.constructs.metadata import object_meta
from rescan.constructs.pod import container_security, empty_volume, pod_security, resource_requirements
from rescan.database import sqlite_file
from rescan.settings import Backup, Environment, Image, PostgreSql, Sqlite
from rescan.variables import DATABASE_URL

_SCRATCH_VOLUME = "scratch"
_SCRATCH_PATH = "/scratch"

# Read-only for SQLite, so that a wrong path is an error and not a new, empty database.
SQLITE_DUMP = """\
set -eu
sqlite3 -readonly "$DATABASE_FILE" ".timeout 60000" ".backup '$SCRATCH/rescan.db'"
test "$(sqlite3 "$SCRATCH/rescan.db" 'PRAGMA integrity_check')" = ok
gzip "$SCRATCH/rescan.db"
"""

POSTGRESQL_DUMP = """\
set -eu
pg_dump --format=custom --no-owner --file="$SCRATCH/rescan.dump" --dbname="$DATABASE_URL"
pg_restore --list "$SCRATCH/rescan.dump" > /dev/null
"""

UPLOAD = """\
set -eu
started="$(date -u +%Y%m%dT%H%M%SZ)"
for copy in "$SCRATCH"/rescan.*; do
  aws s3 cp --only-show-errors "$copy" "s3://$BUCKET/$PREFIX/$started/${copy##*/}"
done
"""


@dataclass(frozen=True)
class _Dump:
    """How a database is copied: the script, and what it needs of the pod."""

    script: str
    env: list[k8s.EnvVar]
    mounts: list[k8s.VolumeMount]
    volumes: list[k8s.Volume]
    affinity: k8s.Affinity | None


class RescanBackup(Construct):
    """A CronJob: never two at once, a late start rather than none, and a failure when it takes too long."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, backup: Backup) -> None:
        super().__init__(scope, construct_id)
        k8s.KubeCronJob(
            self,
            "cron-job",
            metadata=object_meta(environment, names.BACKUP),
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
                            metadata=k8s.ObjectMeta(labels=names.BACKUP_SELECTOR),
                            spec=_pod(environment, backup),
                        ),
                    )
                ),
            ),
        )


def _pod(environment: Environment, backup: Backup) -> k8s.PodSpec:
    dump = _dump(environment)
    scratch = k8s.VolumeMount(name=_SCRATCH_VOLUME, mount_path=_SCRATCH_PATH)
    return k8s.PodSpec(
        automount_service_account_token=False,
        restart_policy="Never",
        # The user of the application, to whom the database file belongs.
        security_context=pod_security(environment.workload.identity),
        affinity=dump.affinity,
        init_containers=[
            _container(
                "dump",
                backup.dump_image,
                dump.script,
                backup=backup,
                env=dump.env,
                mounts=[*dump.mounts, scratch],
            ),
        ],
        containers=[
            _container(
                "upload",
                backup.upload_image,
                UPLOAD,
                backup=backup,
                env=_upload_env(environment, backup),
                mounts=[scratch],
            ),
        ],
        volumes=[*dump.volumes, empty_volume(_SCRATCH_VOLUME, backup.scratch_limit)],
    )


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
    return k8s.Container(
        name=name,
        image=image.reference,
        image_pull_policy=image.pull_policy.value,
        command=["/bin/sh", "-c", script],
        env=[*writable, *env],
        resources=resource_requirements(backup.resources),
        security_context=container_security(read_only_root=True),
        volume_mounts=mounts,
    )


def _dump(environment: Environment) -> _Dump:
    match environment.configuration.database:
        case Sqlite(url=url):
            claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=names.data_claim(environment))
            return _Dump(
                script=SQLITE_DUMP,
                env=[k8s.EnvVar(name="DATABASE_FILE", value=sqlite_file(url))],
                # Not a read-only mount: to read a database in WAL mode, SQLite writes its shared-memory file.
                mounts=[k8s.VolumeMount(name=names.DATA_VOLUME, mount_path=names.DATA_PATH)],
                volumes=[k8s.Volume(name=names.DATA_VOLUME, persistent_volume_claim=claim)],
                affinity=_on_the_node_of_the_application(),
            )
        case PostgreSql():
            return _Dump(
                script=POSTGRESQL_DUMP,
                env=[from_secret(names.APP_SECRET, DATABASE_URL)],
                mounts=[],
                volumes=[],
                affinity=None,
            )


def _on_the_node_of_the_application() -> k8s.Affinity:
    """A ReadWriteOnce volume can be mounted by several pods, but on one node only."""
    term = k8s.PodAffinityTerm(
        topology_key="kubernetes.io/hostname", label_selector=k8s.LabelSelector(match_labels=names.SELECTOR)
    )
    return k8s.Affinity(pod_affinity=k8s.PodAffinity(required_during_scheduling_ignored_during_execution=[term]))


def _upload_env(environment: Environment, backup: Backup) -> list[k8s.EnvVar]:
    values = {"BUCKET": backup.bucket, "PREFIX": f"{backup.prefix}/{environment.name}", "AWS_REGION": backup.region}
    if backup.endpoint_url:
        values["AWS_ENDPOINT_URL"] = backup.endpoint_url
    return [
        *(k8s.EnvVar(name=name, value=value) for name, value in values.items()),
        *secret_env(environment, names.BACKUP_SECRET),
    ]
