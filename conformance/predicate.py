"""The predicate language of the divergence ledger: a closed, side-effect-free set of expressions.

`when = 'legacy.end == "deadlock" and not scenario.start_index'`: comparisons, `and`, `or`, `not`,
`in`, literals, lists of literals, the facts of `conformance.facts`, and `len(fact)`. It is parsed
by Python's own parser and read here; nothing is ever evaluated by Python.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.facts import FACTS, Facts

# A run without anything special in it. A predicate that holds even here explains everything.
NEUTRAL: Facts = {
    "scenario": {
        "tags": [],
        "steps": 1,
        "drive": "plain",
        "assisted": False,
        "patched": False,
        "intent": False,
        "idempotency": False,
        "fresh": False,
        "start_index": False,
        "faults": [],
        "forbidden_sequence": False,
        "disallowed_tool": False,
        "duplicate_ids": False,
        "malformed": False,
        "hides_steps": False,
    },
    **{
        side: {
            "end": "completed",
            "terminal": "completed",
            "success": True,
            "refusal": "",
            "codes": [],
            "completed": 1,
            "failed": 0,
            "skipped": 0,
            "calls": 1,
            "repeats": 0,
            "partials": 0,
        }
        for side in ("legacy", "unified")
    },
    "divergence": {"layer": "", "path": "", "left": None, "right": None, "cause": ""},
}

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}


class PredicateError(ValueError):
    """The predicate is not in the language, explains everything, or cannot be judged."""


@dataclass(frozen=True)
class Predicate:
    """A checked predicate."""

    source: str
    tree: ast.expr

    def holds(self, facts: Facts) -> bool:
        """Judge the predicate on `facts`.

        Raises:
            PredicateError: it compares values that have no order, or is neither true nor false.
        """
        try:
            value = _value(self.tree, facts)
        except TypeError as error:
            raise PredicateError(f"{error} in `{self.source}`") from None
        if not isinstance(value, bool):
            raise PredicateError(f"`{self.source}` is {value!r}, neither true nor false")
        return value


def parse_predicate(source: str) -> Predicate:
    """Return the predicate that `source` says.

    Raises:
        PredicateError: a syntax error, something outside the language, an unknown fact, or a
            predicate that holds for every pair of runs.
    """
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise PredicateError(f"`{source}` is no expression: {error}") from None
    _check(tree)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    if not names:
        raise PredicateError(f"`{source}` speaks of no fact, so it explains everything or nothing")
    predicate = Predicate(source, tree)
    if predicate.holds(NEUTRAL):
        raise PredicateError(f"`{source}` holds for two runs that agree: it is a wildcard")
    return predicate


def _check(node: ast.expr) -> None:
    for operand in _operands(node):
        _check(operand)


def _operands(node: ast.expr) -> Sequence[ast.expr]:
    """Return what is left to check inside an expression that the language has."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return ()
        case ast.List(elts=elements) | ast.Tuple(elts=elements) if all(
            isinstance(element, ast.Constant) for element in elements
        ):
            return elements
        case ast.BoolOp(values=values):
            return values
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return (operand,)
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(
            type(op) in _COMPARISONS for op in ops
        ):
            return (left, *comparators)
        case ast.Attribute(value=ast.Name(id=group), attr=name):
            _check_fact(group, name)
            return ()
        case ast.Call(func=ast.Name(id="len"), args=[ast.Attribute() as fact], keywords=[]):
            return (fact,)
        case _:
            raise PredicateError(f"`{ast.unparse(node)}` is not in the predicate language")


def _check_fact(group: str, name: str) -> None:
    if group not in FACTS:
        raise PredicateError(f"unknown subject {group!r}; there are {', '.join(FACTS)}")
    if name not in FACTS[group]:
        known = ", ".join(FACTS[group])
        raise PredicateError(f"unknown fact {group}.{name}; {group} has {known}")


def _value(node: ast.expr, facts: Facts) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(element, facts) for element in elements]
        case ast.BoolOp(op=connective, values=values):
            judged = (_value(value, facts) for value in values)
            return all(judged) if isinstance(connective, ast.And) else any(judged)
        case ast.UnaryOp(operand=operand):
            return not _value(operand, facts)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            values = [_value(value, facts) for value in (left, *comparators)]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(bool(_COMPARISONS[type(op)](one, other)) for op, one, other in pairs)
        case ast.Attribute(value=ast.Name(id=group), attr=name):
            return facts[group][name]
        case ast.Call(args=[fact]):
            return len(_value(fact, facts))
        case _:  # `_check` let nothing else pass
            raise PredicateError(f"`{ast.unparse(node)}` is not in the predicate language")
