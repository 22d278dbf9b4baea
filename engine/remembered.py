"""What follows from a record that does not change: worked out once, as long as the record lives."""

import weakref
from collections.abc import Callable
from typing import TypeVar

_Record = TypeVar("_Record")
_Found = TypeVar("_Found")


def remembered(work: Callable[[_Record], _Found]) -> Callable[[_Record], _Found]:
    """Return `work`, which is done once for each record: for the object, not for what equals it.

    Nothing is kept alive by it, as long as what `work` returns does not hold the record.
    """
    known: dict[int, tuple[weakref.ref[_Record], _Found]] = {}

    def recall(record: _Record) -> _Found:
        place = id(record)
        found = known.get(place)
        if found is not None and found[0]() is record:
            return found[1]
        value = work(record)
        known[place] = weakref.ref(record, lambda _: known.pop(place, None)), value
        return value

    return recall
