"""The fixtures do what their names say, in a suite that knows nothing but their names."""

import re
from pathlib import Path

import pytest

SUITE = '''
import pytest
from engine import EffectSemantics, ToolRegistry, WorkflowSettings


class Bank:
    """Tools with a memory: a hold is keyed, so a second call of it is none."""

    def __init__(self):
        self.held = {}

    def registry(self):
        tools = ToolRegistry()
        tools.bank = self

        @tools.tool(effects=EffectSemantics.KEYED)
        def hold(seat, call):
            self.held[call.idempotency_key] = seat
            return {"ticket": f"T-{seat}"}

        @tools.tool(effects=EffectSemantics.KEYED)
        def pay(ticket, call):
            return {"paid": ticket}

        return tools


@pytest.fixture
def plan(plan_builder):
    return plan_builder("trip").step("seat", "hold", {"seat": "A4"}).then(
        "money", "pay", {"ticket": "$seat.ticket"}
    ).build()


def test_runs_to_the_end(workflow_machine, plan):
    run = workflow_machine(plan, Bank().registry())
    result = run.run()
    assert result.success and result.steps[1].output == {"paid": "T-A4"}
    assert run.events()[-1].name == "WORKFLOW_COMPLETED"


def test_waits_in_virtual_time(workflow_machine, plan_builder):
    calls = []

    def flaky():
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("503")
        return "done"

    hour_ms = 3_600_000
    plan = plan_builder().step("a", "flaky").retry(2, backoff_ms=hour_ms).build()
    run = workflow_machine(plan, {"flaky": flaky})
    assert run.run().success
    assert run.clock.elapsed_ms >= hour_ms


def test_a_real_clock(workflow_machine, plan_builder):
    run = workflow_machine(plan_builder().step("a").build(), {"a": lambda: 1}, clock="real")
    assert run.run().success


def test_a_person_confirms(workflow_machine, plan_builder):
    plan = plan_builder().step("a").confirm().build()
    run = workflow_machine(plan, {"a": lambda: 1})
    assert run.run().is_partial
    run.confirm()
    assert run.run().success


def test_every_kill_point(chaos, plan):
    report = chaos(plan, lambda: Bank().registry(), effects=lambda tools: sorted(tools.bank.held.values()))
    assert len(report.points) == 10
    assert report.outcome.effects == ["A4"]


def test_a_plan_that_is_undone(chaos, plan_builder):
    plan = plan_builder().step("seat", "hold", {"seat": "A4"}).undo("give", {}).then("no").build()

    def make():
        tools = Bank().registry()

        @tools.tool(effects=EffectSemantics.KEYED)
        def give():
            return None

        @tools.tool(effects=EffectSemantics.READ_ONLY)
        def no():
            raise ValueError("no")

        return tools

    report = chaos(plan, make)
    assert report.outcome.status == "COMPENSATED"
    assert report.outcome.effects == {'hold({"seat": "A4"})': 1, "give({})": 1}


def test_a_tool_that_acts_twice_is_told(chaos, plan_builder):
    plan = plan_builder().step("a", "charge").build()
    with pytest.raises(AssertionError) as told:
        chaos(plan, lambda: {"charge": lambda: 1})
    assert "killed after a.charge 1: effects: " in str(told.value)


PLAN = {"id": "marked", "steps": [{"id": "a", "tool_name": "hold", "parameters": {"seat": "B1"}}]}


@pytest.mark.kill_points(PLAN, lambda: Bank().registry())
def test_marked(kill_point):
    kill_point.check()
'''

SCENARIO_TESTS = """
import pytest
from conformance.runner import run_scenario


@pytest.mark.executors("legacy", "unified")
@pytest.mark.scenarios("stories")
def test_ends(executor, scenario):
    assert run_scenario(scenario, executor)["status"] == "COMPLETED"


@pytest.mark.executors("unified")
def test_one(executor):
    assert executor == "unified"
"""


def story(name, *, broken=False):
    from conformance.scenario_builder import ScenarioBuilder, format_document

    builder = ScenarioBuilder(name, about="a story")
    builder.plan.step("first").step("second", after=["first"])
    document = builder.document()
    if broken:
        document["plan"] = 7
    return format_document(document)


def write(pytester, path, text):
    file = pytester.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def test_all_of_them(suite, pytester):
    pytester.makepyfile(SUITE)
    result = suite("-W", "error", "--strict-markers")
    found = result.parseoutcomes()
    assert set(found) == {"passed"}, result.stdout.str()
    assert found["passed"] > 10


@pytest.mark.slow
def test_all_of_them_by_two_workers(suite, pytester):
    pytester.makepyfile(SUITE)
    result = suite("-n", "2")
    assert set(result.parseoutcomes()) == {"passed"}, result.stdout.str()


def test_executors_and_scenarios_repeat_a_test(suite, pytester):
    write(pytester, "stories/one.json", story("one"))
    write(pytester, "stories/two.json", story("two"))
    pytester.makepyfile(SCENARIO_TESTS)
    result = suite("-v")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["*test_ends?legacy-one?*PASSED*", "*test_ends?unified-two?*"])


def test_the_example_of_the_page(suite, pytester):
    page = (Path(__file__).parents[3] / "conformance/docs/pytest.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n((?:(?!```).)*workflow_machine.*?)```", page, re.DOTALL)
    pytester.makepyfile(block)
    suite().assert_outcomes(passed=1)


def test_a_folder_without_scenarios_is_an_error_and_no_pass(suite, pytester):
    pytester.makepyfile(SCENARIO_TESTS)
    result = suite()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*stories: No such file*"])
    assert "Traceback" not in result.stdout.str()


def test_an_executor_that_nobody_knows(suite, pytester):
    pytester.makepyfile(SCENARIO_TESTS.replace('"unified")\ndef', '"unifed")\ndef'))
    write(pytester, "stories/one.json", story("one"))
    result = suite()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*'unifed'*known are legacy, unified*"])


def test_a_run_without_the_plugin_knows_nothing_of_it(suite, pytester):
    write(pytester, "one.scenario.json", story("one"))
    pytester.makepyfile("def test_plain(): pass")
    suite(plugin=False).assert_outcomes(passed=1)
    assert "--executor" not in suite("--help", plugin=False).stdout.str()


def test_a_plan_that_is_none_is_refused_with_its_path(plan_of):
    with pytest.raises(Exception, match="steps"):
        plan_of().step("a", after="missing").build()


@pytest.fixture
def plan_of():
    from conformance.pytest_plugin.plans import PlanBuilder

    return PlanBuilder


def test_words_about_the_step_before_need_one(plan_of):
    with pytest.raises(ValueError, match="none"):
        plan_of().undo("release")
