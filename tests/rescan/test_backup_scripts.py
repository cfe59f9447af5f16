"""The scripts of the backup and the commands of the restore, run by a shell with the real sqlite3 and PostgreSQL.

In most runs, `aws` is a stand-in that copies between files. `make restores` runs the real one and an S3 server.
"""

import gzip
import os
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rescan.constructs.backup import POSTGRESQL_DUMP, SQLITE_DUMP, UPLOAD

PAGE = Path(__file__).parents[2] / "docs/backups.md"
BUCKET = "your-backups"
AWS = """\
import os, pathlib, shutil, sys
if os.environ.get("STATUS"):
    sys.exit(int(os.environ["STATUS"]))
store = pathlib.Path(os.environ["STORE"])
verb, *names = [name for name in sys.argv[2:] if not name.startswith("--")]
paths = [pathlib.Path(name.replace("s3:/", str(store))) for name in names]
if verb == "ls":
    for path in paths[0].rglob("*.*"):
        print("2026-01-02 03:04:05", path.stat().st_size, path.relative_to(store / names[0].split("/")[2]))
else:
    assert verb == "cp", sys.argv
    paths[1].parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(*paths)
"""
WRITER = """\
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("PRAGMA journal_mode=" + sys.argv[2])
connection.execute("CREATE TABLE IF NOT EXISTS scans (name TEXT)")
for number in range(100000):
    connection.execute("INSERT INTO scans VALUES (?)", (str(number) * 1000,))
    print(number, flush=True)
    time.sleep(0.05)
"""

# Changes every page, and then ends within a transaction that is in the file already.
CRASHING = """\
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=1")
connection.execute("CREATE TABLE more AS SELECT hex(name) AS name FROM scans")
connection.execute("DROP TABLE scans")
connection.execute("VACUUM")
connection.execute("BEGIN")
connection.execute("UPDATE more SET name = name || name")
os._exit(1)
"""


class Shell:
    """A shell in a folder, with `aws` and what it needs to reach a bucket."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.scratch, self._variables = folder / "scratch", variables
        self.scratch.mkdir()

    def run(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment: Mapping[str, str] = {"PATH": os.environ["PATH"], "SCRATCH": str(self.scratch)}
        return subprocess.run(
            ["/bin/sh", "-c", script],
            check=False,
            env={**environment, **self._variables, **variables},
            cwd=self.scratch,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def upload(self, prefix: str) -> str:
        """The URL of the one copy that the backup uploads below a prefix, found by the command of the page."""
        done = self.run(UPLOAD, BUCKET=BUCKET, PREFIX=prefix)
        assert done.returncode == 0, done.stderr
        (command,) = re.findall(r"`(aws s3 ls --recursive s3://BUCKET/rescan)/prod/`", PAGE.read_text())
        listed = self.run(command.replace("BUCKET", BUCKET).replace("rescan", prefix) + "/")
        (line,) = listed.stdout.splitlines()
        return f"s3://{BUCKET}/{line.split()[3]}"


@pytest.fixture(scope="module")
def s3() -> Iterator[Mapping[str, str]]:
    """The variables by which `aws` reaches a bucket of an S3 server on this host."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    command = ["moto_server", "--host=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        made = ["aws", "s3", "mb", f"s3://{BUCKET}"]
        deadline = time.monotonic() + 120
        while subprocess.run(made, check=False, capture_output=True, env=os.environ | variables).returncode:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield variables
        server.terminate()


