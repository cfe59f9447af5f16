"""Every rule, with settings that keep it and settings that break it."""

from dataclasses import dataclass, field, replace

import pytest

from rescan import environments
from rescan.errors import BrokenRulesError
from rescan.examples import EXAMPLES
from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL
from rescan.rules import RULES, broken_rules, reject_broken
from rescan.rules.model import rule_name
from rescan.rules.parts import PART_RULES
from rescan.settings import (
    AccessMode,
    Autoscaling,
    CreatedByHand,
    DisruptionBudget,
    Environment,
    Image,
    PostgreSql,
    Probe,
    PullPolicy,
    Recreate,
    Resources,
    RollingUpdate,
    Service,
    ServiceType,
    Sqlite,
    StorageClass,
    SyncWindow,
    WindowKind,
    Workload,
)
from tests.rescan.changes import changed

DEV, PROD = environments.load(["dev", "prod"])
AZURE = CreatedByHand().variables
PUSHED = changed(PROD, {"drift.pushgateway_url": "http://pushgateway.monitoring.svc:9091"})
WINDOW = SyncWindow(kind=WindowKind.ALLOW, schedule="0 8 * * 1-5", duration="8h")


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


CASES: dict[str, list[Case]] = {
    "folder-is-free": [
        Case("name", "staging", "flux", "hand-over"),
    ],
    "image-is-pinned": [
        Case("workload.image.tag", "v1", None, "tag or a digest"),
        Case("backup.upload_image.tag", "2", None, "tag or a digest", of=FULL),
        Case("drift.git_sync_image.tag", "v4.6.0", None, "tag or a digest"),
    ],
    "production-runs-a-release": [
        Case("workload.image.tag", "v1.0.1", "latest", "name a release"),
        Case("workload.image.tag", "latest-1", "LATEST", "name a release"),
        Case("drift.image.tag", "v1", "latest", "name a release"),
        Case("workload.image.pull_policy", PullPolicy.ALWAYS, PullPolicy.NEVER, "Always"),
        Case("workload.image.registry", "registry.example.com", None, "name the registry"),
        Case("backup.dump_image.registry", "registry.example.com", None, "name the registry", of=FULL),
        Case(
            "workload.image",
            Image(registry="a.example.com", tag="latest", digest="sha256:" + "0" * 64, pull_policy=PullPolicy.ALWAYS),
            Image(registry="a.example.com", tag="latest", pull_policy=PullPolicy.ALWAYS),
            "pin the image by digest",
            named="workload.image.tag",
        ),
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
    "pods-stop-in-time": [
        Case("workload.drain", 29, 30, "less than grace_period, 30"),
        Case("workload.grace_period", 6, 5, "less than grace_period, 5", named="workload.drain"),
    ],
    "container-port-is-target-port": [
        Case("service", Service(port=80), Service(target_port=8080), "3000", named="service.target_port"),
    ],
    "probes-ask-the-health-endpoints": [
        Case("workload.liveness.path", "/health", "/ready", "/health"),
        Case("workload.readiness.path", "/ready", "/", "/ready"),
        Case("workload.startup", None, Probe(path="/ready"), "/health", named="workload.startup.path"),
    ],
    "rollout-can-proceed": [
        Case(
            "workload.strategy",
            Recreate(),
            RollingUpdate(max_surge=0, max_unavailable=0),
            "1 or more",
            named="workload.strategy.max_surge",
        ),
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
        Case("workload.topology_spread.topology_keys", ("zone",), (), "one or more", of=FULL),
    ],
    "port-is-the-container-port": [
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
    "extra-variables-are-extra": [
        Case("configuration.extra", {}, {"PORT": "80"}, "setting of its own"),
    ],
    "config-map-fits": [
        Case("configuration.extra", {"X": "a" * 1_000_000}, {"X": "ä" * 1_000_000}, "lower the size"),
    ],
    "endpoint-has-the-openai-path": [
        Case(
            "secrets.azure_openai_endpoint",
            "https://x.openai.azure.com/openai/v1",
            "https://x.openai.azure.com/",
            "/openai/",
        ),
        Case(
            "secrets.azure_openai_endpoint",
            "https://x.example.com/a/openai/",
            "https://x.example.com/a?/openai/",
            "/openai/",
        ),
    ],
    "sqlite-file-is-on-the-data-volume": [
        Case("configuration.database.url", "sqlite:///app/data/rescan.db", "sqlite:./rescan.db", "below /app/data"),
        Case("configuration.database.url", "sqlite:data/a/b.db", "sqlite:./data/../rescan.db", "below /app/data"),
        Case("configuration.database.url", "sqlite:./data/x", "postgres://db/rescan", "below /app/data"),
        Case("configuration.database.url", "sqlite:./data/y", "sqlite::memory:", "below /app/data"),
        Case("configuration.database.url", "sqlite:./data/a.b_c-d", "sqlite:./data/y?mode=ro", "below /app/data"),
        Case("configuration.database.url", "sqlite:/app/data/y", "sqlite:./data/a%20b", "below /app/data"),
        Case("configuration.database.url", "sqlite:./data/y", "sqlite:./data/y/", "below /app/data"),
    ],
    "storage-has-room-for-the-database": [
        Case("storage.size", "500Mi", "499Mi", "500Mi or more"),
        Case("storage.size", "0.5Gi", "500M", "500Mi or more"),
    ],
    "one-node-mounts-the-volume": [
        Case("storage.access_mode", AccessMode.READ_WRITE_ONCE, AccessMode.READ_WRITE_MANY, "ReadWriteOnce"),
        Case("storage.access_mode", AccessMode.READ_WRITE_ONCE, AccessMode.READ_ONLY_MANY, "ReadWriteOnce"),
    ],
    "storage-class-is-offered": [
        Case("storage.storage_class", "local-path", "fast", "local-path, standard", of=STATEFUL),
        Case("storage.storage_class", "standard", None, "local-path, standard", of=STATEFUL),
        Case(
            "storage.offered",
            (StorageClass(name="local-path"),),
            (StorageClass(name="local-path", access_modes=(AccessMode.READ_WRITE_MANY,)),),
            "offers ReadWriteOnce",
            of=STATEFUL,
            named="storage.storage_class",
        ),
    ],
    "files-fit-into-their-volume": [
        Case("storage.uploads_limit", "5Mi", "4Mi", "5242880"),
        Case("storage.uploads_limit", "1Gi", "2Gi", "ephemeral_storage_limit, 1Gi", of=FULL),
        Case("backup.scratch_limit", "3Gi", "4Gi", "ephemeral_storage_limit, 3Gi", of=FULL),
        Case("drift.clone_limit", "1Gi", "1.5Gi", "ephemeral_storage_limit, 1Gi"),
    ],
    "issuer-is-a-setting": [
        Case("ingress.annotations", {}, {"cert-manager.io/cluster-issuer": "other"}, "cluster_issuer", of=FULL),
        Case("ingress.annotations", {"a": "b"}, {"cert-manager.io/issuer": "other"}, "cluster_issuer", of=FULL),
    ],
    "namespace-is-no-operators": [
        Case("namespace", "rescan", "argocd", "Argo CD"),
        Case("gitops.flux.namespace", "flux", "rescan-prod", "Flux", named="namespace"),
        Case("network_policy.dns_namespace", "dns", "rescan-full", "DNS", of=FULL, named="namespace"),
    ],
    "each-secret-has-one-purpose": [
        Case("ingress.tls_secret", "tls", "rescan-secrets", "another name", of=FULL),
        Case("ingress.tls_secret", "tls", "rescan-backup-secrets", "another name", of=FULL),
        Case("ingress.tls_secret", None, "registry-credentials", "another name", of=FULL),
        Case("ingress.tls_secret", None, "rescan-git", "another name", of=FULL),
        Case("pods.pull_secrets", ("a", "b"), ("a", "rescan-secrets"), "another name"),
        Case("drift.git_secret", None, "registry-credentials", "another name", of=FULL),
    ],
    "drift-job-can-clone": [
        Case("drift.git_secret", "git", None, "ssh", also={"gitops.repository_url": "ssh://git@git.example.com/a"}),
        Case("gitops.repository_url", "https://a.com/b", "ssh://a.com/b", "https", named="drift.git_secret"),
    ],
    "flux-waits-for-others": [
        Case("gitops.flux.depends_on", ("rescan-staging",), ("a", "rescan-prod"), "leave it out"),
    ],
    "network-policy-lets-the-application-work": [
        Case("network_policy.from_namespaces", ("a",), (), "Prometheus; name the namespace of the Ingress", of=FULL),
        Case(
            "network_policy.from_cidrs",
            ("10.0.0.0/16",),
            (),
            "Ingress controller, or the addresses of its load balancer in network_policy.from_cidrs",
            of=changed(FULL, {"network_policy.from_namespaces": (), "monitoring": None}),
            named="network_policy.from_namespaces",
        ),
        Case(
            "network_policy.from_namespaces",
            ("monitoring",),
            (),
            "name the namespace of Prometheus",
            of=changed(FULL, {"network_policy.from_cidrs": ("10.0.0.0/16",)}),
        ),
        Case(
            "service.type",
            ServiceType.LOAD_BALANCER,
            ServiceType.CLUSTER_IP,
            "Prometheus",
            of=changed(FULL, {"network_policy.from_namespaces": (), "ingress": None}),
            named="network_policy.from_namespaces",
        ),
        Case("network_policy.database_cidr", "10.0.0.1/32", None, "addresses of PostgreSQL", of=FULL),
        Case(
            "network_policy.database_namespace",
            "databases",
            None,
            "database_namespace",
            of=changed(FULL, {"network_policy.database_cidr": None}),
            named="network_policy.database_cidr",
        ),
    ],
    "backup-alert-waits-for-the-next-run": [
        Case("backup.late_after", 86_401, 86_400, "86400, the longest pause of '0 3 * * *'", of=FULL),
        Case("backup.schedule", "@daily", "@weekly", "604800", of=FULL, named="backup.late_after"),
    ],
    "drift-alert-waits-for-the-next-run": [
        Case("drift.schedule", "@hourly", "*/5 * * * 1-5", "173100", named="drift.stale_after"),
        Case("drift.drifting_for", "1801s", "30m", "more than 1800s", of=PUSHED),
        Case("drift.drifting_for", "45m", "29m59s", "the longest pause of '*/30 * * * *'", of=PUSHED),
        Case("drift.schedule", "*/15 * * * *", "@hourly", "more than 3600s", of=PUSHED, named="drift.drifting_for"),
        Case(
            "drift.pushgateway_url",
            None,
            "http://a:9091",
            "more",
            also={"drift.drifting_for": "5m"},
            named="drift.drifting_for",
        ),
    ],
    "drift-volume-can-be-written": [
        Case("drift.shards", 1, 2, "shards to 1", named="drift.access_mode"),
        Case("drift.access_mode", AccessMode.READ_WRITE_MANY, AccessMode.READ_WRITE_ONCE, "ReadWriteMany", of=FULL),
        Case("drift.access_mode", AccessMode.READ_WRITE_ONCE, AccessMode.READ_ONLY_MANY, "ReadWriteOnce"),
    ],
}


@pytest.mark.parametrize("environment", [DEV, PROD, *EXAMPLES], ids=lambda environment: environment.name)
def test_the_settings_we_ship_keep_every_rule(environment: Environment) -> None:
    assert broken_rules(environment) == []


def test_every_rule_has_a_case() -> None:
    parts = [rule for rules in PART_RULES.values() for rule in rules]

    assert {rule_name(rule) for rule in (*RULES, *parts)} == CASES.keys()


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
        "dev: settings-have-their-format: workload.replicas is 0; set it to 1 or more",
        "dev: storage-has-room-for-the-database: storage.size is '1Mi'; set it to 500Mi or more",
        "prod: production-runs-a-release: workload.image.tag is 'latest'; name a release, or pin the image by digest",
    ]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("workload.replicas", "2", "type: workload.replicas is '2'; give it a value of type int"),
        ("workload.replicas", True, "type: workload.replicas is True; give it a value of type int"),
        ("workload.replicas", 0, "format: workload.replicas is 0; set it to 1 or more"),
        ("workload.image.tag", 1.0, "type: workload.image.tag is 1.0; give it a value of type str | None"),
        ("gitops.flux.depends_on", ["a"], "depends_on is ['a']; give it a value of type tuple[str, ...]"),
        ("gitops.flux.depends_on", (1,), "depends_on[0] is 1; give it a value of type str"),
        ("gitops.argocd.sync_windows", (replace(WINDOW, duration="2"),), "sync_windows[0].duration is '2'; write a"),
        ("pods.pull_secrets", ("a", "b", "a"), "format: pods.pull_secrets is ('a', 'b', 'a'); name each once"),
        ("configuration.extra", {"A": 1}, "configuration.extra[A] is 1; give it a value of type str"),
        ("configuration.extra", {"A B": "1"}, "format: configuration.extra is 'A B'; use letters"),
        ("storage.access_mode", "ReadWriteOnce", "give it a value of type AccessMode"),
        ("workload.strategy", "Recreate", "give it a value of type RollingUpdate | Recreate"),
        (
            "workload.image.pull_policy",
            PullPolicy.ALWAS,  # type: ignore[attr-defined]
            "exist: workload.image.pull_policy is PullPolicy.ALWAS; there is no such value; did you mean ALWAYS?",
        ),
        ("service.type", ServiceType.NodePort, "there is no such value; there are CLUSTER_IP, LOAD_BALANCER"),  # type: ignore[attr-defined]
        ("workload", Workload(), "exist: workload.image is missing; give it a value of type Image"),  # type: ignore[call-arg]
        ("service", Service(typo=1, prt=80), "exist: service.prt is 80; there is no such setting; did you mean port?"),  # type: ignore[call-arg]
    ],
)
def test_a_setting_that_breaks_its_declaration_is_reported(setting: str, value: object, message: str) -> None:
    lines = [str(found) for found in broken_rules(changed(DEV, {setting: value}))]

    assert [line for line in lines if line.startswith("dev: settings-") and message in line], lines


