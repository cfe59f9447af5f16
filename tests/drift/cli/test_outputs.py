"""Reports are written completely or not at all, and read again; a failure is one line."""

import io
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift.cli import main
from drift.report.formats import Format
from drift.report.json_report import to_json
from tests.drift.notify.receiver import receiving, status
from tests.drift.report.reports import RICH
from tests.pushed import receive

ROOT = Path(__file__).parents[3]
MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}


@pytest.fixture
def comparison(tmp_path: Path) -> list[str]:
    """The arguments of a comparison with a dump that finds drift."""
    manifest, dump = tmp_path / "manifest.json", tmp_path / "dump.json"
    manifest.write_text(json.dumps({**MANIFEST, "data": {"key": "value"}}))
    dump.write_text(json.dumps({**MANIFEST, "data": {"key": "other"}}))
    return ["report", str(manifest), "--live", str(dump)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    return made


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A small file system."""
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "drift", str(folder)],  # noqa: S607
        check=False,
        capture_output=True,
    ).returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def _run(arguments: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
    # Does not write .pyc files: with a limit on file sizes they would be truncated, and break later runs.
    command = [sys.executable, "-B", "-m", "drift", *arguments]
    return subprocess.run(command, check=False, text=True, cwd=ROOT, **options)  # type: ignore[call-overload, no-any-return]


def _only(folder: Path, content: str = "old") -> None:
    """Checks that the folder has the old report and nothing else."""
    (file,) = folder.iterdir()
    assert (file.name, file.read_text()) == ("report.json", content)


def test_a_full_disk_leaves_the_old_report(comparison: list[str], disk: Path, stderr: Callable[[], str]) -> None:
    (disk / "report.json").write_text("old")
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(1024 * 1024))

    assert main([*comparison, "--quiet", "--output", f"json={disk}/report.json"]) == 2

    filler.unlink()
    _only(disk)
    assert stderr() == f"drift: --output json={disk}/report.json: cannot be written: No space left on device\n"


def test_a_read_only_folder_leaves_the_old_report(comparison: list[str], disk: Path, stderr: Callable[[], str]) -> None:
    (disk / "report.json").write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)  # noqa: S607

    assert main([*comparison, "--quiet", "--output", f"json={disk}/report.json"]) == 2

    _only(disk)
    assert stderr() == f"drift: --output json={disk}/report.json: cannot be written: Read-only file system\n"


def test_a_file_size_limit_leaves_the_old_report(comparison: list[str], folder: Path) -> None:
    (folder / "report.json").write_text("old")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    ended = _run(
        [*comparison, "--quiet", "--output", f"json={folder}/report.json"], capture_output=True, preexec_fn=limit
    )

    assert ended.returncode == 2
    assert ended.stderr == f"drift: --output json={folder}/report.json: cannot be written: File too large\n"
    _only(folder)


def test_sigterm_during_a_write_leaves_the_old_report(
    comparison: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    (folder / "report.json").write_text("old")

    def terminated(_: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(os, "fsync", terminated)

    assert main([*comparison, "--quiet", "--output", f"json={folder}/report.json"]) == 143

    _only(folder)
    assert stderr() == "drift: stopped by SIGTERM before it was done\n"


def test_no_temporary_file_is_left_in_the_folder(comparison: list[str], folder: Path) -> None:
    (folder / "report.json").write_text("old")

    assert main([*comparison, "--quiet", "--output", f"json={folder}/report.json"]) == 1

    (file,) = folder.iterdir()
    assert json.loads(file.read_text())["summary"]["verdict"] == "drifted"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_the_umask_decides_who_can_read_a_new_report(comparison: list[str], folder: Path, mask: int, mode: int) -> None:
    _run([*comparison, "--quiet", "--output", f"json={folder}/report.json"], umask=mask)

    assert stat.S_IMODE((folder / "report.json").stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_report_that_is_replaced_keeps_its_permissions(comparison: list[str], folder: Path, mode: int) -> None:
    (folder / "report.json").write_text("old")
    (folder / "report.json").chmod(mode)

    _run([*comparison, "--quiet", "--output", f"json={folder}/report.json"], umask=0o027)

    assert stat.S_IMODE((folder / "report.json").stat().st_mode) == mode
    assert "drifted" in (folder / "report.json").read_text()


def test_other_reports_are_written_if_one_fails(
    comparison: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ("--output", "json=/dev/full", "--output", f"json={folder}/b", "--output", "text")

    assert main([*comparison, *outputs]) == 2

    out, err = capsys.readouterr()
    assert (folder / "b").exists()
    assert "1 drifted" in out
    assert err == "drift: --output json=/dev/full: cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/a", "No such file or directory"), ("reports", "Is a directory"), ("dump.json/a", "Not a directory")],
)
def test_a_wrong_folder_is_found_before_the_scan(
    path: str, reason: str, comparison: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ("--output", "text", "--output", f"json={folder}/b", "--output", f"json={folder.parent / path}")

    assert main([*comparison, *outputs]) == 2

    assert capsys.readouterr() == (
        "",
        f"drift: --output json={folder.parent / path}: cannot be written: {reason}\n",
    )
    assert not list(folder.iterdir())


@pytest.mark.parametrize("command", [None, ["explain"], ["report"]])
def test_a_full_standard_output_exits_with_2_and_one_line(comparison: list[str], command: list[str] | None) -> None:
    arguments = [*comparison, "--suggest-ignores"] if command == ["report"] else command or comparison
    with Path("/dev/full").open("w") as full:
        ended = _run(arguments, stdout=full, stderr=subprocess.PIPE)

    assert ended.returncode == 2
    assert ended.stderr == "drift: standard output cannot be written: No space left on device\n"


def test_a_closed_standard_output_exits_with_2_and_one_line(comparison: list[str]) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "drift", *comparison]

    ended = subprocess.run(command, check=False, text=True, cwd=ROOT, stderr=subprocess.PIPE)

    assert ended.returncode == 2
    assert ended.stderr == "drift: standard output is closed; give --output a file: --output text=FILE\n"


def test_a_full_standard_error_keeps_the_exit_status() -> None:
    with Path("/dev/full").open("w") as full:
        assert _run(["report", "/nonexistent"], stdout=subprocess.PIPE, stderr=full).returncode == 2


def test_a_closed_pipe_exits_silently_with_141(comparison: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = _run(comparison, stdout=writing, stderr=subprocess.PIPE)

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_redirected_stream_named_as_a_file_gets_the_report(comparison: list[str], folder: Path, stream: str) -> None:
    link = folder / "link"
    link.symlink_to(f"/dev/{stream}")
    with (folder / "report.json").open("a") as file:
        file.write("before\n")
        file.flush()
        ended = _run([*comparison, "--quiet", "--output", f"json={link}"], **{stream: file})

    before, _, report = (folder / "report.json").read_text().partition("\n")
    assert ended.returncode == 1
    assert before == "before"
    assert json.loads(report)["summary"]["verdict"] == "drifted"
    assert link.readlink() == Path(f"/dev/{stream}")


@pytest.mark.parametrize("exists", [True, False])
def test_a_report_is_written_through_a_link(comparison: list[str], folder: Path, exists: bool) -> None:
    (folder / "elsewhere").mkdir()
    latest, dated = folder / "latest.json", folder / "elsewhere" / "2026-11-30.json"
    latest.symlink_to("elsewhere/2026-11-30.json")
    if exists:
        dated.write_text("old")

    assert main([*comparison, "--quiet", "--output", f"json={latest}"]) == 1

    assert latest.readlink() == Path("elsewhere/2026-11-30.json")
    assert json.loads(dated.read_text())["summary"]["verdict"] == "drifted"


@pytest.mark.parametrize(
    ("target", "reason"),
    [("missing/a", "No such file or directory"), ("link", "Too many levels of symbolic links")],
)
def test_a_link_to_no_file_is_found_before_the_scan(
    comparison: list[str], folder: Path, target: str, reason: str, stderr: Callable[[], str]
) -> None:
    link = folder / "link"
    link.symlink_to(target)

    assert main([*comparison, "--output", f"json={link}"]) == 2

    assert stderr() == f"drift: --output json={link}: cannot be written: {reason}\n"
    assert link.readlink() == Path(target)


@pytest.mark.parametrize("flag", ["--history", "--live", "--audit-log", "SOURCE"])
def test_a_report_does_not_replace_what_is_compared_or_the_history(
    flag: str, comparison: list[str], folder: Path, stderr: Callable[[], str]
) -> None:
    kept, link = folder / "kept", folder / "link"
    kept.write_text(Path(comparison[1]).read_text())
    link.symlink_to(kept)
    named = [str(kept)] if flag == "SOURCE" else [flag, str(kept)]

    assert main([*comparison[:2], *named, *comparison[2:], "--output", f"json={link}"]) == 2

    problem = f"{' '.join(named)} and --output json={link} are the same file; give each a file of its own"
    assert stderr() == f"drift: {problem}\n"
    assert kept.read_text() == Path(comparison[1]).read_text()


@pytest.mark.parametrize("name", ["out", "./elsewhere/../out", "link"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_two_outputs_cannot_share_a_file(
    comparison: list[str], folder: Path, name: str, form: str, stderr: Callable[[], str]
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "link").symlink_to("out")
    flags = (f"--output=json={folder}/out", f"--output={form}={folder}/{name}")

    assert main([*comparison, *flags]) == 2

    assert stderr() == (
        f"drift: --output json={folder}/out and --output {form}={folder / name} are the same file; "
        "give each a file of its own\n"
    )
    assert not (folder / "out").exists()


def test_two_outputs_can_share_a_device(comparison: list[str]) -> None:
    assert main([*comparison, "--output=json=/dev/null", "--output=text=/dev/null"]) == 1


@pytest.mark.parametrize("first", ["--output=text", "--suggest-ignores"])
def test_a_closed_pipe_does_not_stop_files_metrics_and_notifications(
    comparison: list[str], folder: Path, first: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    file = folder / "report.json"
    flags = [first, f"--output=json={file}", "--push-metrics", "--notify=json", f"--history={folder / 'history'}"]

    with receive() as gateway, receiving(status(200)) as webhook:
        variables = {"DRIFT_PUSHGATEWAY_URL": gateway.url, "DRIFT_WEBHOOK_URL": webhook.url}
        ended = _run([*comparison, *flags, "--history-scope=a"], stdout=writing, env={**os.environ, **variables})

    os.close(writing)
    assert ended.returncode == 141
    assert json.loads(file.read_text())["summary"]["verdict"] == "drifted"
    assert len(gateway.requests) == 1
    assert len(webhook.bodies) == 1


def test_a_file_that_cannot_be_written_does_not_stop_metrics(
    comparison: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with receive() as gateway:
        monkeypatch.setenv("DRIFT_PUSHGATEWAY_URL", gateway.url)
        assert main([*comparison, "--output=json=/dev/full", "--push-metrics"]) == 2

    assert len(gateway.requests) == 1


@pytest.mark.parametrize("form", Format)
def test_a_file_name_that_is_not_utf_8_is_in_every_format(comparison: list[str], folder: Path, form: str) -> None:
    _, manifest, *live = comparison
    odd = os.fsdecode(os.fsencode(folder.parent) + b"/\xff.json")
    Path(manifest).rename(odd)

    assert main(["report", odd, *live, f"--output={form}={folder / 'out'}"]) == 1
    report = (folder / "out").read_text("utf-8")
    ended = _run(["report", odd, *live, f"--output={form}"], capture_output=True)

    assert (ended.returncode, ended.stderr) == (1, "")
    if form == Format.JSON:
        assert json.loads(report)["objects"][0]["source"]["file"] == f"{folder.parent}/\\udcff.json"
        assert main(["render", str(folder / "out")]) == 0


@pytest.mark.parametrize("form", Format)
def test_characters_that_standard_output_does_not_have_are_escaped(comparison: list[str], form: str) -> None:
    manifest, dump = Path(comparison[1]), Path(comparison[3])
    manifest.write_text(json.dumps({**MANIFEST, "data": {"key": "gr\u00fcn"}}))
    dump.write_text(json.dumps({**MANIFEST, "data": {"key": "bl\U0001f535u"}}))

    ended = _run(
        [*comparison, f"--output={form}"], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )

    assert (ended.returncode, ended.stderr) == (1, "")
    if form in {Format.TEXT, Format.MARKDOWN}:
        assert "gr\\u00fcn" in ended.stdout
    if form == Format.JSON:
        (finding,) = json.loads(ended.stdout)["objects"][0]["findings"]
        assert (finding["desired"], finding["live"]) == ("gr\u00fcn", "bl\U0001f535u")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["render", "-"], "-: cannot be read: it is closed"),
        (["report", "-", "--live", "DUMP"], "standard input: cannot be read: it is closed"),
        (
            ["report", "MANIFEST", "--live", "DUMP", "--audit-log", "-"],
            "--audit-log: - cannot be read: it is closed",
        ),
    ],
)
def test_a_closed_standard_input_exits_with_2_and_one_line(
    comparison: list[str], arguments: list[str], message: str
) -> None:
    names = {"MANIFEST": comparison[1], "DUMP": comparison[3]}
    named = [names.get(argument, argument) for argument in arguments]
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "drift", *named]

    ended = subprocess.run(command, check=False, text=True, cwd=ROOT, capture_output=True)

    assert (ended.returncode, ended.stderr) == (2, f"drift: {message}\n")


MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data: {key: git}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {password: Z2l0LXNlY3JldA==}
"""
LIVE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data: {key: live}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: stray, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {password: bGl2ZS1zZWNyZXQ=}
"""
Out = pytest.CaptureFixture[str]


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Returns one scan in each format, by the format's name, and writes its JSON to report.json."""
    monkeypatch.chdir(tmp_path)
    Path("manifests.yaml").write_text(MANIFESTS)
    Path("live.yaml").write_text(LIVE)
    flags = [f"--output={form}=report.{form}" for form in Format]

    assert main(["report", "manifests.yaml", "--live", "live.yaml", *flags]) == 1

    return {form: Path(f"report.{form}").read_text() for form in Format}


@pytest.fixture
def saved(tmp_path: Path) -> str:
    file = tmp_path / "saved.json"
    file.write_text(to_json(RICH))
    return str(file)


@pytest.mark.parametrize("form", Format)
def test_a_saved_report_gives_the_same_bytes_as_the_scan(scanned: dict[str, str], form: Format, capsys: Out) -> None:
    assert main(["render", "report.json", "--output", form]) == 0
    assert capsys.readouterr().out == scanned[form]


def test_no_format_contains_a_secret_value(scanned: dict[str, str]) -> None:
    for text in scanned.values():
        for secret in ("git-secret", "live-secret", "Z2l0LXNlY3JldA", "bGl2ZS1zZWNyZXQ"):
            assert secret not in text
        assert "Secret" in text


def test_sources_have_line_numbers(scanned: dict[str, str]) -> None:
    assert json.loads(scanned["json"])["objects"][0]["source"] == {"file": "manifests.yaml", "document": 1, "line": 1}


def test_text_is_the_default(saved: str, capsys: Out) -> None:
    assert main(["render", saved]) == 0
    assert "ClusterRole admin  drifted" in capsys.readouterr().out


def test_several_reports_are_merged(saved: str, capsys: Out) -> None:
    assert main(["render", saved, saved, "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["objects"]) == len(json.loads(to_json(RICH))["objects"])


def test_a_report_can_come_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(to_json(RICH).encode())))

    assert main(["render", "-", "--output", "json"]) == 0
    assert capsys.readouterr().out == to_json(RICH)


def test_ignored_findings_are_shown_on_request(saved: str, capsys: Out) -> None:
    assert main(["render", saved, "-v"]) == 0
    assert "ignored by ignore[0]: not ours" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{}", "apiVersion: v1"])
def test_a_file_that_is_not_a_report_exits_with_2(content: str, tmp_path: Path, stderr: Callable[[], str]) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)

    assert main(["render", str(file)]) == 2
    text = stderr()
    assert text.startswith(f"drift: {file}: ")
    assert "not a drift report" in text or "not JSON" in text
    assert text.count("\n") == 1


