"""Hides environment variables that are literal on one side and come from a Secret on the other side."""

from drift.compare.diff import Difference
from drift.compare.project import Projection
from drift.compare.show import to_json
from drift.model import Json
from drift.paths import Path


def replaces_secret(difference: Difference, projection: Projection) -> bool:
    """Returns whether a difference would show a value that the other side takes from a Secret.

    Args:
        difference: A difference without redacted values.
        projection: The trees in which it was found.
    """
    if difference.path[-1:] == ("value",):
        sides = (_at(projection.desired, difference.path[:-1]), _at(projection.live, difference.live_path[:-1]))
        return any(isinstance(entry, dict) and _is_from_secret(entry) for entry in sides)
    desired, live = _entries(to_json(difference.desired)), _entries(to_json(difference.live))
    literal = [{entry["name"] for entry in side if "value" in entry} for side in (desired, live)]
    # Without a schema, the reference to the Secret may have been removed as a default, which leaves only the name.
    hidden = [
        {entry["name"] for entry in side if _is_from_secret(entry) or len(entry) == 1} for side in (desired, live)
    ]
    return bool(literal[0] & hidden[1] or literal[1] & hidden[0])


def _is_from_secret(entry: Json) -> bool:
    source = entry.get("valueFrom")
    return isinstance(source, dict) and "secretKeyRef" in source


def _entries(value: Json) -> list[Json]:
    """Returns every part of a value that may be an environment variable; custom resources have them anywhere."""
    found = []
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if isinstance(part.get("name"), str):
                found.append(part)
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return found


def _at(tree: Json, path: Path) -> Json:
    for element in path:
        tree = getattr(tree, "value", tree)
        if not isinstance(tree, dict) or element not in tree:
            return None
        tree = tree[element]
    return getattr(tree, "value", tree)
