"""Everything that several pods on PostgreSQL can have. Copy what you need into your environment."""

from rescan.settings import (
    AccessMode,
    ArgoCd,
    Autoscaling,
    AzureKeyVault,
    Backup,
    Configuration,
    DisruptionBudget,
    DriftJob,
    Environment,
    Flux,
    Gitops,
    Image,
    Ingress,
    Monitoring,
    NetworkPolicy,
    Pods,
    PostgreSql,
    PullPolicy,
    Resources,
    Secrets,
    SyncWindow,
    TaintEffect,
    Toleration,
    TopologySpread,
    WindowKind,
    Workload,
)

FULL = Environment(
    name="full",
    namespace="rescan-full",
    workload=Workload(
        image=Image(
            registry="registry.example.com",
            tag="v1.2.0",
            digest=f"sha256:{'0123456789abcdef' * 4}",
            pull_policy=PullPolicy.ALWAYS,
        ),
        version="v1.2.0",
        replicas=2,
        read_only_root=True,
        resources=Resources(ephemeral_storage_request="640Mi", ephemeral_storage_limit="1Gi"),
        autoscaling=Autoscaling(min_replicas=2, max_replicas=3, cpu_percent=70),
        disruption_budget=DisruptionBudget(max_unavailable=1),
        topology_spread=TopologySpread(),
    ),
    pods=Pods(
        pull_secrets=("registry-credentials",),
        node_selector={"kubernetes.io/arch": "amd64"},
        tolerations=(Toleration(key="dedicated", value="rescan", effect=TaintEffect.NO_SCHEDULE),),
    ),
    configuration=Configuration(
        educational_mode=False, database=PostgreSql(), max_concurrent_requests=20, extra={"LOG_LEVEL": "info"}
    ),
    secrets=Secrets(
        source=AzureKeyVault(
            vault_url="https://your-key-vault.vault.azure.net",
            tenant_id="00000000-0000-0000-0000-000000000000",
            client_id="00000000-0000-0000-0000-000000000000",
            entries={
                "AZURE_OPENAI_API_KEY": "azure-openai-api-key",
                "AZURE_OPENAI_ENDPOINT": "azure-openai-endpoint",
                "AZURE_OPENAI_MODEL_DEPLOYMENT": "azure-openai-model-deployment",
                "DATABASE_URL": "rescan-database-url",
                "AWS_ACCESS_KEY_ID": "rescan-backup-access-key-id",
                "AWS_SECRET_ACCESS_KEY": "rescan-backup-secret-access-key",
                "BACKUP_DATABASE_URL": "rescan-backup-database-url",
            },
        ),
        azure_openai_endpoint="https://your-resource.openai.azure.com/openai/",
    ),
    ingress=Ingress(
        host="rescan.example.com",
        class_name="nginx",
        cluster_issuer="letsencrypt",
        annotations={"nginx.ingress.kubernetes.io/proxy-read-timeout": "120"},
    ),
    network_policy=NetworkPolicy(from_namespaces=("ingress-nginx", "monitoring"), database_cidr="10.20.0.0/24"),
    backup=Backup(
        bucket="your-rescan-backups",
        dump_image=Image(
            registry="docker.io", repository="library/postgres", tag="16.4-alpine", pull_policy=PullPolicy.ALWAYS
        ),
        upload_image=Image(
            registry="docker.io", repository="amazon/aws-cli", tag="2.17.44", pull_policy=PullPolicy.ALWAYS
        ),
        region="eu-central-1",
    ),
    monitoring=Monitoring(labels={"release": "kube-prometheus-stack"}),
    drift=DriftJob(
        image=Image(
            registry="registry.example.com",
            repository="drift",
            tag="0.1.0",
            digest=f"sha256:{'fedcba9876543210' * 4}",
            pull_policy=PullPolicy.ALWAYS,
        ),
        git_secret="rescan-git",  # noqa: S106  # the name of a Secret, not one
        git_depth=50,
        schedule="*/10 * * * *",
        read_secrets=True,
        shards=3,
        access_mode=AccessMode.READ_WRITE_MANY,
        storage_class="shared",
        pushgateway_url="http://pushgateway.monitoring.svc:9091",
    ),
    gitops=Gitops(
        repository_url="https://git.example.com/rescan.git",
        argocd=ArgoCd(
            sync_windows=(SyncWindow(kind=WindowKind.DENY, schedule="0 16 * * 5", duration="64h"),),
        ),
        flux=Flux(
            git_secret="rescan-git",  # noqa: S106  # the name of a Secret, not one
            depends_on=("cert-manager", "external-secrets", "kube-prometheus-stack"),
        ),
    ),
)
