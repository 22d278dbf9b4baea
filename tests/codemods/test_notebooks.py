"""Without these tests a use in a notebook could be missed, or reported in the wrong cell."""

import json

import pytest

from codemods import Status
from codemods.notebooks import read_notebook


def notebook(*cells, indent=None):
    listed = [
        {
            "cell_type": kind,
            "metadata": {},
            "source": source,
            **({"outputs": outputs} if kind == "code" else {}),
        }
        for kind, source, outputs in cells
    ]
    return json.dumps({"cells": listed, "metadata": {}, "nbformat": 4}, indent=indent)


def places(report):
    return [
        (item.cell, item.line, item.column, item.kind.value, item.status.value)
        for item in report.occurrences
    ]


@pytest.mark.parametrize("indent", [None, 1])
def test_cells_share_one_namespace(scan_files, indent):
    text = notebook(
        ("markdown", ["About\n", "durable_execution\n"], None),
        ("code", "import os\nimport durable_execution", []),
        (
            "code",
            ["x = await durable_execution.execute_segment()\n", "# durable_execution"],
            [{"text": "durable_execution ran"}],
        ),
        indent=indent,
    )
    assert places(scan_files({"a.ipynb": text})) == [
        (1, 2, 1, "document", "documentation"),
        (2, 2, 8, "import", "use"),
        (3, 1, 1, "output", "documentation"),
        (3, 1, 11, "reference", "use"),
        (3, 2, 3, "comment", "comment"),
    ]


def test_magics(scan_files):
    text = notebook(
        (
            "code",
            "%load_ext durable_execution\nif 1:\n    !python -m durable_execution\nimport durable_execution",
            [],
        ),
        ("code", "%%bash\npython -m durable_execution.worker", []),
        ("code", "%%time\nimport durable_execution", []),
    )
    assert places(scan_files({"a.ipynb": text})) == [
        (1, 1, 11, "configuration", "use"),
        (1, 3, 16, "command", "use"),
        (1, 4, 8, "import", "use"),
        (2, 2, 11, "command", "use"),
        (3, 2, 8, "import", "use"),
    ]


def test_a_broken_cell_costs_itself(scan_files):
    text = notebook(
        ("code", "def (:\n  durable_execution", []), ("code", "import durable_execution", [])
    )
    assert places(scan_files({"a.ipynb": text})) == [
        (1, 2, 3, "unparsable", "unexamined"),
        (2, 1, 8, "import", "use"),
    ]


@pytest.mark.parametrize(
    "text", ["{durable_execution", '["durable_execution"]', '{"cells": "durable_execution"}']
)
def test_a_file_that_is_no_notebook_is_red(scan_files, text):
    report = scan_files({"a.ipynb": text})
    assert [item.status for item in report.occurrences] == [Status.UNEXAMINED]


def test_format_3_is_read():
    cell = {"cell_type": "code", "input": ["x = 1"], "outputs": []}
    data = json.dumps({"worksheets": [{"cells": [cell]}], "nbformat": 3}).encode()
    assert [item.text for item in read_notebook(data).code] == ["x = 1"]
