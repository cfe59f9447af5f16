"""Variables that one side takes from a Secret: a literal value on the other side is that secret, in clear."""

from drift.compare.diff import Difference
from drift.compare.project import Projection
from drift.compare.show import to_json
from drift.model import Json
from drift.paths import Path


def replaces_secret(difference: Difference, projection: Projection) -> bool:
    """Whether a difference would show a value that the other side refers to a Secret for.

    Args:
        difference: One that holds no redacted value.
        projection: The trees it was found in.
    """
    if difference.path[-1:] == ("value",):
        sides = (_at(projection.desired, difference.path[:-1]), _at(projection.live, difference.live_path[:-1]))
        return any(isinstance(entry, dict) and _is_from_secret(entry) for entry in sides)
    desired, live = _entries(to_json(difference.desired)), _entries(to_json(difference.live))
    literal = [{entry["name"] for entry in side if "value" in entry} for side in (desired, live)]
    # Where no schema tells its fields, one side's reference may have been left out as a default: no value is left.
    hidden = [
        {entry["name"] for entry in side if _is_from_secret(entry) or len(entry) == 1} for side in (desired, live)
    ]
    return bool(literal[0] & hidden[1] or literal[1] & hidden[0])


def _is_from_secret(entry: Json) -> bool:
    source = entry.get("valueFrom")
    return isinstance(source, dict) and "secretKeyRef" in source


def _entries(value: Json) -> list[Json]:
    """Everything in a value that could be an environment variable, wherever a custom resource has it."""
    found = []
    pending = [value]
    while pending:
        below = pending.pop()
        if isinstance(below, dict):
            if isinstance(below.get("name"), str):
                found.append(below)
            pending += below.values()
        elif isinstance(below, list):
            pending += below
    return found


def _at(tree: Json, path: Path) -> Json:
    for element in path:
        tree = getattr(tree, "value", tree)
        if not isinstance(tree, dict) or element not in tree:
            return None
        tree = tree[element]
    return getattr(tree, "value", tree)
