"""The byte test for importers of facades: which files can reach one of some modules at all.

Without it, every file that holds the word `jobs` would be parsed because some `jobs.py` hands a
legacy name on. The test looks at the surroundings of the word `import` and of the names, never at
a whole program; it may admit too many files, never too few.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from codemods.prefilter import UTF_16, contains_any
from codemods.resolution import Facade, parent_of, stem_of

_WORD = re.compile(rb"\w+|\*")
_LAST_WORD = re.compile(rb"(\w+)[.:]$")
_SOURCE = re.compile(rb"\bfrom\b([\w.\s\\]*)$")
_BLANKS = b" \t\f\r\n\\"

# A star import ends in one of these; a run of blanks before a `*` may be one, or anything else.
_STAR = re.compile(rb"\*(?:(?<=import[ \t]\*)|(?<=import\*)|(?<=[ \t\f\\\r\n][ \t\f\r\n]\*))")
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


class Sight(Enum):
    """What the first look at a file's bytes says."""

    HIT = "a legacy word stands in it"
    WARM = "it may reach a facade"
    COLD = "neither a legacy word nor a facade's name stands in it, and no star import"


class FirstLook:
    """One look for the legacy words and for the names that facades are likely to hand on.

    Attributes:
        names: the names that a file which is found cold does not hold.
    """

    def __init__(self, needles: Sequence[bytes], names: frozenset[bytes]) -> None:
        """Group all words, so that one search serves those that share a part."""
        self.names = names
        self._needles = needles
        groups = list(_grouped({*needles, *names}))
        # Those with a needle come first: afterwards one name is enough.
        groups.sort(key=lambda group: set(needles).isdisjoint(group[1]))
        self._groups = [
            (probe, [word for word in words if word in needles], set(words).difference(needles))
            for probe, words in groups
        ]

    def look(self, data: bytes) -> Sight:
        """Sort a file of any type."""
        is_warm = False
        for probe, needles, names in self._groups:
            if not needles and is_warm:
                break
            if probe in data:
                if needles and any(needle in data for needle in needles):
                    return Sight.HIT
                is_warm = is_warm or any(name in data for name in names)
        if data[:2] in UTF_16 and contains_any(data, self._needles):
            return Sight.HIT
        return Sight.WARM if is_warm or _imports_star(data) else Sight.COLD


@dataclass(slots=True)
class FacadeFilter:
    """The facades of one round.

    Attributes:
        names: for the last part of a facade's dotted name, the names that it hands on.
        starred: the last parts of those from which a star import takes names.
        parents: for the last part, those that can stand before it; any, if there are none.
    """

    names: Mapping[bytes, frozenset[bytes]]
    starred: frozenset[bytes]
    parents: Mapping[bytes, frozenset[bytes]] = field(default_factory=dict)
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

    @classmethod
    def of(cls, facades: Mapping[str, Facade], needles: Sequence[str]) -> Self:
        """Return the filter for some facades, given by file.

        Names that hold one of `needles` are left out: the files that hold them are hits.
        """
        names: dict[bytes, frozenset[bytes]] = {}
        parents: dict[bytes, frozenset[bytes]] = {}
        for path, facade in facades.items():
            stem = os.fsencode(stem_of(path))
            given = (name for name in facade.names if not any(item in name for item in needles))
            names[stem] = names.get(stem, frozenset()).union(name.encode() for name in given)
            parents[stem] = parents.get(stem, frozenset()) | {os.fsencode(parent_of(path))}
        starred = {os.fsencode(stem_of(path)) for path, facade in facades.items() if facade.starred}
        return cls(names, frozenset(starred), parents)

    def without(self, absent: frozenset[bytes]) -> Self:
        """Return the filter for files in which `absent` are not, and no star import."""
        names = {stem: given - absent for stem, given in self.names.items()}
        return type(self)(names, frozenset(), self.parents)

    def admit(self, data: bytes) -> Admission:
        """Say whether Python source with these bytes can use one of the facades."""
        attributes: set[bytes] = set()
        is_cold = not _imports_star(data)
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
        above, _, last = source.rpartition(b".")
        parent = above.rpartition(b".")[2]
        if parent and parent not in self.parents.get(last, (parent,)):
            return False
        if b"*" in words:
            return last in self.starred if last else bool(self.starred)
        return not words.isdisjoint(self.names.get(last, ()) if last else self.every)


def _imports_star(data: bytes) -> bool:
    # One byte is found ten times as fast as several, and half of all files hold no `*`.
    if b"*" not in data:
        return False
    for match in _STAR.finditer(data):
        before = data[max(0, match.start() - _LOOK_BACK) : match.start()].rstrip(_BLANKS)
        if not before or before.endswith(b"import"):
            return True
    return False


def _grouped(names: Iterable[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield groups of names with a part that all of a group share, the larger groups first."""
    left = sorted(names)
    while left:
        parts = Counter(part for name in left for part in _parts(name))
        count, part = max(((count, part) for part, count in parts.items()), default=(0, b""))
        if count < 2:  # noqa: PLR2004 - no two names share a part
            yield from ((name, [name]) for name in left)
            return
        group = [name for name in left if part in name]
        # The longer the part, the faster it is looked for.
        yield max(_shared(group), key=len), group
        left = [name for name in left if part not in name]


def _shared(names: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the parts of the first name that all names share."""
    first = names[0]
    for start in range(len(first)):
        end = start + 1
        while end <= len(first) and all(first[start:end] in name for name in names):
            yield first[start:end]
            end += 1


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
        yield (
            (source[1].translate(None, _BLANKS) if source else None),
            data[position + 6 : _end(data, position + 6)],
        )
        position = data.find(b"import", position + 6)


def _end(data: bytes, start: int) -> int:
    while data[start : start + 1] in {b" ", b"\t", b"\\", b"\r", b"\n"} and start < len(data):
        start += 1
    if data[start : start + 1] == b"(":
        return _bracket_end(data, start)
    end = data.find(b"\n", start)
    while end > 0 and data[max(0, end - 2) : end].rstrip(b"\r").endswith(b"\\"):
        end = data.find(b"\n", end + 1)
    return end if end >= 0 else len(data)


def _bracket_end(data: bytes, start: int) -> int:
    end = data.find(b")", start)
    while end >= 0:
        line = data.rfind(b"\n", start, end) + 1 or start
        if data.find(b"#", line, end) < 0:
            return end
        # This one is part of a comment.
        line_end = data.find(b"\n", end)
        end = data.find(b")", line_end) if line_end >= 0 else -1
    return len(data)
