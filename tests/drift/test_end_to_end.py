"""On a real API server: no findings after a sync, and each edit with its manager."""

import time
from collections.abc import Callable

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import TAKING_OVER, Syncer

DEPLOYMENT = "Deployment/rescan-app"
CONTAINER = "spec.template.spec.containers[name=rescan]"


@pytest.mark.parametrize("syncer", TAKING_OVER)
def test_is_in_sync_after_a_sync(application: Application, syncer: Syncer) -> None:
    application.sync(syncer)

    scanned = application.report()

    assert scanned.findings == []
    assert scanned.status == 0
    assert scanned.document["summary"]["verdict"] == "in-sync"
    assert scanned.document["summary"]["objects"]["checked"] == len(list(application.manifests.iterdir()))


@pytest.mark.parametrize("syncer", [syncer for syncer in TAKING_OVER if syncer is not Syncer.KUBECTL])
def test_is_in_sync_with_tracking_metadata_on_every_object(application: Application, syncer: Syncer) -> None:
    application.sync(syncer, owner="rescan")

    assert application.report().findings == []


def _set_image(app: Application) -> None:
    app.kubectl("set", "image", "deployment/rescan-app", "rescan=elsewhere.example.com/rescan:v9")


def _add_env(app: Application) -> None:
    app.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")


def _add_label(app: Application) -> None:
    app.kubectl("label", "deployment/rescan-app", "team=other")


def _scale(app: Application) -> None:
    app.kubectl("scale", "deployment/rescan-app", "--replicas=3")


def _expose(app: Application) -> None:
    app.patch("service", "rescan-service", {"spec": {"type": "LoadBalancer"}})


def _edit_config(app: Application) -> None:
    app.patch("configmap", "rescan-config", {"data": {"EDUCATIONAL_MODE": "false"}})


def _add_container(app: Application) -> None:
    container = {"name": "debug", "image": "busybox:1"}
    app.patch("deployment", "rescan-app", {"spec": {"template": {"spec": {"containers": [container]}}}})


def _remove_limits(app: Application) -> None:
    container = {"name": "rescan", "resources": {"limits": None}}
    app.patch("deployment", "rescan-app", {"spec": {"template": {"spec": {"containers": [container]}}}})


def _delete_service(app: Application) -> None:
    app.kubectl("delete", "service", "rescan-service")


def _create_config(app: Application) -> None:
    app.kubectl("create", "configmap", "stray", "--from-literal=key=value")


EDITS = [
    (_set_image, (DEPLOYMENT, "changed", f"{CONTAINER}.image", "manual"), ["kubectl-set"]),
    (_add_env, (DEPLOYMENT, "added", f"{CONTAINER}.env[name=DEBUG]", "manual"), ["kubectl-set"]),
    (_add_label, (DEPLOYMENT, "added", "metadata.labels.team", "manual"), ["kubectl-label"]),
    (_scale, (DEPLOYMENT, "changed", "spec.replicas", "manual"), ["kubectl"]),
    (_expose, ("Service/rescan-service", "changed", "spec.type", "manual"), ["kubectl-patch"]),
    (_edit_config, ("ConfigMap/rescan-config", "changed", "data.EDUCATIONAL_MODE", "manual"), ["kubectl-patch"]),
    (
        _add_container,
        (DEPLOYMENT, "added", "spec.template.spec.containers[name=debug]", "manual"),
        ["kubectl-patch"],
    ),
    (_create_config, ("ConfigMap/stray", "unmanaged", "", "manual"), ["kubectl-create"]),
]


@pytest.mark.parametrize("syncer", TAKING_OVER)
@pytest.mark.parametrize(("edit", "finding", "managers"), EDITS, ids=[edit.__name__[1:] for edit, _, _ in EDITS])
def test_an_edit_is_found_alone_with_its_manager(
    application: Application,
    syncer: Syncer,
    edit: Callable[[Application], None],
    finding: tuple[str, str, str, str],
    managers: list[str],
) -> None:
    application.sync(syncer)
    edit(application)

    scanned = application.report()

    assert scanned.findings == [finding]
    assert scanned.managers == managers
    assert scanned.status == 1


@pytest.mark.parametrize(
    ("syncer", "cause"),
    [
        (Syncer.FLUX, "unknown"),
        (Syncer.ARGOCD_SERVER_SIDE, "unknown"),
        (Syncer.ADOPTED, "unknown"),
        # Client-side apply records the last applied configuration.
        (Syncer.ARGOCD, "manual"),
        (Syncer.KUBECTL, "manual"),
    ],
)
def test_a_removed_field_is_found_without_a_record_of_who_removed_it(
    application: Application, syncer: Syncer, cause: str
) -> None:
    application.sync(syncer)
    _remove_limits(application)

    assert application.report().findings == [(DEPLOYMENT, "removed", f"{CONTAINER}.resources.limits", cause)]


def test_managers_that_wrote_after_the_applier_are_named_for_a_removed_field(application: Application) -> None:
    application.sync(Syncer.FLUX)
    container = {"name": "rescan", "resources": {"limits": None}, "imagePullPolicy": "Never"}
    # managedFields has times in whole seconds.
    time.sleep(1.1)
    application.patch("deployment", "rescan-app", {"spec": {"template": {"spec": {"containers": [container]}}}})

    scanned = application.report()

    assert (DEPLOYMENT, "removed", f"{CONTAINER}.resources.limits", "manual") in scanned.findings
    assert set(scanned.managers) == {"kubectl-patch"}


@pytest.mark.parametrize("syncer", TAKING_OVER)
def test_a_deleted_object_is_missing(application: Application, syncer: Syncer) -> None:
    application.sync(syncer)
    _delete_service(application)

    scanned = application.report()

    assert scanned.findings == [("Service/rescan-service", "missing", "", "unknown")]
    assert scanned.document["summary"]["objects"]["missing"] == 1


def test_an_unsynced_change_in_git_is_pending_and_not_manual_drift(application: Application) -> None:
    application.sync(Syncer.FLUX)
    file = next(application.manifests.glob("*service*"))
    file.write_text(file.read_text().replace("app: rescan", "app: rescan-next"))

    assert {cause for *_, cause in application.report().findings} == {"pending-sync"}


def test_an_unsynced_removal_in_git_is_pending(application: Application) -> None:
    application.sync(Syncer.FLUX)
    file = next(application.manifests.glob("*configmap*"))
    file.write_text(
        "".join(line for line in file.read_text().splitlines(keepends=True) if "EDUCATIONAL_MODE" not in line)
    )

    assert application.report().findings == [
        ("ConfigMap/rescan-config", "added", "data.EDUCATIONAL_MODE", "pending-sync")
    ]


@pytest.mark.parametrize("syncer", TAKING_OVER)
def test_a_dump_gives_the_same_findings_as_the_cluster(application: Application, syncer: Syncer) -> None:
    application.sync(syncer)
    for edit, *_ in EDITS:
        edit(application)
    dump = application.scratch / "dump.yaml"
    kinds = "namespace,deployment,service,configmap,persistentvolumeclaim,serviceaccount,externalsecret,secretstore"
    dump.write_text(
        application.kubectl("get", "namespace", application.namespace, "-o", "yaml", "--show-managed-fields")
        + "---\n"
        + application.kubectl("get", kinds.partition(",")[2], "-o", "yaml", "--show-managed-fields")
    )

    from_cluster = application.report()
    from_dump = application.report("--live", str(dump))

    assert from_dump.findings == from_cluster.findings
    assert from_dump.managers == from_cluster.managers
    assert from_dump.document["cluster"] is None
