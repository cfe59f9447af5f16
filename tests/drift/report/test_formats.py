"""The contract of the JSON report, and the text report."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from rich.cells import cell_len
from rich.text import Text

from drift.cli import main
from drift.model import (
    Actor,
    Cause,
    Change,
    ClusterInfo,
    Decision,
    Finding,
    IgnoredBy,
    ManifestsInfo,
    ObjectReport,
    Report,
    Severity,
    Status,
    Verdict,
)
from drift.objects import ObjectKey, Source
from drift.redaction import Redacted
from drift.report.formats import Style
from drift.report.json_report import to_document, to_json
from drift.report.json_schema import json_schema
from drift.report.markdown import to_markdown
from drift.report.selection import Filters
from drift.report.text import to_text
from tests.drift.report.reports import RICH as HISTORY

ACTOR = Actor("kubectl-edit", "Update", None, "2026-01-01T10:00:00Z")
FINDING = Finding(
    id="0123456789abcdef",
    change=Change.CHANGED,
    path="spec.replicas",
    pointer="/spec/replicas",
    desired=2,
    live=5,
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.MEDIUM,
    actors=(ACTOR, Actor("scaler", "Update", "scale", None)),
)
WHOLE = replace(FINDING, path="", pointer="", desired=None, live=None, actors=())


def _item(kind: str, status: Status, *findings: Finding, reason: str | None = None) -> ObjectReport:
    source = None if status is Status.UNMANAGED else Source("apps/a.yaml", 1, 3)
    decisions = (Decision("spec.x", "the API server's default"),)
    return ObjectReport("v1", ObjectKey("", kind, "n", "a"), source, status, reason, findings, decisions)


RICH = Report(
    generated_at="2026-01-01T12:00:00Z",
    cluster=ClusterInfo("prod", "https://example.com", "v1.36.3"),
    manifests=ManifestsInfo(("apps",), "c0ffee", False),  # noqa: FBT003
    objects=(
        _item("ConfigMap", Status.IN_SYNC),
        _item(
            "Deployment",
            Status.DRIFTED,
            FINDING,
            replace(FINDING, change=Change.ADDED, path="a", desired=None, live={"x": [1]}, note="said in words"),
            replace(FINDING, change=Change.REMOVED, path="b", desired="yes", live=None, cause=Cause.PENDING_SYNC),
            replace(FINDING, change=Change.REORDERED, path="c", desired=None, live=None, severity=Severity.LOW),
            replace(FINDING, path="d", cause=Cause.CONTROLLER, severity=Severity.INFO),
            replace(FINDING, path="e", ignored=IgnoredBy("annotation x", "not ours")),
        ),
        _item("Secret", Status.DRIFTED, replace(FINDING, path="data.key", desired=None, live=None, redacted=True)),
        _item("Service", Status.MISSING, replace(WHOLE, change=Change.MISSING, severity=Severity.HIGH)),
        _item("Pod", Status.UNMANAGED, replace(WHOLE, change=Change.UNMANAGED, cause=Cause.UNKNOWN)),
        _item("Role", Status.UNCHECKED, reason="may not be read"),
    ),
    notes=("a note",),
    errors=("roles: may not be read",),
)
GOLDEN = """\
prod: incomplete: 7 findings (1 high, 5 medium, 1 low); 1 in-sync, 2 drifted, 1 missing, 1 unmanaged, 1 unchecked

Service n/a  missing  apps/a.yaml:3
  high     in Git, not in the cluster
           changed in the cluster
           next: sync to create it again, or remove it from Git
  look: git -C apps log -p -- a.yaml

Deployment n/a  drifted  apps/a.yaml:3
  medium   + a  live {"x": [1]}, not in Git
           changed in the cluster: kubectl-edit, 2h ago (2026-01-01T10:00:00Z), scaler (scale), time not recorded
           note: said in words
           next: remove it in the cluster, as a sync may not, or commit it to Git to keep it
  medium   - b  Git yes, not in the cluster
           Git is ahead, not synced yet: kubectl-edit, 2h ago (2026-01-01T10:00:00Z), scaler (scale), time not recorded
           next: sync, or find out why your GitOps controller has not synced yet
  medium   ~ spec.replicas  Git 2, live 5
           changed in the cluster: kubectl-edit, 2h ago (2026-01-01T10:00:00Z), scaler (scale), time not recorded
           next: sync to undo it, or commit the live value to Git to keep it
  low      ~ c  the same items in another order
           changed in the cluster: kubectl-edit, 2h ago (2026-01-01T10:00:00Z), scaler (scale), time not recorded
           next: sync to restore the order in Git, or change it there: the order of this list has a meaning
  look: kubectl get deployment/a -n n --context prod -o yaml
  look: git -C apps log -p -- a.yaml

