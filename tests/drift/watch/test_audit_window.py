"""Whom a watch names while audit events arrive and are forgotten."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.api import open_dump, scan
from drift.audit.join import AuditOptions
from drift.audit.users import AuditUsers, Pseudonyms, Syncers
from drift.config.settings import Settings
from drift.watch import audit
from drift.watch.audit import AuditWindow
from tests.drift.audit.test_join import CI, JANE, SAM, config_map, event

CREATED = event(0, CI, "create", "configmaps/web", "kustomize-controller")
EDIT = ("patch", "configmaps/web", "kubectl-edit")
Named = list[tuple[str | None, str | None]]


class Watched:
    """A ConfigMap ``web`` and a watch that audit events arrive at."""

    def __init__(self, folder: Path, live: list[Any], users: AuditUsers = AuditUsers.FULL) -> None:
        manifests, dump = folder / "git.json", folder / "live.json"
        for file, items in ((manifests, [config_map("web")]), (dump, live)):
            file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        self._source = open_dump([str(dump)])
        self._report = scan([manifests], self._source)
        self._window = AuditWindow(AuditOptions((), Pseudonyms(users)))

    def users(self, *events: dict[str, Any]) -> Named:
        """Returns the users after events have arrived."""
        self._window.add("".join(f"{json.dumps(one)}\n" for one in events).encode())
        syncers = Syncers.of(self._report, Settings(), None)
        joined = self._window.join(self._report, self._source.resources, syncers, is_whole=True)
        return [(actor.user, actor.evidence) for finding in joined.findings for actor in finding.actors]

    def forget(self) -> None:
        """Forgets all events, as if many others had arrived."""
        self._window._events.clear()  # noqa: SLF001
        self._window._recent.clear()  # noqa: SLF001


def edited() -> dict[str, Any]:
    """Returns the live object, which someone edited in the tenth second."""
    entries = [
        {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": f"2026-01-31T12:00:{second}Z", **owned}
        for manager, second, owned in (
            ("kustomize-controller", "00", {"fieldsV1": {"f:data": {}}}),
            ("kubectl-edit", "10", {"fieldsV1": {"f:data": {"f:a": {}}}}),
        )
    ]
    return config_map("web", {"a": "2"}, managedFields=entries)


@pytest.fixture
def forget_bodies(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(audit, "_MAX_BODIES", 0)


@pytest.mark.parametrize("users", [AuditUsers.FULL, AuditUsers.NONE])
def test_a_second_person_in_the_log_makes_both_candidates(users: AuditUsers, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [edited()], users)
    jane, sam = (JANE, SAM) if users is AuditUsers.FULL else (None, None)

    assert watched.users(CREATED, event(10, JANE, *EDIT)) == [(jane, "likely")]
    assert watched.users() == [(jane, "likely")]
    assert watched.users(event(10, SAM, *EDIT)) == [(jane, "candidate"), (sam, "candidate")]


def test_who_is_proved_by_bodies_stays_named_after_they_are_forgotten(
    tmp_path: Path, forget_bodies: Callable[[], None]
) -> None:
    watched = Watched(tmp_path, [edited()])

    bodies: dict[str, Any] = {"requestObject": {"data": {"a": "2"}}, "responseObject": edited()}
    assert watched.users(CREATED, event(10, JANE, *EDIT, **bodies)) == [(JANE, "exact")]
    forget_bodies()

    assert watched.users(event(10, SAM, *EDIT)) == [(JANE, "exact")]


def test_a_second_deletion_names_its_user(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [config_map("other")])

    assert watched.users(CREATED, event(10, JANE, "delete", "configmaps/web")) == [(JANE, "exact")]
    again = event(20, CI, "create", "configmaps/web"), event(30, SAM, "delete", "configmaps/web")
    assert watched.users(*again) == [(SAM, "exact")]


def test_who_was_named_stays_named_after_the_events_are_forgotten(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [edited()])

    assert watched.users(CREATED, event(10, JANE, *EDIT)) == [(JANE, "likely")]
    watched.forget()

    assert watched.users() == [(JANE, "likely")]
