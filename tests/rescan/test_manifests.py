"""From charts to files."""

from pathlib import Path

import pytest
from cdk8s import ApiObject, ApiObjectMetadata

from rescan.charts import App, FolderChart
from rescan.errors import OverwriteError
from rescan.manifests import HEADER, manifest_files, write


def api_object(
    chart: FolderChart, identity: str, *, kind: str, name: str, version: str = "v1", namespace: str = "rescan"
) -> None:
    ApiObject(
        chart,
        identity,
        api_version=version,
        kind=kind,
        metadata=ApiObjectMetadata(name=name, namespace=namespace),
    )


def test_a_file_is_named_after_the_kind_and_name_of_its_object() -> None:
    chart = FolderChart(App(), "prod")
    api_object(chart, "a", version="rbac.authorization.k8s.io/v1", kind="RoleBinding", name="Rescan:Reader")

    assert list(manifest_files(_app(chart))) == ["prod/rolebinding-rescan-reader.yaml"]


@pytest.mark.parametrize(
    ("version", "namespace"),
    [pytest.param("v1", "other", id="namespaces"), pytest.param("example.com/v1", "rescan", id="groups")],
)
def test_two_objects_for_one_file_are_an_error_that_names_both(version: str, namespace: str) -> None:
    chart = FolderChart(App(), "prod")
    api_object(chart, "a", kind="Service", name="web")
    api_object(chart, "b", kind="Service", name="web", version=version, namespace=namespace)

    with pytest.raises(OverwriteError) as error:
        manifest_files(_app(chart))

    assert str(error.value) == (
        "prod/service-web.yaml would hold two objects: v1 Service rescan/web and"
        f" {version} Service {namespace}/web; rename one of them"
    )


def test_an_empty_chart_makes_no_file() -> None:
    assert manifest_files(_app(FolderChart(App(), "prod"))) == {}


def test_what_is_written_has_line_feeds_and_the_header(tmp_path: Path) -> None:
    chart = FolderChart(App(), "prod")
    api_object(chart, "a", kind="Service", name="web")

    write(manifest_files(_app(chart)), tmp_path)

    assert (tmp_path / "prod/service-web.yaml").read_bytes() == HEADER.encode() + (
        b"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: rescan\n"
    )


def _app(chart: FolderChart) -> App:
    app = App.of(chart)
    assert isinstance(app, App)
    return app
