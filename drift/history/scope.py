"""What tells one scan from another in the same file: the cluster, and where the manifests lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from drift.errors import UsageError
from drift.history.episodes import Scope
from drift.model import ClusterInfo
from drift.sources.git import origin_name

_STDIN: Final = "-"


def scope_of(cluster: ClusterInfo | None, paths: Sequence[str], namespace: str, name: str | None) -> Scope:
    """The scope of a scan.

    Args:
        cluster: The cluster; None for dumps, which all count as one.
        paths: The manifests, as the user named them. In a Git work tree they are known by their repository and their
            place in it, wherever that is checked out; elsewhere by their absolute path.
        namespace: Where objects live that name no namespace.
        name: What the user calls the scope, which then stands for the paths and the namespace.

    Raises:
        UsageError: The manifests come through a pipe, which has no name, and the user gave none.
    """
    require_scope_name(paths, name)
    places = ", ".join(sorted({_place(path) for path in paths}))
    server = cluster.server if cluster else ""
    return Scope(server, name if name is not None else f"{places} (namespace {namespace})")


def require_scope_name(paths: Sequence[str], name: str | None) -> None:
    """Refuses manifests from a pipe for which the user gave no name.

    Raises:
        UsageError: They are such.
    """
    if name is None and _STDIN in paths:
        raise UsageError(
            "--history has to know one scan from another, and what comes through a pipe has no name; "
            "give one with --history-scope NAME"
        )


def _place(path: str) -> str:
    absolute = Path(path).resolve()
    folder = absolute if absolute.is_dir() else absolute.parent
    top = next((folder for folder in (folder, *folder.parents) if (folder / ".git").exists()), None)
    if top is None:
        return str(absolute)
    origin, inside = origin_name(top), absolute.relative_to(top).as_posix()
    return f"{origin}:{inside}" if origin else inside
