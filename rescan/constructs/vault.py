"""Secret values from Azure Key Vault through External Secrets, instead of Secrets created by hand."""

from collections.abc import Mapping

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s
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
from rescan.constructs.base import Checked, object_meta, sync_wave
from rescan.constructs.configuration import SecretVariables
from rescan.formats import ObjectName
from rescan.settings import AzureKeyVault
from rescan.settings.declaration import props

# The Secrets must exist before the pods that wait for them are judged.
_BEFORE_THE_PODS = sync_wave(-1)


@props
class VaultSecretsProps:
    """A vault, and the Secrets that are made of its entries."""

    vault: AzureKeyVault
    store: ObjectName
    account: ObjectName
    secrets: tuple[SecretVariables, ...]


class VaultSecrets(Checked):
    """The vault, the identity that may read it, and for each Secret what it is made of."""

    def __init__(self, scope: Construct, construct_id: str, props: VaultSecretsProps) -> None:
        super().__init__(scope, construct_id, props)
        vault = props.vault
        self.secrets = props.secrets
        identity = {
            "azure.workload.identity/client-id": vault.client_id,
            "azure.workload.identity/tenant-id": vault.tenant_id,
        }
        k8s.KubeServiceAccount(
            self,
            "reader",
            metadata=object_meta(props.account, {**_BEFORE_THE_PODS, **identity}),
            automount_service_account_token=False,
        )
        SecretStore(
            self,
            "store",
            metadata=ApiObjectMetadata(name=props.store, annotations=_BEFORE_THE_PODS),
            spec=SecretStoreSpec(
                provider=SecretStoreSpecProvider(
                    azurekv=SecretStoreSpecProviderAzurekv(
                        auth_type=SecretStoreSpecProviderAzurekvAuthType.WORKLOAD_IDENTITY,
                        vault_url=vault.vault_url,
                        tenant_id=vault.tenant_id,
                        service_account_ref=SecretStoreSpecProviderAzurekvServiceAccountRef(name=props.account),
                    )
                )
            ),
        )
        self.require(lambda: self._missing(vault.entries))
        for secret in props.secrets:
            ExternalSecret(
                self,
                secret.name,
                metadata=ApiObjectMetadata(name=secret.name, annotations=_BEFORE_THE_PODS),
                spec=_external_secret(secret, props.store, vault),
            )

    def _missing(self, entries: Mapping[str, str]) -> list[str]:
        keys = [key for secret in self.secrets for key in secret.keys if key not in entries]
        return [f"{self.node.path}: vault.entries has no entry for {key}; add it" for key in keys]


def _external_secret(secret: SecretVariables, store: str, vault: AzureKeyVault) -> ExternalSecretSpec:
    return ExternalSecretSpec(
        refresh_interval=vault.refresh_interval,
        secret_store_ref=ExternalSecretSpecSecretStoreRef(
            name=store, kind=ExternalSecretSpecSecretStoreRefKind.SECRET_STORE
        ),
        target=ExternalSecretSpecTarget(
            name=secret.name,
            creation_policy=ExternalSecretSpecTargetCreationPolicy.OWNER,
            # A vault that cannot be read for a while must not take the Secret from running pods.
            deletion_policy=ExternalSecretSpecTargetDeletionPolicy.RETAIN,
        ),
        data=[
            ExternalSecretSpecData(secret_key=key, remote_ref=ExternalSecretSpecDataRemoteRef(key=vault.entries[key]))
            for key in secret.keys
            if key in vault.entries
        ],
    )
