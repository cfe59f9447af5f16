"""What the code synthesizes, put to a real API server."""

import json
import re
import shlex
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from main import build
from rescan import environments
from rescan.examples import EXAMPLES
from rescan.examples.full import FULL
from rescan.manifests import manifest_files
from rescan.rules import broken_rules
from rescan.settings import Autoscaling, Environment
from tests.rescan import strategies
from tests.rescan.changes import changed
from tests.rescan.effort import examples
from tests.rescan.server import Server
from tools.sandbox.cluster import Cluster

MIN_OBJECTS = 5
ENVIRONMENTS = (*environments.load(), *EXAMPLES)


def inside(environment: Environment, namespace: str) -> Environment:
    """An environment whose every object is in one namespace."""
    return changed(
        environment,
        {
            "namespace": namespace,
            "gitops.argocd.namespace": namespace,
            "gitops.flux.namespace": namespace,
        },
    )


def stream(made: Sequence[Environment]) -> str:
    """Everything that is synthesized for the cluster, the hand-over too, as one stream of documents."""
    files = manifest_files(build(made))
    return "---\n".join(text for path, text in files.items() if not path.endswith("/kustomization.yaml"))


@pytest.mark.usefixtures("custom_resources")
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_the_api_server_accepts_every_file_strictly(cluster: Cluster, namespace: str, environment: Environment) -> None:
    text = stream([inside(environment, namespace)])

    done = cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-", stdin=text
    )

    assert len(done.stdout.splitlines()) == len(list(yaml.safe_load_all(text)))


@pytest.mark.usefixtures("custom_resources")
@settings(
    max_examples=examples(25),
    deadline=None,
    # A failing example is shown as it was found: to make it smaller takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(environment=strategies.environments())
def test_the_api_server_accepts_any_settings(cluster: Cluster, namespace: str, environment: Environment) -> None:
    server = Server(cluster)
    assert broken_rules(environment) == []

    refusals = [
        server.refusal(manifest, namespace)
        for manifest in yaml.safe_load_all(stream([inside(environment, namespace)]))
        if manifest["kind"] != "Namespace"
    ]

    server.close()
    assert [refusal for refusal in refusals if refusal] == []
    assert len(refusals) > MIN_OBJECTS


@pytest.mark.usefixtures("custom_resources")
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_a_namespace_that_enforces_the_restricted_standard_admits_the_pods(
    cluster: Cluster, namespace: str, environment: Environment
) -> None:
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=stream([inside(environment, namespace)]))
    enforced = get(cluster, namespace, "namespace", namespace)["metadata"]["labels"]
    assert enforced["pod-security.kubernetes.io/enforce"] == "restricted"
    if environment.backup:
        cluster.kubectl("create", "job", "by-hand", "--from=cronjob/rescan-backup", "--namespace", namespace)

    if environment.drift:
        cluster.kubectl("create", "job", "look", "--from=cronjob/rescan-drift", "--namespace", namespace)

    expected = {"rescan"}
    expected |= {"rescan-backup"} if environment.backup else set()
    expected |= {"rescan-drift"} if environment.drift else set()
    deadline = time.monotonic() + 180
    while (found := pod_apps(cluster, namespace)) != expected and time.monotonic() < deadline:
        time.sleep(0.2)

    assert found == expected, cluster.kubectl("get", "events", "--namespace", namespace).stdout


def test_the_restricted_standard_is_enforced_in_the_sandbox(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")

    refused = cluster.kubectl("run", "web", "--image=nginx:1.29", "--namespace", namespace, check=False)

    assert "violates PodSecurity" in refused.stderr


@pytest.mark.parametrize("handed_over", [True, False])
def test_the_command_of_the_page_hands_the_replicas_over_to_the_autoscaler(
    cluster: Cluster, namespace: str, *, handed_over: bool
) -> None:
    fixed = changed(inside(FULL, namespace), {"workload.autoscaling": None, "workload.replicas": 3})
    kinds = ("apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts", "--filename=-")
    cluster.kubectl(*kinds, stdin=deployment_of(fixed))
    page = (Path(__file__).parents[2] / "docs/generator.md").read_text()
    (manifest,) = re.findall(r"<<EOF\n(.*?)\n    EOF", page, re.DOTALL)
    (command,) = re.findall(r"    kubectl (apply --server-side --field-manager=\S+ --validate=false) -f -", page)

    if handed_over:
        text = textwrap.dedent(manifest).replace("rescan-prod", namespace)
        cluster.kubectl(*command.split(), "--filename=-", stdin=text)
    cluster.kubectl(*kinds, stdin=deployment_of(changed(fixed, {"workload.autoscaling": Autoscaling()})))

    live = json.loads(
        cluster.kubectl("get", "deployment", "rescan-app", "--namespace", namespace, "--output=json").stdout
    )
    assert live["spec"]["replicas"] == (3 if handed_over else 1)


@pytest.mark.usefixtures("custom_resources")
def test_the_commands_of_the_page_on_backups_stop_the_syncer_and_the_application_and_make_a_copy(
    cluster: Cluster, namespace: str
) -> None:
    prod = inside(changed(FULL, {"name": "prod", "workload.autoscaling": None}), namespace)
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=stream([prod]))
    page = (Path(__file__).parents[2] / "docs/backups.md").read_text().split("## Restore")[1].split("## Without")[0]

    commands = re.findall(r"(?:^    |`)kubectl -n \S+ (.*?)(?:`|$)", page, re.MULTILINE)
    for command in commands:
        cluster.kubectl(*shlex.split(command), "--namespace", namespace)

    assert [command.split()[0] for command in commands] == ["patch", "scale", "create"]
    application = get(cluster, namespace, "applications.argoproj.io", "rescan-prod")
    assert "automated" not in application["spec"]["syncPolicy"]
    assert get(cluster, namespace, "deployment", "rescan-app")["spec"]["replicas"] == 0
    (container,) = get(cluster, namespace, "job", "drill")["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "upload"


def test_only_who_was_given_the_right_reads_secrets(cluster: Cluster, namespace: str) -> None:
    text = stream([inside(changed(FULL, {"drift.read_secrets": False}), namespace)])
    roles = [each for each in yaml.safe_load_all(text) if each["kind"] in ("Role", "RoleBinding", "ServiceAccount")]
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(roles))
    for role in ("view", "edit"):
        cluster.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}er", "--namespace", namespace
        )

    def may(user: str) -> bool:
        question = ("auth", "can-i", "get", "secrets", "--namespace", namespace, f"--as={user}")
        return cluster.kubectl(*question, check=False).stdout.strip() == "yes"

    accounts = [each["metadata"]["name"] for each in roles if each["kind"] == "ServiceAccount"]
    assert {"rescan-drift", "rescan-secret-reader"} == set(accounts)
    assert not [name for name in accounts if may(f"system:serviceaccount:{namespace}:{name}")]
    assert not may("stranger")
    assert not may("viewer")
    assert may("editer")


def deployment_of(environment: Environment) -> str:
    return manifest_files(build([environment]))[f"{environment.name}/deployment-rescan-app.yaml"]


def get(cluster: Cluster, namespace: str, kind: str, *names: str) -> dict[str, Any]:
    done = cluster.kubectl("get", kind, *names, "--namespace", namespace, "--output=json")
    return dict(json.loads(done.stdout))


def pod_apps(cluster: Cluster, namespace: str) -> set[str]:
    """The `app` labels of the pods that were admitted."""
    done = cluster.kubectl("get", "pods", "--namespace", namespace, "--output=json")
    return {pod["metadata"]["labels"]["app"] for pod in json.loads(done.stdout)["items"]}
