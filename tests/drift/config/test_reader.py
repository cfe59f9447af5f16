"""Reading ``drift.yaml``; an error gives the place and says how to fix it."""

from datetime import date
from pathlib import Path

import pytest

from drift.config.reader import load_settings, parse_settings
from drift.config.settings import DRIFT_CAUSES, Settings
from drift.errors import ConfigError
from drift.model import Cause, Change, Severity, Unmanaged

FULL = b"""\
ignore:
  - group: apps
    kind: Deployment
    namespace: shop-*
    name: web
    path: spec.replicas
    manager: kubectl
    cause: manual
    reason: the load test scales it
    expires: 2027-01-31
severity:
  - {group: '', kind: ConfigMap, path: 'data.*', change: changed, cause: manual, severity: low, reason: tunables}
appliers: [my-syncer]
controllers: [my-operator-*]
unchecked:
  - {group: '', kind: Secret, reason: another team reviews them}
exit:
  causes: [manual, unknown]
  severity: high
unmanaged: cluster
exclude: [charts, '**/*-values.yaml']
"""


def test_every_setting_is_read() -> None:
    settings = parse_settings(FULL, "drift.yaml")

    (rule,) = settings.ignore
    assert str(rule) == (
        "ignore rule 1 (group: apps, kind: Deployment, namespace: shop-*, name: web, path: spec.replicas, "
        "manager: kubectl, cause: manual)"
    )
    assert (rule.reason, rule.expires) == ("the load test scales it", date(2027, 1, 31))
    (severity,) = settings.severity
    assert (severity.severity, severity.change, severity.cause) == (Severity.LOW, Change.CHANGED, Cause.MANUAL)
    assert settings.appliers == ("my-syncer",)
    assert settings.controllers == ("my-operator-*",)
    assert settings.unchecked[0].covers("", "Secret")
    assert not settings.unchecked[0].covers("example.com", "Secret")
    assert settings.exit_causes == {Cause.MANUAL, Cause.UNKNOWN}
    assert settings.exit_severity is Severity.HIGH
    assert settings.unmanaged is Unmanaged.CLUSTER
    assert [glob.text for glob in settings.exclude] == ["charts", "**/*-values.yaml"]


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"{}", b"ignore:\nexit:\n", b"exit: {causes: }"])
def test_settings_that_are_not_set_have_their_defaults(text: bytes) -> None:
    assert parse_settings(text, "drift.yaml") == Settings()
    assert Settings().exit_causes == DRIFT_CAUSES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ignroe: []", "1:1: ignroe: is not a setting; did you mean 'ignore'?"),
        (
            "ignore:\n  - {kind: A, reason: x, paht: b}",
            "2:26: ignore[0].paht: is not a setting; did you mean 'path'?",
        ),
        ("ignore:\n  - kind: A\n", "2:5: ignore[0]: reason is missing"),
        ('ignore:\n  - kind: A\n    reason: ""\n', "3:5: ignore[0].reason: is empty; give a reason"),
        (
            "ignore:\n  - reason: all of it\n",
            "2:5: ignore[0]: would ignore everything; set at least a kind, a path or a manager",
        ),
        (
            "ignore:\n  - {name: 12, reason: x}",
            "2:6: ignore[0].name: must be a string, not the number 12 (quote it to make it a string)",
        ),
        (
            "ignore:\n  - {name: y, reason: x}",
            "2:6: ignore[0].name: must be a string, not true (quote it to make it a string)",
        ),
        ("ignore: {}", "1:1: ignore: must be a list, not a mapping"),
        ("ignore: [x]", "1:10: ignore[0]: must be a mapping, not 'x'"),
        ("- a", "1:1: must be a mapping, not a list"),
        (
            "ignore:\n  - kind: A\n    reason: x\n    expires: 2027-02-30",
            "4:5: ignore[0].expires: '2027-02-30' is not a date; write it as 2027-01-31",
        ),
        (
            "ignore:\n  - path: spec.containers[name\n    reason: x",
            (
                "2:5: ignore[0].path: 'spec.containers[name' is not a path; "
                "write it as in a report, for example spec.items[name=x].*"
            ),
        ),
        (
            "ignore:\n  - {cause: manaul, reason: x}",
            "2:6: ignore[0].cause: 'manaul' is not a valid value; did you mean 'manual'?",
        ),
        ("severity:\n  - {kind: A}", "2:5: severity[0]: severity is missing"),
        (
            "severity:\n  - {kind: A, severity: bad}",
            "2:15: severity[0].severity: 'bad' is not a valid value; use one of critical, high, info, low, medium",
        ),
        (
            "exit: {causes: [controller]}",
            "1:17: exit.causes[0]: 'controller': changes by controllers are not drift and never set the exit status",
        ),
        (
            "exit: {severity: hihg}",
            "1:8: exit.severity: 'hihg' is not a valid value; did you mean 'high'?",
        ),
        ("exit: []", "1:1: exit: must be a mapping, not a list"),
        ("unmanaged: on", "1:1: unmanaged: must be a string, not true (quote it to make it a string)"),
        ("unmanaged: none", "1:1: unmanaged: 'none' is not a valid value; use one of cluster, namespace, off"),
        ("appliers: [a*]", "1:12: appliers[0]: 'a*': give the full name of the applier, without *"),
        ("exclude: ['']", "1:11: exclude[0]: is empty"),
        ("controllers: [' ']", "1:15: controllers[0]: is empty"),
        ("unchecked: [{kind: Secret}]", "1:13: unchecked[0]: reason is missing"),
        ("unmanaged: off\n---\nignore: []", "3:1: a second YAML document; settings must be a single document"),
        ("ignore: []\nignore: []", "2: this key is given twice; remove one of them"),
    ],
)
def test_an_error_gives_the_place_and_says_how_to_fix_it(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_settings(text.encode(), "drift.yaml")

    assert str(error.value) == f"drift.yaml:{message}"
    assert error.value.exit_status == 2


def test_off_without_quotes_is_accepted_although_yaml_reads_it_as_false() -> None:
    assert parse_settings(b"unmanaged: off", "drift.yaml").unmanaged is Unmanaged.OFF


def test_the_file_in_the_current_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None) == Settings()

    Path("drift.yaml").write_text("appliers: [x]")
    assert load_settings(None).appliers == ("x",)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"--config {tmp_path}/other.yaml: no such file"):
        load_settings(str(tmp_path / "other.yaml"))


def test_a_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(str(tmp_path))
