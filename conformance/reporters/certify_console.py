"""A certificate for a terminal: the levels with their counts, then every clause that is not kept."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.kit.certification import Certificate, ClauseResult, Verdict, levels_of

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.UNTESTABLE: "red",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.HARNESS_ERROR: "bold magenta",
}


def render(certificate: Certificate, console: Console) -> None:
    """Print the certificate."""
    console.print(_levels(certificate))
    for result in certificate.results:
        if result.verdict not in {Verdict.PASSED, Verdict.NOT_APPLICABLE}:
            console.print(_fault(result))
    console.print(_last_line(certificate))


def _levels(certificate: Certificate) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("level", "what it does", "declared"):
        table.add_column(heading)
    for heading in ("passed", "failed", "untestable"):
        table.add_column(heading, justify="right")
    for level in levels_of(certificate.results):
        here = [result for result in certificate.results if result.clause.level is level]
        counts = [
            f"{sum(result.verdict is verdict for result in here)}/{len(here)}"
            if verdict is Verdict.PASSED
            else str(sum(result.verdict is verdict for result in here))
            for verdict in (Verdict.PASSED, Verdict.FAILED, Verdict.UNTESTABLE)
        ]
        declared = "yes" if level in certificate.declared else "no"
        table.add_row(str(level), level.about, declared, *counts)
    return table


def _fault(result: ClauseResult) -> Text:
    note = " (not declared)" if result.explored else ""
    text = Text(f"{result.verdict}{note}", style=_STYLES[result.verdict])
    text.append(f" {result.clause.level} {result.clause.id}", style="bold not dim")
    text.append(f": {result.clause.title}", style="default not bold")
    if result.reason is not None:
        text.append(f"\n  {result.reason.code}: {result.reason.text}", style="default not bold")
    return text


def _last_line(certificate: Certificate) -> Text:
    passed, executed = certificate.count(Verdict.PASSED), certificate.executed
    requirements = certificate.requirements
    stands = f"{passed} of {executed} clauses executed passed, requirements {requirements.version}"
    level = certificate.level
    if level is None:
        told = "no level" if executed else "nothing was executed: no level"
        return Text(f"{certificate.executor}: {told} ({stands})", style="bold red")
    missed = certificate.asked is not None and level < certificate.asked
    suffix = f"; {certificate.asked} was asked for" if missed else ""
    style = "bold green" if not certificate.exit_code else "bold yellow"
    return Text(f"{certificate.executor}: {level} {level.about} ({stands}){suffix}", style=style)
