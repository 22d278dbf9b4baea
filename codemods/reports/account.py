"""What every report says of a plan: counts by rule, what blocks, and ids that survive an edit."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from codemods.migration import Migration, Outcome, Row
from codemods.occurrence import Scope, Status
from codemods.verification import Proof

# The rule of names that are kept and taken from the bridge.
BRIDGE_RULE = "CM108"
# A proof of the migration as a whole and not of one file.
WHOLE = "."

FINGERPRINT_CHARACTERS = 16
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many occurrences have each outcome; `bridged` ones are among the rewritten."""

    rewritten: int = 0
    bridged: int = 0
    left: int = 0
    allowed: int = 0

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Tally":
        """Count some rows."""
        rows = tuple(rows)
        outcomes = Counter(row.outcome for row in rows)
        return cls(
            rewritten=outcomes[Outcome.REWRITTEN],
            bridged=sum(is_bridged(row) for row in rows),
            left=outcomes[Outcome.REPORTED],
            allowed=outcomes[Outcome.ALLOWED],
        )


def rules_of(row: Row) -> tuple[str, ...]:
    """Return the rules that decided about a row; the id of its form where no rule did."""
    return row.rules or (row.occurrence.rule_id,)


def is_bridged(row: Row) -> bool:
    """Say whether a row's file keeps the name and takes it from the bridge."""
    return row.outcome is Outcome.REWRITTEN and BRIDGE_RULE in row.rules


def is_blocking(row: Row) -> bool:
    """Say whether a row keeps the migration from passing.

    That is what is left in production code, and whatever could not be examined.
    """
    item = row.occurrence
    return row.outcome is Outcome.REPORTED and (
        item.scope is Scope.PRODUCTION or item.status is Status.UNEXAMINED
    )


def left(plan: Migration) -> tuple[Row, ...]:
    """Return the reported rows, in the plan's order."""
    return tuple(row for row in plan.rows if row.outcome is Outcome.REPORTED)


def by_rule(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by rule, ids in order; a row that several rules decided about is in each group."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for rule in rules_of(row):
            groups[rule].append(row)
    return {rule: groups[rule] for rule in sorted(groups)}


def levels(proofs: Sequence[Proof]) -> tuple[str, ...]:
    """Return the rungs that were climbed, in order."""
    return tuple(dict.fromkeys(item.level for item in proofs))


def standing(proofs: Sequence[Proof]) -> dict[str, dict[str, Proof]]:
    """Return the proofs of each file by rung; of several for one rung, the first with a fault."""
    table: dict[str, dict[str, Proof]] = {}
    for proof in proofs:
        row = table.setdefault(proof.path, {})
        if proof.level not in row or (proof.fault and not row[proof.level].fault):
            row[proof.level] = proof
    return table


def account_line(plan: Migration) -> str:
    """Return the sum that has to be right: every occurrence has exactly one outcome."""
    counts = " + ".join(f"{plan.count(outcome)} {outcome}" for outcome in Outcome)
    return f"{len(plan.rows)} occurrences = {counts}"


def fingerprints(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return an id for each row that stays the same when other lines move, come or go.

    It is a hash of the path, the form, the line's text without its blanks, and the number of the
    row among those of which all this is the same. What is rewritten is counted apart, so that the
    ids of what is left are the same before and after the changes are written.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    ids = []
    for row in rows:
        item = row.occurrence
        state = "rewritten" if row.outcome is Outcome.REWRITTEN else "left"
        cell = "" if item.cell is None else "cell"
        key = (item.path, item.rule_id, _BLANKS.sub("", item.text), state, cell)
        digest = hashlib.sha256()
        for part in (*key, str(seen[key])):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        seen[key] += 1
        ids.append(digest.hexdigest()[:FINGERPRINT_CHARACTERS])
    return tuple(ids)


def printable(text: str) -> str:
    """Return `text` on one line, with what a terminal or a parser could trip over escaped.

    A file's name may hold line ends, control characters, and bytes that are no Unicode.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escaped(character) for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, width: int) -> str:
    """Return `text` cut to `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def tool_version() -> str:
    """Return the version of the package that makes the reports."""
    try:
        return version("planproof")
    except PackageNotFoundError:  # a copy of the package that was not installed
        return "0"
