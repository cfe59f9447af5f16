"""The names that manifests refer to each other by.

They are the application's interface to the cluster: to rename one is to replace the object that had it.
"""

from rescan.settings import Controller, Environment

APP = "rescan"
"""The value of the `app` label and the name of the container."""
WORKLOAD = "rescan-app"
SERVICE = "rescan-service"
HEADLESS_SERVICE = "rescan-headless"
CONFIG_MAP = "rescan-config"
VOLUME_CLAIM = "rescan-data-pvc"
BACKUP = "rescan-backup"
DRIFT = "rescan-drift"
"""Of everything that belongs to the drift job; also its `job` among the metrics."""
DEFAULT_DENY = "default-deny"
DASHBOARD = "rescan-dashboard"
DRIFT_DASHBOARD = "rescan-drift-dashboard"
SECRET_STORE = "rescan-key-vault"  # noqa: S105  # the name of a SecretStore, not a secret
SECRET_READER = "rescan-secret-reader"  # noqa: S105  # the name of a ServiceAccount, not a secret
APP_SECRET = "rescan-secrets"  # noqa: S105  # the name of a Secret, not one
BACKUP_SECRET = "rescan-backup-secrets"  # noqa: S105  # the name of a Secret, not one

COMPLETION_INDEX = "JOB_COMPLETION_INDEX"
"""The variable by which Kubernetes tells the pods of an Indexed Job which one they are."""
HTTP_PORT = "http"
DATA_VOLUME = "data"
DATA_PATH = "/app/data"
UPLOADS_VOLUME = "uploads"
UPLOADS_PATH = "/app/backend/public/uploads"
TEMPORARY_VOLUME = "tmp"
TEMPORARY_PATH = "/tmp"  # noqa: S108  # a mount of its own in a container

SELECTOR = {"app": APP}
"""What the Service and the workload select pods by. A workload's selector cannot be changed, so nothing is added."""
BACKUP_SELECTOR = {"app": BACKUP}
"""Another value, or the Service would send requests to the backup's pods."""
DRIFT_SELECTOR = {"app": DRIFT}
"""Another value, for the same reason."""


def data_claim(environment: Environment) -> str:
    """The claim that holds the SQLite file: a StatefulSet makes its own, named after its template and first pod."""
    if environment.workload.controller is Controller.STATEFUL_SET:
        return f"{DATA_VOLUME}-{WORKLOAD}-0"
    return VOLUME_CLAIM


def hand_over(environment: Environment) -> str:
    """The name of the objects that hand an environment to the syncer, which may hold several in one namespace."""
    return f"{APP}-{environment.name}"
