"""What an executor does that is no outcome: it dies, falls silent, or speaks nonsense."""

from conformance.errors import ExitCode, PlanproofError


class ExecutorFault(PlanproofError):  # noqa: N818 - the executor's, not the harness's
    """The executor broke off, fell silent or spoke nonsense: the clause fails for `reason`."""

    code = "EXECUTOR_FAULT"
    exit_code = ExitCode.FAILED

    def __init__(self, reason: str, message: str) -> None:
        """Say what it did; `reason` is `died`, `silent` or `garbage`."""
        super().__init__(message)
        self.reason = reason
