"""Where a generator's decisions come from: a seed, or Hypothesis.

A generator that asks only for small integers runs a thousand times a second from a seed and, the
same code, under Hypothesis, which then shrinks all decisions together. Every choice has a
simplest answer: the low end of a range, no, the first option.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

_Option = TypeVar("_Option")

_PERCENT = 100


class Choices(Protocol):
    """The one question that a generator may ask."""

    def integer(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included; `low` is the simplest."""
        ...


class SeededChoices:
    """Choices from a seed, the same on every Python: only `Random.random` is relied upon."""

    def __init__(self, seed: str) -> None:
        """Start the sequence that belongs to `seed`."""
        digest = hashlib.sha256(seed.encode()).digest()
        self._random = random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - no secret

    def integer(self, low: int, high: int) -> int:
        """Return the next integer, each of the range equally likely."""
        return low + int(self._random.random() * (high - low + 1))


class DrawnChoices:
    """Choices that Hypothesis makes, and shrinks."""

    def __init__(self, draw: DrawFn) -> None:
        """Draw from `draw`, the argument of a composite strategy."""
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        """Return the integer that Hypothesis chooses."""
        return low if low == high else self._draw(st.integers(low, high))


def chance(choices: Choices, percent: int) -> bool:
    """Return whether a thing of this likelihood happens; no is simpler."""
    return choices.integer(0, _PERCENT - 1) >= _PERCENT - percent


def pick(choices: Choices, options: Sequence[_Option]) -> _Option:
    """Return one of `options`, each equally likely; the first is the simplest."""
    return options[choices.integer(0, len(options) - 1)]


def weighted(choices: Choices, shares: Mapping[_Option, int]) -> _Option:
    """Return one of the keys, as likely as its share of the sum; the first is the simplest."""
    left = choices.integer(0, sum(shares.values()) - 1)
    for option, share in shares.items():
        if left < share:
            return option
        left -= share
    raise AssertionError("the shares do not add up to their sum")


def shuffled(choices: Choices, items: Sequence[_Option]) -> list[_Option]:
    """Return `items` in some order; the order they have is the simplest."""
    left = list(items)
    return [left.pop(choices.integer(0, len(left) - 1)) for _ in items]
