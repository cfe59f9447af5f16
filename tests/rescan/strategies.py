"""Settings that Hypothesis makes up: mostly valid ones, near the edges of what the rules allow."""

from dataclasses import replace

from hypothesis import strategies as st

from rescan.settings import (
    AccessMode,
    ArgoCd,
    Autoscaling,
    AzureKeyVault,
    Backup,
    Configuration,
    Controller,
    CreatedByHand,
    DisruptionBudget,
    DriftJob,
    Environment,
    Flux,
    Gitops,
    Identity,
    Image,
    Ingress,
    Monitoring,
    NetworkPolicy,
    PostgreSql,
    Probe,
    PullPolicy,
    Recreate,
    Resources,
    RollingUpdate,
    Secrets,
    Service,
    ServiceType,
    Sqlite,
    Storage,
    StorageClass,
    SyncWindow,
    TopologySpread,
    WindowKind,
    Workload,
)

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
LABEL_VALUES = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", fullmatch=True)
SECONDS = st.integers(1, 2**31 - 1)
DURATIONS = st.sampled_from(["1s", "90s", "5m", "1h", "1h30m"])
SCHEDULES = st.sampled_from(["0 3 * * *", "*/5 * * * 1-5", "0 0 1 1 0"])
SIZES = st.sampled_from(["500Mi", "0.5Gi", "524288000", "1Gi", "1e9", "2Ti"])
POD_BOUNDS = st.integers(0, 5) | st.integers(0, 100).map("{}%".format)
images = st.builds(
    Image,
    repository=st.sampled_from(["rescan", "team/rescan", "a/b__c/d-e.f"]),
    registry=st.sampled_from(["registry.example.com", "localhost:5000", "registry.example.com/team"]),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    digest=st.none() | st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True),
    pull_policy=st.sampled_from(PullPolicy),
)
resources = st.builds(
    Resources,
    cpu_request=st.sampled_from(["1m", "0.1", "100m"]),
    cpu_limit=st.sampled_from(["100m", "0.2", "2", "1e1"]),
    memory_request=st.sampled_from(["1Mi", "128Mi", "128e6"]),
    memory_limit=st.sampled_from(["128Mi", "200M", "1Gi"]),
    ephemeral_storage_request=st.none() | st.just("1Mi"),
    ephemeral_storage_limit=st.none() | st.just("1Gi"),
)


def probes(path: str) -> st.SearchStrategy[Probe]:
    """Probes of one endpoint."""
    return st.builds(
        Probe,
        path=st.just(path),
        initial_delay=st.integers(0, 600),
        period=st.integers(1, 600),
        timeout=st.integers(1, 600),
        failure_threshold=st.integers(1, 100),
    )


def workloads(port: int, *, several: bool) -> st.SearchStrategy[Workload]:
    """Workloads on a port, with several pods or with one."""
    return st.builds(
        Workload,
        image=images,
        version=LABEL_VALUES,
        controller=st.sampled_from(Controller),
        replicas=st.integers(1, 5) if several else st.just(1),
        strategy=st.builds(Recreate) | st.builds(RollingUpdate, max_surge=POD_BOUNDS, max_unavailable=POD_BOUNDS),
        revision_history=st.integers(0, 100),
        container_port=st.just(port),
        resources=resources,
        liveness=probes("/health"),
        readiness=probes("/ready"),
        identity=st.builds(Identity, user=st.integers(1, 2**31 - 1), group=st.integers(1, 2**31 - 1)),
        read_only_root=st.booleans(),
        autoscaling=st.none()
        | st.builds(
            Autoscaling,
            min_replicas=st.integers(1, 3) if several else st.just(1),
            max_replicas=st.integers(3, 9) if several else st.just(1),
        ),
        disruption_budget=st.none() | st.builds(DisruptionBudget, max_unavailable=st.integers(1, 3) | st.just("100%")),
        topology_spread=st.none()
        | st.builds(
            TopologySpread,
            topology_keys=st.sampled_from([("zone",), ("topology.kubernetes.io/zone", "kubernetes.io/hostname")]),
            max_skew=st.integers(1, 5),
            required=st.booleans(),
        ),
    )


configurations = st.builds(
    Configuration,
    node_env=st.sampled_from(["production", "development", "no", "1e3"]),
    educational_mode=st.booleans(),
    database=st.builds(Sqlite, url=st.sampled_from(["sqlite:./data/rescan.db", "sqlite:///app/data/a b.db"]))
    | st.builds(PostgreSql),
    max_file_size=st.integers(1, 2**53),
    max_concurrent_requests=st.integers(1, 1000),
    extra=st.dictionaries(
        st.from_regex(r"X_[A-Z_]{1,20}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t"), max_size=40),
        max_size=3,
    ),
)


