"""Secret values from Azure Key Vault through External Secrets, instead of Secrets created by hand."""

from cdk8s_plus_27 import ServiceAccount
from constructs import Construct

from imports.io.external_secrets import (
    ExternalSecret,
    ExternalSecretSpec,
    ExternalSecretSpecData,
    ExternalSecretSpecDataRemoteRef,
    ExternalSecretSpecSecretStoreRef,
    ExternalSecretSpecSecretStoreRefKind,
    ExternalSecretSpecTarget,
    ExternalSecretSpecTargetCreationPolicy,
    ExternalSecretSpecTargetDeletionPolicy,
    SecretStore,
    SecretStoreSpec,
    SecretStoreSpecProvider,
    SecretStoreSpecProviderAzurekv,
    SecretStoreSpecProviderAzurekvAuthType,
    SecretStoreSpecProviderAzurekvServiceAccountRef,
)
from rescan import names
from rescan.constructs.metadata import plus_metadata, sync_wave
from rescan.settings import AzureKeyVault, Environment
from rescan.variables import secret_variables

# The Secrets must exist before the pods that wait for them are judged.
_BEFORE_THE_PODS = sync_wave(-1)


class RescanExternalSecrets(Construct):
    """The vault, the identity that may read it, and for each Secret what it is made of."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, vault: AzureKeyVault) -> None:
        super().__init__(scope, construct_id)
        ServiceAccount(
            self,
            "reader",
            metadata=plus_metadata(
                environment,
                names.SECRET_READER,
                {
                    **_BEFORE_THE_PODS,
                    "azure.workload.identity/client-id": vault.client_id,
                    "azure.workload.identity/tenant-id": vault.tenant_id,
                },
            ),
            automount_token=False,
        )
        SecretStore(
            self,
            "store",
            metadata=plus_metadata(environment, names.SECRET_STORE, _BEFORE_THE_PODS),
            spec=SecretStoreSpec(
                provider=SecretStoreSpecProvider(
                    azurekv=SecretStoreSpecProviderAzurekv(
                        auth_type=SecretStoreSpecProviderAzurekvAuthType.WORKLOAD_IDENTITY,
                        vault_url=vault.vault_url,
                        tenant_id=vault.tenant_id,
                        service_account_ref=SecretStoreSpecProviderAzurekvServiceAccountRef(name=names.SECRET_READER),
                    )
                )
            ),
        )
        for secret, variables in secret_variables(environment).items():
            ExternalSecret(
                self,
                secret,
                metadata=plus_metadata(environment, secret, _BEFORE_THE_PODS),
                spec=_external_secret(secret, {variable: vault.entries[variable] for variable in variables}, vault),
            )


def _external_secret(name: str, entries: dict[str, str], vault: AzureKeyVault) -> ExternalSecretSpec:
    return ExternalSecretSpec(
        refresh_interval=vault.refresh_interval,
        secret_store_ref=ExternalSecretSpecSecretStoreRef(
            name=names.SECRET_STORE, kind=ExternalSecretSpecSecretStoreRefKind.SECRET_STORE
        ),
        target=ExternalSecretSpecTarget(
            name=name,
            creation_policy=ExternalSecretSpecTargetCreationPolicy.OWNER,
            # A vault that cannot be read for a while must not take the Secret from running pods.
            deletion_policy=ExternalSecretSpecTargetDeletionPolicy.RETAIN,
        ),
        data=[
            ExternalSecretSpecData(secret_key=variable, remote_ref=ExternalSecretSpecDataRemoteRef(key=entry))
            for variable, entry in entries.items()
        ],
    )
