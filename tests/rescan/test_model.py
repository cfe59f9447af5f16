"""What the application's Kubernetes model demands, read from the manifests of every environment that has it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rescan.advice import advice
from rescan.environments import load
from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL
from rescan.settings import Controller, Recreate, TopologySpread
from tests.rescan.changes import changed
from tests.rescan.golden import synthesize

DEV, PROD = load(["dev", "prod"])
Manifest = dict[str, Any]


@pytest.fixture(scope="session")
def model(synthesized: Path, examples: Path) -> Mapping[tuple[str, str, str], Manifest]:
    """Every manifest, by its folder, kind and name."""
    found = {}
    for top in (synthesized, examples):
        for path in top.rglob("*.yaml"):
            manifest = yaml.safe_load(path.read_text())
            if path.name != "kustomization.yaml":
                folder = path.parent.relative_to(top).as_posix()
                found[folder, manifest["kind"], manifest["metadata"]["name"]] = manifest
    return found


Model = Mapping[tuple[str, str, str], Manifest]


@pytest.fixture(params=["dev", "prod"])
def environment(request: pytest.FixtureRequest) -> str:
    """The name of an environment that is synthesized into dist/."""
    return str(request.param)


def deployment(model: Model, folder: str) -> Manifest:
    return dict(model[folder, "Deployment", "rescan-app"]["spec"])


def pod(model: Model, folder: str) -> Manifest:
    return dict(deployment(model, folder)["template"]["spec"])


def container(model: Model, folder: str) -> Manifest:
    (only,) = pod(model, folder)["containers"]
    return dict(only)


def test_the_namespace_is_labelled_with_app_and_environment(model: Model, environment: str) -> None:
    labels = model[environment, "Namespace", f"rescan-{environment}"]["metadata"]["labels"]

    assert labels["app"] == "rescan"
    assert labels["environment"] == environment


def test_every_object_of_an_environment_is_in_its_namespace(model: Model, environment: str) -> None:
    found = {
        manifest["metadata"].get("namespace")
        for (folder, kind, _), manifest in model.items()
        if folder == environment and kind != "Namespace"
    }

    assert found == {f"rescan-{environment}"}


def test_the_single_environment_namespace_is_possible(model: Model) -> None:
    assert model["stateful", "Namespace", "rescan"]["metadata"]["labels"]["app"] == "rescan"


def test_the_deployment_has_one_replica_ten_revisions_and_surges_by_one(model: Model, environment: str) -> None:
    spec = deployment(model, environment)

    assert spec["replicas"] == 1
    assert spec["revisionHistoryLimit"] == 10
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_pods_have_two_labels_and_are_selected_by_one(model: Model, environment: str) -> None:
    spec = deployment(model, environment)

    assert spec["template"]["metadata"]["labels"] == {"app": "rescan", "version": "v1.0.0"}
    assert spec["selector"] == {"matchLabels": {"app": "rescan"}}
    assert model[environment, "Service", "rescan-service"]["spec"]["selector"] == {"app": "rescan"}


@pytest.mark.parametrize(
    ("folder", "image", "policy"),
    [
        ("dev", "rescan:latest", "IfNotPresent"),
        ("prod", "registry.example.com/rescan:v1.0.0", "Always"),
    ],
)
def test_the_image_and_when_it_is_pulled(model: Model, folder: str, image: str, policy: str) -> None:
    found = container(model, folder)

    assert (found["name"], found["image"], found["imagePullPolicy"]) == ("rescan", image, policy)


def test_what_the_container_asks_for_and_may_use(model: Model, environment: str) -> None:
    assert container(model, environment)["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "200m", "memory": "200Mi"},
    }


def test_the_service_forwards_port_3000_to_the_container(model: Model, environment: str) -> None:
    spec = model[environment, "Service", "rescan-service"]["spec"]
    (port,) = spec["ports"]

    assert spec["type"] == "ClusterIP"
    assert (port["port"], port["targetPort"], port["protocol"]) == (3000, 3000, "TCP")
    assert container(model, environment)["ports"] == [{"name": "http", "containerPort": 3000, "protocol": "TCP"}]


def test_a_service_can_be_a_load_balancer(model: Model) -> None:
    assert model["stateful", "Service", "rescan-service"]["spec"]["type"] == "LoadBalancer"


def test_the_config_map_holds_six_variables_and_is_editable(model: Model, environment: str) -> None:
    found = model[environment, "ConfigMap", "rescan-config"]

    assert found["immutable"] is False
    assert found["data"] == {
        "PORT": "3000",
        "NODE_ENV": "production",
        "EDUCATIONAL_MODE": "true",
        "DATABASE_URL": "sqlite:./data/rescan.db",
        "MAX_FILE_SIZE": "5242880",
        "MAX_CONCURRENT_REQUESTS": "5",
    }


def sources(env: list[Manifest]) -> dict[str, tuple[str, str]]:
    """For each variable, the ConfigMap or Secret it comes from; its key there has its name."""
    found = {}
    for variable in env:
        ((kind, reference),) = variable["valueFrom"].items()
        assert reference["key"] == variable["name"]
        found[variable["name"]] = (kind, reference["name"])
    return found


def test_every_variable_comes_from_its_source(model: Model, environment: str) -> None:
    config, secret = ("configMapKeyRef", "rescan-config"), ("secretKeyRef", "rescan-secrets")

    assert sources(container(model, environment)["env"]) == {
        "PORT": config,
        "NODE_ENV": config,
        "EDUCATIONAL_MODE": config,
        "DATABASE_URL": config,
        "MAX_FILE_SIZE": config,
        "MAX_CONCURRENT_REQUESTS": config,
        "AZURE_OPENAI_API_KEY": secret,
        "AZURE_OPENAI_ENDPOINT": secret,
        "AZURE_OPENAI_MODEL_DEPLOYMENT": secret,
    }


def test_the_volume_claim_outlives_pods_rollouts_and_mistakes_in_git(model: Model, environment: str) -> None:
    claim = model[environment, "PersistentVolumeClaim", "rescan-data-pvc"]

    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert claim["metadata"]["annotations"] == {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }


def test_data_is_mounted_from_the_claim_and_uploads_are_ephemeral(model: Model, environment: str) -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in container(model, environment)["volumeMounts"]}
    volumes = {volume.pop("name"): volume for volume in json.loads(json.dumps(pod(model, environment)["volumes"]))}

    assert volumes[mounts["/app/data"]] == {"persistentVolumeClaim": {"claimName": "rescan-data-pvc"}}
    assert volumes[mounts["/app/backend/public/uploads"]] == {"emptyDir": {"sizeLimit": "512Mi"}}


@pytest.mark.parametrize("folder", ["prod", "stateful"])
def test_the_dns_name_of_the_service_is_that_of_the_page(model: Model, repository: Path, folder: str) -> None:
    (service,) = (
        manifest["metadata"]
        for (found, kind, name), manifest in model.items()
        if (found, kind, name) == (folder, "Service", "rescan-service")
    )

    page = (repository / "docs/rescan-model.md").read_text()
    assert f"`{service['name']}.{service['namespace']}.svc.cluster.local`" in page


def test_probes_ask_health_and_ready(model: Model, environment: str) -> None:
    found = container(model, environment)

    assert found["livenessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert found["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http"}


@pytest.mark.parametrize("folder", ["dev", "prod", "full"])
def test_pods_are_restricted_and_have_no_token(model: Model, folder: str) -> None:
    spec = pod(model, folder)

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = container(model, folder)["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_pod_starts_slowly_and_stops_after_its_load_balancers_noticed(model: Model, environment: str) -> None:
    found = container(model, environment)

    assert found["startupProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert found["startupProbe"]["failureThreshold"] * found["startupProbe"]["periodSeconds"] >= 120
    assert found["lifecycle"]["preStop"] == {"exec": {"command": ["sleep", "5"]}}
    assert pod(model, environment)["terminationGracePeriodSeconds"] == 30


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_all_pods_are_pulled_and_placed_alike(model: Model, kind: str) -> None:
    for (folder, found, _), manifest in model.items():
        if (folder, found) == ("full", kind):
            spec = manifest["spec"] if kind == "Deployment" else manifest["spec"]["jobTemplate"]["spec"]
            pods = spec["template"]["spec"]
            assert pods["imagePullSecrets"] == [{"name": "registry-credentials"}]
            assert pods["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
            assert [each["key"] for each in pods["tolerations"]] == ["dedicated"]


def test_a_service_has_the_annotations_of_the_cloud(model: Model) -> None:
    annotations = model["stateful", "Service", "rescan-service"]["metadata"]["annotations"]

    assert annotations == {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}
    assert "annotations" not in model["stateful", "Service", "rescan-headless"]["metadata"]


def test_two_writers_during_a_rollout_are_advised_against() -> None:
    (line,) = advice(DEV)
    assert "Recreate() avoids both" in line
    assert list(advice(changed(DEV, {"workload.strategy": Recreate()}))) == []
    assert list(advice(FULL)) == []
    assert list(advice(STATEFUL)) == []


def test_recreate_is_a_strategy(tmp_path: Path) -> None:
    synthesize([changed(DEV, {"workload.strategy": Recreate()})], tmp_path)

    made = yaml.safe_load((tmp_path / "dev/deployment-rescan-app.yaml").read_text())
    assert made["spec"]["strategy"] == {"type": "Recreate"}


class TestPostgreSql:
    def test_the_database_url_comes_from_the_secret_and_there_is_no_claim(self, model: Model) -> None:
        assert sources(container(model, "full")["env"])["DATABASE_URL"] == ("secretKeyRef", "rescan-secrets")
        assert "DATABASE_URL" not in model["full", "ConfigMap", "rescan-config"]["data"]
        assert ("full", "PersistentVolumeClaim", "rescan-data-pvc") not in model

    def test_the_autoscaler_owns_the_number_of_pods(self, model: Model) -> None:
        spec = model["full", "HorizontalPodAutoscaler", "rescan-app"]["spec"]

        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 3)
        assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rescan-app"}
        assert "replicas" not in deployment(model, "full")

    def test_without_an_autoscaler_there_are_as_many_replicas_as_set(self, tmp_path: Path) -> None:
        synthesize([changed(FULL, {"workload.autoscaling": None, "workload.replicas": 3})], tmp_path)

        made = yaml.safe_load((tmp_path / "full/deployment-rescan-app.yaml").read_text())
        assert made["spec"]["replicas"] == 3

    def test_drains_take_one_pod_at_a_time(self, model: Model) -> None:
        spec = model["full", "PodDisruptionBudget", "rescan-app"]["spec"]

        assert spec == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "rescan"}}}

    def test_pods_spread_over_zones_and_nodes(self, model: Model) -> None:
        found = pod(model, "full")["topologySpreadConstraints"]

        assert [constraint["topologyKey"] for constraint in found] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        assert {constraint["whenUnsatisfiable"] for constraint in found} == {"ScheduleAnyway"}

    def test_a_spread_can_be_required(self, tmp_path: Path) -> None:
        synthesize([changed(FULL, {"workload.topology_spread": TopologySpread(required=True)})], tmp_path)

        made = yaml.safe_load((tmp_path / "full/deployment-rescan-app.yaml").read_text())
        (first, _) = made["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert first["whenUnsatisfiable"] == "DoNotSchedule"


class TestStatefulSet:
    def test_it_replaces_the_deployment_and_makes_its_claim(self, model: Model) -> None:
        spec = model["stateful", "StatefulSet", "rescan-app"]["spec"]

        assert ("stateful", "Deployment", "rescan-app") not in model
        assert ("stateful", "PersistentVolumeClaim", "rescan-data-pvc") not in model
        assert spec["serviceName"] == "rescan-headless"
        assert spec["selector"] == {"matchLabels": {"app": "rescan"}}
        (claim,) = spec["volumeClaimTemplates"]
        assert claim["metadata"] == {"name": "data"}
        assert claim["spec"]["storageClassName"] == "local-path"
        assert {"name": "data", "mountPath": "/app/data"} in spec["template"]["spec"]["containers"][0]["volumeMounts"]

    def test_its_pods_have_names_of_their_own(self, model: Model) -> None:
        assert model["stateful", "Service", "rescan-headless"]["spec"]["clusterIP"] == "None"

    def test_with_postgresql_it_has_no_claim(self, tmp_path: Path) -> None:
        synthesize([changed(FULL, {"workload.controller": Controller.STATEFUL_SET})], tmp_path)

        made = yaml.safe_load((tmp_path / "full/statefulset-rescan-app.yaml").read_text())
        assert "volumeClaimTemplates" not in made["spec"]
        scaler = yaml.safe_load((tmp_path / "full/horizontalpodautoscaler-rescan-app.yaml").read_text())
        assert scaler["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"


class TestBackup:
    def test_it_mounts_the_database_on_the_node_of_the_application(self, model: Model) -> None:
        spec = model["stateful", "CronJob", "rescan-backup"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]

        assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-rescan-app-0"}} in spec["volumes"]
        (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"] == {"matchLabels": {"app": "rescan"}}

    def test_of_a_deployment_it_mounts_the_claim(self, tmp_path: Path) -> None:
        source = {"secrets.source": STATEFUL.secrets.source, "backup": STATEFUL.backup}
        synthesize([changed(DEV, source)], tmp_path)

        made = yaml.safe_load((tmp_path / "dev/cronjob-rescan-backup.yaml").read_text())
        (data, _) = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
        assert data["persistentVolumeClaim"] == {"claimName": "rescan-data-pvc"}

    def test_never_two_at_once(self, model: Model) -> None:
        assert model["full", "CronJob", "rescan-backup"]["spec"]["concurrencyPolicy"] == "Forbid"

    @pytest.mark.parametrize("folder", ["full", "stateful"])
    def test_its_pods_get_no_requests(self, model: Model, folder: str) -> None:
        template = model[folder, "CronJob", "rescan-backup"]["spec"]["jobTemplate"]["spec"]["template"]

        assert template["metadata"]["labels"] == {"app": "rescan-backup"}


class TestMonitoring:
    def test_prometheus_scrapes_the_one_service(self, model: Model) -> None:
        spec = model["stateful", "ServiceMonitor", "rescan-app"]["spec"]
        selected = [
            name
            for (folder, kind, name), manifest in model.items()
            if (folder, kind) == ("stateful", "Service")
            and spec["selector"]["matchLabels"].items() <= manifest["metadata"]["labels"].items()
        ]

        assert selected == ["rescan-service"]
        assert spec["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "30s"}]

    def test_alerts_are_those_that_the_environment_can_raise(self, model: Model) -> None:
        def names(folder: str) -> list[str]:
            (group,) = model[folder, "PrometheusRule", "rescan-app"]["spec"]["groups"]
            return [rule["alert"] for rule in group["rules"]]

        everywhere = ["RescanDown", "RescanRestarting", "RescanMemoryNearLimit"]
        assert names("full") == [*everywhere, "RescanBackupLate"]
        assert names("stateful") == [*everywhere, "RescanVolumeFilling", "RescanBackupLate"]

    def test_the_dashboard_is_json_that_grafanas_sidecar_finds(self, model: Model) -> None:
        found = model["full", "ConfigMap", "rescan-dashboard"]
        dashboard = json.loads(found["data"]["rescan.json"])

        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert dashboard["title"] == "Rescan (full)"
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        assert all('namespace="rescan-full"' in target["expr"] for p in dashboard["panels"] for target in p["targets"])


class TestNetwork:
    def test_the_ingress_ends_https_with_a_certificate_of_cert_manager(self, model: Model) -> None:
        found = model["full", "Ingress", "rescan-app"]

        annotations = found["metadata"]["annotations"]
        assert annotations["cert-manager.io/cluster-issuer"] == "letsencrypt"
        assert int(annotations["nginx.ingress.kubernetes.io/proxy-body-size"]) > FULL.configuration.max_file_size
        assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "120"
        assert found["spec"]["tls"] == [{"hosts": ["rescan.example.com"], "secretName": "rescan-tls"}]
        (rule,) = found["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": "rescan-service", "port": {"number": 3000}}

    def test_everything_is_denied_that_is_not_allowed(self, model: Model) -> None:
        spec = model["full", "NetworkPolicy", "default-deny"]["spec"]

        assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def test_the_application_is_reached_from_the_namespaces_that_are_named(self, model: Model) -> None:
        (rule,) = model["full", "NetworkPolicy", "rescan-app"]["spec"]["ingress"]

        assert rule["ports"] == [{"port": 3000, "protocol": "TCP"}]
        assert rule["from"] == [
            {"podSelector": {}},
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}},
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
        ]

    def test_the_application_is_reached_from_the_addresses_that_are_named(self, tmp_path: Path) -> None:
        policy = {"from_namespaces": ("monitoring",), "from_cidrs": ("10.0.0.0/16", "fd00::/64")}
        synthesize([changed(FULL, {f"network_policy.{name}": value for name, value in policy.items()})], tmp_path)

        peers = [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
            {"ipBlock": {"cidr": "10.0.0.0/16"}},
            {"ipBlock": {"cidr": "fd00::/64"}},
        ]
        for name, expected in (("rescan-app", [{"podSelector": {}}, *peers]), ("acme-solver", peers)):
            made = yaml.safe_load((tmp_path / f"full/networkpolicy-{name}.yaml").read_text())
            (rule,) = made["spec"]["ingress"]
            assert rule["from"] == expected

    def test_behind_a_load_balancer_it_is_reached_from_everywhere(self, model: Model) -> None:
        (rule,) = model["stateful", "NetworkPolicy", "rescan-app"]["spec"]["ingress"]

        assert rule == {"ports": [{"port": 3000, "protocol": "TCP"}]}

    def test_it_reaches_names_https_and_its_database(self, model: Model) -> None:
        egress = model["full", "NetworkPolicy", "rescan-app"]["spec"]["egress"]

        assert [[port["port"] for port in rule["ports"]] for rule in egress] == [[53, 53], [443], [5432]]
        assert egress[2]["to"] == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]

    def test_a_backup_reaches_its_storage_on_whatever_port(self, tmp_path: Path) -> None:
        synthesize([changed(STATEFUL, {"backup.endpoint_url": "https://minio.example.com:9000"})], tmp_path)

        made = yaml.safe_load((tmp_path / "stateful/networkpolicy-rescan-backup.yaml").read_text())
        assert [rule["ports"][-1]["port"] for rule in made["spec"]["egress"]] == [53, 9000]
        assert "ingress" not in made["spec"]

    def test_a_backup_reaches_a_storage_in_the_cluster_by_its_namespace(self, model: Model) -> None:
        _, storage = model["stateful", "NetworkPolicy", "rescan-backup"]["spec"]["egress"]

        assert storage == {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}}],
        }

    def test_cert_manager_can_answer_a_challenge_through_the_ingress(self, model: Model) -> None:
        spec = model["full", "NetworkPolicy", "acme-solver"]["spec"]

        assert spec["podSelector"] == {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}
        (rule,) = spec["ingress"]
        assert rule["ports"] == [{"port": 8089, "protocol": "TCP"}]
        assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}} in rule["from"]
        assert ("stateful", "NetworkPolicy", "acme-solver") not in model

    def test_a_database_in_the_cluster_and_a_local_dns_cache_are_reached(self, tmp_path: Path) -> None:
        policy = {"database_cidr": None, "database_namespace": "databases", "dns_cidr": "169.254.20.10/32"}
        synthesize([changed(FULL, {f"network_policy.{name}": value for name, value in policy.items()})], tmp_path)

        made = yaml.safe_load((tmp_path / "full/networkpolicy-rescan-app.yaml").read_text())
        dns, _, database = made["spec"]["egress"]
        assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in dns["to"]
        assert database["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "databases"}}}]


class TestHandOver:
    @pytest.fixture(params=["argocd", "flux"])
    def syncer(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_the_folder_that_is_synced_does_not_hold_what_syncs_it(
        self, model: Model, syncer: str, environment: str
    ) -> None:
        folders = {folder for folder, kind, _ in model if kind in ("Application", "AppProject", "GitRepository")}

        assert f"{syncer}/{environment}" in folders
        assert environment not in folders

    def test_argo_cd_syncs_prunes_heals_and_retries(self, model: Model, environment: str) -> None:
        spec = model[f"argocd/{environment}", "Application", f"rescan-{environment}"]["spec"]

        assert spec["source"]["path"] == f"dist/{environment}"
        assert spec["destination"]["namespace"] == f"rescan-{environment}"
        assert spec["project"] == f"rescan-{environment}"
        assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
        assert spec["syncPolicy"]["retry"]["limit"] == 5

    def test_argo_cd_lets_the_api_server_compare_as_it_does_not_know_the_defaults_of_crds(
        self, model: Model, environment: str
    ) -> None:
        application = model[f"argocd/{environment}", "Application", f"rescan-{environment}"]

        assert "ServerSideApply=true" in application["spec"]["syncPolicy"]["syncOptions"]
        assert application["metadata"]["annotations"] == {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}

    def test_argo_cd_may_deploy_to_the_one_namespace_only(self, model: Model, environment: str) -> None:
        spec = model[f"argocd/{environment}", "AppProject", f"rescan-{environment}"]["spec"]

        assert [destination["namespace"] for destination in spec["destinations"]] == [f"rescan-{environment}"]
        assert spec["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]

    def test_argo_cd_keeps_out_of_the_windows_that_are_denied(self, model: Model) -> None:
        (window,) = model["argocd/full", "AppProject", "rescan-full"]["spec"]["syncWindows"]

        assert (window["kind"], window["schedule"], window["duration"]) == ("deny", "0 16 * * 5", "64h")
        assert window["manualSync"] is True

    def test_argo_cd_makes_the_namespace_then_the_secrets_then_the_rest(self, model: Model) -> None:
        waves = {
            kind: manifest["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0")
            for (folder, kind, name), manifest in model.items()
            if folder == "prod" and name != "rescan-drift"
        }

        assert sorted(waves, key=lambda kind: (int(waves[kind]), kind))[:4] == [
            "Namespace",
            "ExternalSecret",
            "SecretStore",
            "ServiceAccount",
        ]
        assert waves["Deployment"] == "0"

    def test_flux_applies_the_folder_and_waits_for_what_must_be_healthy(self, model: Model) -> None:
        spec = model["flux/prod", "Kustomization", "rescan-prod"]["spec"]

        assert spec["path"] == "./dist/prod"
        assert spec["prune"] is True
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": "rescan-prod"}
        assert [check["kind"] for check in spec["healthChecks"]] == ["Deployment", "ExternalSecret"]
        assert "retryInterval" in spec

    def test_flux_reads_the_repository_with_the_secret_that_is_named(self, model: Model) -> None:
        assert model["flux/full", "GitRepository", "rescan-full"]["spec"]["secretRef"] == {"name": "rescan-git"}
        assert "secretRef" not in model["flux/prod", "GitRepository", "rescan-prod"]["spec"]

    def test_flux_waits_for_the_operators_that_bring_crds(self, model: Model) -> None:
        spec = model["flux/full", "Kustomization", "rescan-full"]["spec"]

        assert spec["dependsOn"] == [
            {"name": "cert-manager"},
            {"name": "external-secrets"},
            {"name": "kube-prometheus-stack"},
        ]


@pytest.mark.parametrize("folder", ["dev", "prod"])
def test_the_kustomization_lists_every_file_of_its_folder(synthesized: Path, folder: str) -> None:
    listed = yaml.safe_load((synthesized / folder / "kustomization.yaml").read_text())["resources"]

    assert sorted([*listed, "kustomization.yaml"]) == sorted(path.name for path in (synthesized / folder).iterdir())


def test_prod_adds_to_dev_only_where_its_secrets_come_from_and_the_drift_job(model: Model) -> None:
    kinds = {folder: {kind for found, kind, _ in model if found == folder} for folder in ("dev", "prod")}

    secrets, drift = {"ExternalSecret", "SecretStore", "ServiceAccount"}, {"CronJob", "Role", "RoleBinding"}
    assert kinds["prod"] - kinds["dev"] == secrets | drift
    assert kinds["dev"] <= kinds["prod"]
    assert DEV.namespace != PROD.namespace