def secrets(variables: tuple[str, ...]) -> st.SearchStrategy[Secrets]:
    """Sources of these variables."""
    return st.builds(
        Secrets,
        source=st.just(CreatedByHand(variables=variables))
        | st.builds(
            AzureKeyVault,
            vault_url=st.just("https://your-key-vault.vault.azure.net"),
            tenant_id=st.uuids().map(str),
            client_id=st.uuids().map(str),
            refresh_interval=DURATIONS,
            entries=st.just({name: name.lower() for name in variables}),
        ),
    )


storages = st.builds(
    Storage,
    size=SIZES,
    storage_class=st.none() | st.just("local-path"),
    offered=st.sampled_from([(), (StorageClass(name="local-path"),)]),
    uploads_limit=SIZES,
    temporary_limit=SIZES,
).filter(lambda storage: storage.storage_class or not storage.offered)
policies = st.builds(
    NetworkPolicy,
    from_namespaces=st.lists(LABELS, max_size=2).map(tuple),
    database_cidr=st.sampled_from(["10.0.0.0/8", "10.1.2.3/32", "fd00::/64"]),
    database_port=st.integers(1, 65535),
)
backups = st.builds(
    Backup,
    bucket=st.sampled_from(["your-backups", "a.b.c"]),
    dump_image=images,
    upload_image=images,
    schedule=SCHEDULES,
    prefix=st.sampled_from(["rescan", "a/b"]),
    endpoint_url=st.sampled_from([None, "https://minio.example.com", "https://minio.example.com:9000/"]),
    deadline=SECONDS,
    late_after=SECONDS,
    scratch_limit=SIZES,
    resources=resources,
)
drift_jobs = st.builds(
    DriftJob,
    image=images,
    git_sync_image=images,
    git_secret=st.none() | st.just("git"),
    git_depth=st.integers(0, 100),
    schedule=SCHEDULES,
    deadline=SECONDS,
    read_secrets=st.booleans(),
    config=st.sampled_from([None, "drift.yaml", "a/b.yaml"]),
    shards=st.sampled_from([1, 1, 2, 30]),
    history_size=SIZES,
    access_mode=st.just(AccessMode.READ_WRITE_MANY),
    storage_class=st.none() | st.just("shared"),
    pushgateway_url=st.sampled_from([None, "http://pushgateway:9091", "https://metrics.example.com/push/"]),
    drifting_for=DURATIONS,
    stale_after=SECONDS,
    api_server_port=st.integers(1, 65535),
    identity=st.builds(Identity, user=st.integers(1, 2**31 - 1), group=st.integers(1, 2**31 - 1)),
    resources=resources,
    clone_limit=SIZES,
)
monitorings = st.builds(
    Monitoring,
    path=st.sampled_from(["/metrics", "/internal/metrics"]),
    interval=DURATIONS,
    labels=st.dictionaries(st.sampled_from(["release", "a.example.com/team"]), LABEL_VALUES, max_size=2),
)
gitops = st.builds(
    Gitops,
    repository_url=st.sampled_from(["https://git.example.com/rescan.git", "ssh://git@git.example.com/rescan.git"]),
    branch=st.sampled_from(["main", "release/1.0"]),
    argocd=st.builds(
        ArgoCd,
        prune=st.booleans(),
        self_heal=st.booleans(),
        retries=st.integers(0, 10),
        sync_windows=st.lists(
            st.builds(SyncWindow, kind=st.sampled_from(WindowKind), schedule=SCHEDULES, duration=DURATIONS), max_size=2
        ).map(tuple),
    ),
    flux=st.builds(
        Flux,
        fetch_interval=DURATIONS,
        interval=DURATIONS,
        prune=st.booleans(),
        depends_on=st.sampled_from([(), ("operators",)]),
    ),
)


@st.composite
def environments(draw: st.DrawFn) -> Environment:
    """Environments. Most of them keep every rule."""
    port = draw(st.integers(1024, 65535))
    configuration = replace(draw(configurations), port=port)
    several = isinstance(configuration.database, PostgreSql)
    backup = draw(st.none() | backups)
    variables = CreatedByHand().variables
    variables += ("DATABASE_URL",) if several else ()
    variables += ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if backup else ()
    ingress = Ingress(host="*.example.com", class_name="nginx", cluster_issuer="letsencrypt")
    return Environment(
        name=draw(LABELS),
        namespace=draw(LABELS),
        workload=draw(workloads(port, several=several)),
        configuration=configuration,
        secrets=draw(secrets(variables)),
        service=Service(type=draw(st.sampled_from(ServiceType)), port=draw(st.integers(1, 65535)), target_port=port),
        storage=draw(storages),
        ingress=draw(st.sampled_from([None, ingress])),
        network_policy=draw(st.none() | policies),
        backup=backup,
        monitoring=draw(st.none() | monitorings),
        drift=draw(st.none() | drift_jobs),
        gitops=draw(gitops),
    )
