"""No secret value is ever in a manifest, and what the pods need of Secrets is provided for."""

import re
from pathlib import Path

import pytest
import yaml

from rescan import environments
from rescan.environments import load
from rescan.examples import EXAMPLES
from rescan.examples.full import FULL
from rescan.rules import broken_rules
from rescan.secrets_template import secrets_template
from rescan.settings import CreatedByHand, Environment
from rescan.variables import secret_variables
from tests.rescan.changes import changed

DEV, PROD = load(["dev", "prod"])
TEMPLATE = "rescan-secrets.example.yaml"


def test_there_is_no_secret_with_values_below_dist(repository: Path, synthesized: Path, examples: Path) -> None:
    for folder in (repository / "dist", synthesized, examples):
        for path in folder.rglob("*"):
            if path.is_file():
                for manifest in yaml.safe_load_all(path.read_text()):
                    assert manifest["kind"] != "Secret", path
                    assert "stringData" not in manifest, path


def test_there_are_no_credentials_in_any_url_below_dist(repository: Path, examples: Path) -> None:
    for folder in (repository / "dist", examples):
        for path in folder.rglob("*.yaml"):
            found = re.findall(r"\w+://[^/?#\s]*@", path.read_text())
            # The user of ssh is no secret: it is `git` everywhere.
            assert set(found) <= {"ssh://git@"}, path


@pytest.mark.parametrize("environment", environments.load(), ids=lambda environment: environment.name)
def test_no_file_of_the_synthesis_names_the_endpoint(synthesized: Path, environment: object) -> None:
    del environment
    for path in synthesized.rglob("*.yaml"):
        assert "openai.azure.com" not in path.read_text(), path


def test_the_template_has_what_the_pods_of_dev_need_and_no_more(repository: Path) -> None:
    template = yaml.safe_load((repository / TEMPLATE).read_text())

    assert (template["kind"], template["type"]) == ("Secret", "Opaque")
    assert template["metadata"]["namespace"] == DEV.namespace
    assert {template["metadata"]["name"]: tuple(template["stringData"])} == secret_variables(DEV)
    assert (repository / TEMPLATE).read_text() == secrets_template(DEV), (
        f"python main.py --secrets-template dev > {TEMPLATE}"
    )
    assert isinstance(DEV.secrets.source, CreatedByHand)


@pytest.mark.parametrize("environment", [PROD, *EXAMPLES], ids=lambda environment: environment.name)
def test_every_environment_has_a_template_with_all_its_variables_and_no_value(environment: Environment) -> None:
    documents = list(yaml.safe_load_all(secrets_template(environment)))

    assert {each["metadata"]["name"]: tuple(each["stringData"]) for each in documents} == secret_variables(environment)
    assert {each["metadata"]["namespace"] for each in documents} == {environment.namespace}
    secret = [value for each in documents for key, value in each["stringData"].items() if "KEY" in key or "URL" in key]
    assert all("<" in value for value in secret)


def test_the_endpoint_of_the_template_keeps_the_rule(repository: Path) -> None:
    endpoint = yaml.safe_load((repository / TEMPLATE).read_text())["stringData"]["AZURE_OPENAI_ENDPOINT"]

    assert endpoint.endswith("/openai/")
    assert broken_rules(changed(DEV, {"secrets.azure_openai_endpoint": endpoint})) == []


def test_the_template_is_not_synced_and_its_filled_in_copy_is_not_committed(repository: Path) -> None:
    assert not (repository / "dist" / TEMPLATE).exists()
    assert "/rescan-secrets.yaml" in (repository / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("folder", "secret", "variables"),
    [
        ("prod", "rescan-secrets", secret_variables(PROD)["rescan-secrets"]),
        ("full", "rescan-backup-secrets", secret_variables(FULL)["rescan-backup-secrets"]),
    ],
)
def test_an_external_secret_makes_the_secret_that_the_pods_read(
    synthesized: Path, examples: Path, folder: str, secret: str, variables: tuple[str, ...]
) -> None:
    top = synthesized if folder == "prod" else examples
    spec = yaml.safe_load((top / folder / f"externalsecret-{secret}.yaml").read_text())["spec"]

    assert spec["target"]["name"] == secret
    assert tuple(entry["secretKey"] for entry in spec["data"]) == variables
    assert spec["secretStoreRef"] == {"kind": "SecretStore", "name": "rescan-key-vault"}


def test_the_store_logs_in_with_the_one_account_that_may(synthesized: Path) -> None:
    store = yaml.safe_load((synthesized / "prod/secretstore-rescan-key-vault.yaml").read_text())
    vault = store["spec"]["provider"]["azurekv"]

    assert vault["authType"] == "WorkloadIdentity"
    assert vault["serviceAccountRef"] == {"name": "rescan-secret-reader"}
    assert "authSecretRef" not in vault
