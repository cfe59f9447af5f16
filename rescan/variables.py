"""Which environment variables the application reads, and from which source each must come.

Changes when the application reads another variable. The rules and the constructs share these tables.
"""

from rescan import names
from rescan.settings import Environment, PostgreSql, Sqlite

DATABASE_URL = "DATABASE_URL"
ENDPOINT = "AZURE_OPENAI_ENDPOINT"
AZURE_OPENAI_VARIABLES = ("AZURE_OPENAI_API_KEY", ENDPOINT, "AZURE_OPENAI_MODEL_DEPLOYMENT")
BACKUP_DATABASE_URL = "BACKUP_DATABASE_URL"
"""What pg_dump reads: a URL with no options but its own, of a user that only reads."""
STORAGE_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def own_variables(environment: Environment) -> dict[str, str]:
    """The variables of the ConfigMap that the application always reads, with their values."""
    configuration = environment.configuration
    database = configuration.database
    return {
        "PORT": str(configuration.port),
        "NODE_ENV": configuration.node_env,
        "EDUCATIONAL_MODE": str(configuration.educational_mode).lower(),
        **({DATABASE_URL: database.url} if isinstance(database, Sqlite) else {}),
        "MAX_FILE_SIZE": str(configuration.max_file_size),
        "MAX_CONCURRENT_REQUESTS": str(configuration.max_concurrent_requests),
    }


def config_map_data(environment: Environment) -> dict[str, str]:
    """All variables of the ConfigMap, with their values."""
    return {**own_variables(environment), **environment.configuration.extra}


def secret_variables(environment: Environment) -> dict[str, tuple[str, ...]]:
    """The variables that must be in a Secret, by the name of the Secret."""
    on_server = isinstance(environment.configuration.database, PostgreSql)
    secrets = {names.APP_SECRET: AZURE_OPENAI_VARIABLES + ((DATABASE_URL,) if on_server else ())}
    if environment.backup:
        secrets[names.BACKUP_SECRET] = STORAGE_VARIABLES + ((BACKUP_DATABASE_URL,) if on_server else ())
    return secrets
