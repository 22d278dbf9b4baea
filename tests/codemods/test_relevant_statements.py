"""Without these a comparison could leave out the very statement that is wrong."""

import ast

import pytest

from codemods.relevant_statements import narrowed

ROOTS = (("durable_execution",),)
BEFORE = (
    "import a\nfrom durable_execution import run as go\n\n\n@a.b\ndef f():\n    go()\n\n\nx = 1\n"
)
AFTER = BEFORE.replace("durable_execution", "engine.segment_api")


def kept(before, after) -> list[str]:
    trees = narrowed((ast.parse(before), before), (ast.parse(after), after), ROOTS)
    return [
        [ast.unparse(node) for node in tree.body if "\\x00" not in ast.unparse(node)]
        for tree in trees
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_what_names_the_module_or_what_is_taken_from_it_is_looked_into(ending) -> None:
    before, after = kept(BEFORE.replace("\n", ending), AFTER.replace("\n", ending))
    assert before == ["from durable_execution import run as go", "@a.b\ndef f():\n    go()"]
    assert after == ["from engine.segment_api import run as go", "@a.b\ndef f():\n    go()"]


def test_another_statement_that_changes_is_seen_by_its_mark() -> None:
    after = AFTER.replace("x = 1", "x = 2")
    first, second = narrowed((ast.parse(BEFORE), BEFORE), (ast.parse(after), after), ROOTS)
    assert ast.dump(first.body[0]) == ast.dump(second.body[0])
    assert ast.dump(first.body[-1]) != ast.dump(second.body[-1])


def test_a_star_import_leaves_nothing_out() -> None:
    before, after = kept(
        "from durable_execution import *\ny = 1\n", "from engine import *\ny = 1\n"
    )
    assert before[1:] == after[1:] == ["y = 1"]
