"""The byte test for importers of facades: which files can reach one of some modules at all.

Without it, every file that holds the word `jobs` would be parsed because some `jobs.py` hands a
legacy name on. The test looks at the surroundings of the word `import` and of the names, never at
a whole program; it may admit too many files, never too few.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

_WORD = re.compile(rb"\w+|\*")
_LAST_WORD = re.compile(rb"(\w+)[.:]$")
_SOURCE = re.compile(rb"\bfrom\b[\s\\]*([\w.]*)[\s\\]*$")
_WORD_CHARACTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

# A part of this length is worth one search for all the names that share it.
_PROBE_BYTES = 5

# The longest name of a module that is looked for before a `.name`.
_LOOK_BACK = 80


class Admission(Enum):
    """What the bytes of a file say about a set of facades."""

    COLD = "none of their names stands in it, and no star import"
    REFUSED = "it cannot reach them"
    ADMITTED = "it may reach one of them"


@dataclass(slots=True)
class FacadeFilter:
    """The facades of one round.

    Attributes:
        names: for the last part of a facade's dotted name, the names that it hands on.
        starred: the last parts of those from which a star import takes names.
    """

    names: Mapping[bytes, frozenset[bytes]]
    starred: frozenset[bytes]
    every: frozenset[bytes] = field(init=False)
    _probes: list[tuple[bytes, list[tuple[bytes, re.Pattern[bytes]]]]] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the patterns once for all files."""
        self.every = frozenset().union(*self.names.values())
        # The literal comes first in the pattern, which is what makes the search fast.
        self._probes = [
            (probe, [(name, re.compile(re.escape(name) + rb"(?!\w)")) for name in names])
            for probe, names in _grouped(self.every)
        ]

    def admit(self, data: bytes) -> Admission:
        """Say whether Python source with these bytes can use one of the facades."""
        attributes: set[bytes] = set()
        # One byte is found ten times as fast as several, and half of all files hold no `*`.
        is_cold = not (b"*" in data and b"import *" in data)
        for name, pattern in self._present(data):
            for match in pattern.finditer(data):
                start = match.start()
                before = data[start - 1] if start else 0
                if before in _WORD_CHARACTERS:
                    continue
                is_cold = False
                if before in b".:\"'":
                    attributes.add(name)
                    if self._is_module_before(data, start, name):
                        return Admission.ADMITTED
        if is_cold:
            return Admission.COLD
        reached = any(self._reaches(*parts, attributes) for parts in _statements(data))
        return Admission.ADMITTED if reached else Admission.REFUSED

    def is_cold(self, data: bytes) -> bool:
        """Say whether no name stands in a file of any type, and no star import."""
        if b"*" in data and b"import *" in data:
            return False
        return not any(
            probe in data and any(name in data for name, _ in patterns)
            for probe, patterns in self._probes
        )

    def admits_text(self, data: bytes) -> bool:
        """Say the same of a notebook or a configuration file: both words anywhere."""
        return any(
            module in data and any(name in data for name in names)
            for module, names in self.names.items()
        )

    def _present(self, data: bytes) -> Iterator[tuple[bytes, re.Pattern[bytes]]]:
        for probe, patterns in self._probes:
            if probe in data:
                for name, pattern in patterns:
                    if name in data:
                        yield name, pattern

    def _is_module_before(self, data: bytes, start: int, name: bytes) -> bool:
        match = _LAST_WORD.search(data[max(0, start - _LOOK_BACK) : start])
        return match is not None and name in self.names.get(match[1], ())

    def _reaches(self, source: bytes | None, taken: bytes, attributes: set[bytes]) -> bool:
        words = set(_WORD.findall(taken))
        for word in words:
            # The module itself is imported; one of its names stands behind a dot or in quotes.
            if not attributes.isdisjoint(self.names.get(word, ())):
                return True
        if source is None:
            return False
        last = source.rpartition(b".")[2]
        if b"*" in words:
            return last in self.starred if last else bool(self.starred)
        return not words.isdisjoint(self.names.get(last, ()) if last else self.every)


def _grouped(names: Iterable[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield groups of names with a part that all of a group share, the larger groups first."""
    left = sorted(names)
    while left:
        parts = Counter(part for name in left for part in _parts(name))
        count, part = max(((count, part) for part, count in parts.items()), default=(0, b""))
        if count < 2:  # noqa: PLR2004 - no two names share a part
            yield from ((name, [name]) for name in left)
            return
        yield part, [name for name in left if part in name]
        left = [name for name in left if part not in name]


def _parts(name: bytes) -> set[bytes]:
    return {name[at : at + _PROBE_BYTES] for at in range(len(name) - _PROBE_BYTES + 1)}


def _statements(data: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    """Yield what stands before and after each `import`: the module after `from`, and the names."""
    position = data.find(b"import")
    while position >= 0:
        start = data.rfind(b"\n", 0, position) + 1
        while data[start - 2 : start - 1] == b"\\" or data[start - 3 : start - 1] == b"\\\r":
            start = data.rfind(b"\n", 0, start - 1) + 1
        source = _SOURCE.search(data, start, position)
        yield (source[1] if source else None), data[position + 6 : _end(data, position + 6)]
        position = data.find(b"import", position + 6)


def _end(data: bytes, start: int) -> int:
    while data[start : start + 1] in {b" ", b"\t", b"\\", b"\r", b"\n"} and start < len(data):
        start += 1
    if data[start : start + 1] == b"(":
        end = data.find(b")", start)
        return end if end >= 0 else len(data)
    end = data.find(b"\n", start)
    while end > 0 and data[max(0, end - 2) : end].rstrip(b"\r").endswith(b"\\"):
        end = data.find(b"\n", end + 1)
    return end if end >= 0 else len(data)
