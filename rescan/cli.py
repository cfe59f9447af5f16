"""The command line of the generator: arguments in, files or plain error lines out."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cdk8s import App

from rescan import environments
from rescan.advice import advice
from rescan.errors import GeneratorError
from rescan.manifests import manifest_files, write
from rescan.rules import reject_broken
from rescan.settings import Environment

_OUTPUT = Path(__file__).resolve().parent.parent / "dist"

Build = Callable[[Sequence[Environment]], App]


def run(build: Build, arguments: Sequence[str] | None = None) -> int:
    """Check the environments, and write the manifests of the app that `build` makes of them.

    Returns:
        The exit status: 0, or 2 when settings are broken, in which case nothing is written.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.environments and not options.check:
        parser.error("environments can be named with --check only: dist/ is synthesized as a whole")
    try:
        chosen = environments.load(options.environments)
        reject_broken(chosen)
        for environment in chosen:
            for line in advice(environment):
                _tell(line)
        if not options.check:
            write(manifest_files(build(chosen)), _output_folder())
    except GeneratorError as error:
        _tell(str(error))
        return 2
    except OSError as error:
        _tell(f"cannot write {error.filename}: {error.strerror}")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py", description="Synthesize the manifests of every environment of Rescan into dist/."
    )
    parser.add_argument("--check", action="store_true", help="check the settings and write nothing")
    parser.add_argument(
        "environments", nargs="*", metavar="ENVIRONMENT", help="with --check: only these (default: all)"
    )
    return parser


def _output_folder() -> Path:
    """Where `cdk8s synth` wants the files, or dist/ beside main.py, wherever that is run from."""
    return Path(os.environ.get("CDK8S_OUTDIR", _OUTPUT)).absolute()


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201  # this is the command line
