"""The names that manifests refer to each other by.

They are the application's interface to the cluster: to rename one is to replace the object that had it.
"""

APP = "rescan"
"""The value of the `app` label and the name of the container."""
WORKLOAD = "rescan-app"
SERVICE = "rescan-service"
CONFIG_MAP = "rescan-config"
SECRET = "rescan-secrets"  # noqa: S105  # the name of a Secret, not one
VOLUME_CLAIM = "rescan-data-pvc"

HTTP_PORT = "http"
DATA_VOLUME = "data"
DATA_PATH = "/app/data"
UPLOADS_VOLUME = "uploads"
UPLOADS_PATH = "/app/backend/public/uploads"

SELECTOR = {"app": APP}
"""What the Service and the workload select pods by. A workload's selector cannot be changed, so nothing is added."""
