"""Rules of the environment variables: which there must be, where each comes from, and what it may say."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from rescan.database import sqlite_file
from rescan.names import DATA_PATH
from rescan.rules.model import Breach
from rescan.settings import AzureKeyVault, Environment, Sqlite
from rescan.variables import config_map_data, own_variables, secret_variables

_OPENAI_PATH = "/openai/"
_CONFIG_MAP_BYTES = 1024 * 1024


def port_is_the_container_port(environment: Environment) -> Iterator[Breach]:
    """The application listens where the Service and the probes ask."""
    port, container_port = environment.configuration.port, environment.workload.container_port
    if port != container_port:
        yield Breach("configuration.port", port, f"set it to workload.container_port, {container_port}")


def required_variables_have_their_source(environment: Environment) -> Iterator[Breach]:
    """Every variable is there, secret ones in a Secret and the others in the ConfigMap."""
    source = environment.secrets.source
    if isinstance(source, AzureKeyVault):
        setting, provided = "secrets.source.entries", frozenset(source.entries)
    else:
        setting, provided = "secrets.source.variables", frozenset(source.variables)
    required = [variable for variables in secret_variables(environment).values() for variable in variables]
    for variable in required:
        if variable not in provided:
            yield Breach(setting, tuple(sorted(provided)), f"add {variable}, which must come from a Secret")
        if variable in environment.configuration.extra:
            yield Breach("configuration.extra", variable, "leave it out: its value is secret and comes from a Secret")
    for variable in sorted(provided.intersection(own_variables(environment))):
        yield Breach(setting, variable, "leave it out: it comes from the ConfigMap")


def extra_variables_are_extra(environment: Environment) -> Iterator[Breach]:
    """More variables replace none that there is already."""
    for variable in environment.configuration.extra:
        if variable in own_variables(environment):
            yield Breach("configuration.extra", variable, "leave it out: it has a setting of its own")


def config_map_fits(environment: Environment) -> Iterator[Breach]:
    """The API server takes one mebibyte of keys and values."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in config_map_data(environment).items())
    if size > _CONFIG_MAP_BYTES:
        yield Breach("configuration.extra", f"{size} bytes", f"lower the size of all variables to {_CONFIG_MAP_BYTES}")


def endpoint_has_the_openai_path(environment: Environment) -> Iterator[Breach]:
    """The client of the application appends to the path, and does not add it."""
    endpoint = environment.secrets.azure_openai_endpoint
    if _OPENAI_PATH not in urlsplit(endpoint).path:
        yield Breach(
            "secrets.azure_openai_endpoint",
            endpoint,
            f"end it in {_OPENAI_PATH}, as in https://your-resource.openai.azure.com/openai/",
        )


def sqlite_file_is_on_the_data_volume(environment: Environment) -> Iterator[Breach]:
    """A database anywhere else would be lost with its pod."""
    database = environment.configuration.database
    if not isinstance(database, Sqlite):
        return
    fix = f"name a file below {DATA_PATH}, as in sqlite:./data/rescan.db"
    try:
        on_volume = sqlite_file(database.url).startswith(f"{DATA_PATH}/")
    except ValueError:
        on_volume = False
    if not on_volume:
        yield Breach("configuration.database.url", database.url, fix)
