"""Without these a mutant could rot: a patch that applies nowhere plants no bug."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from chaos.fault_kinds import FaultKind
from chaos.mutants.catalogue import BY_NAME, QUICK, SEEDED
from chaos.mutants.harmless import HARMLESS
from chaos.mutants.mutant import Mutant
from chaos.mutants.patching import patched
from chaos.oracle import PREDICATES
from chaos.plans import find_plan


@pytest.mark.parametrize("mutant", BY_NAME.values(), ids=lambda one: one.name)
def test_every_patch_applies_exactly_once_and_leaves_python(mutant: Mutant) -> None:
    for module in {patch.module for patch in mutant.patches}:
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None
        own = [patch for patch in mutant.patches if patch.module == module]
        source = patched(Path(spec.origin).read_text("utf-8"), own)
        compile(source, spec.origin, "exec")


@pytest.mark.parametrize("mutant", SEEDED, ids=lambda one: one.name)
def test_a_seeded_mutant_says_what_must_find_it(mutant: Mutant) -> None:
    assert mutant.predicates <= {predicate.id for predicate in PREDICATES}
    assert mutant.predicates
    assert set(mutant.kinds) <= {"", *FaultKind}
    assert all(find_plan(name) for name in mutant.plans)


def test_there_are_enough_of_both() -> None:
    assert len(SEEDED) >= 30
    assert len(HARMLESS) >= 8
    assert set(QUICK) <= set(BY_NAME)
    assert max(Counter(one.name for one in (*SEEDED, *HARMLESS)).values()) == 1


def test_predicates_that_no_mutant_is_seeded_for_are_named() -> None:
    """What is left is shown to fail by hand-made histories alone (`test_oracle`)."""
    seeded = frozenset[str]().union(*(mutant.predicates for mutant in SEEDED))
    assert {predicate.id for predicate in PREDICATES} - seeded == {
        "completed-not-repeated",
        "doubt-is-said",
        "nothing-after-the-end",
        "redone-work-bounded",
    }
