"""One comment for each line that is left: found again, removed with its cause, never in the way."""

import re

import pytest

from codemods.migration import Outcome
from codemods.migration_plan import plan_migration
from codemods.reports.account import fingerprints
from codemods.reports.todo import Todo, annotate, insert_todos
from codemods.settings import ScanSettings

from .conftest import TOOLS

WORD = "TODO"
MARK = f"# {WORD}(planproof "
LEFT = "from durable_execution import nothing\n"


def comment(rule="CM001", identity="0123abcd", reason="by hand"):
    return f"{MARK}{rule} {identity}): {reason}"


def write(changes):
    for change in changes:
        with open(change.path, "wb") as file:  # noqa: PTH123 - names need not be Unicode
            file.write(change.after)


def comments_in(text):
    return [line for line in text.splitlines() if MARK in line]


def plan_of(folder):
    return plan_migration([folder])


MIXED = {
    "left.py": f'"""Module."""\n\nimport os\n\ndef f():\n    {LEFT}    return nothing\n',
    "both.py": f"{TOOLS}x = 'durable_execution.' + TOOLS\nimportlib.import_module('durable_execution.' + x)\n",
    "service.yaml": "a:\n  label: durable_execution\n  b: 1\n",
    "settings.toml": "[a]\nlabel = 'durable_execution'\n",
    "setup.cfg": "[a]\nlabel =\n    one\n    durable_execution\n",
    "data.json": '{"label": "durable_execution"}\n',
    "done.py": TOOLS,
}


def test_a_run_a_second_run_and_what_is_gone(project):
    folder = project(MIXED)
    first = plan_of(folder)
    changes = insert_todos(first)
    names = {change.shown for change in changes}
    assert names == {"left.py", "both.py", "service.yaml", "settings.toml", "setup.cfg", "done.py"}
    write(changes)
    ids = {
        name: re.findall(rf"{re.escape(MARK)}\w+ (\w+)\): (.+)", (folder / name).read_text())
        for name in names
    }
    assert not ids.pop("done.py") and all(ids.values())
    assert "durable_execution" not in "".join(text for found in ids.values() for _, text in found)
    assert (folder / "left.py").read_text().splitlines()[5].startswith(f"    {MARK}CM001 ")
    second = plan_of(folder)
    assert not second.changes and insert_todos(second) == ()
    assert {item.occurrence.path for item in second.rows} == {
        item.occurrence.path for item in first.rows if item.outcome is Outcome.REPORTED
    }
    prints = {item[:8] for item in fingerprints(second.rows)}
    assert {identity for found in ids.values() for identity, _ in found} <= prints
    moved = "import sys\n\n" + (folder / "left.py").read_text().replace("import os\n", "")
    (folder / "left.py").write_text(moved)
    assert insert_todos(plan_of(folder)) == ()
    (folder / "left.py").write_text(moved.replace(LEFT, "nothing = 1\n"))
    (folder / "settings.toml").write_text(
        (folder / "settings.toml").read_text().replace("durable_execution", "engine")
    )
    third = insert_todos(plan_of(folder))
    assert {change.shown for change in third} == {"left.py", "settings.toml"}
    write(third)
    assert MARK not in (folder / "left.py").read_text() + (folder / "settings.toml").read_text()
    assert (folder / "settings.toml").read_text() == "[a]\nlabel = 'engine'\n"


def test_comments_and_changes_are_one_change(project):
    folder = project(MIXED)
    plan = plan_of(folder)
    change = next(item for item in insert_todos(plan) if item.shown == "both.py")
    base = next(item for item in plan.changes if item.shown == "both.py")
    assert (change.before, change.group, change.rules) == (base.before, base.group, base.rules)
    without = [line for line in change.after.decode().splitlines() if MARK not in line]
    assert without == base.after.decode().splitlines()
    groups = [item.group for item in insert_todos(plan) if item.shown != "both.py"]
    assert len(set(groups)) == len(groups) and base.group not in groups


