"""Another image for an environment, written into its file: for CI, and to promote what another environment runs."""

import ast

from rescan.errors import SettingsError


def split(reference: str) -> tuple[str | None, str | None]:
    """The tag and the digest of `v1.2.0`, `v1.2.0@sha256:...` or `sha256:...`."""
    if reference.startswith(("sha256:", "sha512:")):
        return None, reference
    tag, _, digest = reference.partition("@")
    return tag or None, digest or None


def with_image(text: str, file: str, *, tag: str | None, digest: str | None) -> str:
    """The text of an environment's file with another tag and digest of `workload.image`.

    The `version` of the workload follows the tag, if the file has one.

    Raises:
        SettingsError: The file does not say `Workload(image=Image(...))`.
    """
    workload = _call(ast.parse(text), "Workload")
    image = workload and _keyword(workload, "image")
    if workload is None or not isinstance(image, ast.Call):
        raise SettingsError(
            f"{file}: there is no Workload(image=Image(...)) in which to set the image; edit it by hand"
        )
    edits = [_edit(text, image, name, value) for name, value in {"tag": tag, "digest": digest}.items()]
    if tag is not None and _keyword(workload, "version") is not None:
        edits.append(_edit(text, workload, "version", tag))
    for start, end, new in sorted(filter(None, edits), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _call(tree: ast.AST, name: str) -> ast.Call | None:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return next((call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name), None)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _edit(text: str, call: ast.Call, name: str, value: str | None) -> tuple[int, int, str] | None:
    """Where to replace the text by which new one, so that an argument of a call has another value."""
    written = f'"{value}"' if value is not None else "None"
    old = _keyword(call, name)
    if old is not None:
        return _offset(text, old.lineno, old.col_offset), _offset(text, old.end_lineno, old.end_col_offset), written
    if value is None:
        return None
    first = call.keywords[0].value if call.keywords else None
    if first is None:
        return None
    start = _offset(text, first.end_lineno, first.end_col_offset)
    return start, start, f", {name}={written}"


def _offset(text: str, line: int | None, column: int | None) -> int:
    """The place in the text of a line and a column, which `ast` counts in bytes."""
    assert line is not None  # noqa: S101  # every node of a parsed file has a place
    assert column is not None  # noqa: S101
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())
