"""Without these a change of a notebook or of a configuration could lose what it does not mean."""

import json

import pytest

from codemods.migration import Change
from codemods.migration_settings import MigrationSettings
from codemods.proofs import same_tree
from codemods.proofs.proof import Claim, ProofEnvironment
from codemods.settings import ScanSettings

OLD = "from durable_execution import ToolExecutor\nx = ToolExecutor"
NEW = "from engine import PositionalTools\nx = PositionalTools"


def fault(shown, before, after, settings=None):
    change = Change(f"/{shown}", shown, before.encode(), after.encode(), ())
    claim = Claim([change], settings or ScanSettings(), MigrationSettings(), ProofEnvironment())
    (proof,) = same_tree.prove(claim)
    assert (proof.path, proof.level) == (shown, "P0")
    return proof.fault


def notebook(*cells, **more):
    listed = [
        {"cell_type": kind, "source": text.splitlines(keepends=True), "outputs": []}
        for kind, text in cells
    ]
    return json.dumps({"nbformat": 4, "cells": listed, **more})


@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [
        ("a = durable_execution.run", "a = engine.segment_api.run", True),
        ("a = pkg.legacy.durable_execution:run", "a = engine.segment_api:run", True),
        ("a = durable_execution.run", "a = engine.segment_api.other", False),
        ("a = durable_execution.run", "a = engine.run", False),
        ("a = durable_execution.run", "a = engine.segment_api.run\n", False),
        ("a = durable_executions.run", "a = engine.segment_api.run", False),
        ("a = 'durable_execution'  # b", "a = 'engine.segment_api'", False),
    ],
)
def test_text_differs_in_the_dotted_name_only(before, after, holds):
    assert (fault("a.toml", before, after) == "") is holds


def test_the_roots_of_the_settings_count():
    settings = ScanSettings(roots=("old.segments",))
    assert fault("a.ini", "x.old.segments.run", "engine.segment_api.run", settings) == ""
    assert fault("a.ini", "x.old.segments.run", "engine.segment_api.run")


NOTEBOOK = (
    ("code", f"%load_ext a\n{OLD}"),
    ("markdown", "# durable_execution"),
    ("code", "!ls\nx"),
)


@pytest.mark.parametrize(
    ("cells", "more", "holds"),
    [
        ((("code", f"%load_ext a\n{NEW}"), *NOTEBOOK[1:]), {}, True),
        ((("code", f"%load_ext a\n\n\n{NEW}"), *NOTEBOOK[1:]), {}, True),
        (
            (("code", f"%load_ext a\n{NEW}"), ("markdown", "# engine.segment_api"), NOTEBOOK[2]),
            {},
            True,
        ),
        ((("code", f"%load_ext b\n{NEW}"), *NOTEBOOK[1:]), {}, False),
        ((("code", NEW), *NOTEBOOK[1:]), {}, False),
        ((("code", f"%load_ext a\n{NEW}"), ("markdown", "# other"), NOTEBOOK[2]), {}, False),
        ((("code", f"%load_ext a\n{NEW}"), *NOTEBOOK[1:]), {"metadata": {}}, False),
        ((("code", f"%load_ext a\n{NEW}"), NOTEBOOK[1], ("code", "!ls\ny")), {}, False),
        ((("code", f"%load_ext a\n{NEW}"), NOTEBOOK[1]), {}, False),
    ],
)
def test_a_notebook_is_compared_in_all_its_parts(cells, more, holds):
    assert (fault("a.ipynb", notebook(*NOTEBOOK), notebook(*cells, **more)) == "") is holds


@pytest.mark.parametrize("shown", ["a.py", "a.ipynb"])
def test_what_cannot_be_read_does_not_hold(shown):
    assert fault(shown, "x", "def f(:\n")
