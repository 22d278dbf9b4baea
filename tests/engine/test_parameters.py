"""Without these tools would be called with aliases unresolved or with what they need missing."""

from typing import Any

import pytest

from engine.parameters import BOOKING, apply_aliases, describe_faults, name_words
from engine.tools import ParameterFault

COMPLETE = {"restaurantId": "r", "partySize": 2, "startTime": "19:00"}


@pytest.mark.parametrize(
    ("given", "aliases", "expected"),
    [
        ({"a": 1}, {"a": "b"}, {"a": 1, "b": 1}),
        ({"a": None}, {"a": "b"}, {"a": None, "b": None}),
        ({"a": 1, "b": 2}, {"a": "b"}, {"a": 1, "b": 2}),
        ({"a": 1, "b": None}, {"a": "b"}, {"a": 1, "b": None}),
        ({}, {"a": "b"}, {}),
        ({"a": 1}, {"a": "b", "b": "c"}, {"a": 1, "b": 1, "c": 1}),
        ({"a": 1}, {"b": "c", "a": "b"}, {"a": 1, "b": 1}),
        ({"x": 1, "y": 2}, {"x": "p", "y": "p"}, {"x": 1, "y": 2, "p": 1}),
    ],
)
def test_aliases_fill_absent_primaries_in_definition_order(
    given: dict[str, Any], aliases: dict[str, str], expected: dict[str, Any]
) -> None:
    before = dict(given)
    assert apply_aliases(given, aliases) == expected
    assert given == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bookTable", ["book", "table"]),
        ("book_slot", ["book", "slot"]),
        ("book-a.slot", ["book", "a", "slot"]),
        ("facebook_post", ["facebook", "post"]),
        ("unreserved_seat", ["unreserved", "seat"]),
        ("reserve_restaurant", ["reserve", "restaurant"]),
        ("create_reservation", ["create", "reservation"]),
        ("BOOK", ["book"]),
        ("", []),
    ],
)
def test_names_are_split_into_words(name: str, words: list[str]) -> None:
    assert name_words(name) == words


@pytest.mark.parametrize("name", ["bookTable", "book", "reserve_restaurant", "table.book"])
def test_booking_tools_need_their_fields(name: str) -> None:
    assert BOOKING.missing(name, {}) == ["restaurantId", "partySize", "startTime"]
    assert BOOKING.missing(name, COMPLETE) == []


@pytest.mark.parametrize(
    "name", ["facebook_post", "unreserved_seat", "create_reservation", "logbook"]
)
def test_other_tools_need_nothing(name: str) -> None:
    assert BOOKING.missing(name, {}) == []


@pytest.mark.parametrize("blank", [None, False, ""])
def test_blank_values_are_missing(blank: object) -> None:
    assert BOOKING.missing("book", COMPLETE | {"startTime": blank}) == ["startTime"]


@pytest.mark.parametrize("value", [0, "0", [], "$a.b"])
def test_zero_and_unresolved_references_are_values(value: object) -> None:
    assert BOOKING.missing("book", COMPLETE | {"partySize": value}) == []


def test_the_other_spellings_count_and_the_first_one_is_reported() -> None:
    assert BOOKING.missing("book", {"restaurant_name": "r", "party_size": 2, "time": "7"}) == []
    assert BOOKING.missing("book", {"restaurant_id": "r", "time": "7"}) == ["partySize"]


def test_faults_are_listed_in_one_message() -> None:
    faults = [ParameterFault("a.b", "is wrong"), ParameterFault("c", "too")]
    assert describe_faults(faults) == "Parameter validation failed: a.b: is wrong; c: too"
