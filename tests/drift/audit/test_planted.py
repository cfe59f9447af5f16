"""A value of a Secret in an audited body is in no stream, format or history, nor in what a watch remembers."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from drift.api import open_dump, scan
from drift.audit.join import AuditOptions
from drift.audit.users import Syncers
from drift.gitops.managers import NO_OTHERS
from drift.report.formats import Format
from drift.watch.audit import AuditWindow
from tests.drift.audit.test_events import EVENT, GOOGLE, shapes
from tests.drift.test_planted_secrets import LAST_APPLIED, encoded, holds, said, secret

VALUE = "before-pl4ntedS3cret-after"
PLAIN = secret(data={"password": encoded(VALUE), "more": encoded(VALUE)}, stringData={"other": VALUE})
APPLIED = secret(metadata={"annotations": {LAST_APPLIED: json.dumps(PLAIN)}})
#: Bodies of a request and of a response.
BODIES: list[tuple[str, Any, Any]] = [
    ("create", PLAIN, PLAIN),
    ("update", APPLIED, APPLIED),
    ("patch", {"stringData": {"password": VALUE}, "data": {"more": None}}, APPLIED),
    ("patch", {"metadata": {"annotations": {LAST_APPLIED: json.dumps(PLAIN)}}}, {"kind": "Status", "message": VALUE}),
    ("patch", [{"op": "replace", "path": "/data/password", "value": encoded(VALUE)}], PLAIN),
    (
        "patch",
        [{"op": "test", "path": "/data", "value": {"password": encoded(VALUE)}}, VALUE, [VALUE]],
        {"items": PLAIN},
    ),
    ("deletecollection", {"items": VALUE}, {"kind": "SecretList", "items": [PLAIN, VALUE]}),
    ("delete", {"other": VALUE}, {**PLAIN, "kind": "Status"}),
    ("update", VALUE, [VALUE]),
]


def event(verb: str, request: Any, response: Any) -> dict[str, Any]:
    reference = {"resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1"}
    return {**EVENT, "verb": verb, "objectRef": reference, "requestObject": request, "responseObject": response}


def google(verb: str, request: Any, response: Any) -> str:
    name = {"methodName": f"io.k8s.core.v1.secrets.{verb}", "resourceName": "core/v1/namespaces/shop/secrets/db"}
    bodies = {"request": request, "response": response}
    return json.dumps({**GOOGLE, "protoPayload": {**GOOGLE["protoPayload"], **name, **bodies}})  # type: ignore[dict-item]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A Secret that was changed and one that is missing, in every format, with a history."""
    written = {
        "git": [secret(stringData={"password": "x"}), secret(metadata={"name": "gone"})],
        "live": [secret(data={"password": encoded("y"), "more": encoded("z")})],
    }
    for name, items in written.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (tmp_path / "out").mkdir()
    outputs = [f"--output={form}={tmp_path / 'out' / form}" for form in Format]
    return [
        *("report", str(tmp_path / "git.json"), f"--live={tmp_path / 'live.json'}", "-v", "--output=text"),
        *(f"--history={tmp_path / 'out' / 'history.db'}", f"--audit-log={tmp_path / 'audit.log'}", *outputs),
    ]


def logs() -> list[str]:
    wrapped = [text for bodies in BODIES for text in (*shapes(event(*bodies)).values(), google(*bodies))]
    whole = shapes(event(*BODIES[0]))["an event a line"]
    # A line that breaks off is no event, and is named by its place alone.
    return [*wrapped, whole + "\n" + whole[: whole.rindex(encoded(VALUE)) + 10] + "\n{" + VALUE]


def test_no_shape_of_a_log_shows_the_value_of_a_secret(arguments: list[str], tmp_path: Path) -> None:
    everything = logs()
    shown = ""
    one_a_line = "\n".join(text for text in everything if "\n" not in text)
    # A document of many lines is a log of its own.
    for log in (one_a_line, *(text for text in everything if "\n" in text)):
        (tmp_path / "audit.log").write_text(log)
        assert holds(log, VALUE)

        status, text = said(arguments)

        shown += "".join([text, *(file.read_bytes().decode("latin-1") for file in (tmp_path / "out").iterdir())])
        assert status == 1
    assert "jane@example.com" in shown
    assert not holds(shown, VALUE)


def test_a_watch_remembers_and_shows_no_value_of_a_secret(arguments: list[str], tmp_path: Path) -> None:
    dump = open_dump([tmp_path / "live.json"])
    report = scan([arguments[1]], dump)
    streams = io.StringIO()
    for log in logs():
        window = AuditWindow(AuditOptions(()))
        with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
            window.add(log.encode())
        joined = window.join(report, dump.resources, Syncers(NO_OTHERS), is_whole=True)

        remembered = [repr(vars(window)), *(f"{event.request} {event.response}" for _, event in window._recent)]  # noqa: SLF001
        assert not [text for text in (*remembered, repr(joined)) if holds(text, VALUE)]
    assert not streams.getvalue()
