"""Errors of the engine: one base, a stable code, whether a retry can help, and advice."""

from typing import ClassVar


class EngineError(Exception):
    """Base of everything the engine raises on purpose.

    Attributes:
        code: stable identifier, safe to match on and to store.
        retriable: whether the same call can succeed later without a change.
        advice: what to do about it.
    """

    code: ClassVar[str] = "ENGINE_ERROR"
    retriable: ClassVar[bool] = False
    advice: ClassVar[str] = ""

    def __init__(self, message: str = "", *details: object) -> None:
        """Describe what happened, in one line; `details` stay in `args`, as with any exception."""
        super().__init__(message, *details)
        self.message = message


class InvalidPlanError(EngineError):
    """The plan breaks its schema or is no DAG. Fix the plan at `path`; nothing was written."""

    code = "INVALID_PLAN"
    advice = "fix the plan at the path named"

    def __init__(self, path: str, complaint: str, code: str = "invalid_type") -> None:
        """Name the `path` inside the plan, such as `steps[3].dependencies[0]`.

        `code` is the kind of the fault in the words of a schema, kept as `kind`.
        """
        super().__init__(f"{path}: {complaint}")
        self.path = path
        self.complaint = complaint
        self.kind = code


class SafetyViolationError(EngineError):
    """The safety policy forbids the plan. Change the plan or the policy; nothing was run."""

    code = "SAFETY_VIOLATION"
    advice = "change the plan, or the safety policy if it is wrong"


class UnknownToolError(EngineError):
    """A step names a tool that the registry does not have. Register it or fix the name."""

    code = "UNKNOWN_TOOL"
    advice = "register the tool or fix its name"


class UnresolvableReferenceError(EngineError):
    """A reference names no value, and the settings demand that every reference resolves."""

    code = "UNRESOLVABLE_REFERENCE"
    advice = "name a field that the referenced step returns, or use lenient references"


class InvalidExecutionIdError(EngineError):
    """The execution id is empty, too long, or no text that can be stored."""

    code = "INVALID_EXECUTION_ID"
    advice = "use an id of 1 to 512 characters; any of them will do"


class PlanMismatchError(EngineError):
    """The execution id belongs to another plan. Use a new execution id."""

    code = "PLAN_MISMATCH"
    advice = "use a new execution id for a new plan"


class StateConflictError(EngineError):
    """A state or a position that was handed in knows more than the store. Nothing was run.

    To go on from the durable state would repeat, or lose, what the caller believes done.
    """

    code = "STATE_CONFLICT"
    advice = "read what is durable and go on from it, or use the store that has the rest"


class ExecutionNotFoundError(EngineError):
    """No execution of that id is in the store: never begun, or expired after it ended."""

    code = "EXECUTION_NOT_FOUND"
    advice = "check the id and the store; finished executions expire after their retention"


class InvalidTransitionError(EngineError):
    """The status table does not allow the move. A programming error, or a wrong command."""

    code = "INVALID_TRANSITION"
    advice = "see engine.states.TRANSITIONS"


class StepNotReadyError(EngineError):
    """The step asked for cannot run now: unknown, already run, or its dependencies have not."""

    code = "STEP_NOT_READY"
    advice = "run its dependencies first, or leave the index out"


class ConfirmationError(EngineError):
    """The execution does not wait for this confirmation, or the token is another one's."""

    code = "CONFIRMATION_REFUSED"
    advice = "use the step and the token of the last result"


class LeaseHeldError(EngineError):
    """Another process works on the execution. Try again after `retry_after_ms`."""

    code = "LEASE_HELD"
    retriable = True
    advice = "try again when the lease has run out; a queue redelivers by itself"

    def __init__(self, message: str, *, retry_after_ms: int) -> None:
        """Say how long the present lease still lasts, in milliseconds."""
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class LeaseLostError(EngineError):
    """Another process took the execution over: this one's fencing token is stale.

    Nothing that this process held has been or will be written. Stop working on it.
    """

    code = "LEASE_LOST"
    advice = "stop; the new holder of the lease continues"


class CompensationBegunError(EngineError):
    """A late result of a step came after its undoing had begun. Nothing was written."""

    code = "COMPENSATION_BEGUN"
    advice = "stop; the step is being undone, and what came late is for its tool to refuse"


class NotReplicatedError(EngineError):
    """Too few replicas have what a call depends on. The call was not made."""

    code = "NOT_REPLICATED"
    retriable = True
    advice = "bring replicas back and resume: the call was not made"


class ReplicationUnsupportedError(EngineError):
    """The store cannot tell what its replicas have, and the settings demand it."""

    code = "REPLICATION_UNSUPPORTED"
    advice = "use a server with WAIT, not the embedded store or a cluster, or durability local"


class SubscriberUnknownError(EngineError):
    """A relay works for a subscriber that has not subscribed, or was unsubscribed."""

    code = "SUBSCRIBER_UNKNOWN"
    advice = "subscribe first: events are kept for a subscriber from then on"


class StoreUnavailableError(EngineError):
    """The store cannot be reached or answers with an error. Never taken for a step failure."""

    code = "STORE_UNAVAILABLE"
    retriable = True
    advice = "restore the store and resume: what was durable is kept"


class CheckpointCorruptError(EngineError):
    """A stored record cannot be read. The execution is left as it is."""

    code = "CHECKPOINT_CORRUPT"
    advice = "inspect the record named; nothing was changed"


class UnknownVersionError(EngineError):
    """A record was written by a newer engine. Upgrade this one, or finish it with the newer."""

    code = "VERSION_UNKNOWN"
    advice = "upgrade the engine before it touches this execution"


class HandedBackError(UnknownVersionError):
    """The execution was handed back to the legacy executor. This engine leaves it alone."""

    code = "HANDED_BACK"
    advice = "resume it with the legacy executor, or adopt it again"


class AdoptionRefusedError(EngineError):
    """What the legacy executor left cannot be taken over. Nothing was changed."""

    code = "ADOPTION_REFUSED"
    advice = "do what the message says, or finish the execution by hand"


class LegacyActiveError(EngineError):
    """The legacy executor has written too lately to be known dead. Nothing was changed."""

    code = "LEGACY_ACTIVE"
    retriable = True
    advice = "adopt it after the time named; make sure that no legacy worker still runs it"

    def __init__(self, message: str, *, retry_after_ms: int) -> None:
        """Say after how many milliseconds an executor that keeps to its limits is certainly gone."""
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class HandBackRefusedError(EngineError):
    """The legacy executor could not go on from where the execution stands. Nothing was changed."""

    code = "HAND_BACK_REFUSED"
    advice = "resume the execution here until the reason is gone, or let it end here"


def single_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the engine's own error in a group, which caused the rest; without one, the first."""
    for error in (group.subgroup(EngineError) or group).exceptions:
        return single_cause(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group is never empty")
