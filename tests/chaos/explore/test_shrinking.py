"""Without these a failure would be reported as large as it was found."""

from chaos.case import Case
from chaos.explore.shrinking import shrink, shrink_by
from chaos.fault_id import format_case, parse_case
from chaos.running import run_case

LARGE = "chain3/L1@s1.commit+s2.intent#1:A/L2@claim#1:B/L3@s2.tool#1:TA/L4@s3.commit+finish#1:A'/retries=10"


def test_what_has_nothing_to_do_with_it_is_left_out():
    def shows(case: Case) -> bool:
        return "TA" in {point.kind for point in run_case(case).fired}

    assert format_case(shrink_by(parse_case(LARGE), shows)) == "chain2/L1@s2.tool#1:TA"


def test_steps_and_kinds_that_do_not_matter_are_made_plain():
    case = parse_case("dag3.ab.bc+undoable.query.unkeyed/L1@begin#1:Z=3")
    found = shrink_by(case, lambda one: bool(run_case(one).fired))
    assert format_case(found) == "dag1+keyed/L1@begin#1:Z"


def test_a_case_that_holds_stays_as_it_is():
    case = parse_case("chain1/L1@begin#1:A")
    assert shrink(case) == case
