"""Entry points name the bridge module.

What: the object reference of an entry point (`module:name` or `module`) in `pyproject.toml`,
`setup.cfg`, `entry_points.txt`, and in the `entry_points` of `setup.py`.

Why it is safe: an entry point is imported by its reference, and the bridge has every name in the
same shape; name, group and extras stay, so whoever looks the entry point up still finds it. A
script must name a function, so a reference without one is reported, as are the names of groups.
"""

import re

from codemods.configuration import section_at
from codemods.configuration_scalars import family_of, setting_at
from codemods.known_keys import words_of
from codemods.occurrence import Kind
from codemods.python_strings import string_and_use
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit

_NAME = re.compile(r"\s*[\w.@-][\w.@ -]*=\s*")
_EXTRAS = re.compile(r"\s*(?:\[[^\]\n]*\])?\s*")
_TAIL = re.compile(r"\s*(?:\[[^\]\n]*\])?(?:\s+[#;].*)?\s*")
_PLUGINS = re.compile(r"entry[-_]points|plugins")
_KEYS = frozenset({("entry", "points"), ("console", "scripts"), ("gui", "scripts")})


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one object reference."""
    path = passage.path
    if passage.is_python:
        _demand_entry_in_code(passage)
    else:
        _demand_entry_in_file(passage)
    return passage.replace(path.start, path.end, passage.successor(path))


def _demand_entry_in_code(passage: Passage) -> None:
    literal, use = string_and_use(passage)
    text, path = passage.source.text, passage.path
    is_entry = _NAME.fullmatch(text, literal.start, path.start) and _EXTRAS.fullmatch(
        text, path.end, literal.end
    )
    if not is_entry or _KEYS.isdisjoint(words_of(key) for key in use.keys):
        raise RefusedError("no entry of `entry_points`, as far as can be seen")


def _demand_entry_in_file(passage: Passage) -> None:
    source, path = passage.source, passage.path
    if family_of(passage.name) == "ini":
        line, column = source.line_column(path.start)
        text = source.line_text(line)
        tail = text[column - 1 + path.end - path.start :]
        is_entry = bool(_NAME.fullmatch(text, 0, column - 1) and _TAIL.fullmatch(tail))
        section = section_at(source, path.start, passage.name)
    else:
        setting = setting_at(source, path.start, path.end, passage.name)
        is_entry, section = setting is not None, setting.section if setting else ""
    if not is_entry:
        raise RefusedError("no object reference of an entry point, as far as can be seen")
    if ":" not in path.rest and not _PLUGINS.search(section):
        raise RefusedError("a script without a function")


_OLD = {"run": "LEGACY:execute_segment", "module": "LEGACY"}
_NEW = {"run": "engine.segment_api:execute_segment", "module": "engine.segment_api"}
_TOML = """\
[project.scripts]
run = "{run}"  # the worker
[project.entry-points."acme.executors"]
segment = '{run}'
whole = "{module}"
[tool.poetry.plugins."acme.executors"]
segment = "{run}"
"""
_INI = """\
[options.entry_points]
console_scripts =
    run = {run}
acme.executors =
    segment = {run} [redis]
    whole={module}
"""
_TEXT = "[console_scripts]\nrun = {run}\n[acme.entry_points]\nwhole = {module}\n"
_CODE = """\
from setuptools import setup

setup(
    entry_points={{
        "console_scripts": ["run = {run}"],
        "acme.executors": ["whole={module}", "other = acme:x"],
    }}
)
"""
_FILES = (
    ("pyproject.toml", _TOML),
    ("setup.cfg", _INI),
    ("entry_points.txt", _TEXT),
    ("setup.py", _CODE),
)
CASES = (
    *(TextCase(file, file, text.format(**_OLD), text.format(**_NEW)) for file, text in _FILES),
    TextCase.noop(
        "a name without a successor", "pyproject.toml", "[project.scripts]\nx = 'LEGACY:main'\n"
    ),
    TextCase.noop("the name of a group", "pyproject.toml", "[project.entry-points.'LEGACY']\n"),
    TextCase.noop(
        "a script without a function", "pyproject.toml", "[project.scripts]\nx = 'LEGACY'\n"
    ),
    TextCase.noop("a string elsewhere", "a.py", "NOTES = ['run = LEGACY:execute_segment']\n"),
)
RULE = TextRule(
    "CM204", "Entry points", __doc__ or "", frozenset({Kind.ENTRY_POINT}), CASES, migrate
)
