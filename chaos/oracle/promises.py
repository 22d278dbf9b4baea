"""What is promised of a tool's effects: tool class x what went wrong x store policy. Data.

Predicates judge by this table, and the guarantee table of reports is this table beside what was
measured. Nothing is promised that it does not say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chaos.case import StorePolicy
from engine import EffectSemantics


class Disturbance(StrEnum):
    """What went wrong with a step, as far as its effects are concerned; worst last."""

    NONE = "nothing"
    ELSEWHERE = "a fault before the call, or after its result was durable"
    BEFORE_EFFECT = "stopped before the effect"
    AFTER_EFFECT = "stopped after the effect, before its result was durable"
    ANSWER_LOST = "the tool raised after its effect"
    LATE_EFFECT = "the effect happened after its process was given up"
    GUARDED_TAIL_LOST = "the store lost its last writes; durability replicated"
    TAIL_LOST = "the store lost the intent or the result"


@dataclass(frozen=True, slots=True)
class Promise:
    """How many effects a step has that completed, or whose execution settled.

    Attributes:
        least: of a step that is said to be completed.
        most: in any case; None: not bounded.
        doubt: the step may end in doubt instead of completed.
        says: in words.
    """

    least: int
    most: int | None
    says: str
    doubt: bool = False


_E, _D = EffectSemantics, Disturbance
_ONE = Promise(1, 1, "one")
_NONE = Promise(0, 0, "none")
_TWICE = Promise(1, 2, "one, or two")
_DOUBT = Promise(1, 1, "at most one, in doubt if the result is not known", doubt=True)
_MANY = Promise(1, None, "one or more")
_LOSSES = frozenset({_D.GUARDED_TAIL_LOST, _D.TAIL_LOST})
_LOSSLESS = tuple(kind for kind in Disturbance if kind not in _LOSSES)
_ROWS: Mapping[EffectSemantics, Mapping[Disturbance, Promise]] = {
    _E.READ_ONLY: dict.fromkeys(Disturbance, _NONE),
    _E.KEYED: dict.fromkeys(Disturbance, _ONE),
    _E.QUERYABLE: {
        **dict.fromkeys(_LOSSLESS, _ONE),
        _D.LATE_EFFECT: Promise(1, 2, "one; two if the lookup came before a late effect"),
        _D.GUARDED_TAIL_LOST: _ONE,
        _D.TAIL_LOST: _MANY,
    },
    _E.UNKEYED: {
        **dict.fromkeys(_LOSSLESS, _ONE),
        _D.AFTER_EFFECT: _TWICE,
        _D.ANSWER_LOST: _TWICE,
        _D.LATE_EFFECT: _TWICE,
        _D.GUARDED_TAIL_LOST: _TWICE,
        _D.TAIL_LOST: _MANY,
    },
    _E.AT_MOST_ONCE: {
        **dict.fromkeys(_LOSSLESS, _DOUBT),
        _D.NONE: _ONE,
        _D.GUARDED_TAIL_LOST: _DOUBT,
        _D.TAIL_LOST: Promise(1, None, "not promised with durability local", doubt=True),
    },
}
LOSING = frozenset({StorePolicy.EVERYSEC, StorePolicy.OFF, StorePolicy.FAILOVER})
"""Policies under which the store may lose what it has acknowledged."""


def promised(
    effects: EffectSemantics, disturbance: Disturbance, policy: StorePolicy = StorePolicy.ALWAYS
) -> Promise | None:
    """Return the cell of the table; None: it cannot happen under this policy."""
    if disturbance in _LOSSES and policy not in LOSING:
        return None
    return _ROWS[effects][disturbance]
