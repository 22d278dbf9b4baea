"""The picture of where executors break has a square for each point, and says what its colours mean."""

from conformance.report_model_chaos import Chaos, FateRow
from conformance.reporters.html_fates import fates

ROWS = (
    FateRow(executor="legacy", plan="p", cases=("p/1", "p/2"), fates=("clean", "duplicated")),
    FateRow(executor="unified", plan="p", cases=("p/1",), fates=("clean",)),
)


def test_every_point_is_a_square_and_every_colour_is_explained():
    picture = fates(Chaos(fates=ROWS))
    assert [square.fate for square in picture.squares] == ["clean", "duplicated", "clean"]
    assert {key for key, _ in picture.legend} == {"clean", "duplicated"}
    assert picture.summary == (
        "legacy: 1 of 2 points do no harm; unified: 1 of 1 points do no harm"
    )
    assert len({(square.x, square.y) for square in picture.squares}) == 3


def test_nothing_is_drawn_of_nothing():
    assert fates(Chaos()) is None
