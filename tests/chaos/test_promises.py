"""Without these the table of promises could promise nothing, or what nobody can keep."""

import pytest

from chaos.case import StorePolicy
from chaos.oracle.promises import Disturbance, promised
from engine import EffectSemantics


@pytest.mark.parametrize("effects", EffectSemantics)
@pytest.mark.parametrize("disturbance", Disturbance)
def test_every_cell_says_something(effects: EffectSemantics, disturbance: Disturbance) -> None:
    promise = promised(effects, disturbance, StorePolicy.EVERYSEC)
    assert promise is not None and promise.says
    assert promise.most is None or promise.least <= promise.most


def test_a_store_that_loses_nothing_has_no_tail_to_lose() -> None:
    assert promised(EffectSemantics.KEYED, Disturbance.TAIL_LOST, StorePolicy.ALWAYS) is None


@pytest.mark.parametrize("disturbance", Disturbance)
def test_a_keyed_tool_has_one_effect_whatever_happens(disturbance: Disturbance) -> None:
    promise = promised(EffectSemantics.KEYED, disturbance, StorePolicy.FAILOVER)
    assert promise is not None and (promise.least, promise.most) == (1, 1)


def test_replicated_durability_promises_what_local_does_not() -> None:
    for effects in (EffectSemantics.QUERYABLE, EffectSemantics.AT_MOST_ONCE):
        lost = promised(effects, Disturbance.TAIL_LOST, StorePolicy.EVERYSEC)
        guarded = promised(effects, Disturbance.GUARDED_TAIL_LOST, StorePolicy.EVERYSEC)
        assert lost is not None and lost.most is None
        assert guarded is not None and guarded.most == 1
    assert promised(EffectSemantics.KEYED, Disturbance.GUARDED_TAIL_LOST) is None
