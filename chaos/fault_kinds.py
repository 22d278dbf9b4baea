"""The catalogue of faults: every kind that a campaign can make happen, by its short name.

The names are the ones that fault ids carry, so they never change their meaning.
"""

from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What a fault happens to."""

    STORE = "store"
    """One operation of the store: a command, a script, or a MULTI/EXEC."""
    TOOL = "tool"
    """One call of a tool, a compensation included."""
    WORKER = "worker"
    """The process, its clock or its messages, at one operation of the store."""
    SERVER = "server"
    """The store itself, between two lives or under one."""


class FaultKind(StrEnum):
    """One way to fail."""

    KILLED_BEFORE = "B"
    KILLED_AFTER = "A"
    CUT_BEFORE = "B'"
    REPLY_LOST = "A'"
    OUT_OF_MEMORY = "E'oom"
    READ_ONLY = "E'readonly"
    LOADING = "E'loading"
    BUSY = "E'busy"
    NO_REPLICAS = "E'noreplicas"
    NO_SCRIPT = "E'noscript"
    APPLIED_AFTER_TIMEOUT = "D'"
    APPLIED_LATE = "Z"
    KILLED_BEFORE_EFFECT = "TB"
    KILLED_AFTER_EFFECT = "TA"
    TOOL_ERROR = "TE"
    TIMEOUT_AFTER_EFFECT = "TX"
    EFFECT_LATE = "TL"
    FROZEN = "STOP"
    CLOCK_FORWARD = "JUMP+"
    CLOCK_BACK = "JUMP-"
    DUPLICATE_RESUME = "DUP"
    SECOND_RESUMER = "TWO"
    LAST_WRITES_LOST = "CUT"
    FAILOVER = "FAILOVER"
    RESTARTED = "RESTART"
    CONNECTIONS_CUT = "DROP"


@dataclass(frozen=True, slots=True)
class Fault:
    """What one kind means.

    Attributes:
        kind: its name in fault ids.
        target: what it happens to.
        meaning: one sentence.
        ends_life: whether the process is dead afterwards, so that another one has to resume.
        worlds: where it can be made to happen: "sim", "process".
    """

    kind: FaultKind
    target: Target
    meaning: str
    ends_life: bool = False
    worlds: tuple[str, ...] = ("sim", "process")

    def available(self, world: str) -> bool:
        """Whether `world` ("sim" or "process") can make it happen."""
        return world in self.worlds


_SIM = ("sim",)
_S, _T, _W, _V = Target.STORE, Target.TOOL, Target.WORKER, Target.SERVER

CATALOGUE: tuple[Fault, ...] = (
    Fault(FaultKind.KILLED_BEFORE, _S, "killed before the operation is sent", ends_life=True),
    Fault(FaultKind.KILLED_AFTER, _S, "killed after it is applied, reply unseen", ends_life=True),
    Fault(FaultKind.CUT_BEFORE, _S, "connection error before it is sent; the process lives"),
    Fault(FaultKind.REPLY_LOST, _S, "applied, then the connection is lost; the process lives"),
    Fault(FaultKind.OUT_OF_MEMORY, _S, "refused: OOM"),
    Fault(FaultKind.READ_ONLY, _S, "refused: READONLY, as a demoted primary does"),
    Fault(FaultKind.LOADING, _S, "refused: LOADING, as a starting server does"),
    Fault(FaultKind.BUSY, _S, "refused: BUSY, a script runs too long"),
    Fault(FaultKind.NO_REPLICAS, _S, "refused: NOREPLICAS"),
    Fault(FaultKind.NO_SCRIPT, _S, "refused: NOSCRIPT, the server has forgotten the script"),
    Fault(FaultKind.APPLIED_AFTER_TIMEOUT, _S, "the client times out, then it is applied"),
    Fault(
        FaultKind.APPLIED_LATE,
        _S,
        "killed after sending; applied when the next life has made some operations",
        ends_life=True,
    ),
    Fault(FaultKind.KILLED_BEFORE_EFFECT, _T, "killed before the effect", ends_life=True),
    Fault(FaultKind.KILLED_AFTER_EFFECT, _T, "killed after the effect", ends_life=True),
    Fault(FaultKind.TOOL_ERROR, _T, "the tool raises and has no effect"),
    Fault(FaultKind.TIMEOUT_AFTER_EFFECT, _T, "the tool has its effect, then raises a timeout"),
    Fault(
        FaultKind.EFFECT_LATE,
        _T,
        "killed in the call; the effect happens when the next life has made some operations",
        ends_life=True,
    ),
    Fault(FaultKind.FROZEN, _W, "stopped for longer than the lease, then continued"),
    Fault(FaultKind.CLOCK_FORWARD, _W, "the worker's clock jumps forward by an hour", worlds=_SIM),
    Fault(FaultKind.CLOCK_BACK, _W, "the worker's clock jumps back by an hour", worlds=_SIM),
    Fault(FaultKind.DUPLICATE_RESUME, _W, "the resume message comes twice, the second time late"),
    Fault(FaultKind.SECOND_RESUMER, _W, "another process resumes at the same time"),
    Fault(FaultKind.LAST_WRITES_LOST, _V, "the store comes back without its last writes"),
    Fault(FaultKind.FAILOVER, _V, "a replica without the last writes takes over"),
    Fault(
        FaultKind.RESTARTED, _V, "the store restarts with its file; nothing acknowledged is lost"
    ),
    Fault(FaultKind.CONNECTIONS_CUT, _V, "all connections are cut at once"),
)

BY_KIND = {fault.kind: fault for fault in CATALOGUE}
