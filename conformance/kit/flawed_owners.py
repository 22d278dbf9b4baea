"""Executors that keep no policy, no lease or no bargain (C3 to C5): the exemplar, one method done wrongly."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from conformance.kit.exemplar import Exemplar
from conformance.kit.exemplar_records import Record
from conformance.kit.flaw import Flaws, breaker
from conformance.subject import Threw

FLAWS: Flaws = {}
_HOUR_MS = 3_600_000
_breaks = breaker(FLAWS)


@_breaks("retries-by-policy")
class _NeverRetries(Exemplar):
    @override
    def attempts(self, policy: Mapping[str, Any]) -> int:
        return 1


@_breaks("gives-up-after-the-last-attempt")
class _TriesOnceMore(Exemplar):
    @override
    def attempts(self, policy: Mapping[str, Any]) -> int:
        return super().attempts(policy) + (1 if policy else 0)


@_breaks("does-not-retry-unasked")
class _AlwaysRetries(Exemplar):
    @override
    def attempts(self, policy: Mapping[str, Any]) -> int:
        return super().attempts(policy or {"max_attempts": 3})


@_breaks("waits-between-attempts")
class _NeverWaits(Exemplar):
    @override
    def pause_ms(self, policy: Mapping[str, Any], attempts: int) -> int:
        return 0


@_breaks("abandons-a-call-that-hangs")
class _WaitsForEver(Exemplar):
    @override
    def timeout_ms(self, plan: Mapping[str, Any]) -> int:
        return _HOUR_MS


@_breaks("waits-for-confirmation")
class _ConfirmsItself(Exemplar):
    @override
    def needs_confirmation(self, record: Record, step: Record) -> bool:
        return False


@_breaks("refuses-another-plan")
class _TakesAnotherPlan(Exemplar):
    @override
    def meet_another_plan(self, record: Record) -> None:
        """Answer with the run that is there."""


@_breaks("takes-over-in-time")
class _LeavesTheDeadInCharge(Exemplar):
    @override
    def is_free(self, record: Record) -> bool:
        waited_ms = self.world.clock.now_ms() - int(record["lease_ends"])
        return record["lease_ends"] == 0 or waited_ms >= _HOUR_MS


@_breaks("two-resume-at-once", "resume-beside-a-living-owner", "two-start-at-once")
class _OwnsWithoutAsking(Exemplar):
    @override
    def is_free(self, record: Record) -> bool:
        return True

    @override
    def check_owner(self, record: Record) -> None:
        """Write whoever owns the run."""


@_breaks("a-late-owner-does-nothing")
class _NeverLooksBack(Exemplar):
    @override
    def check_owner(self, record: Record) -> None:
        """Write whoever owns the run."""


@_breaks("goes-on-with-a-foreign-run")
class _IgnoresForeignRuns(Exemplar):
    @override
    async def take_in(self, progress: Mapping[str, Any]) -> None:
        record = self.new_record(progress["execution_id"], progress["plan"])
        self.write(record | {"status": "FAILED"})


@_breaks("repeats-nothing-foreign")
class _DoubtsForeignRuns(Exemplar):
    @override
    def believe(self, step: Record, told: Mapping[str, Any]) -> None:
        """Begin at the beginning."""


@_breaks("reads-foreign-results")
class _DropsForeignOutputs(Exemplar):
    @override
    def believe(self, step: Record, told: Mapping[str, Any]) -> None:
        step["status"] = told["status"]
        step["output"] = {}


@_breaks("hands-a-run-out")
class _KeepsWhatItHas(Exemplar):
    @override
    async def hand_out(self, execution_id: str) -> Mapping[str, Any]:
        raise Threw("runs are not given away", "NOT_SUPPORTED")


@_breaks("hands-out-what-was-done")
class _TellsNothing(Exemplar):
    @override
    def told(self, step: Record) -> Mapping[str, Any]:
        return {"id": step["id"], "status": "pending", "output": None}


@_breaks("keeps-off-what-it-handed-out")
class _HandsOutAndKeeps(Exemplar):
    @override
    def mark_handed_out(self, record: Record) -> None:
        """Forget that the run was given away."""
