"""One file's bytes to its parts: decoded text, legacy words, facts, or why that was impossible.

A pure function of its arguments (but for LibCST's own process), so it also runs in a pool.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from codemods.configuration import extract_configuration
from codemods.discovery import Language
from codemods.extraction import extract
from codemods.facts import Facts, Fixed
from codemods.idle_statements import telling_lines
from codemods.notebooks import Cell, read_notebook
from codemods.occurrence import Kind, Status
from codemods.source import Source, Word, decode_python, decode_text, find_words
from codemods.syntax import Unparsable, parse

_DOCUMENT = Fixed(Status.DOCUMENTATION, Kind.DOCUMENT, "documentation")
_DOCTEST = Fixed(Status.DOCUMENTATION, Kind.DOCTEST, "documentation")
_OUTPUT = Fixed(Status.DOCUMENTATION, Kind.OUTPUT, "a notebook's output or metadata")

# Files without a suffix that people read.
_DOCUMENT_NAMES = ("AUTHORS", "CHANGE", "CONTRIBUTING", "COPYING", "HISTORY", "LICENSE", "NEWS", "NOTICE", "README")  # fmt: skip

# A NUL among the first bytes marks a compiled file, which no one migrates by hand.
_BINARY_PROBE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a text could not be read as what it is."""

    line: int
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A text with its legacy words: a whole file, or texts of a notebook.

    `cells` gives for each cell the first line in `source` and its number; empty for a file.
    """

    source: Source
    words: tuple[Word, ...]
    facts: Facts
    failure: Failure | None = None
    cells: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was read because its bytes hold a needle or may reach a facade."""

    path: str
    language: Language
    data: bytes


@dataclass(frozen=True, slots=True)
class Examined:
    """What one candidate says.

    `is_whole` is unset for a module of which statements were passed by: it says all about its
    legacy words and what it hands on, and perhaps not all that it takes from other modules.
    """

    path: str
    parts: tuple[Part, ...]
    substrings: int
    is_module: bool = False
    is_whole: bool = True

    @property
    def facts(self) -> Facts | None:
        """The module's facts; None if it is no module or could not be parsed."""
        if not self.is_module or self.parts[0].failure is not None:
            return None
        return self.parts[0].facts


def language_of_bytes(name: str, language: Language, data: bytes) -> Language | None:
    """Decide how a file without a suffix is read; None for a compiled one."""
    if language is not Language.BARE:
        return language
    if data.startswith(b"#!"):
        first = data.split(b"\n", 1)[0]
        return Language.PYTHON if b"python" in first else Language.CONFIGURATION
    if b"\0" in data[:_BINARY_PROBE_BYTES]:
        return None
    return Language.DOCUMENT if name.startswith(_DOCUMENT_NAMES) else Language.CONFIGURATION


def examine(
    candidate: Candidate, needles: Sequence[str], max_bytes: int, *, is_whole: bool = True
) -> Examined:
    """Examine one candidate; every failure becomes a part of the result.

    Unless it `is_whole`, statements of a module may be passed by (see `codemods.idle_statements`).
    """
    path, data = candidate.path, candidate.data
    if len(data) > max_bytes:
        reason = f"{len(data)} bytes, above the limit of {max_bytes}"
        return _failed(path, decode_text(data), needles, Failure(1, Kind.OVERSIZE, reason))
    match candidate.language:
        case Language.PYTHON:
            return _module(path, data, needles, is_whole=is_whole)
        case Language.NOTEBOOK:
            return _notebook(path, data, needles)
        case Language.DOCUMENT:
            part, substrings = _plain(decode_text(data), needles, _documents(_DOCUMENT))
            return Examined(path, (part,), substrings)
        case _:
            name = path.rpartition("/")[2]
            part, substrings = _plain(decode_text(data), needles, _configuration(name))
            return Examined(path, (part,), substrings)


def _failed(path: str, text: str, needles: Sequence[str], failure: Failure) -> Examined:
    words, substrings = find_words(text, needles)
    part = Part(Source.of(text), tuple(words), Facts(), failure)
    is_module = failure.kind is not Kind.OVERSIZE and not path.endswith(".ipynb")
    return Examined(path, (part,), substrings, is_module=is_module)


def examine_whole(item: Examined, needles: Sequence[str]) -> Examined:
    """Examine a module again, with the statements that were passed by."""
    part = item.parts[0]
    return replace(item, parts=(_python(part.source, part.words, needles),), is_whole=True)


