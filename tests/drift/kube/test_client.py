"""Only what drift uses of the official client is imported, and other programs still get all of it."""

import subprocess
import sys
from importlib.metadata import version

CONFIG = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "a"}}],
    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:6443"}}],
}


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_client_is_imported_without_its_models_and_other_ways_to_log_in() -> None:
    heavy = ("kubernetes.dynamic", "kubernetes.client.api_client", "pydantic", "requests", "oauthlib.oauth2", "yaml")
    code = (
        "import sys\nfrom drift.kube.client import load_client\nload_client()\n"
        f"print('kubernetes.config.kube_config' in sys.modules, [name for name in {heavy} if name in sys.modules])"
    )

    assert _printed(code) == "True []"


def test_other_programs_get_all_of_the_client() -> None:
    code = (
        "import sys\nfrom drift.kube.client import load_client\nload_client()\n"
        "import kubernetes\n"
        f"client = kubernetes.config.new_client_from_config_dict({CONFIG})\n"
        "import io, oauthlib.oauth2, requests_oauthlib\n"
        "kubernetes.config.kube_config.KubeConfigMerger(io.StringIO('{}'))\n"
        "print(kubernetes.config is sys.modules['kubernetes.config'], type(client) is kubernetes.client.ApiClient,"
        " kubernetes.dynamic.DynamicClient.__name__, kubernetes.client.V1Pod.__name__, kubernetes.__version__,"
        " oauthlib.oauth2.rfc6749.__name__, requests_oauthlib.OAuth2Session.__name__,"
        " kubernetes.config.kube_config.yaml.loader.SafeLoader.__name__)"
    )

    expected = f"True True DynamicClient V1Pod {version('kubernetes')} oauthlib.oauth2.rfc6749 OAuth2Session SafeLoader"
    assert _printed(code) == expected


def test_a_client_that_other_programs_have_imported_is_used_as_it_is() -> None:
    code = (
        "import kubernetes.client\nbefore = kubernetes.client.ApiClient\n"
        "from drift.kube.client import load_client\nload_client()\n"
        "print(kubernetes.client.ApiClient is before, kubernetes.config.kube_config.ApiClient is before)"
    )

    assert _printed(code) == "True True"


def test_a_client_that_needs_everything_is_imported_as_usual() -> None:
    code = (
        "from drift.kube import client\n"
        # The client subscripts names of this module while it is imported.
        "client._UNUSED = ('typing_extensions',)\nclient.load_client()\n"
        "import typing_extensions, kubernetes.config.kube_config as used\n"
        "print(type(typing_extensions.Self) is not type(client.load_client), used.Configuration().verify_ssl)"
    )

    assert _printed(code) == "True True"
