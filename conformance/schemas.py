"""The published JSON Schemas: what `planproof schema` prints and other programs validate against.

The trace's records stand here because a trace itself travels as plain JSON: the harness compares
it field by field and must not lose what it does not know. Fields beyond the contract are allowed.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from chaos.campaign.result import CampaignResult
from conformance.baseline import Baseline
from conformance.codemod_batch_schema import CodemodBatchReport
from conformance.codemod_schema import CodemodReport
from conformance.comparator import Layer
from conformance.environment_report import EnvironmentReport
from conformance.executor_pairs_schema import ExecutorPairs
from conformance.kit.executor_protocol import protocol_schema
from conformance.ledger import Decision, FaultKind
from conformance.recording.line_schemas import RecordingLine
from conformance.recording.shadow_log import ShadowLine
from conformance.report import GateReport
from conformance.report_model import RunReport
from conformance.scenario import Scenario
from conformance.verdict import Attribution
from conformance.verdict import Verdict as DiffVerdict

DIALECT = GenerateJsonSchema.schema_dialect
Text: TypeAlias = Annotated[str, Field(pattern=r"\S")]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class TraceCall(_Open):
    """One call of a tool; `segment` is the ordinal of the driver's operation, from 1."""

    segment: int = Field(ge=1)
    tool: str
    parameters: Any
    timeout_ms: float | None
    at_ms: float = Field(ge=0)


class TraceSegment(_Open):
    """What one segment returned."""

    success: bool
    is_partial: bool
    completed_steps: int = Field(ge=0)
    failed_steps: int = Field(ge=0)
    total_steps: int = Field(ge=0)
    next_step_index: int | None
    segment_number: int | None
    error_code: str | None
    error_message: str | None


class TraceThrown(_Open):
    """A segment whose call raised; it ends the run."""

    threw: str


class TraceCrashed(_Open):
    """A segment in which the process died."""

    crashed: Literal[True]


class TraceStep(_Open):
    """The final state of one step, in the order of the execution state."""

    id: str
    status: str
    output: Any
    error_code: str | None
    error_message: str | None
    attempts: int = Field(ge=0)
    latency_ms: float | None


class TraceEvent(_Open):
    """One published event."""

    name: str
    next_step_index: int | None
    segment_number: int | None


class TraceStepUpdate(_Open):
    """One status message about a step."""

    step_index: int
    status: str
    message: str | None


class TraceTask(_Open):
    """The task record after the run; a transition is (from, to, reason)."""

    status: str
    current_step_index: int
    segment_number: int | None
    total_steps: int
    transitions: list[tuple[str, str, str | None]]


class TraceScheduled(_Open):
    """One resume that was scheduled."""

    start_step_index: int
    segment_number: int
    delay_s: float


class TraceWrite(_Open):
    """One command that reached the store, reads included."""

    op: str
    key_kind: str
    at_ms: float = Field(ge=0)


class Trace(_Open):
    """One trace/v1 document. Times are virtual milliseconds since the start of the scenario."""

    schema_: Literal["trace/v1"] = Field(alias="schema")
    executor: str
    scenario: str
    calls: list[TraceCall]
    segments: list[TraceSegment | TraceThrown | TraceCrashed]
    status: str | None
    steps: list[TraceStep]
    events: list[TraceEvent]
    step_updates: list[TraceStepUpdate]
    task: TraceTask | None
    scheduled: list[TraceScheduled]
    context: dict[str, Any]
    writes: list[TraceWrite]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerEntry(_Closed):
    """One accepted divergence; `when` is a predicate over the facts of a divergence."""

    id: str = Field(pattern=r"^DIV-\d{3}$")
    title: Text
    layer: Layer | Annotated[list[Layer], Field(min_length=1)]
    when: Text
    legacy: Text
    unified: Text
    reason: Text
    decision: Decision
    owner: Text
    since: date
    expires: date
    example: Text
    max_share: float = Field(gt=0, le=1)


class LedgerFile(_Closed):
    """The file `divergences.toml` as JSON; ids in `retired` are never used again."""

    schema_: Literal["ledger/v1"] = Field(alias="schema")
    retired: list[str] = []
    divergence: list[LedgerEntry] = []


