"""The ledger of accepted divergences: `divergences.toml`, its checks, and what it explains.

An entry accepts one kind of difference, for a reason, until a date, and proves itself by an
example that must still differ in exactly this way. The file is edited by people only.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from conformance.comparator import Layer
from conformance.errors import LedgerError
from conformance.facts import Facts
from conformance.predicate import Predicate, PredicateError, parse_predicate

SCHEMA = "ledger/v1"
DEFAULT_LEDGER = Path(__file__).parent / "divergences.toml"
DEFAULT_CORPUS = Path(__file__).parent / "scenarios"
# Below this many scenarios a share says nothing: one scenario on its own is 100 %.
MIN_SHARE_CORPUS = 100

_ID = re.compile(r"DIV-\d{3}")
_TEXTS = ("title", "when", "legacy", "unified", "reason", "owner", "example")


class Decision(StrEnum):
    """Why a difference is accepted."""

    FIX = "fix"
    OPTION = "option"
    REPRESENTATION = "representation"


class FaultKind(StrEnum):
    """How a ledger can be wrong."""

    SCHEMA = "schema"
    EXPIRED = "expired"
    NO_EXAMPLE = "missing example"
    STALE = "stale"
    SHARE = "over its share"
    AMBIGUOUS = "not disjoint"
    RAISES = "predicate raises"


@dataclass(frozen=True)
class LedgerFault:
    """One thing that is wrong with the ledger."""

    entry: str
    kind: FaultKind
    message: str

    def line(self) -> str:
        """Return one line that names the entry and the cause."""
        return f"{self.entry}: {self.kind}: {self.message}"


@dataclass(frozen=True)
class Entry:
    """One accepted divergence."""

    id: str
    title: str
    layers: tuple[Layer, ...]
    when: Predicate
    legacy: str
    unified: str
    reason: str
    decision: Decision
    owner: str
    since: date
    expires: date
    example: str
    max_share: float

    def explains(self, facts: Facts) -> bool:
        """Whether this entry accepts a primary divergence with these facts.

        Raises:
            PredicateError: the predicate cannot be judged on these facts.
        """
        return facts["divergence"]["layer"] in self.layers and self.when.holds(facts)

    @property
    def example_name(self) -> str:
        """The name of the scenario in the example, which is its file's name as well."""
        return Path(self.example).stem


@dataclass(frozen=True)
class Ledger:
    """All entries of one file."""

    entries: tuple[Entry, ...] = ()
    path: Path | None = None

    def explain(self, facts: Facts) -> tuple[list[Entry], list[LedgerFault]]:
        """Return the entries that accept a primary divergence, and what went wrong meanwhile."""
        found, faults = [], []
        for entry in self.entries:
            try:
                if entry.explains(facts):
                    found.append(entry)
            except PredicateError as error:
                faults.append(LedgerFault(entry.id, FaultKind.RAISES, str(error)))
        return found, faults


@dataclass(frozen=True)
class Use:
    """What one scenario made of the ledger: the entries that explain its primary divergence.

    A scenario that could not be `judged` (its harness failed) says nothing about an example.
    """

    scenario: str
    entries: tuple[str, ...] = ()
    faults: tuple[LedgerFault, ...] = field(default=())
    judged: bool = True


def read_ledger(path: Path, *, today: date, corpus: Path = DEFAULT_CORPUS) -> Ledger:
    """Return the ledger in `path`.

    Raises:
        LedgerError: the file cannot be read, or an entry is invalid, expired or without its
            example; the line names the first entry and says how many more there are.
    """
    ledger, faults = inspect_ledger(path, today=today, corpus=corpus)
    if faults:
        more = f" (and {len(faults) - 1} more: run `planproof ledger lint`)" * (len(faults) > 1)
        raise LedgerError(faults[0].line() + more, place=str(path))
    return ledger


def inspect_ledger(
    path: Path, *, today: date, corpus: Path = DEFAULT_CORPUS
) -> tuple[Ledger, list[LedgerFault]]:
    """Return the sound entries of a ledger file and every fault of the others.

    Raises:
        LedgerError: the file is missing, is no TOML, or is no ledger at all.
    """
    document = _document(path)
    retired = set(document.get("retired", []))
    entries: list[Entry] = []
    faults: list[LedgerFault] = []
    for position, record in enumerate(document["divergence"]):
        name = record.get("id") if isinstance(record.get("id"), str) else f"entry {position + 1}"
        try:
            entry = _entry(record)
        except (PredicateError, ValueError) as error:
            faults.append(LedgerFault(name, FaultKind.SCHEMA, str(error)))
            continue
        taken = {other.id for other in entries} | retired
        if entry.id in taken:
            faults.append(LedgerFault(name, FaultKind.SCHEMA, "ids are never used twice"))
        faults += _aged(entry, today, (path.parent, corpus))
        entries.append(entry)
    return Ledger(tuple(entries), path), faults


