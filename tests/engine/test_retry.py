"""Without these a tool could be called too often, or after a pause that nobody asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import MAX_BACKOFF_MS
from engine.plan import RetryPolicy
from engine.retry import NO_RETRY, backoff_ms, may_retry


def test_the_default_is_one_call() -> None:
    assert NO_RETRY.max_attempts == 1 and not may_retry(NO_RETRY, 1)


@pytest.mark.parametrize(("attempts", "again"), [(1, True), (2, True), (3, False), (4, False)])
def test_max_attempts_counts_the_first_call(attempts: int, again: bool) -> None:
    assert may_retry(RetryPolicy(max_attempts=3), attempts) is again


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (RetryPolicy(backoff_ms=100), [100, 200, 400, 800]),
        (RetryPolicy(backoff_ms=100, multiplier=1), [100, 100, 100, 100]),
        (RetryPolicy(backoff_ms=0), [0, 0, 0, 0]),
        (RetryPolicy(backoff_ms=MAX_BACKOFF_MS), [MAX_BACKOFF_MS] * 4),
    ],
)
def test_pauses_grow_by_the_multiplier_up_to_the_bound(
    policy: RetryPolicy, pauses: list[int]
) -> None:
    assert [backoff_ms(policy, attempts, 0.0) for attempts in range(1, 5)] == pauses


def test_a_pause_stays_bounded_however_many_attempts() -> None:
    policy = RetryPolicy(max_attempts=5_000, backoff_ms=1, multiplier=10)
    assert backoff_ms(policy, 4_999, 0.0) == MAX_BACKOFF_MS


@given(
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 10_000),
    st.integers(1, 60),
)
def test_jitter_only_takes_its_share_off(
    jitter: float, fraction: float, base_ms: int, attempts: int
) -> None:
    policy = RetryPolicy(backoff_ms=base_ms, jitter=jitter)
    full = backoff_ms(policy, attempts, 0.0)
    assert (
        (1 - jitter) * full - 1 <= backoff_ms(policy, attempts, fraction) <= full <= MAX_BACKOFF_MS
    )


def test_jitter_is_drawn_by_the_fraction() -> None:
    policy = RetryPolicy(backoff_ms=1_000, jitter=0.5)
    assert [backoff_ms(policy, 1, part) for part in (0.0, 0.5, 0.9)] == [1_000, 750, 550]
