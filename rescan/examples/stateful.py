"""One pod with a stable name on SQLite, with backups to storage of one's own, behind a cloud load balancer."""

from rescan.settings import (
    Backup,
    Controller,
    CreatedByHand,
    DriftJob,
    Environment,
    Gitops,
    Image,
    Monitoring,
    NetworkPolicy,
    PullPolicy,
    Secrets,
    Service,
    ServiceType,
    Storage,
    StorageClass,
    Workload,
)

STATEFUL = Environment(
    name="stateful",
    namespace="rescan",
    workload=Workload(
        image=Image(registry="registry.example.com", tag="v1.0.0", pull_policy=PullPolicy.ALWAYS),
        controller=Controller.STATEFUL_SET,
    ),
    secrets=Secrets(
        source=CreatedByHand(
            variables=(
                "AZURE_OPENAI_API_KEY",
                "AZURE_OPENAI_ENDPOINT",
                "AZURE_OPENAI_MODEL_DEPLOYMENT",
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
            )
        )
    ),
    service=Service(
        type=ServiceType.LOAD_BALANCER,
        annotations={"service.beta.kubernetes.io/azure-load-balancer-internal": "true"},
    ),
    storage=Storage(
        size="5Gi", storage_class="local-path", offered=(StorageClass(name="local-path"), StorageClass(name="standard"))
    ),
    network_policy=NetworkPolicy(),
    backup=Backup(
        bucket="your-rescan-backups",
        endpoint_url="http://minio.storage.svc:9000",
        dump_image=Image(
            registry="docker.io", repository="keinos/sqlite3", tag="3.46.1", pull_policy=PullPolicy.ALWAYS
        ),
        upload_image=Image(
            registry="docker.io", repository="amazon/aws-cli", tag="2.17.44", pull_policy=PullPolicy.ALWAYS
        ),
    ),
    monitoring=Monitoring(),
    drift=DriftJob(
        image=Image(registry="registry.example.com", repository="drift", tag="0.1.0", pull_policy=PullPolicy.ALWAYS),
        git_secret="rescan-git",  # noqa: S106  # the name of a Secret, not one
        config="drift.yaml",
    ),
    gitops=Gitops(repository_url="ssh://git@git.example.com/rescan.git"),
)