def test_a_missing_file_exits_with_2(stderr: Callable[[], str]) -> None:
    assert main(["render", "nowhere.json"]) == 2
    assert stderr() == "drift: nowhere.json: cannot be read: No such file or directory\n"


def test_two_formats_cannot_share_standard_output(saved: str, stderr: Callable[[], str]) -> None:
    assert main(["render", saved, "--output", "json", "--output", "sarif"]) == 2
    assert "only one --output can go to standard output" in stderr()


@pytest.mark.parametrize("flag", ["--output=pdf", "--markdown-limit=100", "--markdown-limit=x", "--output=json="])
def test_an_invalid_flag_exits_with_2(flag: str, saved: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["render", saved, flag])

    assert end.value.code == 2


def test_markdown_keeps_to_its_limit(saved: str, capsys: Out) -> None:
    assert main(["render", saved, "--output", "markdown", "--markdown-limit", "1048576"]) == 0
    assert capsys.readouterr().out.startswith("## Drift: incomplete\n")


def test_flags_choose_what_is_shown(saved: str, capsys: Out) -> None:
    flags = ["--kind", "DEPLOYMENT", "--kind", "pod", "--only-namespace", "sh*", "--cause", "manual", "--limit", "2"]
    assert main(["render", saved, *flags]) == 0

    text = capsys.readouterr().out
    assert text.count("\n  medium ") == 2
    assert "Deployment shop/web" in text
    assert "Secret shop/db" not in text
    assert "not shown (--kind, --cause, --only-namespace, --limit)" in text
