"""The command line of the generator: arguments in, files or plain error lines out."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cdk8s import App

from rescan import environments
from rescan.errors import GeneratorError
from rescan.manifests import manifest_files, write
from rescan.rules import reject_broken
from rescan.settings import Environment

_OUTPUT = Path(__file__).resolve().parent.parent / "dist"

Build = Callable[[Sequence[Environment]], App]


def run(build: Build, arguments: Sequence[str] | None = None) -> int:
    """Check every environment, and write the manifests of the app that `build` makes of them.

    Returns:
        The exit status: 0, or 2 when settings are broken, in which case nothing is written.
    """
    options = _parser().parse_args(arguments)
    try:
        chosen = environments.load()
        reject_broken(chosen)
        if not options.check:
            write(manifest_files(build(chosen)), _output_folder())
    except GeneratorError as error:
        print(error, file=sys.stderr)  # noqa: T201  # this is the command line
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="main.py", description="Synthesize the manifests of Rescan into dist/.")
    parser.add_argument("--check", action="store_true", help="check the settings and write nothing")
    return parser


def _output_folder() -> Path:
    """Where `cdk8s synth` wants the files, or dist/ beside main.py, wherever that is run from."""
    return Path(os.environ.get("CDK8S_OUTDIR", _OUTPUT)).absolute()
