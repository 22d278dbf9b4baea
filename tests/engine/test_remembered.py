"""Without these a plan could be read as another one, or never be forgotten."""

import gc
import weakref

from engine.remembered import remembered


class Record:
    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record)

    __hash__ = None  # type: ignore[assignment] # as a plan's, which holds mappings


def test_the_work_is_done_once_for_each_object_and_not_for_its_equals() -> None:
    done: list[int] = []

    @remembered
    def work(record: Record) -> int:
        done.append(record.value)
        return record.value

    one, other = Record(1), Record(2)
    assert [work(one), work(other), work(one), work(other)] == [1, 2, 1, 2]
    assert done == [1, 2]


def test_a_record_that_is_gone_is_forgotten_and_its_place_is_nobody_else_s() -> None:
    work = remembered(lambda record: record.value)
    for value in range(1_000):  # places of dead objects are used again at once
        assert work(Record(value)) == value
    kept = Record(7)
    work(kept)
    gone = weakref.ref(kept)
    del kept
    gc.collect()
    assert gone() is None


def test_work_that_raises_is_done_again() -> None:
    answers = [ValueError("no"), 3]

    @remembered
    def work(_record: Record) -> int:
        answer = answers.pop(0)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    record = Record(1)
    try:
        work(record)
    except ValueError:
        assert work(record) == 3
    assert answers == []
