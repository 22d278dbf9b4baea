"""Without these tests a key without a description would get an empty cell."""

import pytest

from conformance.documentation.attributes import UndocumentedError, attributes, described, prose


class Room:
    """A room.

    It has
    walls.

    Attributes:
        width: how wide it is,
            in metres.
        NAME: what it is called.

    More.
    """


class Bare:
    """Nothing more."""


def test_each_attribute_has_its_text_on_one_line():
    assert attributes(Room) == {"width": "how wide it is, in metres", "NAME": "what it is called"}
    assert attributes(Bare) == {}


def test_the_prose_is_what_stands_around_them():
    assert prose(Room) == ("It has walls.", "More.")
    assert prose(Bare) == ()


def test_the_order_is_that_of_the_names():
    assert list(described(Room, ["NAME", "width"])) == ["NAME", "width"]


@pytest.mark.parametrize("names", [["width"], ["width", "NAME", "depth"]])
def test_what_is_missing_or_gone_is_an_error(names):
    with pytest.raises(UndocumentedError, match="Room"):
        described(Room, names)