def test_only_given_paths_are_cleaned_and_excluded_files_are_not_touched(project):
    stale = f"{comment()}\nx = 1\n"
    folder = project({"a/x.py": stale, "b/x.py": stale, "c/x.py": stale, "d.py": "y = 1\n"})
    plan = plan_of(folder)
    assert {item.shown for item in insert_todos(plan)} == {"a/x.py", "b/x.py", "c/x.py"}
    some = insert_todos(plan, paths=[folder / "a", folder / "c"])
    assert {item.shown for item in some} == {"a/x.py", "c/x.py"}
    kept = insert_todos(plan, settings=ScanSettings(exclude=("a/", "b/")))
    assert [(item.shown, item.after) for item in kept] == [("c/x.py", b"x = 1\n")]


def test_what_is_outside_of_the_plan_keeps_its_comments(project):
    folder = project({"a/x.py": LEFT, "b/x.py": LEFT})
    write(insert_todos(plan_of(folder)))
    assert insert_todos(plan_migration([folder / "a"])) == ()


def test_links_and_read_only_files_are_left_alone(project):
    folder = project({"a.py": LEFT, "b.py": LEFT.replace("nothing", "other")})
    (folder / "a.py").chmod(0o444)
    (folder / "c.py").symlink_to(folder / "b.py")
    assert [item.shown for item in insert_todos(plan_of(folder))] == ["b.py"]


TODO = Todo(1, "0123abcd", "CM001", "by hand")
NEW = TODO.text


@pytest.mark.parametrize(
    ("name", "line", "before", "after"),
    [
        ("a.py", 2, "x = 1\ny = 2\n", "x = 1\n@\ny = 2\n"),
        ("a.py", 2, "if x:\n\ty = 2", "if x:\n\t@\n\ty = 2"),
        ("a.py", 3, "f(\n  1,\n  2)\n", "@\nf(\n  1,\n  2)\n"),
        ("a.py", 3, "x = '''\n  a\n  b'''\n", "@\nx = '''\n  a\n  b'''\n"),
        ("a.py", 2, "x = 1 + \\\n  2\n", "@\nx = 1 + \\\n  2\n"),
        ("a.py", 2, "\\\nx = 2\n", "@\n\\\nx = 2\n"),
        ("a.py", 2, "x = 1\r\ny = 2\r\n", "x = 1\r\n@\r\ny = 2\r\n"),
        ("a.py", 2, "x = 1\ry = 2", "x = 1\r@\ry = 2"),
        ("a.py", 4, "if x:\n    pass\n\nelse: y\n", "if x:\n    pass\n\n@\nelse: y\n"),
        ("a.py", 2, "@d\ndef f(): ...\n", "@d\n@\ndef f(): ...\n"),
        ("a.py", 2, "x = 1\n# type: y\n", "x = 1\n@\n# type: y\n"),
        ("a.py", 3, "x = 1\n\x0c\ny = 2\n", "x = 1\n\x0c\n@\ny = 2\n"),
        ("a.py", 2, "x = 1\nprint 2\n", None),
        ("a.py", 9, "x = 1\n", None),
        ("a.toml", 2, "[a]\nb = 1\n", "[a]\n@\nb = 1\n"),
        ("a.toml", 3, "a = '''\n# b\nc'''\n", "@\na = '''\n# b\nc'''\n"),
        ("a.toml", 3, 'a = """\n\\"""\nc"""\n', '@\na = """\n\\"""\nc"""\n'),
        ("a.toml", 2, 'a = [\n  \'b\', # """\n]\n', 'a = [\n  @\n  \'b\', # """\n]\n'),
        ("a.toml", 1, "a = \n", None),
        ("a.cfg", 3, "[a]\nb =\n  c\n", "[a]\n@\nb =\n  c\n"),
        ("a.ini", 1, "no section\n", None),
        ("a.yaml", 2, "a:\n  b: 1\n", "a:\n  @\n  b: 1\n"),
        ("a.yaml", 2, "a:\n- b\n- c\n", "a:\n@\n- b\n- c\n"),
        ("a.yaml", 3, "a: |\n  b: 1\n  c: 2\nd: 3\n", "@\na: |\n  b: 1\n  c: 2\nd: 3\n"),
        ("a.yaml", 4, "a: >-\n  b\n\nd: 3\n", "a: >-\n  b\n\n@\nd: 3\n"),
        ("a.yaml", 3, "- a: |\n    b\n  c: 2\n", "- a: |\n    b\n  @\n  c: 2\n"),
        ("a.yaml", 2, "a: word\n  - b\n", "@\na: word\n  - b\n"),
        ("a.yaml", 2, "a: 'one\n  b: two'\n", "@\na: 'one\n  b: two'\n"),
        ("a.yaml", 3, "a: [b,\n  c,\n  d]\n", "@\na: [b,\n  c,\n  d]\n"),
        ("a.yaml", 2, "a: &x\n  b: 1\n", "a: &x\n  @\n  b: 1\n"),
        ("a.yaml", 2, "- a\n- 'it''s: [x'\n", "- a\n@\n- 'it''s: [x'\n"),
        ("a.yml", 2, "--- |\n  a: 1\n", None),
        ("a.json", 1, "{}\n", None),
        ("a.ipynb", 1, "{}\n", None),
        ("a.md", 1, "x\n", None),
    ],
)
def test_where_the_comment_stands(name, line, before, after):
    todo = Todo(line, TODO.id, TODO.rule, TODO.reason)
    found = annotate(before.encode(), name, [todo]).decode()
    wanted = before if after is None else re.sub(r"@(?!d)", f"# {NEW}", after)
    assert found == wanted
    place = next((i for i, text in enumerate(Lines(found), 1) if NEW in text), 0)
    if after is None:
        return
    moved = Todo(line + (place <= line), TODO.id, TODO.rule, "another reason")
    assert annotate(found.encode(), name, [moved]).decode() == found
    assert annotate(found.encode(), name, []).decode() == before
    if name.endswith((".yaml", ".yml")):
        yaml = pytest.importorskip("yaml")
        assert yaml.safe_load(found) == yaml.safe_load(before)


