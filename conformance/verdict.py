"""Verdicts and attributions: what a comparison of two executors may conclude.

A verdict is never "nothing was wrong because nothing was looked at": what could not be examined
has its own value, and only `PASS` and `LEDGERED` are green.
"""

from collections.abc import Iterable
from enum import StrEnum

from conformance.errors import ExitCode


class Verdict(StrEnum):
    """What is concluded about one scenario, from best to worst."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    LEDGERED = "ledgered"
    UNTESTABLE = "untestable"
    REGRESSION = "regression"
    NONDETERMINISTIC = "nondeterministic"
    HARNESS_ERROR = "harness_error"

    @property
    def is_green(self) -> bool:
        """Whether the verdict lets a run pass."""
        return self in {Verdict.PASS, Verdict.LEDGERED}

    @property
    def exit_code(self) -> ExitCode:
        """What a run with this verdict in it exits with."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.PASS: ExitCode.PASSED,
    Verdict.LEDGERED: ExitCode.PASSED,
    Verdict.UNTESTABLE: ExitCode.VACUOUS,
    Verdict.REGRESSION: ExitCode.FAILED,
    Verdict.NONDETERMINISTIC: ExitCode.FAILED,
    Verdict.HARNESS_ERROR: ExitCode.HARNESS,
}


class Attribution(StrEnum):
    """Who is wrong, by the reference model as the third oracle."""

    NONE = "none"
    LEFT_WRONG = "legacy wrong"
    RIGHT_WRONG = "unified wrong"
    BOTH_WRONG = "both wrong"
    ORACLE_DISAGREES = "oracle disagrees"
    UNATTRIBUTED = "unattributed"


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of `verdicts`.

    Raises:
        ValueError: there is none; no verdict is not a pass.
    """
    order = list(Verdict)
    return max(verdicts, key=order.index)
