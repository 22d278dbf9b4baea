"""Without these the remains of one execution could change how another one goes, and nobody would see."""

import pytest

from chaos.explore import isolation
from chaos.explore.isolation import disturbed
from chaos.port import EXECUTION


@pytest.mark.parametrize(("plan", "beside"), [("chain1", "chain3+comp"), ("chain2", "yields")])
def test_an_execution_goes_as_if_alone_beside_whatever_crashes_left_of_another(plan, beside):
    found = dict(disturbed(plan, beside))
    assert len(found) > 4
    assert [place for place, differs in found.items() if differs] == []


def test_one_that_is_disturbed_is_found(monkeypatch):
    monkeypatch.setattr(isolation, "OTHER", EXECUTION)
    assert any(differs for _, differs in disturbed("chain1", "chain2"))
