"""What a pull request changes in the manifests, as Markdown for a comment or a job's summary.

`python -m rescan.review BASE` prints it; BASE is the commit or branch that the pull request goes to.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rescan.errors import GeneratorError

LIMIT = 60_000
"""Characters. A comment on GitHub holds 65,536; the rest is room for what a workflow adds."""
FOLDER = "dist"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the review, and return the exit status: 0, or 2 when Git cannot compare."""
    parser = argparse.ArgumentParser(prog="python -m rescan.review", description=main.__doc__)
    parser.add_argument("base", metavar="BASE", help="the commit or branch to compare with")
    try:
        text = review(parser.parse_args(arguments).base)
    except GeneratorError as error:
        print(error, file=sys.stderr)  # noqa: T201  # this is a command line
        return 2
    print(text, end="")  # noqa: T201  # this is a command line
    return 0


def review(base: str) -> str:
    """The files and lines of dist/ that differ from where this branch left `base`, new and uncommitted ones included.

    Raises:
        GeneratorError: Git does not know `base`, or this is no checkout.
    """
    fork = _git("merge-base", "--end-of-options", base, "HEAD").strip()
    with tempfile.TemporaryDirectory() as folder:
        # New files are in no diff until an index holds them; the user's own index stays as it is.
        index = Path(folder) / "index"
        shutil.copyfile(_git("rev-parse", "--git-path", "index").strip(), index)
        _git("add", "--intent-to-add", "--", FOLDER, index=index)
        files = _git("diff", "--name-status", "--no-renames", fork, "--", FOLDER, index=index).splitlines()
        diff = _git("diff", "--no-color", "--no-ext-diff", "--no-renames", fork, "--", FOLDER, index=index)
    if not files:
        return "### Manifests\n\nThis changes no manifest.\n"
    return _markdown([_described(line) for line in files], diff)


def _markdown(files: Sequence[str], diff: str) -> str:
    head = f"### Manifests\n\n{len(files)} changed:\n\n"
    listed = "".join(f"- {line}\n" for line in files)[: LIMIT // 2].rpartition("\n")[0]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", diff)), default=0))
    room = LIMIT - len(head) - len(listed) - 2 * len(fence) - 200
    shown = diff if len(diff) <= room else diff[:room].rpartition("\n")[0] + "\n"
    cut = "" if shown == diff else f"\nThe diff is cut here, {len(diff) - len(shown):,} characters before its end.\n"
    return f"{head}{listed}\n\n<details><summary>Diff</summary>\n\n{fence}diff\n{shown}{fence}\n{cut}\n</details>\n"


def _described(line: str) -> str:
    status, path = line.split("\t", 1)
    verb = {"A": "added", "D": "removed", "M": "changed"}.get(status[0], status)
    return f"{verb} `{path}`"


def _git(*arguments: str, index: Path | None = None) -> str:
    done = subprocess.run(  # noqa: S603  # an argument list, no shell
        ["git", *arguments],  # noqa: S607  # whichever Git the user has
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {}),
    )
    if done.returncode:
        raise GeneratorError(f"git {arguments[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