Pod n/a  unmanaged
  medium   in the cluster, not in Git
           cause unknown
           next: delete it, commit it to Git, or ignore it with a reason in drift.yaml
  look: kubectl describe pod/a -n n --context prod

Secret n/a  drifted  apps/a.yaml:3
  medium   ~ data.key  changed (value not shown)
           changed in the cluster: kubectl-edit, 2h ago (2026-01-01T10:00:00Z), scaler (scale), time not recorded
           next: sync to restore the value in Git, or change it there by hand
  look: kubectl describe secret/a -n n --context prod

Role n/a  unchecked  apps/a.yaml:3
  may not be read

note: a note
not checked: roles: may not be read
1 finding ignored by rules, 1 change made by controllers; show with -v
prod: incomplete: 7 findings (1 high, 5 medium, 1 low); 1 in-sync, 2 drifted, 1 missing, 1 unmanaged, 1 unchecked
"""


def _valid(report: Report) -> bool:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(json_schema(), format_checker=checker).validate(json.loads(to_json(report)))
    return True


def _only(finding: Finding, **changes: object) -> Report:
    item = _item("ConfigMap", Status.DRIFTED, replace(finding, **changes))  # type: ignore[arg-type]
    return replace(RICH, objects=(item,), notes=(), errors=())


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    "report",
    [
        RICH,
        HISTORY,
        replace(RICH, cluster=None),
        replace(RICH, manifests=ManifestsInfo(("-",), None, None), objects=()),
    ],
)
def test_the_json_report_is_valid(report: Report) -> None:
    assert _valid(report)


@pytest.mark.parametrize(
    ("status", "findings"),
    [(Status.MISSING, ()), (Status.UNMANAGED, (FINDING,)), (Status.UNCHECKED, ()), (Status.MISSING, (WHOLE, WHOLE))],
)
def test_the_schema_rejects_what_the_contract_excludes(status: Status, findings: tuple[Finding, ...]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        _valid(replace(RICH, objects=(_item("Pod", status, *findings),)))


def test_the_summary_counts() -> None:
    assert to_document(RICH)["summary"] == {
        "verdict": Verdict.INCOMPLETE,
        "objects": {"checked": 4, "inSync": 1, "drifted": 2, "missing": 1, "unmanaged": 1, "unchecked": 1},
        "findings": {"manual": 5, "pending-sync": 1, "controller": 1, "unknown": 1, "ignored": 1},
        "severities": {"critical": 0, "high": 1, "medium": 5, "low": 1, "info": 0},
    }


def test_in_sync_objects_are_not_among_the_objects() -> None:
    assert "ConfigMap" not in {item["kind"] for item in to_document(RICH)["objects"]}


@pytest.mark.parametrize(
    "value", [None, True, 0, 1.5, "x\n", [{"a": [None]}], {"a": {}}, "\N{SNOWMAN}", "\u202e", "\x1b[31m"]
)
def test_any_value_is_the_same_in_json(value: object) -> None:
    report = _only(FINDING, desired=value, live=None)

    assert json.loads(to_json(report))["objects"][0]["findings"][0]["desired"] == value


def test_a_redacted_value_in_a_report_is_an_error() -> None:
    with pytest.raises(TypeError):
        to_json(_only(FINDING, live=Redacted(b"x")))


def test_the_text_report() -> None:
    assert to_text(RICH) == GOLDEN


def test_ignored_findings_are_counted_and_listed_with_verbose() -> None:
    line = "           ignored by annotation x: not ours\n"

    assert line not in to_text(RICH)
    assert line in to_text(RICH, Style(verbose=True))


@pytest.mark.parametrize("to_format", [to_text, to_markdown])
def test_the_work_of_controllers_and_objects_in_sync_are_counted_and_listed_on_request(
    to_format: Callable[..., str],
) -> None:
    scaled = replace(FINDING, path="spec.scaled", cause=Cause.CONTROLLER, severity=Severity.INFO)
    report = replace(
        RICH,
        objects=(
            replace(_item("Deployment", Status.IN_SYNC, scaled), reason=None),
            replace(_item("Job", Status.IN_SYNC), reason="finished"),
        ),
    )

    assert "spec.scaled" not in to_format(report)
    assert "1 change made by controllers, 1 remark on objects in sync" in to_format(report)
    for filters in (Filters(severity=Severity.INFO), Filters(causes=(Cause.CONTROLLER,))):
        assert "spec.scaled" in to_format(report, Style(filters=filters))
        assert "made by controllers" not in to_format(report, Style(filters=filters))
    verbose = to_text(report, Style(verbose=True))
    assert "spec.scaled" in verbose
    assert "finished" in verbose


def test_decisions_are_listed_with_verbose() -> None:
    line = "ConfigMap n/a: spec.x not reported: the API server's default\n"

    assert line not in to_text(RICH)
    assert line in to_text(RICH, Style(verbose=True))


@pytest.mark.parametrize("steering", ["\x1b[2J", "\x07", "\r", "\n", "\u202e", "\u2066", "\x9b31m", "\x00", "\u200b"])
def test_no_text_from_a_cluster_controls_the_terminal(steering: str) -> None:
    evil = f"a{steering}b"
    actor = Actor(evil, evil, evil, f"2026-01-01{steering[0]}10:00:00")
    finding = replace(FINDING, path=evil, desired=[evil], live=evil, actors=(actor,), note=evil)
    lines = replace(finding, desired=f"same\n{evil}\n", live={evil: [evil * 40]})
    finding = replace(finding, ignored=IgnoredBy(evil, evil))
    item = replace(_item(evil, Status.DRIFTED, finding, lines, reason=evil), source=Source(evil, 1, 1))
    report = replace(RICH, objects=(item,), notes=(evil,), errors=(evil,))

    for text in (to_text(report, Style(verbose=True)), to_text(report, Style(width=80, verbose=True))):
        assert {character for character in text if not character.isprintable()} == {"\n"}
        # A newline in a value would start a line at the margin; only drift's own lines may.
        assert not [line for line in text.splitlines() if line.startswith("b")]


@pytest.mark.parametrize("time", ["", "yesterday", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00"])
def test_an_invalid_time_is_shown_as_it_is(time: str) -> None:
    text = to_text(_only(FINDING, actors=(replace(ACTOR, time=time),)))

    assert f"kubectl-edit, {time}\n" in text


def test_a_trailing_newline_is_visible() -> None:
    assert 'Git x, live "x\\n"' in to_text(_only(FINDING, desired="x", live="x\n"))


@pytest.mark.parametrize(("value", "shown"), [("2", '"2"'), (2, "2"), ("true", '"true"'), (True, "true"), ("", '""')])
def test_a_string_that_looks_like_another_type_is_quoted(value: object, shown: str) -> None:
    assert f"live {shown}\n" in to_text(_only(FINDING, desired="x", live=value))


def test_multi_line_values_are_a_diff_below_the_managers() -> None:
    text = to_text(_only(FINDING, path="data.a", desired="a\nb\n", live="a\nc\n"))

    assert (
        "  medium   ~ data.a  - Git, + live\n"
        "           changed in the cluster: kubectl-edit, 2h ago (2026-01-01T10:00:00Z), "
        "scaler (scale), time not recorded\n"
        "             a\n"
        "           - b\n"
        "           + c\n"
    ) in text


def test_values_and_diff_lines_are_coloured() -> None:
    text = to_text(_only(FINDING), Style(color=True))

    assert "Git \x1b[31m2\x1b[0m, live \x1b[32m5\x1b[0m" in text
    assert "\x1b[32m+ c\x1b[0m" in to_text(_only(FINDING, desired="a\nb\n", live="a\nc\n"), Style(color=True))


def test_an_ignored_finding_does_not_make_its_object_the_worst() -> None:
    ignored = replace(FINDING, severity=Severity.CRITICAL, ignored=IgnoredBy("rule", "ours"))
    mild = replace(FINDING, severity=Severity.LOW)
    report = replace(
        RICH,
        objects=(_item("A", Status.DRIFTED, ignored, mild), _item("B", Status.DRIFTED, FINDING)),
        notes=(),
        errors=(),
    )

    assert to_text(report).splitlines()[2].startswith("B n/a")


def test_long_values_are_cut_around_the_first_difference() -> None:
    same = "line of a file " * 100

    text = to_text(_only(FINDING, desired=f"{same}port=80 {same}", live=f"{same}port=81 {same}"))

    assert "port=80 " in text
    assert "port=81 " in text
    assert max(map(len, text.splitlines())) < 600


def test_a_long_value_with_a_different_end_shows_the_end() -> None:
    text = to_text(_only(FINDING, desired="a" * 500, live="a" * 500 + "tail"))

    assert "tail" in text


def test_colours_are_written_only_if_requested() -> None:
    assert "\x1b[" in to_text(RICH, Style(color=True))
    assert "\x1b[" not in to_text(RICH)


def _without_commands(text: str) -> list[str]:
    """The lines that are folded: a command is one line, so that it can be copied."""
    return [line for line in text.splitlines() if not line.startswith("  look: ")]


def _fits(line: str, width: int) -> bool:
    """Whether a line fits, or holds only one word, which stays whole."""
    return cell_len(line) <= width or len(line.split()) == 1 or len(line[11:].split()) == 1


def test_lines_are_folded_at_the_width_and_not_cut() -> None:
    text = to_text(RICH, Style(width=40))

    assert all(_fits(line, 40) for line in _without_commands(text))
    assert "".join(text.split()) == "".join(GOLDEN.split())


WIDE = "\u6f22\u5b57 e\u0301 \U0001f600 " * 30


@pytest.mark.parametrize("width", [10, 31, 80, 200])
@pytest.mark.parametrize("value", [WIDE, WIDE.replace(" ", ""), f"one\n{WIDE}\n"])
def test_wide_and_combining_characters_are_measured_in_columns(value: str, width: int) -> None:
    text = to_text(_only(FINDING, path=WIDE, desired="x\n", live=value, note=WIDE), Style(color=True, width=width))

    assert all(_fits(line, width) for line in _without_commands(Text.from_ansi(text).plain))
    assert Text.from_ansi(text).plain.count("\u0301") >= 60


def test_a_folded_line_continues_below_its_own_beginning_and_a_long_word_stays_whole() -> None:
    text = to_text(_only(FINDING, path="a" * 60, note=f"{'b' * 20} {'c' * 20}"), Style(width=50))

    assert f"\n           {'a' * 60}\n" in text
    assert f"\n           note: {'b' * 20}\n           {'c' * 20}\n" in text


def test_a_pipe_gets_the_same_text_as_a_very_wide_terminal() -> None:
    assert to_text(RICH, Style(verbose=True)) == to_text(RICH, Style(width=100_000, verbose=True))


def test_lines_are_not_folded_for_a_pipe() -> None:
    assert max(map(len, to_text(_only(FINDING, path="a" * 300)).splitlines())) > 300


@pytest.mark.parametrize(
    ("flags", "coloured"), [((), False), (("--color", "always"), True), (("--color", "never"), False)]
)
def test_the_color_flag_decides_on_colours(
    flags: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], *, coloured: bool
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n")

    assert main(["report", str(file), "--live", str(file), *flags]) == 0
    assert ("\x1b[" in capsys.readouterr().out) is coloured


def test_only_the_worst_findings_are_shown_and_the_verdict_is_of_everything() -> None:
    whole = to_text(RICH)
    severe = to_text(RICH, Style(filters=Filters(severity=Severity.HIGH)))
    limited = to_markdown(RICH, Style(filters=Filters(limit=2)))

    assert severe.splitlines()[0] == whole.splitlines()[0]
    assert "Service n/a  missing" in severe
    assert "Deployment n/a" not in severe
    assert "Role n/a  unchecked" in severe
    assert "6 findings not shown (--severity)" in severe
    assert limited.count("**medium**") + limited.count("**high**") == 2
    assert "5 findings not shown (--limit)" in limited


def test_on_a_terminal_the_words_that_differ_stand_out_and_the_text_is_the_same() -> None:
    image = replace(FINDING, desired="web:v1.2", live="web:v1.3")
    text = replace(FINDING, id="2", path="data.a", desired="a\nb c\n", live="a\nb d\n")
    both = _only(image)
    both = replace(both, objects=(replace(both.objects[0], findings=(image, text)),))

    coloured = to_text(both, Style(color=True))

    marked = re.findall(r"\x1b\[7;3[12]m(.*?)\x1b\[0m", coloured)
    assert sorted(marked) == ["2", "3", "c", "d"]
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == to_text(both)