class DiffDivergence(_Closed):
    """A place where two executors differ; the values are their canonical text."""

    layer: Layer
    path: str
    left: Any
    right: Any


class DiffResult(_Closed):
    """What is known of one scenario after both executors ran it."""

    scenario: str
    verdict: DiffVerdict
    attribution: Attribution
    entry: str | None
    reason: str
    layers: dict[Layer, bool]
    primary: DiffDivergence | None


class DiffFirstDifference(_Closed):
    """The first event in which the runs differ, with the events before it."""

    index: int
    before: list[str]
    left: list[str]
    right: list[str]


class DiffSmallest(_Closed):
    """The smallest scenario that shows a finding."""

    path: str
    steps: int = Field(ge=0)
    steps_before: int = Field(ge=0)


class DiffFinding(DiffResult):
    """An unexplained divergence, how to replay it, and a ledger entry to start from."""

    first_difference: DiffFirstDifference | None
    divergences: list[DiffDivergence]
    reference: list[DiffDivergence]
    smallest: DiffSmallest
    replay: str
    proposal: str


class DiffNormalisation(_Closed):
    """How many fields each rule touched, and the rules that touched none."""

    version: int
    rules: dict[str, int]
    stale: list[str]


class DiffLedgerFault(_Closed):
    """One thing that is wrong with the ledger."""

    entry: str
    kind: FaultKind
    message: str


class DiffLedger(_Closed):
    """How often each entry was used, and what is wrong with the file."""

    path: str | None
    usage: dict[str, int]
    faults: list[DiffLedgerFault]


class DiffDocument(_Closed):
    """The JSON report of `planproof diff`."""

    schema_: Literal["diff/v1"] = Field(alias="schema")
    schema_version: Literal[1]
    left: str
    right: str
    store: str
    strict: bool
    source: str
    complete: bool
    exit_code: int = Field(ge=0, le=5)
    scenarios: int = Field(ge=0)
    controlled: int = Field(ge=0)
    verdicts: dict[DiffVerdict, int]
    layers: dict[Layer, int]
    gating_layers: list[Layer]
    unpredictable: dict[str, int]
    normalisation: DiffNormalisation
    ledger: DiffLedger
    findings: list[DiffFinding]
    results: list[DiffResult]
    run: RunReport | None = None


class GateDocument(GateReport):
    """The JSON report of `planproof gate`; `run` is the same in the form of every other report."""

    run: RunReport | None = None


def _report() -> dict[str, Any]:
    """A report is the gate's, that of a comparison, or of any run: `kind` or `schema` tells."""
    return TypeAdapter(GateDocument | DiffDocument | RunReport).json_schema(
        by_alias=True, mode="serialization"
    )


def _input(model: type[BaseModel]) -> Callable[[], dict[str, Any]]:
    def schema() -> dict[str, Any]:
        return model.model_json_schema(by_alias=True, mode="validation")

    return schema


def _output(model: type[BaseModel]) -> Callable[[], dict[str, Any]]:
    def schema() -> dict[str, Any]:
        return model.model_json_schema(by_alias=True, mode="serialization")

    return schema


def _recording() -> dict[str, Any]:
    """A line of a recording is of one event, whole or with what is missing."""
    return TypeAdapter(RecordingLine).json_schema(by_alias=True, mode="validation")


FORMATS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "scenario": _input(Scenario),
    "trace": _input(Trace),
    "report": _report,
    "ledger": _input(LedgerFile),
    "chaos": _output(CampaignResult),
    "codemod": _input(CodemodReport),
    "codemod-batch": _input(CodemodBatchReport),
    "executor-protocol": protocol_schema,
    "recording": _recording,
    "shadow": _output(ShadowLine),
    "doctor": _output(EnvironmentReport),
    "baseline": _input(Baseline),
    "executor-pairs": _input(ExecutorPairs),
}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one format, with its dialect and identifier."""
    return {"$schema": DIALECT, "$id": f"urn:planproof:schema:{name}", **FORMATS[name]()}
