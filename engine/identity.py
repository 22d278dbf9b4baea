"""Identifiers and randomness, given from outside so that a run can be replayed."""

import os
import random  # noqa: TID251 - the one place
import uuid
from typing import NewType, Protocol

from engine.errors import InvalidExecutionIdError
from engine.limits import MAX_EXECUTION_ID_CHARS

FencingToken = NewType("FencingToken", int)
_COMPENSATION = ":compensation"


class IdSource(Protocol):
    """Where fresh ids and jitter come from."""

    def new_id(self) -> str:
        """Return an id that nobody has used."""

    def fraction(self) -> float:
        """Return a number in [0, 1), for jitter."""


class SystemIdSource:
    """Ids and randomness of the operating system."""

    def new_id(self) -> str:
        """Return a random UUID of version 4, at a third of the price of making a `uuid.UUID` of it."""
        text = os.urandom(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def fraction(self) -> float:
        """Return a random number in [0, 1)."""
        return random.random()  # noqa: S311 - jitter needs no secrecy; the one place


class SeededIdSource:
    """The same ids and the same jitter for the same seed."""

    def __init__(self, seed: int) -> None:
        """Start the sequence that `seed` names."""
        self._random = random.Random(seed)  # noqa: S311 - replay is the purpose

    def new_id(self) -> str:
        """Return the next id of the sequence."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def fraction(self) -> float:
        """Return the next number of the sequence."""
        return self._random.random()


def check_execution_id(execution_id: str) -> None:
    """Refuse what cannot be part of a key; every character is allowed.

    Raises:
        InvalidExecutionIdError: it is empty, too long, or holds half of a character.
    """
    if not 0 < len(execution_id) <= MAX_EXECUTION_ID_CHARS:
        raise InvalidExecutionIdError(
            f"an execution id has 1 to {MAX_EXECUTION_ID_CHARS} characters, not {len(execution_id)}"
        )
    try:
        execution_id.encode()
    except UnicodeEncodeError:
        raise InvalidExecutionIdError(f"{execution_id!r} has no UTF-8 form") from None


def idempotency_key(
    execution_id: str, step_id: str, iteration: int = 0, *, alternative: int = 0
) -> str:
    """Return the key under which a callee deduplicates this step's effect.

    A pure function of execution, step, iteration and the ordinal of an alternative call (0: the
    step's own), never of the attempt: every attempt at the same work carries the same key. Ids of
    steps hold neither colons nor dots, so that no two pieces of work share a key.
    """
    work = f"{iteration}.{alternative}" if alternative else str(iteration)
    return f"{execution_id}:{step_id}:{work}"


def compensation_key(execution_id: str, step_id: str) -> str:
    """Return the key of the call that undoes a step: the step's own, marked."""
    return idempotency_key(execution_id, step_id) + _COMPENSATION


def is_compensation_key(key: str) -> bool:
    """Whether a call with this key undoes a step; keys of steps end with a number."""
    return key.endswith(_COMPENSATION)
