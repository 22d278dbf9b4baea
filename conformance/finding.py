"""A finding: an unexplained divergence, the smallest scenario that shows it, and what to do next.

Each finding is a scenario file and one command that replays it, with a ledger entry to start from
in case the difference is wanted. Nothing edits the ledger.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from conformance.differential import Options, PairResult, examine_once
from conformance.errors import PlanproofError
from conformance.ledger import DEFAULT_LEDGER, Ledger
from conformance.scenario import Scenario
from conformance.scenario_builder import format_document
from conformance.shrinking import shrink

DEFAULT_FOLDER = Path(".planproof") / "findings"
MAX_SHRUNK = 12  # findings of different kinds that are shrunk in one run; the rest are as found
_VALIDITY = timedelta(days=365)


@dataclass(frozen=True)
class Finding:
    """One unexplained divergence, ready to be replayed.

    Attributes:
        steps_before: number of steps that the scenario had before it was shrunk.
        path: the scenario file.
        command: replays the finding.
        proposal: a candidate ledger entry, as TOML.
    """

    result: PairResult
    minimal: Scenario
    steps_before: int
    path: Path
    command: str
    proposal: str


def kind(result: PairResult) -> tuple[str, ...]:
    """Return what makes two divergences the same: where, who, and how either run ended."""
    shown, known = result.shown, result.facts
    if shown is None:
        return (str(result.verdict), result.reason)
    place = re.sub(r"\[.*\]", "", shown.path)
    ends = (known["legacy"]["end"], known["unified"]["end"]) if known is not None else ()
    return (str(shown.layer), place, str(result.attribution), *map(str, ends))


def collect(
    results: Iterable[tuple[Scenario, PairResult]],
    *,
    options: Options,
    ledger: Ledger,
    folder: Path,
    today: date,
    examiner: Callable[[Scenario, Options], PairResult] = examine_once,
) -> list[Finding]:
    """Shrink, write and describe the unexplained divergences of a run.

    The first `MAX_SHRUNK` kinds are shrunk; another finding of a kind is written as it was found.

    Raises:
        OSError: the folder cannot be written.
    """
    findings: list[Finding] = []
    shrunk: set[tuple[str, ...]] = set()
    for scenario, result in results:
        minimal = scenario
        wanted = kind(result)
        if wanted not in shrunk and len(shrunk) < MAX_SHRUNK:
            shrunk.add(wanted)
            minimal = shrink(scenario, _shows(wanted, options, examiner))
        path = _write(minimal, scenario.name, folder)
        findings.append(
            Finding(
                result=result,
                minimal=minimal,
                steps_before=len(scenario.plan.get("steps", [])),
                path=path,
                command=_command(path, options, ledger),
                proposal=propose(result, ledger, today=today),
            )
        )
    return findings


def propose(result: PairResult, ledger: Ledger, *, today: date) -> str:
    """Return a candidate entry for a primary divergence; people must finish and judge it.

    `decision` is left open on purpose: the ledger does not load until somebody has decided.
    """
    if result.primary is None or result.facts is None:
        return ""
    known, shown = result.facts, result.primary
    numbers = [int(entry.id.removeprefix("DIV-")) for entry in ledger.entries]
    clauses = [
        _clause("legacy.end", known["legacy"]["end"]),
        _clause("unified.end", known["unified"]["end"]),
        _clause("scenario.drive", known["scenario"]["drive"]),
        _clause("divergence.cause", known["divergence"]["cause"]),
    ]
    fields = {
        "id": f"DIV-{max(numbers, default=0) + 1:03d}",
        "title": f"TODO: {shown.layer.subject} of {result.scenario}",
        "layer": str(shown.layer),
        "when": " and ".join(clauses),
        "legacy": f"{shown.path} is {shown.left!r}",
        "unified": f"{shown.path} is {shown.right!r}",
        "reason": "TODO: why this is wanted",
        "decision": "TODO: fix | option | representation",
        "owner": "TODO",
    }
    lines = ["[[divergence]]", *(f"{name} = {_toml(text)}" for name, text in fields.items())]
    lines += [f"since = {today}", f"expires = {today + _VALIDITY}"]
    lines += [f"example = {_toml(result.scenario + '.json')}", "max_share = 0.05"]
    return "\n".join(lines)


def _shows(
    wanted: tuple[str, ...], options: Options, examiner: Callable[[Scenario, Options], PairResult]
) -> Callable[[Scenario], bool]:
    def shows(candidate: Scenario) -> bool:
        try:
            return kind(examiner(candidate, options)) == wanted
        except PlanproofError:
            return False

    return shows


def _clause(name: str, value: object) -> str:
    return f"{name} == {json.dumps(value)}"


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(minimal: Scenario, name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.json"
    path.write_text(format_document(minimal.document()), encoding="utf-8")
    return path


def _command(path: Path, options: Options, ledger: Ledger) -> str:
    words = ["planproof diff --scenarios", str(path)]
    if (options.left, options.right) != ("legacy", "unified"):
        words.append(f"--left {options.left} --right {options.right}")
    if options.store != "fake":
        words.append(f"--store {options.store}")
    if options.strict:
        words.append("--strict")
    if ledger.path is None:
        words.append("--empty-ledger")
    elif ledger.path != DEFAULT_LEDGER:
        words.append(f"--ledger {ledger.path}")
    return " ".join(words)


def layer_lines(result: PairResult) -> list[str]:
    """Return one line for each layer: whether the executors agree, and on what they do not."""
    lines = []
    for layer, agrees in result.layers.items():
        paths = [d.path for d in result.divergences if d.layer is layer]
        lines.append(f"{layer} {layer.subject}: {'agree' if agrees else ', '.join(paths[:4])}")
    return lines
