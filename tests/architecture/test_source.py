"""House rules over the source: sizes, and words that have no place in it."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "legacy", "codemods", "chaos", "conformance")
MODULE_LINES_MAX = 400  # a module that needs more holds more than one noun
FUNCTION_LINES_MAX = 70  # what a reader sees at once

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TEXT_SUFFIXES = {".md", ".py", ".toml", ".yaml", ".yml"}
# What belongs into a tracker or a commit and not into the product.
BANNED = {
    "a number of an issue or a pull request": re.compile(r"(?<![\w&/])#\d{1,5}\b(?!;)"),
    "a note to finish later": re.compile(r"#.*\b(TODO|FIXME|XXX)\b"),
    "a path of the machine that it was written on": re.compile(r"(?<!\w)/(home|Users|work)/\w+"),
}


def _label(path):
    return str(path.relative_to(ROOT))


def test_the_modules_are_found():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("path", MODULES, ids=_label)
def test_a_module_is_short(path):
    assert len(path.read_text("utf-8").splitlines()) < MODULE_LINES_MAX


@pytest.mark.parametrize("path", MODULES, ids=_label)
def test_every_function_is_short(path):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = {
        f"{node.name} (line {node.lineno})": node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, functions) and node.end_lineno - node.lineno + 1 >= FUNCTION_LINES_MAX
    }
    assert long == {}


@pytest.mark.parametrize("path", MODULES, ids=_label)
def test_a_type_that_is_ignored_has_a_code_and_a_reason(path):
    bare = re.compile(r"#\s*type: ignore(?!\[[\w, -]+\]  # \S)")
    lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
    assert [number for number, line in lines if bare.search(line)] == []


def _texts():
    command = ["git", "ls-files"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    paths = [Path(name) for name in done.stdout.splitlines()]
    return [
        path
        for path in paths
        if path.suffix in TEXT_SUFFIXES
        and path.parts[:2] not in {("tests", "fixtures"), ("tests", "architecture")}
    ]


@pytest.mark.parametrize("what", BANNED)
def test_the_product_does_not_speak_of(what):
    texts = _texts()
    if not texts:
        pytest.skip("not a git checkout")
    found = [
        f"{path}:{number}"
        for path in texts
        for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), start=1)
        if BANNED[what].search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a number of an issue or a pull request", "see #123"),
        ("a note to finish later", "# TODO: more"),
        ("a path of the machine that it was written on", "open('/home/me/x')"),
    ],
)
def test_the_patterns_find_what_they_are_for(what, line):
    assert BANNED[what].search(line)
