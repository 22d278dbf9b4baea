"""What counts as a code line, and what "smaller" means."""

import pytest

from conformance.metrics.size import (
    SizeEvidence,
    SourceSize,
    code_lines,
    import_closure,
    judge,
    measure,
    total,
)
from conformance.report import Verdict


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("", 0),
        ("\n\n# only a comment\n", 0),
        ('"""Docstring\nof two lines."""\n', 0),
        ("x = 1  # with a comment\n", 1),
        ("x = 1; y = 2\n", 1),
        ("x = (\n    1,\n\n    # why\n    2,\n)\n", 4),
        ('x = """a\nb\n\nc"""\n', 4),
        ("x = 1 + \\\n    2\n", 2),
        ('def f():\n    """Say."""\n\n    return 1\n', 2),
        ('def f():\n    """Say."""\n', 1),
        (
            'class C:\n    """Say\n    more."""\n\n    x: int\n    """No docstring by Python."""\n',
            3,
        ),
        ('async def f():\n    "short"\n    # why\n    pass\n', 2),
        ("def f():\n    1\n", 2),
        ('def f(): "doc"; return 1\n', 1),
        ('"one" \\\n"two"\n', 0),
        ('x = 1\n"no docstring"\n', 2),
    ],
)
def test_code_lines(source, lines):
    assert code_lines(source) == lines


def test_comments_and_blank_lines_change_nothing():
    source = "def f(a):\n    if a:\n        return 1\n    return 2\n"
    padded = source.replace("\n", "\n\n# padding\n")
    assert measure(padded) == measure(source)


def test_source_that_is_no_python_raises():
    with pytest.raises(SyntaxError):
        code_lines("def :\n")


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("return 1", 1),
        ("return 1 if a else 2", 2),
        ("if a:\n        return 1\n    elif b:\n        return 2", 3),
        ("return a and b or c", 3),
        ("return [x for x in a if x]", 3),
        ("try:\n        a()\n    except E:\n        b()", 2),
        ("while a:\n        for x in b:\n            pass", 3),
        ("match a:\n        case 1:\n            pass\n        case _:\n            pass", 3),
    ],
)
def test_complexity_counts_the_paths(body, complexity):
    assert measure(f"def f(a, b, c):\n    {body}\n").complexity_max == complexity


def test_a_nested_function_counts_for_itself():
    size = measure("def f(a):\n    def g(b):\n        return 1 if b else 2\n    return g\n")
    assert (size.functions, size.complexity, size.complexity_max) == (2, 3, 2)


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "engine"
    files = {
        "__init__.py": "",
        "machine.py": "from engine.steps import run\nfrom . import clock\nimport redis\n",
        "steps.py": "def run():\n    from .inner import deep\n",
        "clock.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import engine.types\n",
        "types.py": "",
        "inner/__init__.py": "from .deep import *\n",
        "inner/deep.py": "from ..clock import x\n",
        "unused.py": "import engine.machine\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_closure_follows_every_import_inside_the_package(package):
    assert set(import_closure(package, "engine.machine")) == {
        "engine",
        "engine.clock",
        "engine.inner",
        "engine.inner.deep",
        "engine.machine",
        "engine.steps",
        "engine.types",
    }


def _size(lines):
    return SourceSize(files=1, code_lines=lines, functions=2, complexity=5, complexity_max=3)


def _judged(lines):
    evidence = SizeEvidence("engine/machine.py", _size(lines), {"a": _size(lines), "b": _size(70)})
    return judge(evidence, baseline_lines=1604, target_reduction=0.2, legacy_lines=1061)


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (1, Verdict.MET),
        (1283, Verdict.MET),
        (1284, Verdict.MISSED),
        (1604, Verdict.MISSED),
        (0, Verdict.UNKNOWN),
    ],
)
def test_the_target_is_a_fifth_less_than_the_baseline(lines, verdict):
    assert _judged(lines).verdict is verdict


def test_moved_code_stays_visible_beside_the_machine():
    finding = _judged(30)
    assert "30 code lines (-98%)" in finding.figure
    assert "with all 2 modules it imports: 100 lines" in finding.figure
    assert finding.details["modules"] == {"a": 30, "b": 70}


def test_sizes_add_up_and_the_highest_complexity_stays():
    one = SourceSize(1, 10, 2, 6, 4)
    other = SourceSize(1, 5, 1, 7, 7)
    assert total([one, other]) == SourceSize(2, 15, 3, 13, 7)
    assert total([]) == SourceSize(0, 0, 0, 0, 0)