@pytest.mark.parametrize("setting", ["backup.schedule", "drift.schedule"])
def test_a_broken_schedule_is_reported_once(setting: str) -> None:
    lines = [str(found) for found in broken_rules(changed(FULL, {setting: "60 3 * * *"}))]

    assert [line.partition("; ")[0] for line in lines] == [
        f"full: settings-have-their-format: {setting} is '60 3 * * *'"
    ]


def test_a_schedule_for_leap_years_is_no_mistake_unless_its_alert_comes_too_early() -> None:
    leap = changed(FULL, {"drift.schedule": "0 0 29 2 *"})

    assert [(found.rule, found.breach.setting) for found in broken_rules(leap)] == [
        ("drift-alert-waits-for-the-next-run", "drift.stale_after"),
        ("drift-alert-waits-for-the-next-run", "drift.drifting_for"),
    ]
    assert broken_rules(changed(leap, {"drift.stale_after": 1461 * 86_400 + 1, "drift.drifting_for": "1462d"})) == []


def test_declarations_and_rules_are_reported_together() -> None:
    broken = changed(
        PROD,
        {
            "service": Service(prt=80),  # type: ignore[call-arg]  # the mistake under test
            "workload.image.pull_policy": "Sometimes",
            "workload.image.tag": "LATEST",
            "storage.size": "1",
            "workload.replicas": 2,
        },
    )

    assert [(found.rule, found.breach.setting) for found in broken_rules(broken)] == [
        ("settings-have-their-type", "workload.image.pull_policy"),
        ("settings-exist", "service.prt"),
        ("settings-have-their-format", "storage.size"),
        ("production-runs-a-release", "workload.image.tag"),
        ("sqlite-has-one-replica", "workload.replicas"),
        ("storage-has-room-for-the-database", "storage.size"),
    ]


def test_what_a_rule_finds_before_it_fails_is_reported() -> None:
    cpu = {"workload.resources.cpu_request": "2", "workload.resources.cpu_limit": "1"}
    rule = ("requests-within-limits", "workload.resources.cpu_request")

    alone = broken_rules(changed(DEV, cpu))
    together = broken_rules(changed(DEV, {**cpu, "workload.resources.memory_limit": "lots"}))

    assert [(found.rule, found.breach.setting) for found in alone] == [rule]
    assert [(found.rule, found.breach.setting) for found in together] == [
        ("settings-have-their-format", "workload.resources.memory_limit"),
        rule,
    ]


def test_no_message_shows_the_credentials_of_a_url() -> None:
    secret = "https://me:hunter2@git.example.com/a.git"  # noqa: S105  # an example
    broken = changed(DEV, {"gitops.repository_url": secret, "configuration.extra": {"PROXY": secret}})

    lines = [str(found) for found in broken_rules(broken)]

    assert len(lines) == 2
    assert not [line for line in lines if "hunter2" in line]
