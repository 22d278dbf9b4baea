"""A suite runs unchanged under both executors, and the two outcomes of each test are paired."""

import json
import runpy
import shutil
from pathlib import Path

import jsonschema
import pytest

from conformance.schemas import schema

VALIDATOR = jsonschema.Draft202012Validator(schema("executor-pairs"))
FIXTURES = Path(__file__).parents[2] / "fixtures"
BUILD = runpy.run_path(str(FIXTURES / "consumers" / "build.py"))

SUITE = """
import pytest
from durable_execution import execute_segment


def test_the_executor_is_there():
    assert callable(execute_segment)


def test_a_name_of_the_frozen_module_alone():
    assert execute_segment.__module__.startswith("legacy")


def test_a_name_of_the_engine_alone():
    assert execute_segment.__module__.startswith("engine")


def test_neither():
    assert False


@pytest.mark.executors("unified")
def test_for_one():
    assert execute_segment.__module__.startswith("engine")


def test_the_engine_hears_of_it(executor):
    import os

    assert executor == os.environ["PLANPROOF_EXECUTOR"]
"""

GREEN = """
from durable_execution import execute_segment


def test_green():
    assert callable(execute_segment)
"""

FRONT = """
import asyncio
import os
import warnings

import pytest


def test_the_front_goes_where_the_run_says():
    from engine.router import RouteFlags
    from legacy import front

    flags = asyncio.run(front.router().flags.flags("x", {}))
    assert flags == RouteFlags(executor=os.environ["PLANPROOF_EXECUTOR"])
"""


def kinds(report):
    document = json.loads(Path(report).read_text("utf-8"))
    assert list(VALIDATOR.iter_errors(document)) == []
    return document, {pair["test"].rpartition("::")[2]: pair["kind"] for pair in document["pairs"]}


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_outcomes_are_paired_and_a_regression_fails(suite, pytester, workers):
    pytester.makepyfile(SUITE)
    result = suite("--executor", "legacy,unified", "--executor-report", "pairs.json", *workers)
    document, found = kinds(pytester.path / "pairs.json")
    assert found == {
        "test_the_executor_is_there": "same",
        "test_a_name_of_the_frozen_module_alone": "regression",
        "test_a_name_of_the_engine_alone": "fixed",
        "test_neither": "both failed",
        "test_for_one": "differs",
        "test_the_engine_hears_of_it": "same",
    }
    assert result.ret == document["exit_code"] == 1
    assert document["reached"] == {
        "legacy": ["durable_execution"],
        "unified": ["durable_execution"],
    }
    result.stdout.fnmatch_lines(
        ["*executor: legacy*", "*executor: unified*", "REGRESSION *frozen_module_alone*"]
    )
    assert "assert" in next(
        pair["fault"] for pair in document["pairs"] if pair["kind"] == "regression"
    )


def test_a_regression_fails_a_lenient_run_too(suite, pytester):
    pytester.makepyfile(SUITE)
    assert suite("--executor", "legacy,unified", "--executor-lenient").ret == 1


def test_what_fails_under_both_fails_the_run_unless_it_is_lenient(suite, pytester):
    pytester.makepyfile(GREEN, "def test_red(): assert False")
    pytester.makepyfile(test_more="def test_red(): assert False")
    assert suite("--executor", "legacy,unified").ret == 1
    assert suite("--executor", "legacy,unified", "--executor-lenient").ret == 0


def test_a_suite_that_never_touches_the_executor_has_compared_nothing(suite, pytester):
    pytester.makepyfile("def test_green(): pass")
    result = suite("--executor", "legacy,unified")
    assert result.ret == 5
    result.stdout.fnmatch_lines(["unknown: *no test imported the executor*"])


def test_no_tests_at_all(suite, pytester):
    result = suite("--executor", "legacy,unified")
    assert result.ret == 5
    result.stdout.fnmatch_lines(["unknown: no tests ran"])


def test_one_executor_alone(suite, pytester):
    pytester.makepyfile(GREEN)
    assert suite("--executor", "unified").ret == 0


def test_a_file_that_cannot_be_imported_under_one_is_a_regression(suite, pytester):
    pytester.makepyfile(
        "from durable_execution import execute_segment\n"
        "if execute_segment.__module__.startswith('engine'):\n"
        "    raise ImportError('no such name')\n"
        "def test_one(): pass\n"
    )
    result = suite("--executor", "legacy,unified", "--executor-report", "pairs.json")
    document, found = kinds(pytester.path / "pairs.json")
    assert found["test_one"] == "regression"
    assert result.ret == document["exit_code"] == 1


def test_the_router_of_the_deprecated_front_follows(suite, pytester):
    pytester.makepyfile(FRONT)
    assert suite("--executor", "legacy,unified").ret == 0


def test_each_run_has_its_own_junit_file(suite, pytester):
    pytester.makepyfile(GREEN)
    assert suite("--executor", "legacy,unified", "--junitxml", "out.xml").ret == 0
    assert sorted(file.name for file in pytester.path.glob("out*")) == [
        "out.legacy.xml",
        "out.unified.xml",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--executor", "unifed"), "*'unifed'*legacy, unified*"),
        (("--executor", "legacy,legacy"), "*legacy,legacy*"),
        (("--executor-report", "x.json"), "*need --executor*"),
        (
            ("--executor", "legacy", "--executor-report", "no/x.json"),
            "*no/x.json*cannot be written*",
        ),
    ],
)
def test_wrong_options_are_told_in_a_line(suite, pytester, arguments, said):
    pytester.makepyfile(GREEN)
    result = suite(*arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([said])
    assert "Traceback" not in result.stderr.str()


CONSUMERS = [
    ("async_service", 32, ()),
    ("async_service", 32, ("-n", "2")),
    ("monorepo", 21, ()),
]


@pytest.mark.slow
@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda each: f"{each[0]}{''.join(each[2])}")
@pytest.mark.usefixtures("legacy_installed")
def test_the_example_consumers(suite, pytester, monkeypatch, consumer):
    name, tests, workers = consumer
    folder = pytester.path / name
    BUILD["build"](name, folder)
    monkeypatch.chdir(folder)
    result = suite("--executor", "legacy,unified", "--executor-report", "pairs.json", *workers)
    document, _ = kinds(folder / "pairs.json")
    assert len(document["pairs"]) == document["counts"]["same"] == tests, result.stdout.str()
    assert result.ret == 0


@pytest.mark.slow
def test_the_first_example_consumer(suite, pytester, monkeypatch):
    """Its runtime is not installed here: the frozen executor takes its place."""
    folder = pytester.path / "consumer"
    shutil.copytree(FIXTURES / "consumer", folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", "src")
    result = suite(
        "--executor", "legacy,unified", "--executor-report", "pairs.json", "-W", "ignore"
    )
    document, _ = kinds(folder / "pairs.json")
    assert result.ret == 0, result.stdout.str()
    assert document["counts"]["same"] == 3
