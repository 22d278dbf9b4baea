"""The proof ladder, as far as it needs nothing of the consumer's environment.

P0: a second, independent way from the mapping to the expected tree agrees with the edits. It works
on trees and by the call templates, while the rules edit text in place.
P1: planning the result again changes nothing. P2: the result compiles.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codemods.edits import EditError, apply_to_bytes
from codemods.expected_tree import canonical
from codemods.migration import Change
from codemods.module_plan import plan_module
from codemods.settings import ScanSettings
from codemods.source import decode_python

LEVELS = ("P0", "P1", "P2")


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of one rung for one file; `fault` is empty when it holds."""

    path: str
    level: str
    fault: str = ""


def verify(changes: Sequence[Change], settings: ScanSettings, level: str) -> tuple[Proof, ...]:
    """Climb the ladder up to `level` for every changed file."""
    wanted = LEVELS[: LEVELS.index(level) + 1]
    rungs = {"P0": _same_tree, "P1": _idempotent, "P2": _compiles}
    proofs = []
    for change in changes:
        for name in wanted:
            try:
                fault = rungs[name](change, settings)
            except (SyntaxError, ValueError, LookupError, RecursionError, EditError) as error:
                fault = f"{type(error).__name__}: {error}"
            proofs.append(Proof(change.shown, name, fault))
    return tuple(proofs)


def _same_tree(change: Change, settings: ScanSettings) -> str:
    expected = canonical(ast.parse(decode_python(change.before)), settings.all_roots)
    actual = canonical(ast.parse(decode_python(change.after)), settings.all_roots)
    if expected == actual:
        return ""
    pairs = zip(expected.splitlines(), actual.splitlines(), strict=False)
    differing = next((pair for pair in pairs if pair[0] != pair[1]), ("", "another length"))
    return f"expected {differing[0].strip()!r}, got {differing[1].strip()!r}"


def _idempotent(change: Change, settings: ScanSettings) -> str:
    before = decode_python(change.after)
    plan = plan_module(before, settings.all_roots)
    again = apply_to_bytes(change.after, plan.edits)
    return "" if again == change.after else "a second run would change it"


def _compiles(change: Change, settings: ScanSettings) -> str:
    del settings
    compile(change.after, change.shown, "exec", dont_inherit=True)
    return ""
