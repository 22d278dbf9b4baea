"""The metric "no import of the legacy executor is left in production code"."""

from dataclasses import dataclass

from conformance.errors import ExitCode
from conformance.report import Finding, Verdict

METRIC = "legacy-imports"
SHOWN = 5  # places that a report lists; the rest is counted
FIX = "`planproof codemod --diff .` shows what can be rewritten, `planproof scan .` lists all"


@dataclass(frozen=True, slots=True)
class ScanEvidence:
    """What the import scanner found below some paths.

    `occurrences` and `unexamined` are places (`file:line`) with a word on what is there;
    `undecided` are occurrences that could not be told to be legacy or not; `allowed` counts
    occurrences that an entry of the configuration permits, with a reason and an expiry date; `allowance_faults` says which entries match nothing or
    have expired.
    """

    files: int
    occurrences: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    unexamined: tuple[str, ...] = ()
    allowed: int = 0
    allowance_faults: tuple[str, ...] = ()

    def places(self, limit: int) -> tuple[str, ...]:
        """Return the first places that stand against the claim, worst first."""
        return (*self.occurrences, *self.undecided, *self.unexamined)[:limit]


def _uses(count: int) -> str:
    return "1 use" if count == 1 else f"{count} uses"


def judge(evidence: ScanEvidence) -> Finding:
    """Return whether production code is free of legacy; what was not examined is unknown."""
    left = len(evidence.occurrences)
    open_ = len(evidence.undecided) + len(evidence.unexamined)
    verdict, reason = Verdict.MET, ""
    if left:
        verdict, reason = Verdict.MISSED, f"{_uses(left)} of legacy left; {FIX}"
    elif evidence.allowance_faults:
        verdict, reason = Verdict.UNKNOWN, "; ".join(evidence.allowance_faults)
    elif evidence.files == 0:
        verdict, reason = Verdict.UNKNOWN, "no file was examined"
    elif open_:
        verdict, reason = Verdict.UNKNOWN, f"{open_} candidates could not be decided"
    allowed = f", {evidence.allowed} allowed" if evidence.allowed else ""
    return Finding(
        id=METRIC,
        title="No legacy import in production code",
        verdict=verdict,
        figure=f"{left} uses, {evidence.files} files examined{allowed}",
        target="0 uses",
        evidence=evidence.places(SHOWN) or ("planproof scan",),
        reason=reason,
        cause=ExitCode.LEDGER if evidence.allowance_faults and not left else None,
        details={
            "occurrences": list(evidence.occurrences),
            "undecided": list(evidence.undecided),
            "unexamined": list(evidence.unexamined),
            "allowed": evidence.allowed,
        },
    )