def _module(path: str, data: bytes, needles: Sequence[str], *, is_whole: bool) -> Examined:
    try:
        text = decode_python(data)
    except (UnicodeError, LookupError) as error:
        reason = f"cannot be decoded: {error}"
        return _failed(path, decode_text(data), needles, Failure(1, Kind.UNPARSABLE, reason))
    words, substrings = find_words(text, needles)
    source = Source.of(text)
    lines = None if is_whole else telling_lines(source, needles)
    part = _python(source, tuple(words), needles, lines)
    if lines is not None and part.facts.is_lazy:
        # Its `__getattr__` may return whatever any of its statements names.
        lines, part = None, _python(source, tuple(words), needles)
    is_whole = lines is None or part.failure is not None
    return Examined(path, (part,), substrings, is_module=True, is_whole=is_whole)


def _python(
    source: Source,
    words: tuple[Word, ...],
    needles: Sequence[str],
    lines: Sequence[int] | None = None,
) -> Part:
    parsed = parse(source.text)
    if isinstance(parsed, Unparsable):
        failure = Failure(parsed.line, Kind.UNPARSABLE, parsed.reason)
        return Part(source, words, Facts(), failure)
    return Part(source, words, extract(source, parsed, words, needles, lines))


_Extract = Callable[[Source, Sequence[Word]], Facts]


def _plain(text: str, needles: Sequence[str], extract_facts: _Extract) -> tuple[Part, int]:
    words, substrings = find_words(text, needles)
    source = Source.of(text)
    return Part(source, tuple(words), extract_facts(source, words)), substrings


def _configuration(name: str) -> _Extract:
    return lambda source, words: extract_configuration(source, words, name)


def _documents(decision: Fixed) -> _Extract:
    def read(source: Source, words: Sequence[Word]) -> Facts:
        claims: dict[int, int | Fixed] = {}
        for index, word in enumerate(words):
            line, _ = source.line_column(word.start)
            is_doctest = source.line_text(line).lstrip().startswith(">>>")
            claims[index] = _DOCTEST if is_doctest and decision is _DOCUMENT else decision
        return Facts(claims=claims)

    return read


def _notebook(path: str, data: bytes, needles: Sequence[str]) -> Examined:
    try:
        notebook = read_notebook(data)
    except (ValueError, RecursionError) as error:
        failure = Failure(1, Kind.UNPARSABLE, f"cannot be read as a notebook: {error}")
        return _failed(path, decode_text(data), needles, failure)
    parts: list[Part] = []
    total = 0
    for part, substrings in _notebook_code(notebook.code, needles):
        parts.append(part)
        total += substrings
    texts: list[tuple[Cell, _Extract]] = [
        *((cell, _configuration("cell.sh")) for cell in notebook.commands),
        *((cell, _documents(_DOCUMENT)) for cell in notebook.documents),
        *((cell, _documents(_OUTPUT)) for cell in notebook.outputs),
    ]
    for cell, extract_facts in texts:
        if any(needle in cell.text for needle in needles):
            part, substrings = _plain(cell.text, needles, extract_facts)
            cells = ((1, cell.number),) if cell.number else ()
            parts.append(Part(part.source, part.words, part.facts, cells=cells))
            total += substrings
    return Examined(path, tuple(parts), total)


def _notebook_code(cells: Sequence[Cell], needles: Sequence[str]) -> Iterator[tuple[Part, int]]:
    """Yield the cells that parse as one module, and each of the others by itself."""
    good: list[Cell] = []
    for cell in cells:
        parsed = parse(cell.text)
        if not isinstance(parsed, Unparsable):
            good.append(cell)
            continue
        words, substrings = find_words(cell.text, needles)
        if words:
            failure = Failure(parsed.line, Kind.UNPARSABLE, parsed.reason)
            source = Source.of(cell.text)
            part = Part(source, tuple(words), Facts(), failure, ((1, cell.number),))
            yield part, substrings
    starts: list[tuple[int, int]] = []
    line = 1
    for cell in good:
        starts.append((line, cell.number))
        line += len(Source.of(cell.text).line_starts)
    text = "\n".join(cell.text for cell in good)
    words, substrings = find_words(text, needles)
    part = _python(Source.of(text), tuple(words), needles)
    yield Part(part.source, part.words, part.facts, part.failure, tuple(starts)), substrings
