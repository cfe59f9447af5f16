"""Where an environment's file sets a setting, or where it could: for people who are to change it."""

import ast
from collections.abc import Mapping


def line_of(text: str, setting: str) -> int:
    """The line of a file at which `ENVIRONMENT` sets `workload.replicas`, or of the call that could take it.

    An entry of a mapping, `configuration.extra[LOG_LEVEL]`, has the line of its key.
    """
    tree = ast.parse(text)
    assigned = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    path, _, key = setting.removesuffix("]").partition("[")
    return _line(assigned["ENVIRONMENT"], path.split("."), key, assigned)


def _line(value: ast.expr, path: list[str], key: str, assigned: Mapping[str, ast.expr]) -> int:
    if isinstance(value, ast.Name) and value.id in assigned:
        return _line(assigned[value.id], path, key, assigned)
    if path and isinstance(value, ast.Call):
        for keyword in value.keywords:
            if keyword.arg == path[0]:
                return _line(keyword.value, path[1:], key, assigned)
    if isinstance(value, ast.Dict):
        for entry in value.keys:
            if isinstance(entry, ast.Constant) and entry.value == key:
                return entry.lineno
    return value.lineno
