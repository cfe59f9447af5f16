"""Settings of the backups of the database."""

from dataclasses import field

from rescan.formats import (
    BucketName,
    CronSchedule,
    Region,
    RelativePath,
    Seconds,
    Size,
    StartingDeadline,
    StorageUrl,
    TimeZone,
)
from rescan.settings.declaration import props
from rescan.settings.workload import Image, Resources


@props
class Backup:
    """A copy of the database that is taken while the application runs, and stored in an S3-compatible bucket."""

    bucket: BucketName
    dump_image: Image
    """An image with a shell and `sqlite3` 3.27 or later, or with `pg_dump` that is not older than the server."""
    upload_image: Image
    """An image with a shell and `aws`."""
    schedule: CronSchedule = "0 3 * * *"
    """In cron's notation."""
    time_zone: TimeZone = "Etc/UTC"
    prefix: RelativePath = "rescan"
    """The folder of the bucket."""
    endpoint_url: StorageUrl | None = None
    """The address of the storage; None is AWS itself."""
    region: Region = "us-east-1"
    deadline: StartingDeadline = 3600
    """Seconds after which a backup that still runs has failed."""
    late_after: Seconds = 93_600
    """Seconds without a successful backup after which an alert is raised, where there is monitoring."""
    scratch_limit: Size = "2Gi"
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
