"""Fuzzes for a given time, guided by coverage if atheris is installed. ``make fuzz FUZZ_SECONDS=600`` runs it."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import yaml

from tests.fuzz.limits import MEGABYTES, SECONDS, clear_errors_only
from tests.fuzz.mutation import mutated, restructure

#: The targets of `tests.fuzz.targets`, which is imported later so that atheris can instrument it.
_QUESTIONS = ("version", "core", "groups", "schemas", "schema", "list", "object", "others", "watch")
ALL_TARGETS = (
    *("manifests", "live", "managed-fields", "settings", "saved-report", "kubeconfig", "history", "audit-log"),
    *(f"answer-{question}" for question in _QUESTIONS),
)
#: The longest input. Longer ones are slower, and seldom find more.
_LONGEST = 100_000
#: The share of structured edits, and the share of our own byte edits among the others.
_STRUCTURED = 0.5
#: The memory of the process before it reads anything, with corpora and coverage.
_BASE_MEGABYTES = 1_500


def main() -> int:
    """Fuzzes each target in its own process, for its share of the time.

    Returns:
        1 if anything was found.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=main.__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the random seed (default: the time)")
    parser.add_argument("--one", choices=ALL_TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(ALL_TARGETS)} (default: all)")
    options = parser.parse_args()
    if options.one:
        return _fuzz(options.one, options.seconds, options.seed)
    targets = options.targets or ALL_TARGETS
    failed = []
    for target in targets:
        sys.stdout.write(f"{target}: seed {options.seed}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", "tests.fuzz", "--one", target, "--seed", str(options.seed)]
        share = str(max(1, options.seconds // len(targets)))
        if subprocess.run([*command, "--seconds", share], check=False).returncode:
            failed.append(target)
    sys.stdout.write(f"found something in: {', '.join(failed)}\n" if failed else "nothing found\n")
    return 1 if failed else 0


def _fuzz(name: str, seconds: int, seed: int) -> int:
    try:
        import atheris  # noqa: PLC0415
    except ImportError:
        return _fuzz_blindly(name, seconds, seed)
    with atheris.instrument_imports(include=["drift", "yaml"], enable_loader_override=False):
        from tests.fuzz.seeds import NASTY, SEEDS  # noqa: PLC0415
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415
    target = TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"drift-fuzz-{name}-"))
    for number, data in enumerate([*SEEDS[name], *NASTY.values()]):
        (folder / str(number)).write_bytes(data[:_LONGEST])
    flags = [
        *(f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_LONGEST}", f"-timeout={SECONDS}"),
        *(f"-rss_limit_mb={_BASE_MEGABYTES + MEGABYTES}", f"-artifact_prefix={folder}/found-", "-print_final_stats=1"),
    ]

    def mutate(data: bytes, longest: int, number: int) -> bytes:
        return _mutate(data, number, lambda: atheris.Mutate(data, longest))[:longest]

    atheris.Setup([sys.argv[0], *flags, str(folder)], lambda data: _try(target, data), custom_mutator=mutate)
    # Ends the process after its time, or at the first failing input.
    atheris.Fuzz()
    raise AssertionError


def _mutate(data: bytes, number: int, otherwise: Callable[[], bytes]) -> bytes:
    """Edits the structure of an input, or its bytes if it has no structure."""
    random = Random(number)  # noqa: S311
    # Aliases can expand to more than there is time for.
    if b"*" not in data and random.random() < _STRUCTURED:
        try:
            return restructure(data, random.choice)
        except (ValueError, RecursionError, yaml.YAMLError, TypeError):
            pass
    return mutated(data, random) if random.random() < _STRUCTURED else otherwise()


def _try(target: Callable[[bytes], None], data: bytes) -> None:
    with clear_errors_only(timed=False):
        target(data)


def _fuzz_blindly(name: str, seconds: int, seed: int) -> int:
    from tests.fuzz.seeds import NASTY, SEEDS  # noqa: PLC0415
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        random = Random(seed + number)  # noqa: S311
        data = mutated(random.choice([*SEEDS[name], *NASTY.values()]), random)
        try:
            with clear_errors_only():
                TARGETS[name](data)
        except BaseException:
            file = Path(tempfile.mkdtemp(prefix=f"drift-fuzz-{name}-")) / "found"
            file.write_bytes(data)
            sys.stdout.write(f"{name}: {file} breaks it\n")
            raise
    sys.stdout.write(f"{name}: {number} inputs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
