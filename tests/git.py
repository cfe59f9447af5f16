"""Runs Git in a test."""

import os
import subprocess
from pathlib import Path
from typing import Final

#: When every commit is made, so that its hash depends on its content alone.
WHEN: Final = "2026-05-12T10:00:00+02:00"


def git(folder: Path, *arguments: str, author: str = "Jane Roe", when: str = WHEN) -> str:
    """Runs Git in a folder, and returns its output without white space around it.

    Args:
        folder: The folder.
        arguments: The command.
        author: Who makes a commit.
        when: When it is made.

    Raises:
        CalledProcessError: Git failed.
    """
    identity = ("-c", f"user.name={author}", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    environment = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()
