"""Paired runs: every scenario through both executors, and what that says about failures."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from conformance.config import ProfileName, Repository
from conformance.diff_report import DiffReport
from conformance.differential import Options, PairResult, examine_all, settle
from conformance.ledger import DEFAULT_CORPUS, DEFAULT_LEDGER, judge_uses, read_ledger
from conformance.metrics.failures import PairEvidence
from conformance.normalisation import stale_rules
from conformance.plan_fault import read_sound_corpus
from conformance.verdict import Verdict


def pairs(repository: Repository, profile: ProfileName) -> PairEvidence:
    """Run what the profile asks for: the shipped corpus, the repository's own, generated ones.

    Raises:
        UsageError: a scenario is wrong.
        LedgerError: the ledger is wrong.
        HarnessError: a worker process died.
    """
    settings = repository.settings
    path = repository.path(settings.ledger.path) if settings.ledger.path else DEFAULT_LEDGER
    ledger = read_ledger(path, today=datetime.now(UTC).date())
    shipped = [DEFAULT_CORPUS] if settings.corpus.use_shipped else []
    scenarios = read_sound_corpus([*shipped, *map(repository.path, settings.corpus.paths)])
    wanted = settings.profile.named(profile)
    source = f"planproof diff, {len(scenarios)} scenarios"
    if wanted.generated:
        # Hypothesis is slow to import, and a corpus alone does not need it.
        from conformance.generation import INCOMPARABLE, generate  # noqa: PLC0415

        scenarios += generate(wanted.generated, wanted.seed, without=INCOMPARABLE)
        source += f" and {wanted.generated} generated from seed {wanted.seed}"
    options = Options()
    settled = [settle(result, ledger) for result in examine_all(scenarios, options)]
    results = [result for result, _ in settled]
    uses = [use for _, use in settled]
    complete = settings.corpus.use_shipped
    names = [scenario.name for scenario in scenarios]
    touched = sum((Counter(result.touched) for result in results), Counter[str]())
    report = DiffReport(
        options=options,
        source=source,
        complete=complete,
        ledger=str(path),
        results=tuple(results),
        ledger_faults=tuple(judge_uses(ledger, uses, corpus=names, complete=complete)),
        stale_rules=tuple(stale_rules(touched)) if complete else (),
        usage=Counter(entry for use in uses for entry in use.entries),
        accepted=ledger,
        uses=tuple(uses),
    )
    found = pair_evidence(
        results,
        ledger_faults=(
            *(fault.line() for fault in report.ledger_faults),
            *(f"normalisation rule {rule.id} touched nothing" for rule in report.stale_rules),
        ),
        source=source,
    )
    return replace(found, diff=report)


def pair_evidence(
    results: Iterable[PairResult], *, ledger_faults: tuple[str, ...], source: str
) -> PairEvidence:
    """Return what settled results say about failures.

    A divergence that is not a failure where legacy succeeded, and that no ledger entry accepts,
    counts as unexplained: whether it harms is for people to say.
    """
    found = list(results)

    def named(*verdicts: Verdict) -> tuple[str, ...]:
        return tuple(result.scenario for result in found if result.verdict in verdicts)

    regressions = named(Verdict.REGRESSION, Verdict.NONDETERMINISTIC)
    increased = {result.scenario for result in found if _failed_anew(result)}
    return PairEvidence(
        pairs=len(found),
        increased=tuple(name for name in regressions if name in increased),
        unexplained=tuple(name for name in regressions if name not in increased),
        ledgered=named(Verdict.LEDGERED),
        undecided=named(Verdict.UNTESTABLE),
        ledger_faults=ledger_faults,
        harness_faults=tuple(
            f"{result.scenario}: {result.reason}"
            for result in found
            if result.verdict is Verdict.HARNESS_ERROR
        ),
        source=source,
    )


def _failed_anew(result: PairResult) -> bool:
    facts = result.facts
    if facts is None:
        return False  # the executors agree in every layer that decides
    return facts["legacy"]["success"] is True and facts["unified"]["success"] is not True
