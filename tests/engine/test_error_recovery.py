"""Without these a model's nonsense could become a tool call."""

from typing import Any

import pytest

from engine.error_recovery import CallAgain, FailedCall, ModelErrorRecovery, parse_answer
from engine.tools import ToolResult
from tests.engine.lab import WORKER, Lab, Script, plan_of, step

FAILED = FailedCall("t", {"x": 1}, "status 500")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"action": "retry_modified", "modifiedParams": {"x": 2}}', CallAgain({"x": 2})),
        (' \n{"action": "retry_modified", "modifiedParams": {}} ', CallAgain({})),
        ('{"action": "retry_same"}', CallAgain()),
        ('{"action": "retry_modified"}', None),
        ('{"action": "retry_modified", "modifiedParams": [1]}', None),
        ('{"action": "retry_modified", "modifiedParams": null}', None),
        ('{"action": "skip"}', None),
        ('{"action": "fail"}', None),
        ('{"modifiedParams": {"x": 2}}', None),
        ("[]", None),
        ("null", None),
        ("", None),
        ("Sure, try again!", None),
        ('```json\n{"action": "retry_same"}\n```', None),
    ],
)
def test_answers_of_a_model(text: str, answer: CallAgain | None) -> None:
    assert parse_answer(text) == answer


@pytest.mark.parametrize(
    ("message", "asked"),
    [("status 500", True), ("HTTP 599", True), ("status 404", False), ("oops", False)],
)
def test_a_model_is_asked_about_server_errors_only(message: str, asked: bool) -> None:
    prompts: list[str] = []

    async def model(prompt: str) -> str:
        prompts.append(prompt)
        return '{"action": "retry_same"}'

    failed = FailedCall("t", {"x": 1, "odd": object()}, message)
    answer = Lab().run(lambda: ModelErrorRecovery(model)(failed))
    assert (answer is not None, len(prompts)) == (asked, int(asked))
    assert all(message in prompt and '"x": 1' in prompt for prompt in prompts)


def run(lab: Lab, recovery: Any, **more: Any) -> Any:
    plan = plan_of(step("a", tool="t", parameters={"x": 1}))
    return lab.run(lambda: lab.machine(plan, settings=WORKER, recovery=recovery, **more).execute())


def test_the_hook_corrects_a_failed_call_once() -> None:
    lab, seen = Lab(), []

    async def recovery(failed: FailedCall, /) -> CallAgain:
        seen.append(failed)
        return CallAgain({"alias": 2})

    lab.tools.define("t", aliases={"alias": "x"})
    lab.tools.scripts["t"] = Script([ToolResult.failed("status 500"), ToolResult.ok("fine")])
    assert run(lab, recovery).success
    assert seen == [FailedCall("t", {"x": 1}, "status 500")]
    assert [call.parameters for call in lab.tools.calls] == [{"x": 1}, {"alias": 2, "x": 2}]


@pytest.mark.parametrize(
    "answer", [None, RuntimeError("model down"), CallAgain(), CallAgain({"x": 5})]
)
def test_a_hook_that_does_not_help_leaves_a_failed_step(answer: Any) -> None:
    lab, asked = Lab(), []

    async def recovery(failed: FailedCall, /) -> CallAgain | None:
        asked.append(failed)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return] # a parameter of the test

    lab.tools.scripts["t"] = Script([ToolResult.failed("status 500")])
    assert not run(lab, recovery).success
    assert len(asked) == 1
    assert lab.tools.count("t") == (2 if isinstance(answer, CallAgain) else 1)


def test_an_exception_of_the_tool_is_not_taken_to_the_hook() -> None:
    lab, asked = Lab(), []

    async def recovery(failed: FailedCall, /) -> CallAgain | None:
        asked.append(failed)
        return None

    lab.tools.scripts["t"] = Script([RuntimeError("500 Server Error")])
    assert not run(lab, recovery).success
    assert asked == []


def test_the_recovering_call_has_its_own_abort() -> None:
    lab = Lab()

    async def recovery(_failed: FailedCall, /) -> CallAgain:
        lab.tools.scripts["t"] = Script([ToolResult.ok(1)], latency_ms=5_000)
        return CallAgain()

    lab.tools.scripts["t"] = Script([ToolResult.failed("status 500")])
    settings = WORKER.model_copy(update={"recovery_abort_ms": 100})
    plan = plan_of(step("a", tool="t"))
    result = lab.run(lambda: lab.machine(plan, settings=settings, recovery=recovery).execute())
    assert not result.success
    assert lab.clock.elapsed_ms < 5_000
