"""`planproof shadow`: a shadow of which nothing is known must never count as one that agrees."""

import asyncio
import json

import pytest

from conformance.cli import run
from conformance.recording import ShadowLog
from engine import segment_api
from engine.clock import SystemClock
from engine.router import Router, SegmentExecutor
from engine.router_flags import RouteFlags
from engine.shadow import Difference, ShadowReport
from engine.tool_adapters import RunEnvironment, ToolAnswer

from .recording.conftest import scenario_of

DIFFERENT = ShadowReport(
    execution_id="differs",
    verdict="different",
    differences=(Difference(path="steps.a.output", legacy=1, unified=2),),
)
SAME = ShadowReport(execution_id="agrees", verdict="same")
UNKNOWN = ShadowReport(execution_id="nobody-knows", verdict="unknown", reason="no beginning")


def _log(folder, *reports):
    path = folder / "shadow.jsonl"
    path.touch()
    log = ShadowLog(path)
    for report in reports:
        log(report)
    return str(path)


@pytest.mark.parametrize(
    ("reports", "code", "said"),
    [
        ([SAME], 0, "1 passed"),
        ([SAME, DIFFERENT], 1, "differs in steps.a.output"),
        ([SAME, UNKNOWN], 4, "no beginning"),
        ([DIFFERENT, UNKNOWN], 1, "1 unknown"),
        ([], 4, "nothing"),
        ([UNKNOWN, SAME.model_copy(update={"execution_id": "nobody-knows"})], 4, "1 unknown"),
        ([DIFFERENT, SAME.model_copy(update={"execution_id": "differs"})], 1, "1 failed"),
    ],
)
def test_each_execution_has_the_worst_that_was_seen_of_it(tmp_path, capsys, reports, code, said):
    assert run(["shadow", _log(tmp_path, *reports)]) == code
    assert said in capsys.readouterr().out


def test_the_report_is_one_that_every_format_knows(tmp_path, capsys):
    document, page, junit = (tmp_path / name for name in ("o.json", "o.html", "o.xml"))
    reports = [f"--report={file.suffix[1:]}={file}" for file in (document, page)]
    assert (
        run(["shadow", _log(tmp_path, SAME, DIFFERENT), *reports, f"--report=junit={junit}"]) == 1
    )
    found = json.loads(document.read_text())
    assert found["kind"] == "shadow"
    by_id = {item["id"]: item for item in found["items"]}
    assert by_id["differs"]["divergence"] == {
        "layer": "L1",
        "subject": "differs",
        "path": "steps.a.output",
        "left": 1,
        "right": 2,
    }
    assert "differs in steps.a.output" in junit.read_text()
    assert run(["report", "merge", str(document)]) == 1
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n", "invalid JSON"),
        ("{}\n", "is no shadow/v1 line"),
        ('{"schema":"shadow/v1","execution_id":"1","verdict":"well"}\n', "verdict: "),
    ],
)
def test_a_bad_line_is_named(tmp_path, capsys, text, said):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    assert run(["shadow", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"planproof: {path}:1: ")
    assert said in error


def test_a_missing_file_is_a_fault_of_usage(tmp_path):
    assert run(["shadow", str(tmp_path / "no.jsonl")]) == 2


class _Tools:
    async def execute(self, tool_name, parameters, timeout_ms=None, signal=None):
        return ToolAnswer(True, True, {"room": 7, "token": "t", "of": tool_name})


class _Shadow:
    async def flags(self, execution_id, attributes):
        return RouteFlags("shadow")


def test_what_the_router_shadows_arrives_in_the_report(tmp_path, capsys):
    from fakeredis import FakeAsyncRedis, FakeServer

    def environment():
        return RunEnvironment(redis=FakeAsyncRedis(server=FakeServer()), clock=SystemClock())

    aside = environment()

    async def stand_in(plan, tools, *, environment, **more):
        return await segment_api.execute_segment(plan, tools, environment=aside, **more)

    path, scenario = tmp_path / "shadow.jsonl", scenario_of("shadowed")

    async def main():
        router = Router(
            SegmentExecutor(stand_in, segment_api.resume_from_checkpoint),
            flags=_Shadow(),
            reported=ShadowLog(path),
        )
        await router.execute_segment(
            scenario.plan,
            _Tools(),
            execution_id=scenario.execution_id,
            environment=environment(),
        )

    asyncio.run(main())
    assert run(["shadow", str(path)]) == 0
    assert "1 passed" in capsys.readouterr().out
