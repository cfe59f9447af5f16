"""Globs for paths and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.globs import Glob, PathGlob, PathGlobs, escape, escape_path
from drift.paths import ItemKey, render, set_member

IMAGE = "spec.template.spec.containers[name=web].image"
PORT = "spec.ports[port=80,protocol=TCP].nodePort"
RESTARTED = 'metadata.annotations["kubectl.kubernetes.io/restartedAt"]'


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("", ""),
        ("**", ""),
        ("**", IMAGE),
        (IMAGE, IMAGE),
        ("**.image", IMAGE),
        ("**.image", "image"),
        ("spec.**.containers[].image", IMAGE),
        ("spec.*.spec.containers[*].image", IMAGE),
        ("**.containers[name=w*].image", IMAGE),
        ("**.im*", IMAGE),
        ("spec.template.**", "spec.template"),
        ("spec.template.**", IMAGE),
        ("spec.ports[port=80].nodePort", PORT),
        ("spec.ports[protocol=TCP,port=80].nodePort", PORT),
        ("metadata.annotations.*", RESTARTED),
        ('metadata.annotations["kubectl.kubernetes.io/*"]', RESTARTED),
        (RESTARTED, RESTARTED),
        ("metadata.finalizers[=example.com/*]", "metadata.finalizers[=example.com/hold]"),
        (r"data.\*", 'data["*"]'),
    ],
)
def test_a_path_matches(glob: str, path: str) -> None:
    assert PathGlob(glob).matches(path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("", "spec"),
        ("*", ""),
        ("spec.template", IMAGE),
        ("image", IMAGE),
        ("spec.*", IMAGE),
        ("spec.*.image", IMAGE),
        # A field does not match a list item, nor the reverse.
        ("spec.ports.*.nodePort", PORT),
        ("spec[].nodePort", "spec.ports.nodePort"),
        ("**.containers[name=we].image", IMAGE),
        ("spec.ports[port=8].nodePort", PORT),
        ("spec.ports[ort=80].nodePort", PORT),
        ("spec.ports[name=x].nodePort", PORT),
        ("metadata.annotations.kubectl", RESTARTED),
        (r"data.\*", "data.a"),
    ],
)
def test_a_path_does_not_match(glob: str, path: str) -> None:
    assert not PathGlob(glob).matches(path)


def test_the_first_of_several_paths_that_matches_is_found() -> None:
    globs = PathGlobs([PathGlob("spec.ports[]"), PathGlob("**.image"), PathGlob(IMAGE), None])

    assert [globs.first(path) for path in (IMAGE, "spec.ports[port=80]", "spec.replicas", "")] == [1, 0, 3, 3]
    assert PathGlobs([PathGlob("**.image")]).first("spec.replicas") is None


def test_a_path_as_a_report_shows_it_matches_itself_and_as_an_escaped_asterisk() -> None:
    glob = PathGlob(r'data["\\*"]')

    assert glob.matches(r'data["\\*"]')
    assert glob.matches('data["*"]')
    assert not glob.matches('data["a"]')


@pytest.mark.parametrize(
    "text",
    ["spec.", ".spec", "spec..x", "spec**", "**x", "a b", "spec[name=x", "spec[name]", "spec]", '["a', "[]", "spec\n"],
)
def test_an_invalid_path_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="write it as in a report"):
        PathGlob(text)


@pytest.mark.parametrize(("glob", "name"), [("a", "a"), ("*", ""), ("kube-*", "kube-system"), ("*-*", "a-b-c")])
def test_a_name_matches(glob: str, name: str) -> None:
    assert Glob(glob).matches(name)


@pytest.mark.parametrize(("glob", "name"), [("a", "ab"), ("a?", "ab"), ("[ab]", "a"), ("", "a"), (r"a\*", "ab")])
def test_a_name_does_not_match(glob: str, name: str) -> None:
    assert not Glob(glob).matches(name)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\1\2"), min_size=1)
PATHS = st.lists(
    st.one_of(NAMES, NAMES.map(set_member), NAMES.map(lambda name: ItemKey((("name", name), ("port", 80))))), max_size=4
).map(lambda path: render(["spec", *path]))


@given(PATHS, PATHS)
def test_an_escaped_path_matches_only_itself(path: str, other: str) -> None:
    glob = PathGlob(escape_path(path))

    assert glob.matches(path)
    assert glob.matches(other) == (other == path)


@given(NAMES, NAMES)
def test_an_escaped_name_matches_only_itself(name: str, other: str) -> None:
    assert Glob(escape(name)).matches(name)
    assert Glob(escape(name)).matches(other) == (name == other)
