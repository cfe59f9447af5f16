"""Every rule, with settings that keep it and settings that break it."""

from dataclasses import dataclass, field, replace

import pytest

from rescan import environments
from rescan.errors import BrokenRulesError
from rescan.examples import EXAMPLES
from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL
from rescan.rules import RULES, broken_rules, reject_broken
from rescan.rules.formats import FORMS, has_form
from rescan.settings import (
    AccessMode,
    Autoscaling,
    CreatedByHand,
    DisruptionBudget,
    Environment,
    Identity,
    Image,
    PostgreSql,
    Probe,
    Recreate,
    Resources,
    RollingUpdate,
    Service,
    Sqlite,
    StorageClass,
    SyncWindow,
    TopologySpread,
    WindowKind,
)
from tests.rescan.changes import changed

DEV, PROD = environments.load(["dev", "prod"])
AZURE = CreatedByHand().variables


@dataclass(frozen=True)
class Case:
    """Changes to one setting: a value that keeps the rule, one that breaks it, and what the fix says."""

    setting: str
    keeps: object
    breaks: object
    fix: str
    of: Environment = PROD
    named: str | None = None
    """The setting that the error names, where it is a part of the changed one or another."""
    also: dict[str, object] = field(default_factory=dict)


def port(number: int) -> dict[str, object]:
    return {"workload.container_port": number, "service.target_port": number}


