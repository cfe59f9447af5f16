"""A small application with some drift, for tests that read it through a faulty proxy."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tools.sandbox.syncers import Syncer

if TYPE_CHECKING:
    from tests.drift.conftest import Application, Scanned

#: Three pages of two.
CONFIG_MAPS = "abcdef"
MANIFESTS = "---\n".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: NAMESPACE}}\ndata: {{key: value}}\n"
    for name in CONFIG_MAPS
) + (
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: NAMESPACE}\n"
    "spec: {selector: {app: web}, ports: [{port: 80}]}\n"
)
#: One on the first page, one on the last, and one in an object that is read with get.
DRIFT = {("ConfigMap/a", "data.key"), ("ConfigMap/e", "data.key"), ("Service/web", "spec.selector")}


def deploy(application: "Application") -> None:
    """Syncs the application, and edits the fields in `DRIFT`."""
    application.write(MANIFESTS)
    application.sync(Syncer.FLUX)
    for name in "ae":
        application.kubectl("patch", "configmap", name, "--patch", '{"data": {"key": "other"}}')
    application.kubectl("patch", "service", "web", "--patch", '{"spec": {"selector": {"app": "other"}}}')


def drift_of(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Returns object and path of each finding."""
    found = [
        (f"{item['kind']}/{item['name']}", finding["path"])
        for item in document["objects"]
        for finding in item["findings"]
    ]
    assert len(found) == len(set(found)), "something was reported twice"
    return set(found)


def within(report: "Callable[[str], Scanned]", stderr: Callable[[], str]) -> tuple[str, "Scanned"]:
    """Makes a report with a short deadline, or on a machine too busy to begin within it, with a longer one."""
    for deadline in ("4s", "20s"):
        try:
            return deadline, report(deadline)
        except FileNotFoundError:
            stderr()
    return "100s", report("100s")


def names(objects: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(item["name"] for item in objects)
