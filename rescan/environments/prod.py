"""The production environment. Put your own registry, vault and repository where the examples are."""

from rescan.settings import AzureKeyVault, DriftJob, Environment, Gitops, Image, PullPolicy, Secrets, Workload

ENVIRONMENT = Environment(
    name="prod",
    namespace="rescan-prod",
    workload=Workload(
        image=Image(registry="registry.example.com", tag="v1.0.0", pull_policy=PullPolicy.ALWAYS),
        version="v1.0.0",
    ),
    secrets=Secrets(
        source=AzureKeyVault(
            vault_url="https://your-key-vault.vault.azure.net",
            tenant_id="00000000-0000-0000-0000-000000000000",
            client_id="00000000-0000-0000-0000-000000000000",
        ),
    ),
    drift=DriftJob(
        image=Image(registry="registry.example.com", repository="drift", tag="0.1.0", pull_policy=PullPolicy.ALWAYS)
    ),
    gitops=Gitops(repository_url="https://git.example.com/rescan.git"),
)