CASES: dict[str, list[Case]] = {
    "names-are-valid": [
        Case("name", "staging-2", "Staging", "lower-case"),
        Case("name", "staging", "flux", "hand-over"),
        Case("namespace", "rescan", "rescan_dev", "lower-case"),
        Case("namespace", "a" * 63, "a" * 64, "63"),
    ],
    "image-is-valid": [
        Case("workload.image.repository", "team/rescan", "Team/rescan", "repository"),
        Case("workload.image.registry", "localhost:5000", "https://registry.example.com", "registry"),
        Case("workload.image.tag", "v1.0.0-rc.1", "v1 0", "image tag"),
        Case("workload.image.digest", "sha256:" + "a" * 64, "sha256:abc", "image digest"),
        Case("workload.image.tag", "v1", None, "tag or a digest"),
        Case("backup.dump_image.tag", "16", "16/alpine", "image tag", of=FULL),
        Case("backup.upload_image.tag", "2", None, "tag or a digest", of=FULL),
        Case("drift.image.repository", "team/drift", "drift:1", "repository"),
        Case("drift.git_sync_image.tag", "v4.6.0", None, "tag or a digest"),
    ],
    "production-runs-a-release": [
        Case("workload.image.tag", "v1.0.1", "latest", "name a release"),
        Case("workload.image.registry", "registry.example.com", None, "name the registry"),
        Case(
            "workload.image",
            Image(registry="registry.example.com", tag="latest", digest="sha256:" + "0" * 64),
            Image(registry="registry.example.com", tag="latest"),
            "pin the image by digest",
            named="workload.image.tag",
        ),
    ],
    "version-is-a-label": [
        Case("workload.version", "v1.0.0", "v1.0.0+build", "letters"),
        Case("workload.version", "1", "", "such as v1.0.0"),
    ],
    "hand-over-is-valid": [
        Case("gitops.repository_url", "ssh://git@git.example.com/rescan.git", "git.example.com/rescan", "address"),
        Case("gitops.branch", "release/1.0", "", "folder"),
        Case("gitops.manifests_path", "deploy/dist", "/dist", "folder"),
        Case("gitops.argocd.namespace", "argocd", "Argo CD", "DNS label"),
        Case("gitops.argocd.server", "https://10.0.0.1:6443", "10.0.0.1", "HTTPS"),
        Case("gitops.argocd.retries", 0, -1, "0 or more"),
        Case("gitops.flux.namespace", "flux", "", "DNS label"),
        Case("gitops.flux.interval", "1h30m", "90", "duration"),
        Case("gitops.flux.fetch_interval", "30s", "often", "duration"),
        Case("gitops.flux.retry_interval", "2m", "", "duration"),
        Case("gitops.flux.timeout", "2m", "2 m", "duration"),
        Case(
            "gitops.flux.depends_on", ("operators",), ("Operators",), "object name", named="gitops.flux.depends_on[0]"
        ),
        Case(
            "gitops.argocd.sync_windows",
            (SyncWindow(kind=WindowKind.ALLOW, schedule="0 8 * * 1-5", duration="8h"),),
            (SyncWindow(kind=WindowKind.ALLOW, schedule="daily", duration="8h"),),
            "cron schedule",
            named="gitops.argocd.sync_windows[0].schedule",
        ),
    ],
    "at-least-one-replica": [
        Case("workload.replicas", 1, 0, "1 or more"),
    ],
    "sqlite-has-one-replica": [
        Case("workload.replicas", 1, 2, "PostgreSql()"),
        Case("configuration.database", PostgreSql(), Sqlite(), "PostgreSql()", of=FULL, named="workload.replicas"),
        Case(
            "workload.autoscaling",
            Autoscaling(min_replicas=1, max_replicas=1),
            Autoscaling(min_replicas=1, max_replicas=2),
            "leave autoscaling out",
            named="workload.autoscaling.max_replicas",
        ),
    ],
    "requests-within-limits": [
        Case("workload.resources.cpu_request", "0.2", "201m", "200m"),
        Case("workload.resources.memory_request", "209715200", "0.2Gi", "200Mi"),
        Case("workload.resources.memory_limit", "128Mi", "127Mi", "127Mi", named="workload.resources.memory_request"),
        Case("workload.resources.cpu_limit", "1", "1 core", "quantity"),
        Case("workload.resources.cpu_request", "1m", "0", "above zero"),
        Case("drift.resources.memory_request", "512Mi", "1Gi", "512Mi"),
        Case(
            "workload.resources",
            Resources(ephemeral_storage_request="1Gi", ephemeral_storage_limit="1Gi"),
            Resources(ephemeral_storage_request="2Gi", ephemeral_storage_limit="1Gi"),
            "1Gi",
            named="workload.resources.ephemeral_storage_request",
        ),
        Case("backup.resources.cpu_request", "500m", "501m", "500m", of=FULL),
    ],
    "container-port-is-target-port": [
        Case("service", Service(port=80), Service(target_port=8080), "3000", named="service.target_port"),
    ],
    "probes-ask-the-health-endpoints": [
        Case("workload.liveness.path", "/health", "/ready", "/health"),
        Case("workload.readiness.path", "/ready", "/", "/ready"),
    ],
    "probe-times-are-possible": [
        Case(
            "workload.liveness",
            Probe(path="/health"),
            Probe(path="/health", period=0),
            "1",
            named="workload.liveness.period",
        ),
        Case("workload.readiness.timeout", 1, 0, "1 or more"),
        Case("workload.readiness.failure_threshold", 1, 0, "1 or more"),
        Case("workload.liveness.initial_delay", 0, -1, "0 or more"),
    ],
    "rollout-can-proceed": [
        Case("workload.revision_history", 0, -1, "0 or more"),
        Case(
            "workload.strategy",
            Recreate(),
            RollingUpdate(max_surge=0, max_unavailable=0),
            "1 or more",
            named="workload.strategy.max_surge",
        ),
        Case("workload.strategy.max_surge", "25%", "25", "percentage"),
        Case("workload.strategy.max_unavailable", 1, -1, "0 or more"),
    ],
    "pods-do-not-run-as-root": [
        Case("workload.identity", Identity(user=1001), Identity(user=0), "root", named="workload.identity.user"),
        Case("workload.identity.group", 1, 0, "root"),
        Case("drift.identity.user", 1, 0, "root"),
    ],
    "autoscaling-is-possible": [
        Case(
            "workload.autoscaling.min_replicas",
            3,
            4,
            "min_replicas, 4",
            of=FULL,
            named="workload.autoscaling.max_replicas",
        ),
        Case("workload.autoscaling.min_replicas", 1, 0, "1 or more", of=FULL),
        Case("workload.autoscaling.cpu_percent", 150, 0, "1 or more", of=FULL),
    ],
    "disruption-budget-lets-nodes-drain": [
        Case("workload.disruption_budget.max_unavailable", "50%", "0%", "1 or more", of=FULL),
        Case(
            "workload.disruption_budget",
            DisruptionBudget(),
            DisruptionBudget(max_unavailable=0),
            "1 or more",
            named="workload.disruption_budget.max_unavailable",
        ),
    ],
    "topology-spread-is-possible": [
        Case(
            "workload.topology_spread",
            TopologySpread(topology_keys=("kubernetes.io/hostname",), required=True),
            TopologySpread(topology_keys=("kubernetes.io/hostname", "kubernetes.io/hostname")),
            "each once",
            named="workload.topology_spread.topology_keys",
        ),
        Case("workload.topology_spread.topology_keys", ("zone",), (), "one or more", of=FULL),
        Case("workload.topology_spread.max_skew", 2, 0, "1 or more", of=FULL),
    ],
    "ephemeral-volumes-have-room": [
        Case("storage.uploads_limit", "1Gi", "0", "above zero"),
        Case("storage.temporary_limit", "1Mi", "-1Mi", "above zero"),
        Case("backup.scratch_limit", "1Gi", "much", "above zero", of=FULL),
        Case("drift.clone_limit", "1Gi", "0", "above zero"),
    ],
    "port-is-the-container-port": [
        Case("configuration.port", 1024, 1023, "1024 to 65535", also=port(1024)),
        Case("configuration.port", 65535, 65536, "1024 to 65535", also=port(65535)),
        Case("configuration.port", 3000, 3001, "workload.container_port, 3000"),
    ],
    "required-variables-have-their-source": [
        Case("secrets.source.entries", PROD.secrets.source.entries, {}, "add AZURE_OPENAI_API_KEY"),  # type: ignore[union-attr]  # prod has a vault
        Case(
            "secrets.source",
            CreatedByHand(),
            CreatedByHand(variables=AZURE[:2]),
            f"add {AZURE[2]}",
            of=DEV,
            named="secrets.source.variables",
        ),
        Case("secrets.source.variables", AZURE, (*AZURE, "PORT"), "comes from the ConfigMap", of=DEV),
        Case("configuration.extra", {"LOG_LEVEL": "info"}, {"AZURE_OPENAI_API_KEY": "x"}, "secret"),
        Case(
            "configuration.database",
            Sqlite(),
            PostgreSql(),
            "add DATABASE_URL",
            of=DEV,
            named="secrets.source.variables",
        ),
        Case("backup", None, STATEFUL.backup, "add AWS_ACCESS_KEY_ID", of=DEV, named="secrets.source.variables"),
    ],
    "required-values-are-given": [
        Case("configuration.node_env", "development", "", "name a mode"),
        Case("configuration.max_file_size", 1, 0, "1 or more"),
        Case("configuration.max_concurrent_requests", 1, 0, "1 or more"),
    ],
    "extra-variables-are-extra": [
        Case("configuration.extra", {"_TRACE": ""}, {"MY-FLAG": "on"}, "letters"),
        Case(
            "configuration.extra",
            {"X": "a\tb\nü"},
            {"X": "a\x7f"},
            "control characters",
            named="configuration.extra[X]",
        ),
        Case("configuration.extra", {}, {"PORT": "80"}, "setting of its own"),
    ],
    "endpoint-has-the-openai-path": [
        Case(
            "secrets.azure_openai_endpoint",
            "https://x.openai.azure.com/openai/",
            "https://x.openai.azure.com/",
            "/openai/",
        ),
        Case(
            "secrets.azure_openai_endpoint",
            "https://x.example.com/openai/v1",
            "http://x.example.com/openai/",
            "https://",
        ),
    ],
    "sqlite-file-is-on-the-data-volume": [
        Case("configuration.database.url", "sqlite:///app/data/rescan.db", "sqlite:./rescan.db", "below /app/data"),
        Case("configuration.database.url", "sqlite:data/a/b.db", "sqlite:./data/../rescan.db", "below /app/data"),
        Case("configuration.database.url", "sqlite:./data/x", "postgres://db/rescan", "below /app/data"),
        Case("configuration.database.url", "sqlite:./data/y", "sqlite::memory:", "below /app/data"),
    ],
    "vault-can-be-reached": [
        Case("secrets.source.vault_url", "https://a.vault.azure.net", "a.vault.azure.net", "HTTPS"),
        Case("secrets.source.tenant_id", "0" * 8 + "-0000-0000-0000-" + "0" * 12, "tenant", "UUID"),
        Case("secrets.source.client_id", "0" * 8 + "-0000-0000-0000-" + "0" * 12, "", "UUID"),
        Case("secrets.source.refresh_interval", "15m", "15", "duration"),
        Case(
            "secrets.source.entries",
            dict.fromkeys(AZURE, "entry"),
            dict.fromkeys(AZURE, ""),
            "name the entry",
            named="secrets.source.entries[AZURE_OPENAI_API_KEY]",
        ),
    ],
    "storage-has-room-for-the-database": [
        Case("storage.size", "500Mi", "499Mi", "500Mi or more"),
        Case("storage.size", "0.5Gi", "500M", "500Mi or more"),
        Case("storage.size", "1Ti", "1TiB", "500Mi or more"),
    ],
    "one-node-mounts-the-volume": [
        Case("storage.access_mode", AccessMode.READ_WRITE_ONCE, AccessMode.READ_WRITE_MANY, "ReadWriteOnce"),
        Case("storage.access_mode", AccessMode.READ_WRITE_ONCE, AccessMode.READ_ONLY_MANY, "ReadWriteOnce"),
    ],
    "storage-class-is-offered": [
        Case("storage.storage_class", "local-path", "fast", "local-path, standard", of=STATEFUL),
        Case("storage.storage_class", "standard", None, "local-path, standard", of=STATEFUL),
        Case("storage.storage_class", None, "Fast SSD", "name of a StorageClass"),
        Case(
            "storage.offered",
            (StorageClass(name="local-path"),),
            (StorageClass(name="local-path", access_modes=(AccessMode.READ_WRITE_MANY,)),),
            "offers ReadWriteOnce",
            of=STATEFUL,
            named="storage.storage_class",
        ),
    ],
    "service-port-exists": [
        Case("service.port", 80, 0, "1 to 65535"),
        Case("service.port", 65535, 65536, "1 to 65535"),
        Case("network_policy.database_port", 6432, 70000, "1 to 65535", of=FULL),
    ],
    "ingress-can-be-served": [
        Case("ingress.host", "a.b.example.com", "https://example.com", "host name", of=FULL),
        Case("ingress.class_name", "traefik", "", "object name", of=FULL),
        Case("ingress.cluster_issuer", "internal-ca", "Internal CA", "object name", of=FULL),
        Case("ingress.tls_secret", "tls", "TLS", "object name", of=FULL),
    ],
    "network-policy-lets-the-application-work": [
        Case(
            "network_policy.from_namespaces",
            (),
            ("*",),
            "namespace",
            of=FULL,
            named="network_policy.from_namespaces[0]",
        ),
        Case("network_policy.database_cidr", "10.0.0.1/32", None, "addresses of PostgreSQL", of=FULL),
        Case("network_policy.database_cidr", "fd00::/64", "10.0.0.1", "range of addresses", of=FULL),
        Case("network_policy.database_cidr", "10.0.0.0/8", "10.0.0.1/8", "range of addresses", of=FULL),
    ],
    "backup-can-run": [
        Case("backup.schedule", "*/15 0-6 1,15 * SUN", "@daily", "cron schedule", of=FULL),
        Case("backup.bucket", "backups.2026", "My_Bucket", "bucket name", of=FULL),
        Case("backup.prefix", "a/b", "/a", "folder", of=FULL),
        Case("backup.endpoint_url", "https://minio.example.com:9000", "minio.example.com", "HTTPS", of=STATEFUL),
        Case("backup.deadline", 60, 0, "1 second", of=FULL),
        Case("backup.late_after", 60, 0, "1 second", of=FULL),
    ],
    "monitoring-can-scrape": [
        Case("monitoring.path", "/internal/metrics", "metrics", "URL path", of=FULL),
        Case("monitoring.interval", "1m", "1", "duration", of=FULL),
        Case("monitoring.labels", {"team": "a"}, {"team": "a b"}, "label", of=FULL),
        Case("monitoring.dashboard_labels", {"a.example.com/b": ""}, {"a b": ""}, "label", of=FULL),
    ],
    "drift-job-can-run": [
        Case("drift.schedule", "0 * * * *", "@hourly", "cron schedule"),
        Case("drift.drifting_for", "1h", "60", "duration"),
        Case("drift.git_secret", "git.credentials", "Git", "object name"),
        Case("drift.storage_class", "standard", "Fast SSD", "object name"),
        Case("drift.config", "ops/drift.yaml", "/drift.yaml", "folder"),
        Case("drift.pushgateway_url", "http://pushgateway:9091", "pushgateway:9091", "web address"),
        Case("drift.deadline", 60, 0, "1 or more"),
        Case("drift.stale_after", 60, 0, "1 or more"),
        Case("drift.shards", 1, 0, "1 or more"),
        Case("drift.git_depth", 0, -1, "0 or more"),
        Case("drift.api_server_port", 443, 0, "1 to 65535"),
        Case("drift.history_size", "1Gi", "much", "quantity"),
    ],
    "drift-volume-can-be-written": [
        Case("drift.shards", 1, 2, "drift.shards to 1", named="drift.access_mode"),
        Case("drift.access_mode", AccessMode.READ_WRITE_MANY, AccessMode.READ_WRITE_ONCE, "ReadWriteMany", of=FULL),
        Case("drift.access_mode", AccessMode.READ_WRITE_ONCE, AccessMode.READ_ONLY_MANY, "ReadWriteOnce"),
    ],
}


