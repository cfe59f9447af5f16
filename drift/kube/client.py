"""Imports what drift uses of the official client, without the libraries that only its other parts need."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, Final

#: What `kubernetes.config.kube_config` imports for the logins of `auth-provider`, which drift does not support, and to
#: read YAML. These load pydantic, requests and oauthlib, which would take a third of a small report.
_UNUSED: Final = ("kubernetes.client.api_client", "oauthlib.oauth2", "requests_oauthlib", "yaml")


@cache
def load_client() -> None:
    """Imports the client's configuration and its connections. `connect` imports it, too.

    A program that imports the client later gets all of it. If a release of the client does not work without the
    modules of `_UNUSED`, it is imported with them.
    """
    try:
        with _package_not_run("kubernetes"), _on_first_call(_UNUSED):
            _import_client()
    except Exception:  # noqa: BLE001
        _import_client()


def _import_client() -> None:
    import_module("kubernetes.config.kube_config")
    import_module("kubernetes.client.rest")


@contextmanager
def _package_not_run(name: str) -> Iterator[None]:
    """Lets modules of a package be imported without its ``__init__``, which imports all of them."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        sys.modules[name] = module_from_spec(spec)
    try:
        yield
    finally:
        if spec is not None:
            del sys.modules[name]


@contextmanager
def _on_first_call(names: Sequence[str]) -> Iterator[None]:
    """Lets others import functions and classes of modules that are not loaded. The first call loads the module."""
    deferred = {name: _Deferred(name) for name in names if name not in sys.modules}
    sys.modules.update(deferred)
    try:
        yield
    finally:
        for name in deferred:
            del sys.modules[name]
        if "kubernetes.client.api_client" in deferred and "kubernetes.client" in sys.modules:
            # The package remembers what was imported from it.
            vars(sys.modules["kubernetes.client"]).pop("ApiClient", None)


class _Deferred(ModuleType):
    """Stands in for a module while others import it, and forwards to it later."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is not self:
            return getattr(import_module(self.__name__), name)

        def call(*args: object, **kwargs: object) -> Any:
            return getattr(import_module(self.__name__), name)(*args, **kwargs)

        return call
