"""Batches on an executor: a lost or reordered result would be another scenario's verdict."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from conformance.batches import (
    AHEAD,
    BATCH_GOAL_S,
    BATCH_MIN_S,
    FIRST_BATCH,
    MAX_BATCH,
    BatchedMap,
    BatchSize,
    carry_out,
)


class _Noting(Executor):
    """Carries out each task when its result is asked for, and notes what is under way."""

    def __init__(self):
        self.sizes, self.open, self.most, self.cancelled = [], 0, 0, 0

    def submit(self, function, /, batch):
        self.sizes.append(len(batch))
        self.open += 1
        self.most = max(self.most, self.open)
        outer = self

        class _Late(Future):
            def result(self, timeout=None):
                outer.open -= 1
                return function(batch)

            def cancel(self):
                outer.cancelled += 1
                return True

        return _Late()


@pytest.mark.parametrize("count", [0, 1, FIRST_BATCH, 1000])
def test_every_case_has_its_result_in_order(count):
    with ThreadPoolExecutor(3) as pool:
        found = BatchedMap(lambda number: number * 2, pool, 3).results(range(count))
        assert list(found) == [2 * number for number in range(count)]


@pytest.mark.parametrize(
    ("each_s", "size"), [(0.0001, MAX_BATCH), (0.002, 50), (0.03, 4), (0.06, 2), (3.0, 1)]
)
def test_a_batch_takes_at_least_fifty_milliseconds(each_s, size):
    learned = BatchSize()
    learned.learn(10, 10 * each_s)
    assert learned.next == size
    assert size * each_s >= BATCH_MIN_S or size == MAX_BATCH
    assert (size - 1) * each_s <= BATCH_GOAL_S


def test_while_nothing_is_known_batches_are_small():
    assert BatchSize().next == FIRST_BATCH


def test_results_stream_and_only_so_many_batches_are_under_way():
    executor = _Noting()
    found = BatchedMap(lambda number: number, executor, 2).results(range(1000))
    assert next(found) == 0
    assert len(executor.sizes) == AHEAD * 2 == executor.most
    found.close()
    assert executor.cancelled == AHEAD * 2 - 1


def test_a_case_that_raises_ends_the_map():
    def fail(number):
        raise ValueError(number)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="0"):
        list(BatchedMap(fail, pool, 1).results(range(3)))


def test_a_batch_says_how_long_it_took():
    found, seconds = carry_out(str, [1, 2])
    assert found == ["1", "2"]
    assert seconds >= 0
