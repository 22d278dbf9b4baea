"""The oracle: predicates over a recorded history, each a module whose name is its id.

`judge` asks all of them. It knows no engine: whatever executor made the history, it is held to the
same promises (`chaos.oracle.promises`). What a store has lost is a loss only after it was acknowledged,
so that predicates excuse exactly what the history shows to be lost, whatever the store's policy was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from chaos.case import Violation
from chaos.history import History
from chaos.oracle import (
    after_dependencies,
    at_most_once_not_repeated,
    attempts_bounded,
    begun_once,
    budget_kept,
    cancel_heeded,
    compensated_not_repeated,
    completed_after_effect,
    completed_not_repeated,
    decided_once,
    doubt_is_said,
    effects_as_promised,
    ends_in_time,
    events_gap_free,
    events_with_their_state,
    fenced,
    final_as_undisturbed,
    history_well_formed,
    intent_before_call,
    keys_of_one_slot,
    lease_exclusive,
    lease_kept,
    never_stranded,
    nothing_after_the_end,
    nothing_after_undoing,
    nothing_left_behind,
    one_terminal_event,
    pauses_kept,
    redone_work_bounded,
    remains_are_listed,
    result_stable,
    results_written_at_once,
    run_not_lost,
    saga_balanced,
    saga_reversed,
    same_call_repeated,
    status_monotone,
    store_faults_are_told,
    store_faults_fail_no_step,
    token_of_one_holder,
    told_is_durable,
)
from chaos.oracle.facts import Facts, Finding
from chaos.plans import ChaosPlan

Tier = Literal["assumption", "safety", "liveness"]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One thing that must hold of every history.

    Attributes:
        id: stable; the name of its module, with dashes.
        meaning: one sentence.
        check: yields what is wrong.
    """

    id: str
    tier: Tier
    meaning: str
    check: Callable[[Facts], Iterator[Finding]]


def _of(tier: Tier, *modules: ModuleType) -> tuple[Predicate, ...]:
    return tuple(
        Predicate(
            id=module.__name__.rpartition(".")[2].replace("_", "-"),
            tier=tier,
            meaning=str(module.__doc__).splitlines()[0],
            check=module.violations,
        )
        for module in modules
    )


ASSUMPTIONS = _of("assumption", history_well_formed)
PREDICATES = (
    *_of(
        "safety",
        run_not_lost,
        begun_once,
        status_monotone,
        result_stable,
        results_written_at_once,
        intent_before_call,
        completed_after_effect,
        completed_not_repeated,
        after_dependencies,
        same_call_repeated,
        effects_as_promised,
        at_most_once_not_repeated,
        doubt_is_said,
        events_gap_free,
        one_terminal_event,
        events_with_their_state,
        final_as_undisturbed,
        saga_balanced,
        saga_reversed,
        compensated_not_repeated,
        nothing_after_undoing,
        remains_are_listed,
        fenced,
        token_of_one_holder,
        lease_exclusive,
        lease_kept,
        decided_once,
        pauses_kept,
        budget_kept,
        cancel_heeded,
        nothing_after_the_end,
        told_is_durable,
        store_faults_fail_no_step,
        store_faults_are_told,
        nothing_left_behind,
        keys_of_one_slot,
    ),
    *_of("liveness", never_stranded, ends_in_time, attempts_bounded, redone_work_bounded),
)
"""All of them, in the order in which a report names what does not hold."""


def judge(history: History, plan: ChaosPlan, reference: History) -> tuple[Violation, ...]:
    """Return everything that does not hold of `history`.

    Args:
        history: of the case.
        plan: what was run.
        reference: the history of the same plan, undisturbed.

    If the history is none (see `history_well_formed`), only that is returned: conclusions from it
    would be worth nothing.
    """
    facts = Facts(history, plan, reference)
    return _broken(facts, ASSUMPTIONS) or _broken(facts, PREDICATES)


def _broken(facts: Facts, predicates: tuple[Predicate, ...]) -> tuple[Violation, ...]:
    return tuple(
        Violation(predicate.id, message, witnesses)
        for predicate in predicates
        for message, witnesses in predicate.check(facts)
    )
