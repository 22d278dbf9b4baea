"""Settings of a run, and the two profiles that teams use."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from engine import limits


class References(StrEnum):
    """What happens to a reference that names no value.

    `lenient`: the text is passed on as it stands, as the legacy executor did. `strict`: the step
    fails with `UNRESOLVABLE_REFERENCE`; references inside lists and objects count too.
    """

    LENIENT = "lenient"
    STRICT = "strict"


class Durability(StrEnum):
    """What must have a step's intent before an effect that cannot be deduplicated.

    `local`: the store that answered. `replicated`: its replicas too, and its append-only file
    where it has one; the same before the first compensation.
    """

    LOCAL = "local"
    REPLICATED = "replicated"


class Scheduling(StrEnum):
    """When a step begins.

    `layered`: all ready steps at once, the next ones when all of them have ended, as the legacy
    executor did. `eager`: each as soon as its own dependencies have completed.
    """

    LAYERED = "layered"
    EAGER = "eager"


class WorkflowSettings(BaseModel):
    """How executions are run. The defaults are what the legacy executor's users are used to.

    Attributes:
        checkpoint_threshold_ms: a segment starts no further batch after this; None: no limit.
        step_abort_ms: a tool call is cancelled after this; None: never.
        recovery_abort_ms: the same for the call that an error recovery asks for.
        resume_delay_ms: how long after a yield the execution is due.
        hook_timeout_ms: a lookup or a recovery that has not answered after this has failed.
        lookup_retry_ms: how long after a failed lookup the execution is due again.
        lease_ms: how long this process may work without renewing its lease.
        durability: what must have an intent before a call that must not be lost sight of.
        replicas: how many replicas that means.
        replication_timeout_ms: how long they are waited for.
        retention_s: how long a finished execution stays readable.
        compensation_attempts: calls of one compensation before it has failed.
        compensation_backoff_ms: pause before the second of them; doubled each time.
        saga_timeout_ms: a rollback that has not ended after this gives up what is left; None: never.
        enforce_step_timeouts: cancel a call after its step's `timeout_ms` as well.
        enforce_plan_constraints: refuse a plan that breaks its own `max_steps`, and end a run
            that breaks its `max_execution_time_ms`.
        references: what an unresolvable reference does.
        scheduling: when a step begins.
        max_concurrency: steps of one batch that run at once; None: all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint_threshold_ms: int | None = Field(default=limits.CHECKPOINT_THRESHOLD_MS, gt=0)
    step_abort_ms: int | None = Field(default=limits.STEP_ABORT_MS, gt=0)
    recovery_abort_ms: int | None = Field(default=None, gt=0)
    resume_delay_ms: int = Field(default=limits.RESUME_DELAY_MS, ge=0)
    hook_timeout_ms: int = Field(default=limits.HOOK_TIMEOUT_MS, gt=0)
    lookup_retry_ms: int = Field(default=limits.LOOKUP_RETRY_MS, ge=0)
    lease_ms: int = Field(default=limits.LEASE_MS, gt=0)
    durability: Durability = Durability.LOCAL
    replicas: int = Field(default=1, ge=1)
    replication_timeout_ms: int = Field(default=limits.REPLICATION_TIMEOUT_MS, gt=0)
    retention_s: int = Field(default=limits.RETENTION_S, gt=0)
    compensation_attempts: int = Field(default=limits.COMPENSATION_ATTEMPTS, ge=1)
    compensation_backoff_ms: int = Field(default=limits.COMPENSATION_BACKOFF_MS, ge=0)
    saga_timeout_ms: int | None = Field(default=None, gt=0)
    enforce_step_timeouts: bool = False
    enforce_plan_constraints: bool = False
    references: References = References.LENIENT
    scheduling: Scheduling = Scheduling.LAYERED
    max_concurrency: int | None = Field(default=None, gt=0)

    @classmethod
    def serverless(cls) -> Self:
        """Return the profile for functions with a time limit of ten seconds; the default."""
        return cls()

    @classmethod
    def worker(cls) -> Self:
        """Return the profile for long-lived processes: no segment budget, no abort."""
        return cls(checkpoint_threshold_ms=None, step_abort_ms=None)

    @property
    def needed_replicas(self) -> int:
        """How many replicas must have an intent; 0: nobody waits for any."""
        return self.replicas if self.durability is Durability.REPLICATED else 0

    def strict(self) -> Self:
        """Return these settings with every check on that the legacy executor lacked."""
        return self.model_copy(
            update={
                "enforce_step_timeouts": True,
                "enforce_plan_constraints": True,
                "references": References.STRICT,
            }
        )
