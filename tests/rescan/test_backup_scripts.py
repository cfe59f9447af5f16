"""The scripts of the backup, run by a shell with stand-ins for what their images bring."""

import gzip
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rescan.constructs.backup import POSTGRESQL_DUMP, SQLITE_DUMP, UPLOAD

SQLITE3 = """\
import shlex, sqlite3, sys
read_only = sys.argv[1] == "-readonly"
path, *commands = sys.argv[2 if read_only else 1:]
database = sqlite3.connect(f"file:{path}?mode={'ro' if read_only else 'rw'}", uri=True)
for command in commands:
    name, *rest = shlex.split(command)
    if name == ".backup":
        database.backup(sqlite3.connect(rest[0]))
    elif name != ".timeout":
        print(*database.execute(command).fetchone())
"""
RECORD = """\
import os, sys
with open(os.environ["RECORD"], "a") as record:
    print(os.path.basename(sys.argv[0]), *sys.argv[1:], file=record)
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Shell:
    """A shell in which some programs are stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.scratch, self.record, self._programs = folder / "scratch", folder / "record", folder / "bin"
        self.scratch.mkdir()
        self._programs.mkdir()

    def add(self, name: str, source: str) -> None:
        program = self._programs / name
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def run(self, script: str, **variables: str) -> int:
        environment = {
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
            "SCRATCH": str(self.scratch),
            "RECORD": str(self.record),
        }
        return subprocess.run(
            ["/bin/sh", "-c", script], check=False, env=environment | variables, stderr=subprocess.DEVNULL
        ).returncode


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "rescan.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE scans (name TEXT)")
    connection.execute("INSERT INTO scans VALUES ('first')")
    connection.commit()
    connection.close()
    return path


def test_sqlite_is_copied_during_writes(shell: Shell, database: Path, tmp_path: Path) -> None:
    shell.add("sqlite3", SQLITE3)
    writer = sqlite3.connect(database)
    writer.execute("INSERT INTO scans VALUES ('not yet committed')")

    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(database)) == 0
    writer.rollback()
    writer.close()

    (copy,) = shell.scratch.iterdir()
    restored = tmp_path / "restored.db"
    restored.write_bytes(gzip.decompress(copy.read_bytes()))
    connection = sqlite3.connect(restored)
    assert connection.execute("SELECT name FROM scans").fetchall() == [("first",)]
    connection.close()


def test_a_database_that_is_not_there_is_a_failure_and_not_an_empty_copy(shell: Shell, tmp_path: Path) -> None:
    shell.add("sqlite3", SQLITE3)

    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(tmp_path / "nothing.db")) != 0
    assert not (tmp_path / "nothing.db").exists()
    assert list(shell.scratch.glob("*.gz")) == []


def test_postgresql_is_dumped_to_a_file_that_can_be_read_back(shell: Shell) -> None:
    shell.add("pg_dump", RECORD)
    shell.add("pg_restore", RECORD)

    assert shell.run(POSTGRESQL_DUMP, DATABASE_URL="postgres://database/rescan") == 0

    dump = f"{shell.scratch}/rescan.dump"
    assert shell.record.read_text().splitlines() == [
        f"pg_dump --format=custom --no-owner --file={dump} --dbname=postgres://database/rescan",
        f"pg_restore --list {dump}",
    ]


def test_a_copy_is_uploaded_below_the_time_it_was_made(shell: Shell) -> None:
    shell.add("aws", RECORD)
    (shell.scratch / "rescan.db.gz").write_bytes(b"copy")

    assert shell.run(UPLOAD, BUCKET="your-backups", PREFIX="rescan/prod") == 0

    (line,) = shell.record.read_text().splitlines()
    assert line.startswith(
        f"aws s3 cp --only-show-errors {shell.scratch}/rescan.db.gz s3://your-backups/rescan/prod/20"
    )
    assert line.endswith("Z/rescan.db.gz")


def test_an_upload_that_fails_fails_the_job(shell: Shell) -> None:
    shell.add("aws", RECORD)
    (shell.scratch / "rescan.db.gz").write_bytes(b"copy")

    assert shell.run(UPLOAD, BUCKET="your-backups", PREFIX="rescan/prod", STATUS="1") == 1
