"""Runs programs that hang, fail, print too much, or cannot be started. Each ends in one line."""

import os
import time
from functools import partial
from pathlib import Path

import pytest

from drift.errors import SourceError
from drift.kube.limits import Deadline
from drift.sources.programs import Program, Runner, find_program, reason_in

#: Seconds. On a busy machine a program may take more than the first to start.
TIMES = (0.5, 5, 50)


def _program(folder: Path, script: str) -> Program:
    file = folder / "render"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return Program("render", str(file))


def _is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_returns_what_a_program_prints(tmp_path: Path) -> None:
    assert Runner().run(_program(tmp_path, 'echo "$1"'), ["x y"]) == b"x y\n"


def test_a_program_that_hangs_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    program = _program(tmp_path, f"sleep 300 & echo $! > {tmp_path}/child; wait")

    for seconds in TIMES:
        with pytest.raises(SourceError, match=rf"^render was stopped: it did not end within {seconds} s$"):
            Runner().run(program, [], timeout=seconds)
        if (tmp_path / "child").exists():
            break

    child = int((tmp_path / "child").read_text())
    end = time.monotonic() + 120
    while _is_running(child):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_programs_end_with_the_scan_and_none_starts_afterwards(tmp_path: Path) -> None:
    program = _program(tmp_path, f"touch {tmp_path}/$1; sleep 300")
    names = ("one", "two", "three")

    def outcomes(seconds: float) -> list[str]:
        runner = Runner(Deadline(seconds))

        def job(name: str) -> str:
            with pytest.raises(SourceError) as raised:
                runner.run(program, [name])
            return str(raised.value)

        return sorted(runner.run_all([partial(job, name) for name in names]))

    seconds, found, started = 0.0, [""], 0
    for seconds in TIMES:
        found = outcomes(seconds)
        started = sum((tmp_path / name).exists() for name in names)
        if started == 2:
            break

    too_late = f"the deadline of {seconds:g}s has passed; raise --deadline"
    assert found == [f"render was not run: {too_late}", *[f"render was stopped: {too_late}"] * 2]
    assert started == 2


def test_two_programs_run_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "running").mkdir()
    os.mkfifo(tmp_path / "meet")
    # Neither of the first two ends before it has met the other one.
    meet = "case $1 in 0) cat meet;; 1) echo met > meet;; esac"
    program = _program(tmp_path, f"cd {tmp_path}; touch running/$1; {meet}; ls running | wc -l; rm running/$1")
    runner = Runner()

    first, *others = runner.run_all([partial(runner.run, program, [str(number)]) for number in range(6)])

    assert first.splitlines()[0] == b"met"
    assert {int(line) for output in (first[4:], *others) for line in output.splitlines()} <= {1, 2}


def test_an_error_in_one_job_stops_the_programs_of_the_others(tmp_path: Path) -> None:
    program = _program(tmp_path, f"touch {tmp_path}/started; sleep 300")
    runner = Runner()

    def fail() -> bytes:
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runner.run_all([fail, *[lambda: runner.run(program, [])] * 10])

    assert time.monotonic() - start < 60


def test_a_program_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^render printed more than 1 MiB, and was stopped$"):
        Runner().run(_program(tmp_path, "yes"), [], max_bytes=1024 * 1024)


def test_a_program_cannot_wait_for_an_answer(tmp_path: Path) -> None:
    assert Runner().run(_program(tmp_path, "read answer; echo done"), [], timeout=60) == b"done\n"


def test_a_program_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^render cannot be started: Permission denied$"):
        Runner().run(Program("render", str(tmp_path)), [])


