"""The Application of an object is found wherever Argo CD runs: its tracking does not name the namespace."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.git import git

URL = "https://git.example.com/acme/apps"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {a: '%s', b: '%s'}\n"
HERE = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
PENDING, MANUAL = ("a", "data.a", "pending-sync"), ("a", "data.b", "manual")


class Synced:
    """A work tree whose first commit was synced. The second one changes data.a and drops an object."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "apps").mkdir()
        (root / "apps/a.yaml").write_text(CONFIG % ("a", 1, 1))
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "remote", "add", "origin", URL)
        git(root, "add", "apps")
        git(root, "commit", "--quiet", "--message=synced")
        self.commit = git(root, "rev-parse", "HEAD")
        (root / "apps/a.yaml").write_text(CONFIG % ("a", 2, 1))
        git(root, "commit", "--quiet", "--all", "--message=not synced yet")

    def application(self, namespace: str, name: str = "web", *options: str) -> dict[str, Any]:
        source = {"repoURL": URL, "path": "apps", "targetRevision": "HEAD"}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"source": source, "destination": HERE, "syncPolicy": {"syncOptions": [*options]}},
            "status": {
                "history": [{"id": 0, "deployedAt": "2026-01-01T00:00:00Z", "source": source, "revision": self.commit}]
            },
        }

    def report(
        self,
        *others: dict[str, Any],
        tracked_by: str = "web",
        labels: dict[str, str] | None = None,
        sources: tuple[str, ...] = ("apps",),
    ) -> tuple[list[Any], list[str]]:
        """Returns the name, path and cause of each finding that counts, and the notes.

        The cluster has ConfigMap a as it was synced, but without data.b, ConfigMap dropped, and other objects. With
        labels, there is no tracking annotation.
        """
        live = [*others]
        for name in ("a", "dropped"):
            annotations = {"argocd.argoproj.io/tracking-id": f"{tracked_by}:/ConfigMap:shop/{name}"}
            tracking: dict[str, Any] = {"annotations": annotations} if labels is None else {"labels": labels}
            applied = {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {f"f:{key}": {} for key in labels or ()}}}
            live.append(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": name,
                        "namespace": "shop",
                        "uid": name,
                        **tracking,
                        "managedFields": [
                            {
                                "manager": "argocd-controller",
                                "operation": "Apply",
                                "apiVersion": "v1",
                                "time": "2026-01-01T00:00:00Z",
                                "fieldsV1": applied,
                            }
                        ],
                    },
                    "data": {"a": "1"},
                }
            )
        (self.root / "live.yaml").write_text("\n---\n".join(map(json.dumps, live)))
        main(["report", *sources, "--live", "live.yaml", "--output", "json=report.json"])
        report = json.loads((self.root / "report.json").read_text())
        found = [
            (item["name"], one["path"], one["cause"])
            for item in report["objects"]
            for one in item["findings"]
            if one["ignored"] is None
        ]
        return found, [note for note in report["notes"] if "synced last" in note]


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synced:
    monkeypatch.chdir(tmp_path)
    return Synced(tmp_path)


DROPPED = ("dropped", "", "pending-sync")


@pytest.mark.parametrize("namespace", ["argocd", "openshift-gitops"])
def test_what_was_synced_last_is_known_wherever_argocd_runs(synced: Synced, namespace: str) -> None:
    others = synced.application(namespace, "other"), synced.application("team", "api")

    assert synced.report(synced.application(namespace), *others) == ([PENDING, MANUAL, DROPPED], [])
    kept = synced.application(namespace, "web", "Prune=false")
    assert synced.report(kept, *others) == ([PENDING, MANUAL], [])


def test_an_application_that_is_not_found_is_named_in_one_note(synced: Synced) -> None:
    found, notes = synced.report(synced.application("openshift-gitops", "other"))

    assert MANUAL not in found
    assert notes == ["what was synced last is not known: the tracking names Application web, which was not found"]
    # Argo CD runs elsewhere.
    assert synced.report()[1] == []


def test_the_one_of_several_namespaces_is_not_guessed(synced: Synced) -> None:
    applications = [synced.application(name) for name in ("one", "two")]

    _, notes = synced.report(*applications)

    assert notes == ["cannot tell which Application web was synced last: several namespaces have one"]
    assert synced.report(*applications, synced.application("argocd"))[1] == []
    assert synced.report(*applications, tracked_by="two_web") == ([PENDING, MANUAL, DROPPED], [])


@pytest.mark.parametrize("namespace", ["argocd", "openshift-gitops"])
def test_an_application_that_is_rendered_tells_what_it_keeps(synced: Synced, namespace: str) -> None:
    other = synced.application("team", "web")
    other["spec"]["destination"] = {"server": "https://elsewhere.example.com"}
    sources = (f"--argocd={namespace}/web", "--checkout=.")

    for options, expected in (((), [PENDING, MANUAL, DROPPED]), (("Prune=false",), [PENDING, MANUAL])):
        application = synced.application(namespace, "web", *options)
        assert synced.report(application, other, sources=sources)[0] == expected


KEY = "acme.io/app"


def paths(report: tuple[list[Any], list[str]]) -> list[str]:
    return [path for _, path, _ in report[0]]


def settings(namespace: str, key: str = KEY) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": namespace},
        "data": {"application.instanceLabelKey": key},
    }


