"""A scenario file is a test: green where the ledger explains what differs, red where it does not."""

import json
import runpy
from pathlib import Path

import pytest

FIXTURES = runpy.run_path(str(Path(__file__).with_name("test_fixtures.py")))
story, write = FIXTURES["story"], FIXTURES["write"]


def test_files_are_collected_by_name_and_by_folder(suite, pytester):
    write(pytester, "a/one.scenario.json", story("one"))
    lines = [json.dumps(json.loads(story(name))) for name in ("two", "three", "three")]
    write(pytester, "b/more.scenario.jsonl", "\n".join(lines) + "\n")
    write(pytester, "stories/four.json", story("four"))
    write(pytester, "data/no.json", "{}")
    write(pytester, "pytest.ini", "[pytest]\nplanproof_scenarios = stories\n")
    result = suite("-v")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["*one.scenario.json::one PASSED*", "*::three-2 PASSED*"])


@pytest.mark.slow
def test_workers_collect_the_same(suite, pytester):
    for name in ("one", "two", "three"):
        write(pytester, f"{name}.scenario.json", story(name))
    suite("-n", "2").assert_outcomes(passed=3)


def test_a_difference_that_no_entry_explains_fails_with_the_place(suite, pytester):
    corpus = Path(__file__).parents[3] / "conformance" / "scenarios"
    ledger = (corpus.parent / "divergences.toml").read_text("utf-8")
    example = next(
        line.split('"')[1] for line in ledger.splitlines() if line.startswith("example = ")
    )
    text = next(path for path in corpus.rglob("*.json") if path.name == example).read_text("utf-8")
    write(pytester, "known.scenario.json", text)
    suite().assert_outcomes(passed=1)
    write(pytester, "empty.toml", 'schema = "ledger/v1"\n')
    write(pytester, "pytest.ini", "[pytest]\nplanproof_ledger = empty.toml\n")
    result = suite()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*regression: *", "*legacy: *", "*unified: *", "*replay: *"])


def test_a_broken_file_is_an_error_with_its_place(suite, pytester):
    write(pytester, "bad.scenario.json", story("bad", broken=True))
    result = suite()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*bad.scenario.json*plan*"])
    assert "Traceback" not in result.stdout.str()
