"""One case of a campaign and what came of it. Plain data: a case can be sent to another process."""

from dataclasses import dataclass, field
from enum import StrEnum

from chaos.fault_kinds import FaultKind


class StorePolicy(StrEnum):
    """What of the acknowledged writes survives the server: the durability that it is set to.

    Attributes:
        ALWAYS: all of them; the append-only file is synced before each reply.
        EVERYSEC: all but the last ones; the file is synced each second.
        OFF: what the last snapshot had, if there was one; there is no append-only file.
        FAILOVER: what a replica had that takes over.
    """

    ALWAYS = "always"
    EVERYSEC = "everysec"
    OFF = "off"
    FAILOVER = "failover"


@dataclass(frozen=True, slots=True, order=True)
class FaultPoint:
    """A fault at the nth occurrence of a site in one life.

    Attributes:
        life: from 1.
        site: "begin", "s1.commit+s2.intent", "s1.tool", "s1.undo", or "server".
        nth: which occurrence of the site in that life, from 1.
        kind: what happens there.
        amount: how many operations of the next life a late write waits for, or how many writes are
            lost: at most all there are.
    """

    life: int
    site: str
    nth: int
    kind: FaultKind
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What is run: a plan of the catalogue, its faults, and the surroundings.

    Attributes:
        plan: name in the plan catalogue, for example "chain3+comp".
        faults: in the order of lives.
        retries: of the Redis client: 0, or 10, the default of redis-py.
        policy: of the store.
        subject: which executor: "unified", or a name that the caller resolves.
        world: "sim" or "process".
        schedule: who goes on when several resume at once; see `chaos.worlds.turns`.
    """

    plan: str
    faults: tuple[FaultPoint, ...] = ()
    retries: int = 0
    policy: StorePolicy = StorePolicy.ALWAYS
    subject: str = "unified"
    world: str = "sim"
    schedule: str = ""


class Judgement(StrEnum):
    """What a case comes to, worst last. Unknown is never a pass."""

    HELD = "held"
    NOT_FIRED = "not fired"
    NONDETERMINISTIC = "nondeterministic"
    HARNESS_ERROR = "harness error"
    VIOLATED = "violated"


@dataclass(frozen=True, slots=True)
class Violation:
    """A predicate that does not hold.

    Attributes:
        predicate: its id, for example "keyed-effect-once".
        message: what is wrong, with names.
        witnesses: numbers of the records that show it.
    """

    predicate: str
    message: str
    witnesses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The verdict on one case.

    Attributes:
        case: what was run.
        judgement: what it comes to.
        violations: all predicates that do not hold.
        fired: the faults that happened.
        digest: hash of the history.
        sites: (life, site, nth, target) of every point that was passed, in order.
        seconds: CPU time that it took, that of worker processes included.
        sigkills: worker processes that ended by a SIGKILL, by their exit status.
        note: what the harness has to say, for a harness error.
    """

    case: Case
    judgement: Judgement
    violations: tuple[Violation, ...] = ()
    fired: tuple[FaultPoint, ...] = ()
    digest: str = ""
    sites: tuple[tuple[int, str, int, str], ...] = field(default=())
    seconds: float = 0.0
    note: str = ""
    sigkills: int = 0
