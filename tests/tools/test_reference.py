"""The reference matches the parser, and the parser accepts every command line in the documentation."""

import ast
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from drift.cli.parser import build_parser
from tools.reference import ENVIRONMENT, PAGES, ROOT, commands

REPOSITORY = Path(__file__).parents[2]
DOCS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
#: A command line in a code block, with or without `$ ` or `- run: `.
LINE = re.compile(r"^ {4,}(?:\$ |- run: )?(drift .*)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_is_as_the_parser_makes_it(page: str) -> None:
    assert (ROOT / page).read_text() == PAGES[page](), "run `make reference` and read what changes"


def test_the_reference_has_every_command_and_flag() -> None:
    every = list(commands(build_parser()))
    text = "\n".join(flag.names for command in every for _, flags in command.groups for flag in flags)

    assert {"drift", "drift report", "drift render", "drift explain", "drift completion"} <= {one.name for one in every}
    assert all(flag in text for flag in ("--kubeconfig FILE", "--unmanaged off|namespace|cluster", "REPORT.json..."))
    assert all(flag.help for command in every for _, flags in command.groups for flag in flags)


def constants(tree: ast.Module) -> dict[str, object]:
    return {
        node.target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def environment_variables(tree: ast.Module, imported: Mapping[str, object]) -> Iterator[object]:
    """Yields the names that a module looks up in the environment, also those that a constant has."""
    known = {**imported, **constants(tree)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=looked_up, attr="get"), args=[name, *_]):
                pass
            case ast.Subscript(value=looked_up, slice=name):
                pass
            case ast.Compare(left=name, comparators=[looked_up]):
                pass
            case _:
                continue
        if ast.unparse(looked_up) == "os.environ":
            yield name.value if isinstance(name, ast.Constant) else known[ast.unparse(name)]


def test_every_environment_variable_is_in_the_reference() -> None:
    named = {name for names, _ in ENVIRONMENT for name in names.split(", ")}

    trees = [ast.parse(file.read_text()) for file in (REPOSITORY / "drift").rglob("*.py")]
    imported = {name: value for tree in trees for name, value in constants(tree).items() if not name.startswith("_")}

    found = {name for tree in trees for name in environment_variables(tree, imported)}

    assert {"DRIFT_WEBHOOK_URL", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"} <= found
    assert found <= named


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_is_valid() -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", str(ROOT / "docs/reference/drift.1")]

    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert done.stderr == ""
    assert "DRIFT(1)" in done.stdout


def lines(text: str) -> Iterator[list[str]]:
    """Yields the arguments of each ``drift`` command line, up to a pipe, a redirection or a comment."""
    for found in LINE.finditer(text.replace("\\\n", " ")):
        words = shlex.split(found[1], comments=True)
        end = next((index for index, word in enumerate(words) if word in {"|", ">", ">>", "<", "&&", "||", ";"}), None)
        yield words[1:end]


@pytest.mark.parametrize("file", DOCS, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_command_line_in_the_docs_parses(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = build_parser()
    for arguments in lines(file.read_text()):
        if "[OPTION...]" in arguments:
            continue
        try:
            parser.parse_args(arguments)
        except SystemExit:
            pytest.fail(f"drift {' '.join(arguments)}: {capsys.readouterr().err}")


def test_there_are_command_lines_in_the_docs() -> None:
    assert sum(len(list(lines(file.read_text()))) for file in DOCS) >= 15