@pytest.mark.parametrize("namespace", ["argocd", "openshift-gitops"])
@pytest.mark.parametrize("sources", [("apps",), ("--argocd=all", "--checkout=.")])
def test_a_key_of_its_own_is_read_where_argocd_runs(synced: Synced, namespace: str, sources: tuple[str, ...]) -> None:
    """A chart uses the default key, so that the objects alone do not show which label is that of Argo CD."""
    (synced.root / "apps/a.yaml").write_text(
        (CONFIG % ("a", 2, 1)).replace("namespace: shop", "namespace: shop, labels: {app.kubernetes.io/instance: rel}")
    )
    labels = {"app.kubernetes.io/instance": "rel", KEY: "web"}
    of_teams = synced.application("team", "api")
    of_teams["status"]["controllerNamespace"] = namespace

    found = synced.report(synced.application(namespace), of_teams, settings(namespace), labels=labels, sources=sources)

    assert found == ([PENDING, MANUAL, DROPPED], [])
    kept = synced.application(namespace, "web", "Prune=false")
    assert synced.report(kept, settings(namespace), labels=labels, sources=sources) == ([PENDING, MANUAL], [])
    other = synced.application(namespace), settings(namespace, "acme.io/other")
    assert f'metadata.labels["{KEY}"]' in paths(synced.report(*other, labels=labels, sources=sources))


def test_the_label_of_a_chart_that_changes_in_git_is_not_the_tracking_label(synced: Synced) -> None:
    chart = "namespace: shop, labels: {app.kubernetes.io/instance: new}"
    (synced.root / "apps/a.yaml").write_text((CONFIG % ("a", 1, 1)).replace("namespace: shop", chart))
    labels = {"app.kubernetes.io/instance": "old", KEY: "web"}

    found = synced.report(synced.application("openshift-gitops"), settings("openshift-gitops"), labels=labels)

    assert paths(found) == ["data.b", 'metadata.labels["app.kubernetes.io/instance"]', ""]
    assert DROPPED in found[0]


def test_the_settings_of_an_application_in_the_namespace_of_a_team_are_those_of_its_argocd(synced: Synced) -> None:
    application = synced.application("team")
    application["status"]["controllerNamespace"] = "openshift-gitops"

    found = synced.report(application, settings("openshift-gitops"), labels={KEY: "team_web"})

    assert found == ([PENDING, MANUAL, DROPPED], [])


def test_each_of_two_argocds_has_a_key(synced: Synced) -> None:
    applications = synced.application("argocd", "other"), synced.application("openshift-gitops")
    labels = {"app.kubernetes.io/instance": "rel", KEY: "web"}
    chart = "namespace: shop, labels: {app.kubernetes.io/instance: rel}"
    (synced.root / "apps/a.yaml").write_text((CONFIG % ("a", 2, 1)).replace("namespace: shop", chart))

    for first in ("acme.io/first", "app.kubernetes.io/instance"):
        both = settings("argocd", first), settings("openshift-gitops")
        assert synced.report(*applications, *both, labels=labels) == ([PENDING, MANUAL, DROPPED], [])


@pytest.mark.parametrize("namespace", ["argocd", "openshift-gitops"])
def test_the_label_of_a_chart_names_no_other_application(synced: Synced, namespace: str) -> None:
    chart = "labels: {app.kubernetes.io/instance: rel}"
    (synced.root / "apps/a.yaml").write_text(
        (CONFIG % ("a", 1, 1)).replace("namespace: shop", f"namespace: shop, {chart}")
    )
    application = synced.application(namespace)
    application["spec"]["ignoreDifferences"] = [{"group": "*", "kind": "*", "jsonPointers": ["/data/b"]}]
    (synced.root / "apps/application.json").write_text(json.dumps(application))
    labels = {"app.kubernetes.io/instance": "rel"}

    def is_reported(*live: dict[str, Any], **more: str) -> bool:
        return "data.b" in paths(synced.report(application, *live, labels={**labels, **more}))

    assert not is_reported(settings(namespace), **{KEY: "web"})
    assert is_reported(settings(namespace), **{KEY: "other"})
    # With the default key, it is the label of Application rel.
    assert is_reported(settings(namespace, ""))
    # The settings cannot be read, so it may be that of Application rel, too.
    assert is_reported()
    assert is_reported(**{"argocd.argoproj.io/instance": "other"})


def test_what_one_object_needs_to_know_of_the_settings_does_not_change_the_others(synced: Synced) -> None:
    """Only Application web, of an Argo CD elsewhere, ignores something: the settings are read for the second object."""
    label = "app.kubernetes.io/instance"
    for name, metadata in (("a", ""), ("b", f", labels: {{{label}: hub}}"), ("c", "")):
        text = (CONFIG % (name, 1, 1)).replace("namespace: shop", f"namespace: shop{metadata}")
        (synced.root / f"apps/{name}.yaml").write_text(text)
    application = synced.application("argocd")
    application["spec"]["ignoreDifferences"] = [{"kind": "Secret", "jsonPointers": ["/data"]}]
    (synced.root / "apps/application.json").write_text(json.dumps(application))
    entry = {"manager": "argocd-controller", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}

    def live(name: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "namespace": "shop", "labels": {label: "hub"}}
        metadata["managedFields"] = [{**entry, "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}}}]
        data = {"a": "old" if name == "b" else "1", "b": "1"}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    found, _ = synced.report(application, settings("argocd"), live("b"), live("c"), labels={label: "hub"})

    assert not [one for one in found if "metadata" in one[1]]
    assert [one[:2] for one in found if one[0] == "b"] == [("b", "data.a")]
