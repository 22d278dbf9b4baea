"""Without these a failure could only be read by who knows the records of a history."""

from dataclasses import replace

from chaos.case import Judgement, Violation
from chaos.running import replay
from chaos.timeline import timeline


def test_a_timeline_says_who_did_what_and_where_it_was_wrong():
    result, history = replay("chain1/L1@s1.commit+finish#1:A")
    text = "\n".join(timeline(result, history))
    assert "planned: A at s1.commit+finish, life 1: killed after it is applied" in text
    assert "store  s1.commit+finish (reply not seen, token 1)" in text
    assert "COMPLETED v3, token 1; s1 completed" in text


def test_what_does_not_hold_is_marked_at_its_witnesses():
    result, history = replay("chain1/L1@begin#1:B")
    wrong = Violation("an-example", "because", (3,))
    marked = list(
        timeline(replace(result, judgement=Judgement.VIOLATED, violations=(wrong,)), history)
    )
    at = next(index for index, line in enumerate(marked) if line.endswith("^ an-example"))
    assert marked[at - 1].lstrip().startswith("3 ")
    assert marked[-2:] == ["violated", "  an-example: because"]