@pytest.fixture(params=["S3"] if os.environ.get("S3") else ["a stand-in"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    """The variables by which a shell reaches a bucket."""
    if request.param == "S3":
        return dict(request.getfixturevalue("s3"))
    aws = tmp_path / "bin/aws"
    aws.parent.mkdir()
    aws.write_text(f"#!{sys.executable}\n{AWS}")
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{aws.parent}{os.pathsep}{os.environ['PATH']}", "STORE": str(tmp_path / "store")}


@pytest.fixture
def shell(tmp_path: Path, bucket: Mapping[str, str]) -> Shell:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed (Debian: apt-get install sqlite3)")
    return Shell(tmp_path, bucket)


@pytest.fixture(params=["wal", "delete"])
def busy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A database to which another process writes all the time, in each journal mode."""
    path = tmp_path / "rescan.db"
    command = [sys.executable, "-c", WRITER, str(path), request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        for _ in range(5):
            assert writer.stdout.readline()
        yield path
        writer.terminate()


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    (number,) = connection.execute("SELECT count(*) FROM scans").fetchone()
    connection.close()
    return int(number)


def commands(heading: str) -> str:
    """The commands of a section of the page on backups."""
    section = PAGE.read_text().split(f"\n### {heading}\n")[1].split("\n#")[0]
    return "\n".join(re.findall(r"^ {4}(.*)$", section, re.MULTILINE))


def test_sqlite_is_copied_whole_beside_a_busy_writer(shell: Shell, busy: Path, tmp_path: Path) -> None:
    began = time.monotonic()

    done = shell.run(SQLITE_DUMP, DATABASE_FILE=str(busy))

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    (copy,) = shell.scratch.iterdir()
    restored = tmp_path / "restored.db"
    restored.write_bytes(gzip.decompress(copy.read_bytes()))
    assert rows(restored) >= 5


def test_a_database_that_is_not_there_is_a_failure_and_not_an_empty_copy(shell: Shell, tmp_path: Path) -> None:
    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(tmp_path / "nothing.db")).returncode != 0
    assert not (tmp_path / "nothing.db").exists()
    assert list(shell.scratch.glob("*.gz")) == []


def test_a_damaged_database_fails_the_job(shell: Shell, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    connection = sqlite3.connect(damaged)
    connection.execute("CREATE TABLE scans (name TEXT)")
    connection.executemany("INSERT INTO scans VALUES (?)", [("x" * 1000,)] * 100)
    connection.commit()
    connection.close()
    content = bytearray(damaged.read_bytes())
    content[4096:20_000] = b"\xff" * (20_000 - 4096)
    damaged.write_bytes(content)

    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(damaged)).returncode != 0
    assert list(shell.scratch.glob("*.gz")) == []


def test_a_copy_is_uploaded_below_the_time_it_was_made_and_restored_by_the_commands_of_the_page(
    shell: Shell, busy: Path, tmp_path: Path
) -> None:
    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(busy)).returncode == 0
    copy = shell.upload(f"{tmp_path.name}/prod")
    assert re.fullmatch(rf"s3://{BUCKET}/{tmp_path.name}/prod/\d{{8}}T\d{{6}}Z/database\.db\.gz", copy)
    data = tmp_path / "app"
    data.mkdir()
    (data / "rescan.db-wal").write_bytes(b"of the old database")

    done = shell.run(commands("SQLite").replace("/app/data", str(data)), BACKUP=copy)

    assert done.returncode == 0, done.stderr
    assert rows(data / "rescan.db") >= 5
    assert not (data / "rescan.db-wal").exists()


@pytest.mark.parametrize(("mode", "suffix"), [("wal", "wal"), ("delete", "journal")])
def test_what_a_crash_leaves_beside_the_old_database_does_not_reach_the_restored_one(
    mode: str, suffix: str, shell: Shell, tmp_path: Path
) -> None:
    data = tmp_path / "app"
    data.mkdir()
    database = data / "rescan.db"
    connection = sqlite3.connect(database)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("CREATE TABLE scans (name TEXT)")
    connection.executemany("INSERT INTO scans VALUES (?)", [(f"{number:0500}",) for number in range(2000)])
    connection.commit()
    connection.close()
    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(database)).returncode == 0
    copy = shell.upload(f"{tmp_path.name}/prod")
    subprocess.run([sys.executable, "-c", CRASHING, str(database)], check=False)
    assert (data / f"rescan.db-{suffix}").stat().st_size > 10_000

    done = shell.run(commands("SQLite").replace("/app/data", str(data)), BACKUP=copy)

    assert done.returncode == 0, done.stderr
    restored = sqlite3.connect(database)
    assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert restored.execute("SELECT count(*), max(length(name)) FROM scans").fetchone() == (2000, 500)
    restored.close()


def test_an_upload_that_fails_fails_the_job(shell: Shell) -> None:
    (shell.scratch / "database.db.gz").write_bytes(b"copy")

    assert shell.run(UPLOAD, BUCKET="no-such-bucket", PREFIX="rescan/prod", STATUS="1").returncode == 1


# --- PostgreSQL ---


def postgresql_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server on a socket in a temporary folder."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("the PostgreSQL server is not installed (Debian: apt-get install postgresql)")
    # Not below pytest's folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="rescan-postgresql-"))
    as_other: list[str] = []
    if os.geteuid() == 0:
        # The server refuses to run as root.
        as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(folder, 65534, 65534)
    data, log = folder / "data", folder / "log"
    initialize = [*as_other, str(programs / "initdb"), "--username=rescan", "--auth=trust", str(data)]
    subprocess.run(initialize, check=True, capture_output=True, cwd="/")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_other, str(programs / "pg_ctl"), f"--pgdata={data}"]
    subprocess.run(
        [*control, f"--log={log}", f"--options={options}", "--wait", "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    yield f"postgresql://rescan@/postgres?host={folder}"
    subprocess.run([*control, "--mode=immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    shutil.rmtree(folder)


def psql(url: str, statement: str) -> str:
    command = ["psql", url, "--tuples-only", "--no-align", f"--command={statement}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_postgresql_is_dumped_and_restored_by_the_commands_of_the_page(shell: Shell, postgresql: str) -> None:
    psql(postgresql, "DROP TABLE IF EXISTS scans; CREATE TABLE scans AS SELECT generate_series(1, 1000) AS id")
    assert shell.run(POSTGRESQL_DUMP, DUMP_URL=postgresql).returncode == 0
    copy = shell.upload("rescan/full")
    psql(postgresql, "DELETE FROM scans WHERE id > 10")

    done = shell.run(commands("PostgreSQL"), BACKUP=copy, DATABASE_URL=postgresql)

    assert done.returncode == 0, done.stderr
    assert psql(postgresql, "SELECT count(*) FROM scans") == "1000"


@pytest.mark.slow
def test_a_database_that_cannot_be_dumped_fails_the_job(shell: Shell, postgresql: str) -> None:
    assert shell.run(POSTGRESQL_DUMP, DUMP_URL=postgresql.replace("/postgres?", "/nothing?")).returncode != 0
