"""The environments: one file each, named as the environment, with its settings in `ENVIRONMENT`.

A new file here is a new environment; nothing else has to name it.
"""

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from rescan.errors import SettingsError
from rescan.settings import Environment

NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load(names: Sequence[str] = ()) -> tuple[Environment, ...]:
    """The settings of the environments with these names, or of all of them.

    Raises:
        SettingsError: No environment has such a name, or the file of one cannot be run (a misspelt setting, say).
    """
    return tuple(_load(name) for name in names or NAMES)


def file_of(name: str) -> Path:
    """The file of an environment.

    Raises:
        SettingsError: No environment has such a name.
    """
    if name not in NAMES:
        import difflib  # noqa: PLC0415  # for this message only

        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}"
        raise SettingsError(f"no environment is named {name!r}: {hint}")
    return Path(__file__).with_name(f"{name}.py")


def forget(file: Path) -> None:
    """Make `load` run all files again, after one of them was changed.

    Python keeps modules, those that environments import from each other included. It also keeps compiled files, and
    takes one for current if the file has the same size and was last changed in the same second.
    """
    for name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
        del sys.modules[name]
        globals().pop(name.removeprefix(f"{__name__}."), None)
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def _load(name: str) -> Environment:
    file_of(name)
    try:
        environment = importlib.import_module(f"{__name__}.{name}").ENVIRONMENT
    except Exception as error:
        raise SettingsError(f"{_where(name, error)}: {type(error).__name__}: {error}") from error
    if not isinstance(environment, Environment) or environment.name != name:
        raise SettingsError(f"{_file(name)}: ENVIRONMENT must be an Environment with name={name!r}")
    return environment


def _file(name: str) -> str:
    return f"rescan/environments/{name}.py"


def _where(name: str, error: Exception) -> str:
    """The file, and the line of it at which it could not be run."""
    if isinstance(error, SyntaxError):
        return f"{_file(name)}:{error.lineno}"
    here = str(file_of(name))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == here]
    return f"{_file(name)}:{lines[-1]}" if lines else _file(name)
