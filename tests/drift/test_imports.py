"""Libraries are imported without the modules that drift does not use, and behave as if these had been imported."""

import json
import subprocess
import sys

import pytest

#: Two mappings with a difference of each kind, and what must be compared as a whole.
COMPARED = """
from drift.compare.atomic import AtomicValue
from drift.objects import Incomparable
from drift.redaction import Redacted
desired = {
    "changed": 1, "type": "1", "removed": {"a": 1}, "same": [1], "text": "a\\nb", "__private": 1, "true": True,
    "list": [{"a": 1}], "atomic": AtomicValue([1, 2]), "masked": Incomparable("encrypted"),
}
live = {
    "changed": 2, "type": 1, "added": [1, 2], "same": [1], "text": "a\\nc", "__private": 2, "true": 1,
    "list": [{"a": 1}], "atomic": AtomicValue([2, 1]), "masked": Incomparable("other"),
}
from drift.compare.deep import deep_diff
print(sorted(map(str, deep_diff(desired, live))))
"""


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_deepdiff_is_imported_without_what_a_comparison_does_not_use() -> None:
    code = f"{COMPARED}import sys\nprint([name for name in ('pydantic', 'asyncio') if name in sys.modules])"

    assert _printed(code).splitlines()[1] == "[]"


@pytest.mark.parametrize("plain", ["import deepdiff", "import pydantic.main, asyncio"])
def test_deepdiff_finds_the_same_differences_as_with_all_of_its_modules(plain: str) -> None:
    found = _printed(COMPARED)

    assert found == _printed(f"{plain}\n{COMPARED}")
    for key in ("changed", "type", "removed", "text", "__private", "true", "added", "atomic", "masked"):
        assert f"'{key}'" in found


def test_other_programs_compare_models_of_pydantic_with_deepdiff() -> None:
    code = f"""{COMPARED}
import asyncio, json, pydantic
from cachebox import LRUCache, cached
from deepdiff import DeepDiff

class Model(pydantic.BaseModel):
    a: int

@cached(LRUCache(9))
async def twice(number):
    return 2 * number

print(json.dumps([DeepDiff(Model(a=1), Model(a=2)), DeepDiff(Model(a=1), Model(a=1)), asyncio.run(twice(4))]))
"""

    differences = {"values_changed": {"root.a": {"new_value": 2, "old_value": 1}}}
    assert json.loads(_printed(code).splitlines()[1]) == [differences, {}, 8]


#: Imports the module `unused` partly, while `load` runs. The module has a function, a class and a constant.
PARTLY = """
import sys, types, threading
from importlib import import_module
from drift.imports import import_partly
"""


def test_functions_and_classes_of_an_unused_module_load_it_when_they_are_used() -> None:
    code = f"""{PARTLY}
used = {{}}
def load():
    import fractions
    from fractions import Fraction
    used.update(module=fractions, type=Fraction)
import_partly(load, unused=("fractions",))
print(isinstance(1, used["type"]), "fractions" in sys.modules)
print(used["type"](1, 2), used["module"].Fraction(1, 2), isinstance(used["type"](1, 2), used["type"]))
import fractions
print(used["module"].Fraction is fractions.Fraction, isinstance(1, used["type"]))
"""

    assert _printed(code).splitlines() == ["False False", "1/2 1/2 True", "True False"]


def test_a_package_forgets_the_stand_ins_for_its_modules() -> None:
    code = f"""{PARTLY}
import xml
def load():
    from xml.sax import parse
    xml.parse = parse
import_partly(load, unused=("xml.sax",))
print(hasattr(xml, "parse"))
"""

    assert _printed(code) == "False"


def test_another_thread_gets_the_whole_module_meanwhile() -> None:
    code = f"""{PARTLY}
found = []
def use():
    from fractions import Fraction
    found.append(isinstance(Fraction, type))
def load():
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
import_partly(load, unused=("fractions",))
from fractions import Fraction
print(found, isinstance(Fraction, type))
"""

    assert _printed(code) == "[True] True"


def test_a_library_that_needs_everything_is_imported_as_usual() -> None:
    code = f"""{PARTLY}
made = []
def load():
    from fractions import Fraction
    class Half(Fraction):
        pass
    made.append(Half)
import_partly(load, unused=("fractions",))
from fractions import Fraction
print(len(made), made[0].__mro__[1] is Fraction)
"""

    assert _printed(code) == "1 True"
