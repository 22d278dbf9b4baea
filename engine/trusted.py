"""Records made without validation, for values that this engine has made itself.

Validating a record costs more than a step's share of all other work. So where every value is ours
and of its type, a record is put together as it would be after validation. Values from outside never
come this way.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

_Record = TypeVar("_Record", bound=BaseModel)
_KNOWN: dict[type[BaseModel], tuple[dict[str, Any], set[str]]] = {}
# What a record consists of, each set as pydantic sets it.
_set_fields = object.__setattr__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


def construct(kind: type[_Record], values: Mapping[str, Any]) -> _Record:
    """Return a record of `kind` with `values`, and its defaults where none is given.

    The values are taken as they are, and every required field is among them. Defaults that can be
    changed are shared, as all of a frozen record is. All fields count as given.
    """
    defaults, names = _KNOWN.get(kind) or _learn(kind)
    record: _Record = object.__new__(kind)
    _set_fields(record, "__dict__", {**defaults, **values})
    _set_given(record, names)
    _set_extra(record, None)
    _set_private(record, None)
    return record


def changed(record: _Record, values: Mapping[str, Any]) -> _Record:
    """Return `record` with other `values`, as `model_copy(update=...)` does; all count as given."""
    kind = type(record)
    _, names = _KNOWN.get(kind) or _learn(kind)
    other: _Record = object.__new__(kind)
    _set_fields(other, "__dict__", {**record.__dict__, **values})
    _set_given(other, names)
    _set_extra(other, None)
    _set_private(other, None)
    return other


def _learn(kind: type[BaseModel]) -> tuple[dict[str, Any], set[str]]:
    """Return the defaults of a kind's fields, in their order, and the names of all."""
    defaults = {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
    }
    _KNOWN[kind] = defaults, set(defaults)
    return _KNOWN[kind]
