"""P6: the same scenarios through both engines; the comparison is given by the environment."""

from collections.abc import Iterator

from codemods.proofs.proof import WHOLE, Claim, Proof, not_run

LEVEL = "P6"
_SHOWN = 20


def prove(claim: Claim) -> Iterator[Proof]:
    """Compare both engines; every divergence that is not accepted is a fault."""
    compare = claim.environment.behaviour
    if compare is None:
        yield not_run(LEVEL, "no comparison of the engines is given")
        return
    report = compare()
    if not report.scenarios:
        yield not_run(LEVEL, f"no scenario could be judged: {report.source or 'there is none'}")
        return
    detail = f"{report.scenarios} scenarios of {report.source}"
    for line in report.divergences[:_SHOWN]:
        yield Proof(WHOLE, LEVEL, line, detail)
    more = len(report.divergences) - _SHOWN
    if more > 0:
        yield Proof(WHOLE, LEVEL, f"{more} further divergences", detail)
    if not report.divergences:
        yield Proof(WHOLE, LEVEL, detail=detail)
