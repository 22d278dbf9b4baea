"""What the docstring of a class says of each of its attributes."""

import inspect
import re
from collections.abc import Iterable, Mapping

_SECTION = re.compile(r"^Attributes:\n(?P<body>(?: {4}.*\n?|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(?P<name>\w+): (?P<text>.+(?:\n {8,}.+)*)", re.MULTILINE)


class UndocumentedError(Exception):
    """An attribute that a reference page lists is not described, or one that is gone still is."""


def attributes(owner: type) -> Mapping[str, str]:
    """Return name -> description, from the section `Attributes:` of the docstring of `owner`."""
    return attributes_in(inspect.cleandoc(owner.__doc__ or ""))


def without_attributes(docstring: str) -> str:
    """Return a clean docstring without its section `Attributes:`."""
    return _SECTION.sub("", docstring).strip()


def attributes_in(docstring: str) -> Mapping[str, str]:
    """Return the same from a docstring that is clean."""
    section = _SECTION.search(docstring)
    if section is None:
        return {}
    return {
        entry["name"]: " ".join(entry["text"].split()).removesuffix(".")
        for entry in _ENTRY.finditer(section["body"])
    }


def prose(owner: type) -> tuple[str, ...]:
    """Return the paragraphs of a docstring between its first line and its attributes."""
    text = without_attributes(inspect.cleandoc(owner.__doc__ or ""))
    return tuple(" ".join(each.split()) for each in text.split("\n\n")[1:] if each.strip())


def described(owner: type, names: Iterable[str]) -> Mapping[str, str]:
    """Return the descriptions of `names`, in their order.

    Raises:
        UndocumentedError: the docstring leaves one out, or describes another.
    """
    wanted, found = tuple(names), attributes(owner)
    missing = [name for name in wanted if name not in found]
    surplus = sorted(set(found) - set(wanted))
    if missing or surplus:
        raise UndocumentedError(
            f"{owner.__module__}.{owner.__qualname__}: not described: {missing}; gone: {surplus}"
        )
    return {name: found[name] for name in wanted}
