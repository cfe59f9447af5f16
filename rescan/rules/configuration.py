"""Rules of the environment variables: which there must be, where each comes from, and what it may say."""

import unicodedata
from collections.abc import Iterator

from rescan.database import sqlite_file
from rescan.names import DATA_PATH
from rescan.rules.formats import has_form
from rescan.rules.model import Breach
from rescan.settings import AzureKeyVault, Environment, Sqlite
from rescan.variables import own_variables, secret_variables

_PORTS = range(1024, 65536)
"""The ports that a process without root's privileges may listen on."""
_OPENAI_PATH = "/openai/"


def port_is_the_container_port(environment: Environment) -> Iterator[Breach]:
    """The application listens where the Service and the probes ask."""
    port, container_port = environment.configuration.port, environment.workload.container_port
    if port not in _PORTS:
        yield Breach("configuration.port", port, f"set it to a port from {_PORTS.start} to {_PORTS.stop - 1}")
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


def required_values_are_given(environment: Environment) -> Iterator[Breach]:
    """No variable of the ConfigMap is empty or without sense."""
    configuration = environment.configuration
    if not configuration.node_env:
        yield Breach("configuration.node_env", configuration.node_env, "name a mode, such as production")
    for setting in ("max_file_size", "max_concurrent_requests"):
        number = getattr(configuration, setting)
        if number < 1:
            yield Breach(f"configuration.{setting}", number, "set it to 1 or more")


def extra_variables_are_extra(environment: Environment) -> Iterator[Breach]:
    """More variables have names that a shell can read and plain text, and replace none that there is already."""
    for variable, value in environment.configuration.extra.items():
        if not has_form("variable name", variable):
            yield Breach("configuration.extra", variable, "use letters, digits and _, and no digit first")
        if variable in own_variables(environment):
            yield Breach("configuration.extra", variable, "leave it out: it has a setting of its own")
        # Server-side apply refuses some of these characters and silently changes others.
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value if character not in "\n\t"):
            yield Breach(f"configuration.extra[{variable}]", value, "leave out its control characters")


def endpoint_has_the_openai_path(environment: Environment) -> Iterator[Breach]:
    """The client of the application appends to the path, and does not add it."""
    endpoint = environment.secrets.azure_openai_endpoint
    if not has_form("HTTPS address", endpoint):
        yield Breach("secrets.azure_openai_endpoint", endpoint, "write an address that begins with https://")
    if _OPENAI_PATH not in endpoint:
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


def vault_can_be_reached(environment: Environment) -> Iterator[Breach]:
    """The External Secrets Operator can read what is asked of it."""
    vault = environment.secrets.source
    if not isinstance(vault, AzureKeyVault):
        return
    texts = {
        "vault_url": ("HTTPS address", vault.vault_url),
        "tenant_id": ("UUID", vault.tenant_id),
        "client_id": ("UUID", vault.client_id),
        "refresh_interval": ("duration", vault.refresh_interval),
    }
    for setting, (form, text) in texts.items():
        if not has_form(form, text):
            yield Breach(f"secrets.source.{setting}", text, f"write it in the form of a {form}")
    for variable, entry in vault.entries.items():
        if not entry:
            yield Breach(f"secrets.source.entries[{variable}]", entry, "name the entry of the vault")
