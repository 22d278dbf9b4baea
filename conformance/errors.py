"""Exit codes and errors of every command (the contract of the formats document).

A command raises one of these; `conformance.cli.main` prints the message as one line on
standard error and exits with `exit_code`. Nothing else may reach a user as a traceback.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status says. Values are fixed; `worst` orders them."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    HARNESS = 3
    VACUOUS = 4
    LEDGER = 5


# The most severe wins, in this order.
SEVERITY: tuple[ExitCode, ...] = (
    ExitCode.HARNESS,
    ExitCode.USAGE,
    ExitCode.FAILED,
    ExitCode.LEDGER,
    ExitCode.VACUOUS,
    ExitCode.PASSED,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the most severe of `codes`; `PASSED` when there are none."""
    found = set(codes)
    return next((code for code in SEVERITY if code in found), ExitCode.PASSED)


class PlanproofError(Exception):
    """Base of all errors a command reports: a stable `code`, one line, an exit code."""

    exit_code = ExitCode.HARNESS
    code = "HARNESS_ERROR"

    def __init__(
        self, message: str, *, place: str | None = None, advice: str | None = None
    ) -> None:
        """Describe the fault, the place it is at (`file:line:path`) and the way out."""
        super().__init__(message)
        self.message = message
        self.place = place
        self.advice = advice

    def line(self) -> str:
        """Return the single line that a user sees."""
        where = f"{self.place}: " if self.place else ""
        advice = f" ({self.advice})" if self.advice else ""
        return " ".join(f"{where}{self.message}{advice}".split())


class UsageError(PlanproofError):
    """Wrong options, configuration or input files: fix what the message names."""

    exit_code = ExitCode.USAGE
    code = "USAGE"


class HarnessError(PlanproofError):
    """The harness or its infrastructure (a store, a worker, the disk) failed, not a subject."""

    exit_code = ExitCode.HARNESS
    code = "HARNESS_ERROR"


class VacuousError(PlanproofError):
    """Nothing was examined, or less than the declared floor."""

    exit_code = ExitCode.VACUOUS
    code = "VACUOUS"


class LedgerError(PlanproofError):
    """The divergence ledger, or a suppression, is invalid, stale or expired."""

    exit_code = ExitCode.LEDGER
    code = "LEDGER_INVALID"
