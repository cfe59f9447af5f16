"""A value anywhere in a Secret, even in a malformed one, is in no stream, format or history."""

import copy
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.report.formats import Format
from tests.drift.test_planted_secrets import CORE, holds, said

if TYPE_CHECKING:
    from collections.abc import Callable

CLEAN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "db",
        "namespace": "shop",
        "labels": {"app.kubernetes.io/name": "db", "tier": "back"},
        "annotations": {"argocd.argoproj.io/sync-wave": "1", "of.a/tool": "x"},
        "finalizers": ["example.com/keep"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": True}],
    },
    "type": "Opaque",
    "immutable": False,
    "data": {"key": "eA=="},
    "stringData": {"password": "x", "other": "y"},
}
OTHER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": {"a": "b"}}
#: The report shows what identifies an object: only values of another type are planted there.
IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> list[Place]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [at, *(place for step, part in below for place in places(part, (*at, step)))]
        if at
        else [place for step, part in below for place in places(part, (step,))]
    )


def put(body: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(body)
    node: Any = body
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    return body


@st.composite
def mistyped(draw: st.DrawFn) -> dict[str, Any]:
    """Replaces any part by the value, alone or in a collection."""
    place = draw(st.sampled_from(places(CLEAN)))
    forms: list[Any] = [{"p": CORE}, [CORE], {"p": {"q": [CORE]}}, f"{CORE} more", f"x\n{CORE}\n"]
    shown = place in IDENTITY or (place[:2] == ("metadata", "ownerReferences") and len(place) > 3)
    return put(CLEAN, place, draw(st.sampled_from(forms if shown else [*forms, CORE])))


@st.composite
def misplaced(draw: st.DrawFn) -> dict[str, Any]:
    """Puts the block with the value in a wrong place, or under an unknown name."""
    body = {name: part for name, part in CLEAN.items() if name != "stringData"}
    above = draw(st.sampled_from([(), ("metadata",), ("metadata", "labels"), ("metadata", "annotations"), ("data",)]))
    name = draw(st.sampled_from(["stringData", "stringdata", "StringData", "spec", "items", "data ", "status", CORE]))
    if name == CORE and above:
        name = f"{CORE}: "
    block = draw(st.sampled_from([CORE, {"password": CORE}, [{"password": CORE}]]))
    return put(body, (*above, name), block)


@st.composite
def misspelt(draw: st.DrawFn) -> dict[str, Any]:
    """Kinds and versions that are almost those of a Secret."""
    kind = draw(st.sampled_from(["secret", "SECRET", "Secrets", "Secert", "SecretList", "List", "Sealedsecret"]))
    versions = ["v1", "v2", "V1", "v1beta1", "/v1", "core/v1", "k8s.io/v1", "v1/Secret", "apps/v1", "1", "v1.0"]
    body = {**CLEAN, "kind": kind, "apiVersion": draw(st.sampled_from(versions))}
    return put(body, ("stringData", "password"), CORE)


def as_text(body: dict[str, Any]) -> str:
    return yaml.safe_dump(body, sort_keys=False)


@st.composite
def misindented(draw: st.DrawFn) -> str:
    """Moves or repeats one line, or removes a character that YAML needs."""
    lines = as_text(put(CLEAN, ("stringData", "password"), CORE)).splitlines()
    number = draw(st.sampled_from([at for at, line in enumerate(lines) if CORE in line] * 6 + list(range(len(lines)))))
    line = lines[number]
    edits: list[Callable[[], list[str]]] = [
        lambda: [" " * draw(st.integers(0, 9)) + line.lstrip()],
        lambda: [line, line],
        lambda: ["\t" + line],
        lambda: [line.replace(": ", ":", 1)],
        lambda: [line.replace(": ", " ", 1) if CORE not in line else line.replace("password: ", "  ", 1)],
        lambda: [
            line.replace(CORE, draw(st.sampled_from(["*", "!", "!!", "%", "@", "`", "{", "[", '"', "'", "? "])) + CORE)
        ],
        lambda: [line.replace(CORE, f"!!int {CORE}")],
        lambda: [line.replace(CORE, f"|\n{CORE}")],
        lambda: [line.replace(CORE, f"\x01{CORE}")],
        lambda: [f"{line}\n---\n- {CORE}"],
    ]
    lines[number : number + 1] = draw(st.sampled_from(edits))()
    # After another document: a mistake in one must not reveal the other.
    return "---\n".join([as_text(OTHER), "\n".join(lines) + "\n"])


TEXTS = st.one_of(mistyped().map(as_text), misplaced().map(as_text), misspelt().map(as_text), misindented())


def in_list(text: str) -> str:
    """Returns the object as an item of a List."""
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    return f"apiVersion: v1\nkind: List\nitems:\n-{indented[1:]}"


def everything_said(git: str, live: str) -> str:
    """Compares two texts, and returns both streams, every format and the history."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "git.yaml").write_text(git)
        (folder / "live.yaml").write_text(live)
        outputs = [f"--output={form}={folder / f'report.{form}'}" for form in Format]
        files = [str(folder / "git.yaml"), "--live", str(folder / "live.yaml"), "--history", str(folder / "history.db")]
        status, text = said(["report", *files, "-v", "--output", "text", *outputs])
        written = [file for file in folder.iterdir() if file.name.startswith(("report", "history"))]
        assert status in {0, 1, 2, 3}
        assert "internal error" not in text
        return text + "".join(file.read_bytes().decode("utf-8", "replace") for file in written)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.booleans(), st.booleans(), st.booleans())
def test_no_value_of_a_malformed_secret_is_in_any_output(planted: str, dumped: bool, listed: bool, alike: bool) -> None:
    if listed and "---" not in planted:
        planted = in_list(planted)
    # If both sides are malformed in the same way, they are compared.
    clean = planted.replace(CORE, "other") if alike else as_text(CLEAN)

    text = everything_said(clean, planted) if dumped else everything_said(planted, clean)

    assert text
    assert not holds(text, CORE)


ISSUE = {
    "an anchor that is missing": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {p: *%s}\n",
    "below metadata": "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  namespace: b\n  stringData: {p: %s}\n",
    "a mapping as the name": "apiVersion: v1\nkind: Secret\nmetadata: {name: {p: %s}, namespace: b}\n",
    "a mapping as the namespace": "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: {p: %s}}\n",
    "a mapping as the type": "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\ntype: {p: %s}\n",
    "a mapping as immutable": "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\nimmutable: {p: %s}\n",
    "a mapping as the kind": "apiVersion: v1\nkind: {p: %s}\nmetadata: {generateName: a}\n",
    "another version": "apiVersion: v2\nkind: Secret\nmetadata: {name: a, namespace: b}\nstringData: {p: %s}\n",
    "another case": "apiVersion: v1\nkind: secret\nmetadata: {name: a, namespace: b}\nstringData: {p: %s}\n",
    "a key that is there twice": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {%s: 1, %s: 2}\n",
}


@pytest.mark.parametrize("case", ISSUE)
def test_values_that_earlier_versions_showed_stay_hidden(case: str) -> None:
    planted = ISSUE[case].replace("%s", CORE)

    for other in (as_text(CLEAN), planted.replace(CORE, "other")):
        for git, live in ((planted, other), (other, planted)):
            assert not holds(everything_said(git, live), CORE)


def test_names_and_keys_of_a_secret_are_still_shown() -> None:
    live = put(put(CLEAN, ("type",), "kubernetes.io/tls"), ("stringData", "password"), "changed")
    live = put(live, ("metadata", "labels", "app.kubernetes.io/name"), "web")

    text = everything_said(as_text(CLEAN), as_text(live))

    assert "kubernetes.io/tls" in text
    assert "data.password" in text
    assert "web" in text


def test_an_unknown_field_of_a_secret_is_reported(tmp_path: Path) -> None:
    (tmp_path / "git.yaml").write_text(ISSUE["below metadata"].replace("%s", CORE))
    (tmp_path / "live.yaml").write_text(as_text({**CLEAN, "metadata": {"name": "a", "namespace": "b"}}))

    _, text = said(["report", str(tmp_path / "git.yaml"), "--live", str(tmp_path / "live.yaml"), "--output", "json"])

    paths = {finding["path"] for item in json.loads(text)["objects"] for finding in item["findings"]}
    assert "metadata.stringData" in paths
