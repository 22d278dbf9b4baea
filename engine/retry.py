"""Arithmetic of retries. Pure."""

from engine.limits import MAX_BACKOFF_MS
from engine.plan import RetryPolicy

NO_RETRY = RetryPolicy()


def may_retry(policy: RetryPolicy, attempts: int) -> bool:
    """Whether another call is allowed after `attempts` calls."""
    return attempts < policy.max_attempts


def backoff_ms(policy: RetryPolicy, attempts: int, fraction: float) -> int:
    """Return the pause after `attempts` calls; `fraction` in [0, 1) draws the jitter."""
    try:
        pause = policy.backoff_ms * policy.multiplier ** (attempts - 1)
    except OverflowError:  # hundreds of attempts; the bound applies long before
        pause = MAX_BACKOFF_MS if policy.backoff_ms else 0
    bounded: float = min(pause, MAX_BACKOFF_MS)
    return round(bounded * (1 - policy.jitter * fraction))
