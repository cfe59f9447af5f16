"""Pages, headings, files, make targets, commands and flags that the documentation names exist."""

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from drift.cli.parser import build_parser
from tools.reference import commands

REPOSITORY = Path(__file__).parents[1]
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
LINK = re.compile(r"""(?:\[[^\[\]]*\]\(|(?:src|srcset|href)=")([^()\s"]+)[)"]""")
FOLDERS = ("benchmarks", "dist", "docs", "drift", "rescan", "tests", "tools")
#: Not files: the version of the JSON report, and a category of code scanning.
NO_FILES = {"drift/v1", "drift/prod/"}
#: Flags of other programs that the pages name without the program.
OTHERS = {
    **dict.fromkeys(("--audit-policy-file", "--audit-webhook-config-file"), "kube-apiserver"),
    "--authentication-config": "kube-apiserver",
    "--build-arg": "docker",
    "--diff-exit-status": "kapp",
    "--enable-helm": "kustomize",
    "--fail-on": "cub-scout",
    "--hypothesis-profile": "pytest",
    "--prune": "kubectl",
    "--server-side": "kubectl",
    "--target": "docker",
    "--show-managed-fields": "kubectl",
    "--validate=strict": "kubectl",
    "--wait=false": "kubectl",
}


def every(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> Iterator[str]:
    """Yields the inline code."""
    for span in re.findall(r"`([^`]+)`", re.sub(r"^ {4,}.*$", "", without_blocks(text), flags=re.MULTILINE)):
        yield " ".join(span.split())


def code(text: str) -> Iterator[str]:
    """Yields the inline code and the lines of code blocks."""
    yield from spans(text)
    text = text.replace("\\\n", " ")
    for block in re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    for line in re.findall(r"^ {4,}(.*)$", without_blocks(text), re.MULTILINE):
        # This may be an indented list item: only its inline code counts.
        yield from spans(line) if "`" in line else [line]


def anchors(text: str) -> Iterator[str]:
    """Yields the anchors that GitHub gives to the headings of a page."""
    seen: dict[str, int] = {}
    for title in re.findall(r"^#{1,6} (.+)$", without_blocks(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if slug in seen else slug
        seen[slug] = seen.get(slug, 0) + 1


@pytest.mark.parametrize("page", PAGES, ids=every)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(REPOSITORY), link
        if anchor:
            assert anchor in set(anchors(target.read_text())), link


@pytest.mark.parametrize("page", PAGES, ids=every)
def test_every_file_that_is_named_exists(page: Path) -> None:
    for span in code(page.read_text()):
        named = span.partition("::")[0]
        if re.fullmatch(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*", named) and named not in NO_FILES:
            assert (REPOSITORY / named).exists() or (page.parent / named).exists(), named


@pytest.mark.parametrize("page", PAGES, ids=every)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for line in code(page.read_text()):
        made = re.match(r"(?:- run: )?make ((?:[a-z]+ ?)+)", line)
        if made and " |" not in line:
            assert set(made[1].split()) <= targets, line


def flags_of(parser: argparse.ArgumentParser) -> dict[str, set[str]]:
    """Returns the flags of each subcommand."""
    return {
        command.name.removeprefix("drift").strip(): {
            flag.split()[0] for _, flags in command.groups for entry in flags for flag in entry.names.split(", ")
        }
        for command in commands(parser)
    }


@pytest.mark.parametrize("page", PAGES, ids=every)
def test_every_drift_command_and_flag_exists(page: Path) -> None:
    known = flags_of(build_parser())
    for span in spans(page.read_text()):
        if span.startswith("--"):
            flag = re.split("[ =]", span)[0]
            assert span in OTHERS or flag in OTHERS or any(flag in flags for flags in known.values()), span
    for line in code(page.read_text()):
        words = line.split()
        if words[:1] == ["drift"] and len(words) > 1 and re.fullmatch("[a-z]+", words[1]):
            assert words[1] in known, line
            for word in words[2:]:
                if word in {"|", "||", ">", ">>", "&&", ";"}:
                    break
                if word.startswith("--"):
                    assert word.partition("=")[0].rstrip(";") in known[words[1]], line


def test_every_page_is_in_the_index() -> None:
    index = (REPOSITORY / "docs/README.md").read_text()
    linked = {(REPOSITORY / "docs" / link.partition("#")[0]).resolve() for link in LINK.findall(index)}

    pages = {page for page in PAGES if page.parent != REPOSITORY and page.name != "README.md"}

    assert pages <= linked


def test_the_architecture_is_the_one_that_is_checked() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    shown = "\n".join(f"    {layer}".replace("drift.", "") for layer in layers if layer != "drift.__main__")
    rows = re.findall(r"^\| (`[^|]+`) \|", page.partition("| package |")[2].partition("\n\n")[0], re.MULTILINE)

    assert shown in page
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(re.findall(r"\w+", shown))


def test_the_path_of_an_object_names_modules_that_exist() -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    section = page.partition("### The path of one object\n")[2].partition("\n## ")[0]
    modules = [
        name for name in re.findall(r"`([a-z_/]+)`", section) if "/" in name or name in {"redaction", "managed_fields"}
    ]

    assert [name for name in modules if not (REPOSITORY / f"drift/{name}.py").exists()] == []


def test_there_is_something_to_check() -> None:
    text = "\n".join(page.read_text() for page in PAGES)

    assert len(LINK.findall(text)) > 100
    assert sum(line.startswith(("drift ", "--")) for line in code(text)) > 50
