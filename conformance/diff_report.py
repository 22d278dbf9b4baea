"""The pure model of a comparison's report, and its exit policy. Renderers read it, nothing else."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.comparator import GATING_LAYERS, Layer
from conformance.differential import Options, PairResult
from conformance.errors import ExitCode, worst
from conformance.finding import Finding
from conformance.ledger import Ledger, LedgerFault, Use
from conformance.normalisation import Rule
from conformance.verdict import Verdict


@dataclass(frozen=True)
class DiffReport:
    """Everything a run of `planproof diff` has found out.

    Attributes:
        source: where the scenarios come from, in words, with the seed of generated ones.
        complete: the whole shipped corpus was compared, so that staleness was judged.
        ledger: the ledger's file, or None for an emptied one.
        usage: ledger entry -> number of scenarios it explains.
        stale_rules: normalisation rules that touched nothing in a complete run.
        accepted: the ledger that the results were settled by.
        uses: what each scenario made of it.
    """

    options: Options
    source: str
    complete: bool
    ledger: str | None
    results: tuple[PairResult, ...]
    findings: tuple[Finding, ...] = ()
    ledger_faults: tuple[LedgerFault, ...] = ()
    stale_rules: tuple[Rule, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    accepted: Ledger = field(default_factory=Ledger)
    uses: tuple[Use, ...] = ()

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many scenarios have each verdict."""
        return Counter(result.verdict for result in self.results)

    @property
    def controlled(self) -> int:
        """On how many scenarios the executors were compared with themselves (A/A)."""
        return sum(result.controlled for result in self.results)

    @property
    def touched(self) -> Counter[str]:
        """How many fields each normalisation rule touched."""
        return sum((Counter(result.touched) for result in self.results), Counter())

    @property
    def layers(self) -> dict[Layer, int]:
        """How many scenarios differ in each layer, consequences included."""
        return {layer: sum(not result.layers[layer] for result in self.results) for layer in Layer}

    @property
    def unpredictable(self) -> Counter[str]:
        """Why the reference model had no say, and how often."""
        judged = {Verdict.PASS, Verdict.LEDGERED, Verdict.REGRESSION, Verdict.UNTESTABLE}
        return Counter(r.reason for r in self.results if r.reason and r.verdict in judged)

    @property
    def gating_layers(self) -> tuple[Layer, ...]:
        """The layers whose differences must be explained."""
        return tuple(Layer) if self.options.strict else GATING_LAYERS

    @property
    def exit_code(self) -> ExitCode:
        """The most severe of the verdicts, of the ledger's faults, and of having seen nothing."""
        return worst(self._codes())

    def _codes(self) -> Iterable[ExitCode]:
        if not self.results:
            yield ExitCode.VACUOUS
        yield from (verdict.exit_code for verdict in self.verdicts)
        if self.ledger_faults or self.stale_rules:
            yield ExitCode.LEDGER
