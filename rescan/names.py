"""The names that manifests refer to each other by.

They are the application's interface to the cluster: to rename one is to replace the object that had it.
"""

from rescan.settings import Environment

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

DATA_PATH = "/app/data"
UPLOADS_PATH = "/app/backend/public/uploads"


def hand_over(environment: Environment) -> str:
    """The name of the objects that hand an environment to the syncer, which may hold several in one namespace."""
    return f"{APP}-{environment.name}"
