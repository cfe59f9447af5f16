"""Readable paths and JSON pointers."""

import pytest

from drift.paths import ItemKey, Path, escape_pointer, render, set_member


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "replicas"), "spec.replicas"),
        (("spec", "containers", ItemKey((("name", "app"),)), "image"), "spec.containers[name=app].image"),
        (("ports", ItemKey((("port", 80), ("protocol", "TCP")))), "ports[port=80,protocol=TCP]"),
        (("finalizers", set_member("example.com/a")), "finalizers[=example.com/a]"),
        (("metadata", "annotations", "a.b/c"), 'metadata.annotations["a.b/c"]'),
        (("data", ""), 'data[""]'),
        (("data", 'say "hi"'), 'data["say \\"hi\\""]'),
        (("data", "line\nbreak"), 'data["line\\nbreak"]'),
        (("data", "__x"), "data.__x"),
        (("items", ItemKey((("name", "a b"),))), 'items[name="a b"]'),
        (("items", ItemKey((("name", "a,b=c]"),))), 'items[name="a,b=c]"]'),
        (("items", ItemKey((("ready", True),))), "items[ready=true]"),
    ],
)
def test_a_path_names_items_by_key_and_quotes_unusual_names(path: Path, text: str) -> None:
    assert render(path) == text


def test_different_paths_have_different_texts() -> None:
    paths: list[Path] = [("a", "b"), ("a.b",), ("a", ItemKey((("b", "c"),))), ("a[b=c]",), ('a["b"]',)]

    assert len({render(path) for path in paths}) == len(paths)


def test_pointers_are_escaped_as_in_rfc_6901() -> None:
    assert escape_pointer("a/b~c~1") == "a~1b~0c~01"
