"""Settings of the backups of the database."""

from dataclasses import dataclass, field

from rescan.settings.workload import Image, Resources


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A copy of the database that is taken while the application runs, and stored in an S3-compatible bucket."""

    bucket: str
    dump_image: Image
    """An image with a shell and the database's own tool: `sqlite3`, or a `pg_dump` not older than the server."""
    upload_image: Image
    """An image with a shell and `aws`."""
    schedule: str = "0 3 * * *"
    """In cron's notation."""
    time_zone: str = "Etc/UTC"
    prefix: str = "rescan"
    """The folder of the bucket."""
    endpoint_url: str | None = None
    """The address of the storage; None is AWS itself."""
    region: str = "us-east-1"
    deadline: int = 3600
    """Seconds after which a backup that still runs has failed."""
    late_after: int = 93_600
    """Seconds without a successful backup after which an alert is raised, where there is monitoring."""
    scratch_limit: str = "2Gi"
    """The most that the copy may take on the node while it is uploaded."""
    resources: Resources = field(
        default_factory=lambda: Resources(
            cpu_limit="500m",
            memory_limit="512Mi",
            ephemeral_storage_request="2Gi",
            ephemeral_storage_limit="3Gi",
        )
    )
    """Of each of the two containers. The disk is for the copy, and must be more than `scratch_limit`."""
