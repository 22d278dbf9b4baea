"""What may leave the process: secrets are replaced, long texts are cut, and both are noted."""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import to_json

from engine.json_form import durable_form

SECRET_KEYS: Final = (
    "access_token",
    "api_key",
    "authorization",
    "card_number",
    "client_secret",
    "cookie",
    "credentials",
    "cvv",
    "iban",
    "passwd",
    "password",
    "private_key",
    "refresh_token",
    "secret",
    "session_id",
    "ssn",
    "token",
)
"""Keys whose values are replaced unless others are named; case, `-` and `_` do not count."""

REDACTED: Final = "[redacted]"
MAX_TEXT: Final = 10_000
"""Characters of one text; a longer one is cut and says so."""
MAX_VALUE_BYTES: Final = 262_144
"""JSON bytes of one value; a larger one is not recorded, and its execution cannot be replayed."""
REMEMBERED: Final = 256
"""Secrets that are found again under other keys; the oldest are forgotten first."""
MIN_SECRET: Final = 6
"""Characters; a shorter secret would be found in texts that have nothing to do with it."""
_STRUCTURE: Final = frozenset({"steps", "constraints", "metadata", "id", "intent_id"})
_WRITTEN: Final = frozenset({"parameters", "description", "compensation"})
_REFERENCE: Final = re.compile(r"\$[A-Za-z0-9_-]+(\.[^\s]+)?")

Redact = Callable[[str, Any], Any]


class UnrecordableError(Exception):
    """A value has no form that may be written down."""


@dataclass
class Redaction:
    """How values are cleaned.

    Attributes:
        keys: names of fields whose values are replaced by `[redacted]`.
        redact: called with the path (`parameters.city`, `output.items.0.name`) and each text, number,
            truth value or null; what it returns is written. Where it raises, nothing is written.
        max_text: characters of one text.

    A secret that was replaced under its key is replaced wherever it appears later in this process:
    references hand outputs on under other names. References themselves are kept.
    """

    keys: Collection[str] = SECRET_KEYS
    redact: Redact | None = None
    max_text: int = MAX_TEXT
    _secrets: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)

    def clean(self, value: Any, path: str, marks: set[str]) -> Any:
        """Return what may be written of `value`; `marks` gets `redacted` and `cut`.

        Raises:
            UnrecordableError: it has no JSON form, is too large, or the consumer's hook raised.
        """
        try:
            plain = durable_form(value)
        except ValueError as error:
            raise UnrecordableError(f"{path} has no JSON form: {error}") from None
        found = self._clean(plain, path, marks)
        size = len(_text_of(found))
        if size > MAX_VALUE_BYTES:
            raise UnrecordableError(f"{path} has {size} bytes, recorded are {MAX_VALUE_BYTES}")
        return found

    def _clean(self, value: Any, path: str, marks: set[str]) -> Any:
        if isinstance(value, Mapping):
            secret = {_bare(key) for key in self.keys}
            return {
                key: self._hide(item, marks)
                if _bare(key) in secret and not _is_reference(item)
                else self._clean(item, f"{path}.{key}", marks)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._clean(item, f"{path}.{n}", marks) for n, item in enumerate(value)]
        if _is_reference(value):
            return value
        return self._leaf(value, path, marks)

    def _leaf(self, value: Any, path: str, marks: set[str]) -> Any:
        found = value
        if isinstance(found, str):
            for secret in self._secrets:
                if secret in found:
                    found = found.replace(secret, REDACTED)
        if self.redact is not None:
            try:
                found = durable_form(self.redact(path, found))
            except Exception as error:
                raise UnrecordableError(f"{path}: the redaction failed: {error!r}") from error
        if found != value:
            marks.add("redacted")
        if isinstance(found, str) and len(found) > self.max_text:
            marks.add("cut")
            return f"{found[: self.max_text]}…[cut: {len(found)} characters]"
        return found

    def _hide(self, value: Any, marks: set[str]) -> Any:
        """Replace a secret, whatever it is made of; null says that there is none."""
        if value is None:
            return None
        marks.add("redacted")
        for text in _texts(value):
            self._secrets[text] = None
            self._secrets.move_to_end(text)
        while len(self._secrets) > REMEMBERED:
            self._secrets.popitem(last=False)
        return REDACTED


def clean_plan(redaction: Redaction, plan: Mapping[str, Any], marks: set[str]) -> dict[str, Any]:
    """Return what may be written of a plan: its structure stays, what people wrote is cleaned.

    Raises:
        UnrecordableError: a part of it may not be written.
    """
    found = {
        name: value if name in _STRUCTURE else redaction.clean(value, f"plan.{name}", marks)
        for name, value in plan.items()
    }
    found["steps"] = [
        {
            name: redaction.clean(value, f"plan.steps.{number}.{name}", marks)
            if name in _WRITTEN
            else value
            for name, value in step.items()
        }
        for number, step in enumerate(plan["steps"])
    ]
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) >= MIN_SECRET and value != REDACTED else []
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []


def _bare(key: str) -> str:
    return key.replace("-", "").replace("_", "").casefold()


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _text_of(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="constants")
