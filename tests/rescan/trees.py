"""Two folders of manifests, compared as a reviewer wants it: by file, then by line."""

import difflib
from pathlib import Path


def read_tree(folder: Path) -> dict[str, str]:
    """The text of every file, by its path below the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in folder.rglob("*") if path.is_file()
    }


def differences(golden: Path, actual: Path) -> str:
    """What must change in `golden` to be `actual`: each file, and the unified diff of its text. Empty when equal."""
    old, new = read_tree(golden), read_tree(actual)
    parts: list[str] = []
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            parts.append(f"extra: {path} is in {golden.name}/ and no longer synthesized")
        elif path not in old:
            parts.append(f"missing: {path} is synthesized and not in {golden.name}/")
        elif old[path] != new[path]:
            parts.append(f"different: {path}")
        else:
            continue
        lines = difflib.unified_diff(
            old.get(path, "").splitlines(keepends=True),
            new.get(path, "").splitlines(keepends=True),
            f"{golden.name}/{path}",
            f"synthesized/{path}",
        )
        parts.append("".join(lines))
    return "\n".join(parts)
