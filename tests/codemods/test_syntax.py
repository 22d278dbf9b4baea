"""Without these tests newer syntax would be unexamined, or reported at the wrong place."""

import ast
import sys

import pytest

from codemods import syntax
from codemods.syntax import Parsed, Unparsable, parse

TARGET = "target_name"
NEWER = [
    "type X[T] = list[T]\ntarget_name\n",
    "def f[T: int, *A, **P](x: T = target_name) -> T: ...\n",
    "class A[\n    T,\n](target_name): ...\n",
    "x = f'{d['a']}' + target_name\n",
    "x = 'a' f'{d['a']}\\n{\n 1}' 'b'; target_name\n",
    "try:\n    pass\nexcept A, B:\n    target_name\n",
    "try:\n    pass\nexcept* A, B:\n    target_name\n",
    "x = t'{y}' + rt'{z}'; target_name\n",
    "lazy import a.b\nlazy from c import d\ntarget_name\n",
    "def f(x):\r\n\ttype Y = int\r\n\treturn target_name\r\n",
    "x = '\u4e2d'; y = f'{d['a']}'; target_name\n",
]


@pytest.mark.parametrize("text", NEWER)
def test_positions_stay_true(text):
    parsed = parse(text)
    assert isinstance(parsed, Parsed)
    assert len(parsed.text) == len(text)
    names = [
        node for node in ast.walk(parsed.tree) if isinstance(node, ast.Name) and node.id == TARGET
    ]
    (name,) = names
    lines = text.replace("\r\n", "\n").split("\n")
    row = lines[name.lineno - 1].encode()
    assert row[name.col_offset : name.end_col_offset].decode() == TARGET


QUICK = [
    "type X = int\ntype Y[**P] = X; type Z = X\n",
    "def f[T: int, *A, **P](x: T) -> T: ...\nasync def g[T = int] (x): ...\n",
    "class A[\n    T: (int, str),\n](B): ...\nclass C[T]: ...\n",
    "try:\n    pass\nexcept A, f(B, C) :\n    pass\n",
    "try:\n    pass\nexcept* A, B:\n    pass\n",
    "\u00e9 = 1; x = t'{y}' + rt'{z}' + Tr'' + t'\u00e9'; w\n",
]


@pytest.mark.parametrize("text", QUICK)
def test_common_forms_need_no_second_parser(text, monkeypatch):
    monkeypatch.setattr(syntax, "find_spec", lambda _name: None)
    parsed = parse(text)
    assert isinstance(parsed, Parsed)
    assert len(parsed.text) == len(text)


BROKEN = [
    "print 'x'\n",
    "def f[](x): ...\n",
    "def f[1](x): ...\n",
    "def f[T]: ...\n",
    "class A[T,,]: ...\n",
    "type X\n",
    "x: type Y = int\n",
    "type X == int\n",
    "try:\n    pass\nexcept A, B as c:\n    pass\n",
    "class A[T\n",
    "z = q'x'\n",
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_no_python_reads_stays_unread(text):
    assert isinstance(parse(text), Unparsable)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the running Python reads it all")
def test_what_the_tree_hides_is_known():
    text = "from m import A, B, C\ndef f[T: A](x: B): ...\ntry: ...\nexcept C, D: ...\n"
    parsed = parse(text)
    assert isinstance(parsed, Parsed)
    assert parsed.is_older
    assert parsed.hides(["A"])
    assert parsed.hides(["T"])
    assert not parsed.hides(["B", "C", "D", "x", "f"])
    assert [text[start:end] for start, end in parsed.replaced()] == ["[T:", "A]", ","]


def test_ordinary_syntax_is_its_own_original():
    parsed = parse("x = 1\n")
    assert isinstance(parsed, Parsed)
    assert not parsed.is_older
    assert not parsed.replaced()
    assert not parsed.hides(["x"])


@pytest.mark.parametrize("text", ["print 'x'\n", "def (:\n", "x = (\n", "x = 1\x00\n"])
def test_broken_source_is_said_to_be(text):
    assert isinstance(parse(text), Unparsable)


def test_without_the_extra_the_reason_says_so(monkeypatch):
    monkeypatch.setattr(syntax, "find_spec", lambda _name: None)
    parsed = parse("lazy import json  # no extra\n")
    assert isinstance(parsed, Unparsable)
    assert "planproof[codemods]" in parsed.reason


def test_a_second_parser_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(syntax, "OLDER_SYNTAX_DEADLINE_S", 0.001)
    parsed = parse("lazy import json  # hangs\n")
    assert isinstance(parsed, Unparsable)
    assert "stopped" in parsed.reason


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the running Python reads it all")
def test_a_word_in_a_replaced_span_is_undecided(found):
    text = "def f[T: durable_execution.X](): ...\nx = f'{d['a']} durable_execution'\n"
    assert [item[1:] for item in found({"a.py": text})] == [
        (1, 10, "reference", "undecided"),
        (2, 16, "reference", "undecided"),
    ]
