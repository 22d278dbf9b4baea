"""Without these a notebook could change where nobody touched it, or in one cell of two."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codemods.discovery import Language
from codemods.edits import Edit, EditError, apply_edits
from codemods.mapping import shipped
from codemods.migration_settings import MigrationSettings
from codemods.notebook_edits import NotebookPlan, apply, module_of_notebook, plan_notebook
from codemods.notebooks import read_notebook
from codemods.source import Source
from codemods.text_edits import TextEdit, decide

NEEDLES = ("durable_execution",)
RUN = "await de.execute_segment(p, t)"


def notebook(*cells, **around):
    listed = [
        {
            "cell_type": kind,
            "metadata": {"tags": ["durable_execution"]},
            "source": source,
            **({"outputs": [{"text": "durable_execution \u00e9"}]} if kind == "code" else {}),
        }
        for kind, source in cells
    ]
    return {"nbformat": 4, "cells": listed, "metadata": {}, **around}


def replacing(**words):
    """Return a planner that replaces words of the joined code."""

    def plan(module):
        pattern = "|".join(map(re.escape, words)) if words else "$^"
        return [
            Edit(item.start(), item.end(), item[0], words[item[0]])
            for item in re.finditer(pattern, module.text)
        ]

    return plan


RENAME = replacing(durable_execution="engine.segment_api")


def dump(document, **options):
    return json.dumps(document, **options).encode()


def migrate(data, plan_code=RENAME):
    plan = plan_notebook(data, plan_code, needles=NEEDLES)
    assert not (plan.edits and plan.refusals)
    assert not plan.refusals, plan.refusals
    return apply(data, plan)


TWO_CELLS = notebook(
    ("markdown", ["# About durable_execution"]),
    ("code", ["import os\n", "import durable_execution as de"]),
    ("code", f"r = {RUN}\nprint('\u00e9', r)"),
)
LAYOUTS = [
    {"indent": 1},
    {"indent": 2, "ensure_ascii": False},
    {"indent": None},
    {"separators": (",", ":")},
    {"indent": "\t", "sort_keys": True},
]


@pytest.mark.parametrize("options", LAYOUTS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_every_byte_but_the_code_is_kept(options, end, bom):
    data = bom + dump(TWO_CELLS, **options) + end
    expected = data.replace(b"import durable_execution as", b"import engine.segment_api as")
    after = migrate(data)
    assert after == expected and after != data
    assert plan_notebook(after, RENAME, needles=NEEDLES) == NotebookPlan()


def test_all_cells_are_one_module():
    seen = []

    def plan(module):
        seen.append(module.text)
        return replacing(de="segment_api")(module)

    document = notebook(("code", ["import durable_execution as de"]), ("code", [f"r = {RUN}"]))
    after = json.loads(migrate(dump(document), plan))
    assert seen == [f"import durable_execution as de\nr = {RUN}"]
    assert [cell["source"] for cell in after["cells"]] == [
        ["import durable_execution as segment_api"],
        ["r = await segment_api.execute_segment(p, t)"],
    ]


@pytest.mark.parametrize(
    ("source", "old", "new", "expected"),
    [
        (["a\n", "b\n", "c"], "b", "x\ny", ["a\n", "x\n", "y\n", "c"]),
        (["a\n", "b\n", "c"], "b\n", "", ["a\n", "c"]),
        (["a\n", "b\n", "c"], "\nc", "", ["a\n", "b"]),
        (["a\n", "b\n", "c"], "c", "", ["a\n", "b\n"]),
        (["a\n", "b\n", "c"], "a\nb", "x", ["x\n", "c"]),
        (["a\n", "b\n", "c"], "a\n", "", ["b\n", "c"]),
        (["a\n", "b\n", "c"], "\nb\n", "; ", ["a; c"]),
        (["a"], "a", "x\ny", ["x\n", "y"]),
        (["a"], "a", "'\u00e9\"\\'", ["'\u00e9\"\\'"]),
        ("a\nb", "a\n", "x\ny\n", "x\ny\nb"),
        (["a\nb\n", "c"], "b", "x", ["a\nx\n", "c"]),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_lines_come_and_go(source, old, new, expected, indent):
    data = dump(notebook(("code", "x = 1"), ("code", source)), indent=indent)

    def plan(module):
        start = module.text.index(old, len("x = 1\n"))
        return [Edit(start, start + len(old), old, new)]

    after = migrate(data, plan)
    assert json.loads(after)["cells"][1]["source"] == expected
    assert json.loads(after)["cells"][0] == json.loads(data)["cells"][0]
    if isinstance(source, list):
        assert after == dump(notebook(("code", "x = 1"), ("code", expected)), indent=indent)


def test_several_edits_of_one_line_and_its_escapes():
    cell = b'{"cells": [{"cell_type": "code", "source": ["a = \'\\u00e9\\/\\ud83d\\ude00\'; b = a\\n", "b"]}]}'

    def plan(module):
        at = module.text.index("; b")
        return [
            Edit(0, 1, "a", "aa"),
            Edit(at + 2, at + 3, "b", "bb\ncc"),
            Edit(at + 8, at + 9, "b", "d"),
        ]

    assert migrate(cell, plan) == (
        b'{"cells": [{"cell_type": "code", "source": '
        b'["aa = \'\\u00e9\\/\\ud83d\\ude00\'; bb\\n", "cc = a\\n", "d"]}]}'
    )


def test_a_key_that_is_there_twice_and_format_3():
    twice = b'{"cells": [{"cell_type": "code", "source": ["x"], "source": ["import durable_execution"]}]}'
    assert migrate(twice) == twice.replace(b"durable_execution", b"engine.segment_api")
    old = dump(
        {"worksheets": [{"cells": [{"cell_type": "code", "input": ["import durable_execution"]}]}]}
    )
    assert migrate(old) == old.replace(b"durable_execution", b"engine.segment_api")


MAGICS = {
    "a line magic": ("%timeit de.execute_segment(p, t)\nx = 1", "a magic that uses de", 1, 9),
    "a module": (
        "x = 1\n%load_ext durable_execution",
        "a magic that uses durable_execution",
        2,
        11,
    ),
    "a cell magic": ("%%cython\ncimport durable_execution", "that uses durable_execution", 2, 9),
    "a shell's argument": ("!echo {de.STEP_ABORT_MS}", "a magic that uses de", 1, 8),
    "a broken cell": ("x = !ls $de", "cannot be parsed", 1, 10),
}


@pytest.mark.parametrize("case", MAGICS)
def test_a_magic_that_uses_what_changes_forbids_it(case):
    text, reason, line, column = MAGICS[case]
    data = dump(notebook(("code", "import durable_execution as de"), ("code", text)))
    plan = plan_notebook(data, RENAME, needles=NEEDLES)
    assert not plan.edits
    found = plan.refusals[0]
    assert reason in found.reason
    assert (found.cell, found.line, found.column) == (2, line, column)


def test_other_magics_stay():
    texts = [
        "%load_ext autoreload\nimport durable_execution as de\n!pip install durable_execution",
        "%%time\nde = durable_execution",
        "%%bash\npython -m durable_execution",
    ]
    data = dump(notebook(*(("code", text) for text in texts)))
    sources = [cell["source"] for cell in json.loads(migrate(data))["cells"]]
    assert sources[0] == texts[0].replace("import durable_execution", "import engine.segment_api")
    assert sources[1] == texts[1].replace("durable_execution", "engine.segment_api")
    assert sources[2] == texts[2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff", "cannot be read"),
        (dump(notebook(metadata={"kernelspec": {"language": "R"}})), "its language is r"),
        (dump(notebook(metadata={"language_info": {"name": "julia"}})), "its language is julia"),
    ],
)
def test_what_is_no_python_notebook_stays(data, reason):
    plan = plan_notebook(data, RENAME, needles=NEEDLES)
    assert not plan.edits and reason in plan.refusals[0].reason


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (Edit(3, 7, "1\nb ", "x"), "reaches beyond the cell"),
        (Edit(0, 1, "z", "x"), "reaches beyond"),
        (Edit(16, 16, "", "x"), "the line of a magic"),
    ],
)
def test_edits_that_do_not_fit_are_refused(edit, reason):
    data = dump(notebook(("code", "a = 1"), ("code", "b = 2\n%who")))
    plan = plan_notebook(data, lambda module: [edit], needles=NEEDLES)
    assert not plan.edits and reason in plan.refusals[0].reason


def test_more_than_code_is_never_written():
    data = dump(notebook(("markdown", "durable_execution"), ("code", "x")))
    start = data.index(b"durable_execution")
    plan = NotebookPlan((Edit(start, start + 7, "durable", "engine"),))
    with pytest.raises(EditError, match="more than the code"):
        apply(data, plan)


def test_a_planner_may_refuse():
    def plan(module):
        raise EditError("too deep")

    found = plan_notebook(dump(TWO_CELLS), plan, needles=NEEDLES)
    assert [item.reason for item in found.refusals] == ["too deep"]


def test_places_are_those_of_the_scanner(scan_files):
    document = notebook(
        ("markdown", "durable_execution"),
        ("code", "%matplotlib inline\nimport importlib"),
        ("code", ["x = 1\n", "m = importlib.import_module('durable_execution')"]),
        ("code", "!python -m durable_execution"),
    )
    data = dump(document)
    report = scan_files({"a.ipynb": data})
    module = module_of_notebook(read_notebook(data))
    source = Source.of(module.text)
    found = {}
    for item in report.occurrences:
        moved = module.find(item)
        if moved is not None:
            assert module.place(moved.line, moved.column) == (item.cell, item.line, item.column)
            found[item.cell] = decide(
                source, moved, Language.NOTEBOOK, MigrationSettings(), shipped()
            )
    assert list(found) == [3]
    edit = found[3]
    assert isinstance(edit, TextEdit)

    def plan(_):
        return [Edit(edit.start, edit.end, edit.old, edit.new)]

    after = migrate(Path(report.root, "a.ipynb").read_bytes(), plan)
    assert after == data.replace(b"('durable_execution')", b"('engine.segment_api')")


def test_a_cell_without_text_takes_none():
    data = dump(notebook(("code", []), ("code", "x")))
    plan = plan_notebook(data, lambda module: [Edit(0, 0, "", "y")], needles=NEEDLES)
    assert "no code" in plan.refusals[0].reason
    empty = dump(notebook(("code", ""), ("code", ["x"])))
    after = migrate(empty, lambda module: [Edit(0, 0, "", "y\n")])
    assert after == dump(notebook(("code", "y\n"), ("code", ["x"])))


LINES = st.lists(
    st.text(alphabet="ab \\\"'/{}\t\u00e9\U0001f600", max_size=8), min_size=1, max_size=5
)


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(LINES, min_size=1, max_size=3),
    cuts=st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 9), st.text("#x\n\u00e9\\", max_size=4))
    ),
    options=st.sampled_from(LAYOUTS),
)
def test_edits_do_to_any_notebook_what_they_do_to_its_text(cells, cuts, options):
    sources = [[f"#{line}\n" for line in lines] for lines in cells]
    data = dump(notebook(*(("code", lines) for lines in sources)), **options)
    expected = []

    def plan(module):
        starts = [first for first, _, _ in module.cells]
        ends = [first - 1 for first in starts[1:]] + [len(module.text)]
        edits, position = [], 0
        for start, size, new in sorted(cuts):
            first, last = max(start, position), max(start, position) + size
            if any(a <= first and last <= b for a, b in zip(starts, ends, strict=True)):
                edits.append(Edit(first, last, module.text[first:last], new))
                position = last + 1
        expected.append(apply_edits(module.text, edits))
        return edits

    plan_made = plan_notebook(data, plan, needles=NEEDLES)
    assert not plan_made.refusals
    after = json.loads(apply(data, plan_made))
    assert "\n".join("".join(cell["source"]) for cell in after["cells"]) == expected[0]
    changed = [cell["source"] for cell in after["cells"]]
    assert after == {
        **json.loads(data),
        "cells": [
            {**cell, "source": new}
            for cell, new in zip(json.loads(data)["cells"], changed, strict=True)
        ],
    }
    items = [item for source in changed for item in source]
    assert all(item and "\n" not in item[:-1] for item in items)
    ends = [item[-1] == "\n" for source in changed for item in source[:-1]]
    assert all(ends)
