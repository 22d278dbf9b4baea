"""Without these a migration could bring type errors, or a checker that failed could count as one that agreed."""

import shlex
import sys

import pytest

from codemods.proofs import type_check

# Stands for the consumer's Python: `-m mypy --version`, then a check in a copy of the project.
CHECKER = """#!/bin/sh
case "$*" in
    "-m {tool} --version") echo "{tool} 9.9"; exit 0;;
    "-m {tool} "*) cat {answers}/$(grep -q segment_api shop/runs.py && echo after || echo before).txt
        exit {status};;
esac
exit 1
"""


@pytest.fixture
def checker(tmp_path):
    def make(before, after, tool="mypy", status=1):
        answers = tmp_path / "answers"
        answers.mkdir()
        (answers / "before.txt").write_text(before)
        (answers / "after.txt").write_text(after)
        python = tmp_path / "python"
        text = CHECKER.format(tool=tool, status=status, answers=shlex.quote(str(answers)))
        python.write_text(text)
        python.chmod(0o755)
        return str(python)

    return make


OLD = "shop/runs.py:3: error: Missing annotation  [no-untyped-def]\n"
NEW = 'shop/runs.py:7: error: "R" has no attribute "x"  [attr-defined]\nshop/runs.py:7: note: hm\n'


def test_errors_that_move_are_none_and_new_ones_are_named(shop, faults, checker):
    python = checker(OLD, OLD.replace(":3:", ":5:") + NEW)
    proofs = list(type_check.prove(shop.claim(python=python)))
    found = faults(proofs)
    assert list(found) == ["shop/runs.py"]
    assert found["shop/runs.py"] == (
        'attr-defined: 0 errors before, 1 errors after: "R" has no attribute "x"'
    ).replace("1 errors after", "1 after")
    assert proofs[0].detail == "mypy 9.9: 1 errors before, 2 after"


def test_one_more_of_the_same_code_is_new(shop, faults, checker):
    proofs = type_check.prove(shop.claim(python=checker(NEW, NEW * 2)))
    assert "attr-defined: 1 errors before, 2 after" in faults(proofs)["shop/runs.py"]


def test_errors_elsewhere_are_told_and_are_no_fault(shop, checker):
    python = checker(OLD, OLD + "shop/__init__.py:1: error: Bad  [misc]\n")
    proofs = list(type_check.prove(shop.claim(python=python)))
    assert not any(item.fault for item in proofs)
    assert proofs[0].detail.endswith("1 new ones in files that did not change")


def test_pyright_answers_in_json(shop, faults, checker):
    item = (
        '{"file": "shop/prices.py", "severity": "%s", "message": "Bad\\nvery", "rule": "reportX"}'
    )
    before, after = (f'{{"generalDiagnostics": [{item % kind}]}}' for kind in ("warning", "error"))
    python = checker(before, "No configuration file found.\n" + after, tool="pyright")
    found = faults(type_check.prove(shop.claim(python=python)))
    assert found == {"shop/prices.py": "reportX: 0 errors before, 1 after: Bad"}


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ("mypy: can't read\n", {"status": 2}),
        ("Traceback: it fell over\n", {"status": 1}),
        ("no json\n", {"tool": "pyright"}),
        ('{"version": "1"}\n', {"tool": "pyright"}),
    ],
)
def test_a_checker_that_fails_is_not_one_that_agrees(shop, checker, answer, options):
    (proof,) = type_check.prove(shop.claim(python=checker(answer, answer, **options)))
    assert proof.is_unexamined and proof.path == "."
    assert answer.strip() in proof.fault


def test_of_a_module_with_a_stub_the_stub_is_checked():
    names = ["b.py", "a.pyi", "a.py", "c.toml", "d/a.py"]
    assert type_check._modules(names) == ["a.pyi", "b.py", "d/a.py"]


def test_no_checker_is_not_run(shop):
    (proof,) = type_check.prove(shop.claim(python="/bin/false"))
    assert proof.is_unexamined and "neither mypy nor pyright is installed" in proof.fault


@pytest.mark.slow
def test_mypy_itself(make_shop, faults):
    runs = (
        "from durable_execution import ToolExecutor\n\n\n"
        "def run(tools: ToolExecutor) -> int:\n    return 1\n"
    )
    shop = make_shop({"pyproject.toml": "[tool.mypy]\nfollow_imports = 'skip'\n", "runs.py": runs})
    claim = shop.claim(python=sys.executable)
    assert faults(type_check.prove(claim)) == {}
    shop.damage("runs.py", ("return 1", "return ''"))
    found = faults(type_check.prove(shop.claim(python=sys.executable)))
    assert found["runs.py"].startswith("return-value: 0 errors before, 1 after")
