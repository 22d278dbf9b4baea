"""scenario/v1: a plan, scripted tools, optional faults and a drive. Data only.

The field set is a contract (see `planproof schema scenario`). The plan stays as it was written,
because an executor under test must see exactly what production would hand it, faults included.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conformance.errors import UsageError

MAX_RUN_SEGMENTS = 50  # the driver's bound on segments of one `run`, from the format
RESUME_DELAY_MS = 2000  # what the driver advances before each resume, from the format


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class CompensationScript(_Record):
    """A compensation that a scripted tool returns with its result (wire spelling)."""

    toolName: str  # noqa: N815 - the name is fixed by the format
    parameters: dict[str, Any] | None = None


class Outcome(_Record):
    """What the nth call of a tool does, and how long it takes in virtual milliseconds."""

    success: bool | None = None
    output: Any = None
    error: str | None = None
    raises: str | None = Field(default=None, alias="raise")
    latency_ms: int = Field(default=10, ge=0)
    compensation: CompensationScript | None = None
    ignore_abort: bool = False

    @property
    def has_output(self) -> bool:
        """Whether the result carries an `output` key at all."""
        return "output" in self.model_fields_set


class ToolScript(_Record):
    """The definition of a tool as the registry knows it: alias -> primary, in definition order."""

    aliases: dict[str, str] = Field(default_factory=dict)


class LlmScript(_Record):
    """The nth answer of the model: content, or an error that is raised."""

    content: str | None = None
    raises: str | None = Field(default=None, alias="raise")


class ValidatorError(_Record):
    """One error that the parameter validator reports for every call of a tool."""

    path: str
    message: str


class Fault(_Record):
    """The nth to (nth + times - 1)th matching operation fails; nothing is stored by it."""

    op: str
    key_kind: str | None = None
    event: str | None = None
    nth: int = Field(ge=1)
    times: int = Field(default=1, ge=1)


class _Call(_Record):
    execution_id: str | None = None
    crash_after_ms: int | None = Field(default=None, ge=0)
    crash_after_write: int | None = Field(default=None, ge=1)
    assist: bool = False
    assist_status: str | None = None
    start_step_index: int | None = None
    segment_number: int | None = None
    plan: dict[str, Any] | None = None
    initial: Literal["fresh", "none"] | None = None


class Execute(_Call):
    """Start the execution once."""

    op: Literal["execute"]


class Resume(_Call):
    """Resume the execution once."""

    op: Literal["resume"]


class Run(_Call):
    """Start, then advance and resume while the result is partial."""

    op: Literal["run"]


class Advance(_Record):
    """Move the clock."""

    op: Literal["advance"]
    ms: int = Field(ge=0)


class PatchState(_Record):
    """Edit the state that the legacy executor persisted. Other executors ignore it."""

    op: Literal["patch_state"]
    status: str | None = None
    reset_in_progress: bool = False
    execution_id: str | None = None


CallOperation: TypeAlias = Execute | Resume | Run
Operation: TypeAlias = Annotated[
    Execute | Resume | Run | Advance | PatchState, Field(discriminator="op")
]


class Scenario(_Record):
    """One scenario/v1 document.

    Attributes:
        schema: the format and its version.
        name: what reports call it; no two of a run have the same.
        execution_id: a UUID.
        plan: the plan, as production sends it.
        intent: the intent that the plan was made for, if there is one.
        idempotency: whether an idempotency service is given.
        tools: what the registry knows of a tool, by its name.
        outcomes: what the nth call of a tool does, by its name; the last one repeats, and a tool without
            any succeeds after 10 ms with `{}`.
        about: what it shows.
        tags: words to choose it by.
        driver: what is done to the execution, in order.
        llm: the answers of the model, in order.
        validator_errors: what the validator of parameters reports for every call of a tool.
        validator: which validator was recorded; `validator_errors` hold its answers.
        faults: operations of the store that fail.
        trace_id: the trace that the execution belongs to.
        redis_autoparse: the store client parses JSON by itself.
    """

    schema_: Literal["scenario/v1"] = Field(alias="schema")
    name: str = Field(min_length=1)
    execution_id: str
    plan: dict[str, Any]
    intent: dict[str, Any] | None = None
    idempotency: bool = False
    tools: dict[str, ToolScript] = Field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = Field(default_factory=dict)
    about: str = ""
    tags: tuple[str, ...] = ()
    driver: tuple[Operation, ...] = (Run(op="run"),)
    llm: tuple[LlmScript, ...] = ()
    validator_errors: dict[str, list[ValidatorError]] = Field(default_factory=dict)
    validator: str | None = None
    faults: tuple[Fault, ...] = ()
    trace_id: str | None = None
    redis_autoparse: bool = False

    def document(self) -> dict[str, Any]:
        """Return the JSON form, without fields that were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def parse_scenario(document: Any, place: str) -> Scenario:
    """Return the scenario in `document`.

    Raises:
        UsageError: it is not one; the message names `place` and the path inside the document.
    """
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise UsageError(_first_fault(error), place=place) from None


def read_scenarios(path: Path) -> Iterator[Scenario]:
    """Yield the scenarios of a `.json` file, a `.jsonl` file or a folder of both, in name order.

    Raises:
        UsageError: missing or unreadable file, invalid JSON (with its line), or no scenario at all.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in {".json", ".jsonl"})
        if not files:
            raise UsageError("the folder holds no .json or .jsonl file", place=str(path))
        for file in files:
            yield from read_scenarios(file)
        return
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(path)) from None
    if path.suffix == ".json":
        yield parse_scenario(_json(text, str(path)), str(path))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{path}:{number}"
            yield parse_scenario(_json(line, place), place)


def read_corpus(paths: Sequence[Path]) -> list[Scenario]:
    """Read all scenarios below `paths`; two of one name are an error."""
    seen: dict[str, Scenario] = {}
    for path in paths:
        for scenario in read_scenarios(path):
            if scenario.name in seen:
                raise UsageError(f"two scenarios are named {scenario.name!r}", place=str(path))
            seen[scenario.name] = scenario
    return list(seen.values())


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}"
        if "\n" in text:
            where = f"line {error.lineno} {where}"
        raise UsageError(f"invalid JSON at {where}: {error.msg}", place=place) from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    path = ".".join(str(part) for part in fault["loc"]) or "(document)"
    if not fault["loc"] and fault["type"] == "model_type":
        return "is no scenario: a JSON object is needed"
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(fault["loc"][-1]), _field_names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{path}: unknown field{hint}"
    return f"{path}: {fault['msg']}"


def _field_names() -> list[str]:
    records: Mapping[str, type[BaseModel]] = {
        kind.__name__: kind for kind in (Scenario, Outcome, Run, Fault, PatchState, Advance)
    }
    return sorted(
        {
            field.alias or name
            for kind in records.values()
            for name, field in kind.model_fields.items()
        }
    )