@pytest.mark.parametrize("environment", [DEV, PROD, *EXAMPLES], ids=lambda environment: environment.name)
def test_the_settings_we_ship_keep_every_rule(environment: Environment) -> None:
    assert broken_rules(environment) == []


def test_every_rule_has_a_case() -> None:
    assert [rule.__name__.replace("_", "-") for rule in RULES] == list(CASES)


@pytest.mark.parametrize(
    ("rule", "case"),
    [
        pytest.param(rule, case, id=f"{rule}-{case.setting}-{place}")
        for rule, cases in CASES.items()
        for place, case in enumerate(cases)
    ],
)
def test_a_rule_is_kept_and_broken(rule: str, case: Case) -> None:
    kept = changed(case.of, case.also | {case.setting: case.keeps})
    broken = changed(case.of, case.also | {case.setting: case.breaks})

    assert [str(found) for found in broken_rules(kept) if found.rule == rule] == []
    found = [
        str(found)
        for found in broken_rules(broken)
        if found.rule == rule and found.breach.setting == (case.named or case.setting) and case.fix in found.breach.fix
    ]
    assert found, [str(found) for found in broken_rules(broken)]
    assert found[0].startswith(f"{broken.name}: {rule}: {case.named or case.setting} is ")


def test_all_broken_rules_of_all_environments_are_listed_at_once() -> None:
    broken = [
        changed(DEV, {"workload.replicas": 0, "storage.size": "1Mi"}),
        changed(PROD, {"workload.image.tag": "latest"}),
    ]

    with pytest.raises(BrokenRulesError) as error:
        reject_broken(broken)

    assert str(error.value).splitlines() == [
        "dev: at-least-one-replica: workload.replicas is 0; set it to 1 or more",
        "dev: storage-has-room-for-the-database: storage.size is '1Mi'; set it to 500Mi or more",
        "prod: production-runs-a-release: workload.image.tag is 'latest'; name a release, or pin the image by digest",
    ]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("workload.replicas", "2", "workload.replicas is '2'; give it a value of type int"),
        ("workload.replicas", True, "workload.replicas is True; give it a value of type int"),
        ("workload.image.tag", 1.0, "workload.image.tag is 1.0; give it a value of type str | None"),
        ("gitops.flux.depends_on", ["a"], "gitops.flux.depends_on is ['a']; give it a value of type tuple[str, ...]"),
        ("configuration.extra", {"A": 1}, "configuration.extra is {'A': 1}; give it a value of type Mapping[str, str]"),
        ("storage.access_mode", "ReadWriteOnce", "give it a value of type AccessMode"),
        ("workload.strategy", "Recreate", "give it a value of type workload.RollingUpdate | workload.Recreate"),
    ],
)
def test_a_value_of_the_wrong_type_is_reported_before_the_rules_run(setting: str, value: object, message: str) -> None:
    (found,) = broken_rules(changed(DEV, {setting: value}))

    assert str(found).startswith("dev: settings-have-their-declared-type: ")
    assert message in str(found)


def test_a_wrong_type_inside_a_tuple_is_found() -> None:
    window = replace(FULL.gitops.argocd.sync_windows[0], duration=2)  # type: ignore[arg-type]  # the mistake under test

    (found,) = broken_rules(changed(FULL, {"gitops.argocd.sync_windows": (window,)}))

    assert found.breach.setting == "gitops.argocd.sync_windows[0].duration"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_form_accepts_a_line_break(form: str) -> None:
    assert not has_form(form, "a\n")
    assert not has_form(form, "\n")
