"""The command line of the generator: arguments in, files or plain error lines out."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rescan import environments, images
from rescan.advice import advice
from rescan.errors import BrokenRulesError, GeneratorError, SettingsError
from rescan.manifests import manifest_files, reject_impossible, stream, write
from rescan.rules import reject_broken
from rescan.secrets_template import secrets_template
from rescan.settings import Environment
from rescan.settings_map import Build, settings_map

_REPOSITORY = Path(__file__).resolve().parent.parent
_OUTPUT = _REPOSITORY / "dist"
_MAP = _REPOSITORY / "dist.settings.json"
_SCRATCH = _REPOSITORY / "build/synth"
"""The output folder in cdk8s.yaml, which cdk8s deletes before it starts the app."""


def run(build: Build, arguments: Sequence[str] | None = None) -> int:
    """Check the environments, and write the manifests of the app that `build` makes of them.

    Returns:
        The exit status: 0, or 2 when settings are broken, in which case nothing is written.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.environments and not (options.check or options.stdout):
        parser.error("environments can be named with --check or --stdout only: dist/ is synthesized as a whole")
    try:
        if options.set_image:
            name, reference = options.set_image
            _set_image(name, *images.split(reference))
        elif options.promote:
            source, target = options.promote
            (image,) = (environment.workload.image for environment in _valid([source]))
            _set_image(target, image.tag, image.digest)
        elif options.settings_map:
            _MAP.write_text(settings_map(build, _valid([])), encoding="utf-8", newline="\n")
        elif options.secrets_template:
            sys.stdout.write("".join(map(secrets_template, _valid([options.secrets_template]))))
        else:
            _synthesize(build, options)
    except GeneratorError as error:
        _tell(str(error))
        return 2
    except OSError as error:
        _tell(f"cannot write {error.filename}: {error.strerror}")
        return 2
    return 0


def _synthesize(build: Build, options: argparse.Namespace) -> None:
    chosen = _valid(options.environments)
    for environment in chosen:
        for line in advice(environment):
            _tell(line)
    if options.stdout:
        sys.stdout.write(stream(manifest_files(build(chosen))))
    elif not options.check:
        files = manifest_files(build(chosen))
        reject_impossible(files, _OUTPUT)
        for folder in _output_folders():
            write(files, folder)


def _set_image(name: str, tag: str | None, digest: str | None) -> None:
    """Write a tag and a digest into the file of an environment, or leave it as it is if a rule would be broken."""
    file = environments.file_of(name)
    old = file.read_text(encoding="utf-8")
    new = images.with_image(old, file.name, tag=tag, digest=digest)
    try:
        file.write_text(new, encoding="utf-8")
        environments.forget(file)
        _valid([name])
    except BaseException:
        file.write_text(old, encoding="utf-8")
        environments.forget(file)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py", description="Synthesize the manifests of every environment of Rescan into dist/."
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="check the settings and write nothing")
    instead.add_argument(
        "--stdout", action="store_true", help="print what runs in the environments as one stream, and write nothing"
    )
    instead.add_argument(
        "--set-image",
        nargs=2,
        metavar=("ENVIRONMENT", "TAG[@DIGEST]"),
        help="write another image of the application into the file of an environment; `make synth` follows",
    )
    instead.add_argument(
        "--promote", nargs=2, metavar=("FROM", "TO"), help="the same, with the image that another environment runs"
    )
    instead.add_argument(
        "--secrets-template", metavar="ENVIRONMENT", help="print the Secrets of an environment, with example values"
    )
    instead.add_argument(
        "--settings-map", action="store_true", help="write which setting decides each field into dist.settings.json"
    )
    parser.add_argument(
        "environments", nargs="*", metavar="ENVIRONMENT", help="with --check or --stdout: only these (default: all)"
    )
    return parser


def _valid(names: Sequence[str]) -> list[Environment]:
    """The environments with these names, or all.

    Raises:
        GeneratorError: A file cannot be run or a rule is broken; the text has a line for each, of every environment.
    """
    chosen: list[Environment] = []
    lines: list[str] = []
    for name in names or environments.NAMES:
        try:
            chosen += environments.load([name])
        except SettingsError as error:
            lines.append(str(error))
    try:
        reject_broken(chosen)
    except BrokenRulesError as error:
        lines.append(str(error))
    if lines:
        raise GeneratorError("\n".join(lines))
    return chosen


def _output_folders() -> list[Path]:
    """Where `cdk8s synth` wants the files, and dist/ beside main.py unless that was told another folder."""
    folder = Path(os.environ.get("CDK8S_OUTDIR", _OUTPUT)).absolute()
    return [_OUTPUT, folder] if folder == _SCRATCH else [folder]


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201  # this is the command line
