"""The shipped ledger: each entry's example diverges in its way and in no other, and is accepted."""

from datetime import date

import pytest

from conformance.differential import Options, examine_once, settle
from conformance.ledger import DEFAULT_CORPUS, DEFAULT_LEDGER, Decision, read_ledger
from conformance.plan_fault import read_sound_corpus
from conformance.verdict import Attribution, Verdict

WRITTEN = date(2026, 11, 22)  # the file is sound on the day of its entries; expiry is the run's
LEDGER = read_ledger(DEFAULT_LEDGER, today=WRITTEN)


@pytest.mark.parametrize("entry", LEDGER.entries, ids=lambda entry: entry.id)
def test_an_example_is_explained_by_its_entry_alone(entry):
    (scenario,) = read_sound_corpus([DEFAULT_CORPUS / entry.example])
    result, use = settle(examine_once(scenario, Options()), LEDGER)
    assert use.entries == (entry.id,)
    assert use.faults == ()
    assert (result.verdict, result.attribution) == (Verdict.LEDGERED, Attribution.LEFT_WRONG)


def test_ids_are_in_order_and_differences_beyond_fixes_are_few():
    ids = [entry.id for entry in LEDGER.entries]
    assert ids == sorted(ids)
    kinds = [entry.decision for entry in LEDGER.entries]
    assert kinds.count(Decision.FIX) > kinds.count(Decision.OPTION) > 0
