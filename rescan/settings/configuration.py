"""Settings that the application reads from its environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Sqlite:
    """A SQLite file on the data volume. It has one writer, so there is one pod."""

    url: str = "sqlite:./data/rescan.db"
    """The path is relative to the application's folder, /app."""


@dataclass(frozen=True, kw_only=True)
class PostgreSql:
    """A PostgreSQL server, which takes many writers. DATABASE_URL holds a password then, and is a secret variable."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What is not secret: the ConfigMap."""

    port: int = 3000
    node_env: str = "production"
    educational_mode: bool = True
    database: Sqlite | PostgreSql = field(default_factory=Sqlite)
    max_file_size: int = 5_242_880
    """Bytes of the largest upload."""
    max_concurrent_requests: int = 5
    extra: Mapping[str, str] = field(default_factory=dict)
    """More variables, as they are."""
