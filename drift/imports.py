"""Imports libraries without modules that they import but drift does not use, which take most of the time."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


def import_partly(load: Callable[[], object], unused: Sequence[str], package: str | None = None) -> None:
    """Imports modules of a library, but loads some modules that they import only when something of these is used.

    If a release of the library does not work in this way, it is imported with all modules.

    Args:
        load: Imports the modules.
        unused: The names of the modules to load later. Imported functions and classes of theirs can be called, and used
            with `isinstance`.
        package: A package whose ``__init__`` does not run: a program that imports it later gets all of it.
    """
    try:
        with ExitStack() as stack:
            if package is not None:
                stack.enter_context(_package_not_run(package))
            stack.enter_context(_loaded_later(unused))
            load()
    except Exception:  # noqa: BLE001
        load()


@contextmanager
def _package_not_run(name: str) -> Iterator[None]:
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        sys.modules[name] = module_from_spec(spec)
    try:
        yield
    finally:
        if spec is not None:
            del sys.modules[name]


@contextmanager
def _loaded_later(names: Sequence[str]) -> Iterator[None]:
    later = {name: _LaterModule(name) for name in names if name not in sys.modules}
    sys.modules.update(later)
    try:
        yield
    finally:
        for name, module in later.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            _forget_attributes(name.rpartition(".")[0])


def _forget_attributes(package: str) -> None:
    """Removes what a package remembers of its modules that are not loaded yet."""
    names = vars(sys.modules[package]) if package in sys.modules else {}
    for name in [name for name, value in names.items() if isinstance(value, _LaterAttribute)]:
        del names[name]


class _LaterModule(ModuleType):
    """Stands in for a module while the current thread imports others, and forwards to it afterwards."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._importer = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            if threading.get_ident() == self._importer:
                if name.startswith("__"):
                    raise AttributeError(name)
                return _LaterAttribute(self.__name__, name)
            # Another thread really uses the module.
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class _LaterAttribute:
    """Stands in for a function or a class of a module that is loaded on the first call."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return getattr(import_module(self._module), self._name)(*args, **kwargs)

    def __instancecheck__(self, instance: object) -> bool:
        # As long as the module is not loaded, there are no instances of its classes.
        module = sys.modules.get(self._module)
        return module is not None and isinstance(instance, getattr(module, self._name))
