"""Which environment variables the application reads, and from which source each must come.

Changes when the application reads another variable. The rules and the constructs share this table.
"""

from rescan.settings import Environment, Sqlite

AZURE_OPENAI_VARIABLES = (
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_MODEL_DEPLOYMENT",
)


def config_map_data(environment: Environment) -> dict[str, str]:
    """The variables of the ConfigMap, with their values."""
    configuration = environment.configuration
    database = configuration.database
    return {
        "PORT": str(configuration.port),
        "NODE_ENV": configuration.node_env,
        "EDUCATIONAL_MODE": str(configuration.educational_mode).lower(),
        **({"DATABASE_URL": database.url} if isinstance(database, Sqlite) else {}),
        "MAX_FILE_SIZE": str(configuration.max_file_size),
        "MAX_CONCURRENT_REQUESTS": str(configuration.max_concurrent_requests),
        **configuration.extra,
    }


def secret_variables(environment: Environment) -> tuple[str, ...]:
    """The variables that come from the Secret: the Azure OpenAI access, and a database URL that holds a password."""
    database = environment.configuration.database
    return AZURE_OPENAI_VARIABLES if isinstance(database, Sqlite) else (*AZURE_OPENAI_VARIABLES, "DATABASE_URL")
