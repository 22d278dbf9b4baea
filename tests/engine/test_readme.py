"""Without these the engine's README could tell what is not so."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from engine import errors, redis_scripts
from engine.events import EventName
from engine.limits import MAX_OUTBOX_EVENTS, QUEUE_SHARDS
from engine.metric_names import METRICS
from engine.plan import Step
from engine.redis_store import RedisStore
from engine.settings import WorkflowSettings
from engine.tools import EffectSemantics
from tests.conftest import RedisServer

ENGINE = Path(engine.__file__).parent
README = (ENGINE / "README.md").read_text("utf-8")
FENCED = re.compile(r"(<!-- no-run: .+ -->\n)?^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [code for exempt, code in FENCED.findall(README) if not exempt]
EXEMPT = [code for exempt, code in FENCED.findall(README) if exempt]
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))


def table(section: str, heading: str) -> list[list[str]]:
    """Return the rows of the table of a section whose first column has this heading."""
    lines = SECTIONS[section].splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    assert rows
    return rows


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_example_runs_as_it_stands(number: int, tmp_path: Path) -> None:
    for package in ("docket", "celery"):
        if f"from {package} import" in BLOCKS[number] and not os.environ.get("CI"):
            pytest.importorskip(package)
    program = tmp_path / "example.py"
    program.write_text(BLOCKS[number], "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_examples_are_there_and_the_first_is_short() -> None:
    assert len(BLOCKS) >= 5
    assert len(BLOCKS[0].strip().splitlines()) <= 12
    assert (
        subprocess.run(
            [sys.executable, "-c", BLOCKS[0]], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "HELLO ADA"
    )


@pytest.mark.redis
def test_the_tutorial_s_second_process_goes_on_where_the_first_one_died(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    (tutorial,) = EXEMPT
    assert tutorial in SECTIONS["Tutorial"]
    assert len([line for line in tutorial.splitlines() if line.strip()]) <= 10
    (tmp_path / "tea.py").write_text(tutorial, "utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-u", "-W", "error", "tea.py", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PLANPROOF_STORE_URL": redis_server.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    died = run("die")
    assert (died.returncode, died.stdout, died.stderr) == (1, "boil the water\n", "")
    for _ in range(100):  # until the dead process' lease has run out
        resumed = run()
        if "LeaseHeldError" not in resumed.stderr:
            break
    assert (resumed.stdout, resumed.stderr) == ("pour the tea\nCOMPLETED\n", "")
    assert run().stdout == "COMPLETED\n"


@pytest.mark.parametrize(
    "heading",
    [
        "Execution flow diagram",
        "Checkpointing strategy",
        "Saga compensation pattern",
        "Yield-and-resume mechanism",
        "Configuration options",
    ],
)
def test_the_sections_that_the_plan_names_are_there(heading: str) -> None:
    assert len(SECTIONS[heading].split()) > 50


def test_the_diagrams_are_there() -> None:
    assert "```mermaid\nflowchart" in SECTIONS["Execution flow diagram"]
    protocol = SECTIONS["Checkpointing strategy"]
    assert "```mermaid\nsequenceDiagram" in protocol
    assert set(re.findall(r"A->>S: (\w+)", protocol)) <= set(redis_scripts.BY_NAME)


def test_the_guarantees_speak_of_every_effect() -> None:
    guarantees = SECTIONS["Checkpointing strategy"]
    (heading,) = re.findall(r"^\| what fails .*$", guarantees, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", heading)) | {"read_only"}
    assert named == {str(effect) for effect in EffectSemantics}
    assert README.count("<!-- guarantees:begin -->") == 1
    assert README.index("<!-- guarantees:begin -->") < README.index("<!-- guarantees:end -->")


def test_the_metrics_are_those_that_are_exported() -> None:
    expected = [
        [
            metric.name,
            metric.prometheus_name,
            ", ".join(f"`{name}`" for name in metric.attributes).strip("`") or "-",
            metric.description.strip("`"),
        ]
        for metric in METRICS
    ]
    assert table("Observability", "metric") == expected


def test_every_alert_has_an_entry_in_the_runbook_and_no_other_has() -> None:
    rules = (ENGINE / "observability" / "alerts.yml").read_text("utf-8")
    entries = re.findall(r"^#### (\w+)\n\n\S", SECTIONS["Observability"], re.MULTILINE)
    assert entries == re.findall(r"alert: (\w+)", rules)


def test_the_files_that_are_told_of_are_there() -> None:
    for name in re.findall(r"`([\w/]+\.(?:yml|json))`", SECTIONS["Observability"]):
        assert (ENGINE / "observability" / name).is_file()


def test_the_options_are_the_model_s() -> None:
    units = {"ms": "ms", "s": "s"}
    expected = []
    for name, field in WorkflowSettings.model_fields.items():
        unit = units.get(name.rsplit("_", 1)[-1], "-")
        unit = {"compensation_attempts": "calls", "max_concurrency": "steps"}.get(name, unit)
        expected.append([name, str(field.default), unit])
    assert [row[:3] for row in table("Configuration options", "option")] == expected


def test_strict_is_what_is_said() -> None:
    before, after = WorkflowSettings(), WorkflowSettings().strict()
    changed = {
        name
        for name in WorkflowSettings.model_fields
        if getattr(before, name) != getattr(after, name)
    }
    text = re.search(r"it\nsets (.*?)\. Under", SECTIONS["Configuration options"], re.DOTALL)
    assert text is not None
    assert set(re.findall(r"`(\w+)`", text[1])) == changed


def test_the_errors_are_the_classes() -> None:
    classes = [
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, errors.EngineError) and found is not errors.EngineError
    ]
    expected = {found.code: ("yes" if found.retriable else "no", found.advice) for found in classes}
    assert len(expected) == len(classes) and all(advice for _, advice in expected.values())
    assert {row[0]: (row[1], row[2]) for row in table("Errors", "code | retriable")} == expected


def test_the_recorded_codes_are_those_of_the_source() -> None:
    source = "".join(
        path.read_text("utf-8") for path in ENGINE.rglob("*.py") if path.name != "errors.py"
    )
    used = set(re.findall(r"code=\"([A-Z_]+)\"", source))
    raised = {
        found.code
        for found in errors.EngineError.__subclasses__()
        if found.__module__ == errors.__name__
    }
    assert {row[0] for row in table("Errors", "code | of")} == used - raised


def test_the_events_are_all_told_of_and_all_used() -> None:
    events = SECTIONS["Observability"].partition("### Spans")[0]
    told = set(re.findall(r"`([A-Z_]{6,})`", events))
    assert told == {str(name) for name in EventName}
    source = "".join(
        path.read_text("utf-8") for path in ENGINE.rglob("*.py") if path.name != "events.py"
    )
    assert [name for name in EventName if f"EventName.{name.name}" not in source] == []


def test_the_scripts_are_those_there_are() -> None:
    assert {row[0] for row in table("Checkpointing strategy", "script")} == set(
        redis_scripts.BY_NAME
    )


def test_the_keys_are_those_that_are_written() -> None:
    rows = table("Checkpointing strategy", "key")
    store = RedisStore(None)  # type: ignore[arg-type] # only names are asked for
    keys = [re.sub(r":\d\d}", ":NN}", key) for key in store._keys("<id>")]
    assert [row[0] for row in rows] == keys
    assert f"one of {QUEUE_SHARDS} shards" in SECTIONS["Checkpointing strategy"]
    assert f"about {MAX_OUTBOX_EVENTS} entries" in SECTIONS["Checkpointing strategy"]


def test_the_effects_are_those_that_can_be_declared() -> None:
    rows = table("Tools and what they declare", "`EffectSemantics`")
    named = {row[0].split("`")[0].strip() for row in rows}
    assert named == {str(effect) for effect in EffectSemantics}


def test_the_fields_of_a_step_are_the_model_s() -> None:
    cells = [row[0] for row in table("Plans", "field of a step")]
    named = {name.strip().strip("`") for cell in cells for name in cell.split(",")}
    assert named == set(Step.model_fields)


def test_the_cost_of_a_chain_is_what_is_said() -> None:
    from tests.engine.test_workflow_machine import commands_of

    assert "n + 1 round trips" in SECTIONS["Checkpointing strategy"]
    assert [len(commands_of(length).commands) - length for length in (5, 50)] == [1, 1]
