"""Without these a bad migration could pass the ladder, or a harmless difference be stopped by it.

Each damage is one that a migration by hand, or by text replacement, makes. `rungs` are those that
have to catch it, each by itself ("whole": with the plan and not for the changes alone); a migration
that is not damaged passes all of them.
"""

import pytest

from codemods.proofs import compilation, consumer_tests, module_imports, same_tree, stability
from codemods.verification import LEVELS, verify

RUNS, PRICES, TESTS = "shop/runs.py", "shop/prices.py", "tests/test_runs.py"
RUNGS = {
    "P0": same_tree,
    "P1": stability,
    "P2": compilation,
    "P4": module_imports,
    "P5": consumer_tests,
}
LOCAL = "    from shop.runs import run\n\n"
IMPORT = "    from engine.segment_api import execute_segment\n\n"

DAMAGE = {
    "a wrong keyword": (RUNS, [("execution_id=", "run_id=")], ["P0"]),
    "a dropped await": (RUNS, [("await ", "")], ["P0"]),
    "a function that is not async any more": (RUNS, [("async def", "def")], ["P0", "P2"]),
    "a renamed field of the result": (RUNS, [("result.error_code", "result.code")], ["P0"]),
    "an import left out": (RUNS, [(IMPORT, "")], ["P0", "P2"]),
    "an import too many": (
        RUNS, [(IMPORT, IMPORT.replace("import ", "import DeadlockError, "))], ["P2"],
    ),
    "an import that is hoisted into a cycle": (
        PRICES,
        [(LOCAL, ""), ("from engine", "from shop.runs import run\nfrom engine")],
        ["P0", "P4"],
    ),
    "an import of what the engine does not have": (
        PRICES, [("import EngineError", "import SegmentError"), ("except EngineError", "except SegmentError")],
        ["P0", "P4"],
    ),
    "another error is caught": (PRICES, [("except EngineError", "except Exception")], ["P0", "P2"]),
    "a string that is left behind": (
        TESTS, [("engine.segment_api.execute", "legacy.durable_execution.execute")], ["P1 whole"],
    ),
    "a string that names something else": (
        TESTS, [("engine.segment_api.execute_segment", "engine.execute_segment")], ["P0"],
    ),
    "a changed literal": (RUNS, [('"x"', '"y"')], ["P0"]),
    "a lost line": (PRICES, [("    except EngineError:\n        return None\n", "    finally:\n        pass\n")],
                    ["P0", "P2"]),
}  # fmt: skip

HARMLESS = {
    "a comment": (RUNS, [("    result", "    # migrated\n    result")]),
    "a blank line": (RUNS, [("    result", "\n    result")]),
    "brackets over lines": (RUNS, [("plan, tools, e", "\n        plan,\n        tools,\n        e")]),
    "the order of keywords": (
        RUNS, [('execution_id="x", environment=env', 'environment=env, execution_id="x"')],
    ),
    "other quotes": (RUNS, [('"x"', "'x'")]),
}  # fmt: skip


def faults_by(rung, shop, *, whole=False):
    return [item for item in RUNGS[rung].prove(shop.claim(whole=whole)) if item.fault]


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_caught_and_the_file_is_named(shop, name):
    shown, pairs, rungs = DAMAGE[name]
    shop.damage(shown, *pairs)
    for rung in rungs:
        name, _, whole = rung.partition(" ")
        found = faults_by(name, shop, whole=bool(whole))
        assert shown in [item.path for item in found], rung
        assert not any(item.is_unexamined for item in found)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_is_not_flagged(shop, name):
    shop.damage(HARMLESS[name][0], *HARMLESS[name][1])
    assert [faults_by(rung, shop) for rung in ("P0", "P1", "P2")] == [[], [], []]


def test_a_file_that_is_left_out_is_found_by_planning_the_result_again(shop, faults):
    shop.damage(TESTS, None)
    found = faults(stability.prove(shop.claim()))
    assert found["."].startswith(f"{TESTS}: ")


def test_what_only_the_tests_show_is_caught_by_the_tests(shop, monkeypatch):
    """The string was left behind: the call is not replaced, and the old module is imported."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    shop.damage(TESTS, None)
    changed, wired = faults_by("P5", shop)
    assert changed.path == wired.path == "."
    assert changed.fault.startswith("1 of 2 tests: tests.test_runs::test_run: passed -> failure")
    assert f"still imported: {TESTS}:13: legacy.durable_execution" in wired.fault


def test_a_migration_that_is_not_damaged_climbs_every_rung(shop, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    before = shop.snapshot()
    assert [item for rung in RUNGS for item in faults_by(rung, shop, whole=True)] == []
    assert shop.snapshot() == before


def test_levels_are_cumulative_and_nothing_to_change_is_nothing_to_prove(shop):
    proofs = verify(shop.plan, shop.settings, "P2", environment=shop.claim().environment)
    assert {item.level for item in proofs} == set(LEVELS[:3])
    assert not any(item.fault for item in proofs)
    assert verify((), shop.settings, "P7") == ()
