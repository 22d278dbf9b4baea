"""Runs cases until one reveals a mutant. Imports the engine, so it is imported after patching."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from functools import cache

from chaos.case import Case
from chaos.explore.singles import UndisturbedError, singles
from chaos.fault_id import format_case, parse_case
from chaos.history import History
from chaos.mutants.mutant import Mutant
from chaos.mutants.trial import Kill, Search
from chaos.oracle import judge
from chaos.plans import find_plan
from chaos.running import simulate


def kind_of(case: Case) -> str:
    """Return the kinds of a case's faults, as a column of the kill matrix."""
    return "+".join(dict.fromkeys(str(point.kind) for point in case.faults))


def enumerated(mutant: Mutant) -> Iterator[Case]:
    """Yield the cases that a campaign makes of a mutant's plans: the kinds that must find it first."""
    for name in mutant.plans:
        yield Case(name)
    for text in mutant.cases:
        yield parse_case(text)
    cases: list[Case] = []
    for name in mutant.plans:
        # A mutant that gets stuck by itself has no points: its undisturbed run was the case.
        with contextlib.suppress(UndisturbedError):
            cases += singles(name, retries=mutant.retries)
    first = {kind: rank for rank, kind in enumerate(mutant.kinds)}
    yield from sorted(cases, key=lambda case: first.get(kind_of(case), len(first)))


class Jury:
    """Runs and judges cases on the engine of this process."""

    def search(
        self,
        search: Search,
        cases: Iterable[Case],
        seconds: float,
        *,
        wanted: frozenset[str],
        stop: bool,
        once: bool,
    ) -> None:
        """Run `cases` for at most `seconds` of CPU time, and note the first kill of each kind.

        Args:
            search: what is found is added to it.
            cases: in this order.
            seconds: of CPU time.
            wanted: the predicates for which the mutant was seeded; a kill by others is kept
                only until there is one by these.
            stop: end at the first kill for one of these reasons.
            once: skip kinds that have such a kill.
        """
        began_s = time.process_time()
        for case in cases:
            kind = kind_of(case)
            before = search.kills.get(kind)
            right = before is not None and not wanted.isdisjoint(before.predicates)
            if once and right:
                continue
            found = self._predicates(case, search)
            search.cases += 1
            search.seconds = time.process_time() - began_s
            if found and (before is None or not (right or wanted.isdisjoint(found))):
                search.kills[kind] = Kill(
                    format_case(case), search.cases, round(search.seconds, 3), found
                )
            if search.seconds > seconds or (stop and not wanted.isdisjoint(found)):
                return

    def _predicates(self, case: Case, search: Search) -> tuple[str, ...]:
        try:
            history = reference(case.plan) if not case.faults else simulate(case).recorder.history
            found = judge(history, find_plan(case.plan), reference(case.plan))
        except Exception as error:  # noqa: BLE001 - a mutant may break the harness; that proves nothing
            search.errors.append(f"{format_case(case)}: {type(error).__name__}: {error}")
            return ()
        return tuple(dict.fromkeys(violation.predicate for violation in found))


@cache
def reference(plan: str) -> History:
    """Return the undisturbed history of a plan on the engine of this process."""
    return simulate(Case(plan)).recorder.history
