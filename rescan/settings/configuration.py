"""Settings that the application reads from its environment variables."""

from collections.abc import Mapping
from dataclasses import field

from rescan.formats import AtLeastOne, Bytes, Mode, Text, UnprivilegedPort, VariableName
from rescan.settings.declaration import props


@props
class Sqlite:
    """A SQLite file on the data volume. It has one writer, so there is one pod."""

    url: Text = "sqlite:./data/rescan.db"
    """The path is relative to the application's folder, /app."""


@props
class PostgreSql:
    """A PostgreSQL server, which takes many writers. DATABASE_URL holds a password then, and is a secret variable."""


@props
class Configuration:
    """What is not secret: the ConfigMap."""

    port: UnprivilegedPort = 3000
    node_env: Mode = "production"
    educational_mode: bool = True
    database: Sqlite | PostgreSql = field(default_factory=Sqlite)
    max_file_size: Bytes = 5_242_880
    """Bytes of the largest upload."""
    max_concurrent_requests: AtLeastOne = 5
    extra: Mapping[VariableName, Text] = field(default_factory=dict)
    """More variables, as they are."""