def Lines(text):  # noqa: N802 - as str.splitlines, without the form feed
    return re.split(r"\r\n|\r|\n", text)


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"# coding: latin-1\nx = '\xe9'\n", b"# coding: latin-1\n@\nx = '\xe9'\n"),
        (b"\xef\xbb\xbfa = 1\nx = 2\n", b"\xef\xbb\xbfa = 1\n@\nx = 2\n"),
    ],
)
def test_encodings_are_kept(data, after):
    todo = Todo(2, TODO.id, TODO.rule, "\u2026 encoding: x")
    found = annotate(data, "a.py", [todo])
    assert b"encoding : x" in found and b"coding: x" not in found
    lines = found.split(b"\n")
    assert re.fullmatch(
        rb"# \w+\(planproof CM001 0123abcd\): (\\u2026|\xe2\x80\xa6) encoding.*", lines[1]
    )
    assert [*lines[:1], b"@", *lines[2:]] == after.split(b"\n")


def test_a_comment_in_a_string_is_text():
    text = f"x = '''\n{comment()}\n'''\n"
    assert annotate(text.encode(), "a.py", []) == text.encode()
    toml = f'x = """\n{comment()}\n"""\n'
    assert annotate(toml.encode(), "a.toml", []) == toml.encode()
    yaml = f"x: |\n  {comment()}\ny: 1\n"
    assert annotate(yaml.encode(), "a.yaml", []) == yaml.encode()


def test_a_file_with_thousands_of_lines_that_are_left():
    text = "".join(f"x{index} = f(\n    {index})\n" for index in range(5_000))
    todos = [Todo(2 * index + 2, f"{index:08x}", "CM001", "by hand") for index in range(5_000)]
    found = annotate(text.encode(), "a.py", todos)
    assert len(comments_in(found.decode())) == 5_000
    moved = [Todo(3 * index + 3, f"{index:08x}", "CM001", "x") for index in range(5_000)]
    assert annotate(found, "a.py", moved) == found