def test_a_failure_is_the_line_that_says_why(tmp_path: Path) -> None:
    program = _program(tmp_path, "echo '# Warning: deprecated' >&2; echo 'Error: no such base' >&2; exit 1")

    with pytest.raises(SourceError, match=r"^render failed: no such base$"):
        Runner().run(program, [])


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (b"", "exit status 3"),
        (b"Error: cannot unmarshal !!str `hunter2\nhunter3` into int\n", "cannot unmarshal !!str ... into int"),
        (b"Error: config: `patch: |-\n  password: hunter2\n", "config: ..."),
        (b"Error: cannot clone https://me:hunter2@example.com/x\n", "cannot clone https://example.com/x"),
        (b"usage: render\nError: bad \x1b[31mflag\n", "bad ?[31mflag"),
        (b"E1129 12:00:00.000000   42 main.go:1] it broke\n", "it broke"),
        (b"Error: " + b"x" * 1000, "x" * 397 + "..."),
        # kustomize
        (
            b"Error: loading KV pairs: literal sources [hunter2]: invalid literal source hunter2, expected key=value\n",
            "loading KV pairs: a literal of a generator is not KEY=VALUE",
        ),
        (
            b"Error: loading KV pairs: env source files: [.env]: line [112 119] has invalid utf8 bytes : hunter2\n",
            "loading KV pairs: env source files: [.env]: line ...",
        ),
        (
            b"Error: loading KV pairs: file sources: [key.pem]: evalsymlink failure on '/app/key.pem'\n",
            "loading KV pairs: file sources: [key.pem]: evalsymlink failure on '/app/key.pem'",
        ),
        (
            b'Error: must specify a target for JSON patch [patch: "- op: add\\n  path: /data/a\\n  value: hunter2"]\n',
            "must specify a target for JSON patch ...",
        ),
        (
            b"Error: options.index 4 is out of bounds for value hunter2\n",
            "options.index 4 is out of bounds for value ...",
        ),
        (
            b"Error: missing metadata.name in object {{v1 Secret} map[key:hunter2]}\n",
            "missing metadata.name in object {{v1 Secret} ...",
        ),
        (
            b'Error: no resource matches strategic merge patch "Secret.[noVer].[noGrp]/db.[noNs]"\n',
            'no resource matches strategic merge patch "Secret.[noVer].[noGrp]/db.[noNs]"',
        ),
        (
            b'error: invalid Kustomization: json: unknown field "literal"\n',
            'invalid Kustomization: json: unknown field "literal"',
        ),
        # kubectl, which logs the message of kustomize
        (
            b'E1129 12:00:00.000000   42 main.go:1] "command failed" err="loading \\"hunter2\\" failed"\n',
            "loading ... failed",
        ),
        (
            b'E1129 12:00:00.000000   42 main.go:1] "command failed" err=<\n\tin: `\n\thunter2\n\t`: no patch\n >\n',
            "in: ...: no patch",
        ),
        # helm
        (
            b'Error: failed parsing --set data: key "hunter2" has no value\n',
            "failed parsing --set data: key ... has no value",
        ),
        (
            b'Error: template: a.yaml:1:6: executing "a.yaml" at <.Values.p>: range can\'t iterate over hunter2\n',
            'template: a.yaml:1:6: executing "a.yaml" at <.Values.p>: range can\'t iterate over ...',
        ),
        (
            b'Error: error calling tpl: cannot parse template "hunter2 {{ \\"a\\" }}": function "foo" not defined\n',
            'error calling tpl: cannot parse template ...: function "foo" not defined',
        ),
        (b'Error: parsing time "hunter2\nhunter3', "parsing time ..."),
    ],
)
def test_the_reason_is_one_line_without_content_and_passwords(messages: bytes, reason: str) -> None:
    assert reason_in(messages, 3) == reason


def test_the_first_program_on_path_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "echo v1.2.3")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")

    found = find_program("no-such-program", "render")

    assert found == Program("render", str(tmp_path / "render"))
    assert found.version() == "v1.2.3"
    assert find_program("no-such-program") is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://git.example.com/x?private_token=hunter2&ref=main",
            "https://git.example.com/x?private_token=...&ref=main",
        ),
        ("ssh://git@git.example.com/x?ref=v1&sshkey=aHVudGVyMg==", "ssh://git.example.com/x?ref=v1&sshkey=..."),
        ("https://s3.example.com/x?X-Amz-Signature=hunter2#a", "https://s3.example.com/x?X-Amz-Signature=...#a"),
        ("https://git.example.com/x?ref=v1.2.3&depth=1", "https://git.example.com/x?ref=v1.2.3&depth=1"),
    ],
)
def test_credentials_in_the_query_of_a_url_are_hidden(url: str, shown: str) -> None:
    assert reason_in(f"Error: accumulating resources from '{url}': refused\n".encode(), 1) == (
        f"accumulating resources from '{shown}': refused"
    )
