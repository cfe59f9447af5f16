"""The template of the Secrets of an environment, for people who create them by hand. It holds no value."""

from rescan.settings import Environment
from rescan.variables import ENDPOINT, secret_variables
from rescan.yaml_style import dump

_HEADER = """\
# The Secrets of the environment {name}, with example values: `python main.py --secrets-template {name}`.
#
#   python main.py --secrets-template {name} > rescan-secrets.yaml     # Git ignores this file
#   (put your values into it)
#   kubectl create -f rescan-secrets.yaml
#
# No manifest holds these values, and Argo CD and Flux see only dist/. A key vault makes the Secrets by itself.
# The path of {endpoint} has to include /openai/.
"""
_EXAMPLES = {
    "AZURE_OPENAI_MODEL_DEPLOYMENT": "gpt-4o",
    "DATABASE_URL": "postgresql://rescan:<password>@database.example.com/rescan",
    "BACKUP_DATABASE_URL": "postgresql://rescan-backup:<password>@database.example.com/rescan",
}


def secrets_template(environment: Environment) -> str:
    """One Secret for each that the pods of an environment read, as a stream of YAML documents."""
    examples = _EXAMPLES | {ENDPOINT: environment.secrets.azure_openai_endpoint}
    documents = [
        dump(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": environment.namespace, "labels": {"app": "rescan"}},
                "type": "Opaque",
                "stringData": {key: examples.get(key, f"<{key.lower().replace('_', '-')}>") for key in keys},
            }
        )
        for name, keys in secret_variables(environment).items()
    ]
    return _HEADER.format(name=environment.name, endpoint=ENDPOINT) + "---\n".join(documents)
