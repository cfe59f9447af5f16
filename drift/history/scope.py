"""Scopes separate the scans in one file by cluster and manifests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from drift.errors import UsageError
from drift.history.episodes import Scope
from drift.model import ClusterInfo
from drift.sources.git import origin_name

_STDIN: Final = "-"


def scope_of(cluster: ClusterInfo | None, sources: Sequence[str], namespace: str, name: str | None) -> Scope:
    """Returns the scope of a scan.

    Args:
        cluster: The cluster; None for dumps, which all share one scope.
        sources: The paths as the user named them, and other sources as on the command line (``--helm-release all``).
            Inside a Git work tree, the scope contains the repository and the
            path in it, so that it does not depend on where the repository is checked out. Elsewhere, it contains the
            absolute path.
        namespace: The namespace of objects that name none.
        name: ``--history-scope``, which replaces the paths and the namespace; None without the flag.

    Raises:
        UsageError: The manifests are read from standard input and there is no name.
    """
    require_scope_name(sources, name)
    places = ", ".join(sorted({source if source.startswith("--") else _place(source) for source in sources}))
    server = cluster.server if cluster else ""
    return Scope(server, name if name is not None else f"{places} (namespace {namespace})")


def require_scope_name(sources: Sequence[str], name: str | None) -> None:
    """Checks that there is a name if the manifests are read from standard input.

    Raises:
        UsageError: There is none.
    """
    if name is None and _STDIN in sources:
        raise UsageError("--history needs a name for manifests from standard input; add --history-scope NAME")


def _place(path: str) -> str:
    absolute = Path(path).resolve()
    folder = absolute if absolute.is_dir() else absolute.parent
    top = next((folder for folder in (folder, *folder.parents) if (folder / ".git").exists()), None)
    if top is None:
        return str(absolute)
    origin, inside = origin_name(top), absolute.relative_to(top).as_posix()
    return f"{origin}:{inside}" if origin else inside