def judge_uses(
    ledger: Ledger, uses: Sequence[Use], *, corpus: Iterable[str], complete: bool
) -> list[LedgerFault]:
    """Return what a run over the scenarios named in `corpus` shows to be wrong with the ledger.

    Staleness is judged when the run is `complete` only; a share when the corpus is large enough
    to have one.
    """
    names = set(corpus)
    faults = [fault for use in uses for fault in use.faults]
    faults += [
        LedgerFault(
            " and ".join(use.entries),
            FaultKind.AMBIGUOUS,
            f"explain the same divergence of scenario {use.scenario!r}",
        )
        for use in uses
        if len(use.entries) > 1
    ]
    explained = {use.scenario: use.entries for use in uses if use.judged}
    unjudged = {use.scenario for use in uses if not use.judged}
    counts = Counter(entry for use in uses for entry in use.entries)
    for entry in ledger.entries:
        if complete and entry.example_name not in unjudged:
            faults += _stale(entry, names, explained)
        share = counts[entry.id] / len(names) if names else 0.0
        if len(names) >= MIN_SHARE_CORPUS and share > entry.max_share:
            message = (
                f"explains {counts[entry.id]} of {len(names)} scenarios ({share:.1%}), "
                f"more than {entry.max_share:.1%}"
            )
            faults.append(LedgerFault(entry.id, FaultKind.SHARE, message))
    return list(dict.fromkeys(faults))


def _stale(
    entry: Entry, names: set[str], explained: Mapping[str, tuple[str, ...]]
) -> Iterator[LedgerFault]:
    name = entry.example_name
    if name not in names:
        message = f"no scenario of this run is named {name!r}"
        yield LedgerFault(entry.id, FaultKind.NO_EXAMPLE, message)
    elif not explained.get(name):
        message = f"its example {name!r} does not diverge in this way any more"
        yield LedgerFault(entry.id, FaultKind.STALE, message)
    elif entry.id not in explained[name]:
        message = f"its example {name!r} is explained by {' and '.join(explained[name])}"
        yield LedgerFault(entry.id, FaultKind.STALE, message)


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be read", place=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LedgerError(f"is no TOML: {error}", place=str(path)) from None
    if document.get("schema") != SCHEMA:
        raise LedgerError(f'does not say schema = "{SCHEMA}"', place=str(path))
    entries = document.setdefault("divergence", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LedgerError("`divergence` is no array of tables", place=str(path))
    if unknown := set(document) - {"schema", "retired", "divergence"}:
        raise LedgerError(f"unknown key {min(unknown)!r}", place=str(path))
    return document


def _entry(record: Mapping[str, Any]) -> Entry:
    known = {"id", "layer", "decision", "since", "expires", "max_share", *_TEXTS}
    if missing := known - set(record):
        raise ValueError(f"lacks {', '.join(sorted(missing))}")
    if unknown := set(record) - known:
        raise ValueError(f"unknown key {min(unknown)!r}")
    if not _ID.fullmatch(str(record["id"])):
        raise ValueError("an id is DIV- and three digits")
    for name in _TEXTS:
        if not (isinstance(record[name], str) and record[name].strip()):
            raise ValueError(f"{name} must be a text that is not empty")
    share = record["max_share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise ValueError(f"max_share must be above 0 and at most 1, is {share!r}")
    return Entry(
        id=record["id"],
        title=record["title"],
        layers=_layers(record["layer"]),
        when=parse_predicate(record["when"]),
        legacy=record["legacy"],
        unified=record["unified"],
        reason=record["reason"],
        decision=Decision(record["decision"]),
        owner=record["owner"],
        since=_day(record, "since"),
        expires=_day(record, "expires"),
        example=record["example"],
        max_share=float(share),
    )


def _layers(value: Any) -> tuple[Layer, ...]:
    layers = [value] if isinstance(value, str) else value
    if not isinstance(layers, list) or not layers:
        raise ValueError(f"layer must be a layer or a list of layers, is {value!r}")
    return tuple(Layer(layer) for layer in layers)


def _day(record: Mapping[str, Any], name: str) -> date:
    value = record[name]
    try:
        return value if type(value) is date else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a date (YYYY-MM-DD), is {value!r}") from None


def _aged(entry: Entry, today: date, folders: Sequence[Path]) -> Iterator[LedgerFault]:
    """Yield what time and the disk say of an entry; its example lies in one of the folders."""
    if entry.expires <= entry.since:
        message = f"expires {entry.expires}, which is not after since {entry.since}"
        yield LedgerFault(entry.id, FaultKind.SCHEMA, message)
    elif entry.expires <= today:
        message = f"expired on {entry.expires}: decide again, or fix it"
        yield LedgerFault(entry.id, FaultKind.EXPIRED, message)
    if entry.example.endswith((".json", ".jsonl")) and not any(
        (folder / entry.example).is_file() for folder in folders
    ):
        message = f"there is no file {folders[0] / entry.example}"
        yield LedgerFault(entry.id, FaultKind.NO_EXAMPLE, message)
