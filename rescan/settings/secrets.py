"""Settings of where secret values come from. These classes never hold a value."""

from collections.abc import Mapping
from dataclasses import field

from rescan.formats import Duration, HttpsUrl, Uuid, VariableName, VaultEntry
from rescan.settings.declaration import props


@props
class CreatedByHand:
    """A person creates the Secret with kubectl from a filled-in copy of the template."""

    variables: tuple[VariableName, ...] = (
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_OPENAI_MODEL_DEPLOYMENT",
    )
    """The variables that they put into it."""


@props
class AzureKeyVault:
    """The External Secrets Operator copies the values from an Azure Key Vault and keeps them up to date.

    It logs in by workload identity: a service account that is federated with the Azure identity `client_id`.
    """

    vault_url: HttpsUrl
    tenant_id: Uuid
    client_id: Uuid
    refresh_interval: Duration = "1h"
    entries: Mapping[VariableName, VaultEntry] = field(
        default_factory=lambda: {
            "AZURE_OPENAI_API_KEY": "azure-openai-api-key",
            "AZURE_OPENAI_ENDPOINT": "azure-openai-endpoint",
            "AZURE_OPENAI_MODEL_DEPLOYMENT": "azure-openai-model-deployment",
        }
    )
    """For each variable, the entry of the vault that holds its value."""


@props
class Secrets:
    """Where the secret variables come from."""

    source: CreatedByHand | AzureKeyVault = field(default_factory=CreatedByHand)
    azure_openai_endpoint: HttpsUrl = "https://your-resource.openai.azure.com/openai/"
    """The address that AZURE_OPENAI_ENDPOINT is to hold. It is checked, and only its port is written, into the network
    policy."""
