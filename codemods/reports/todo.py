"""One comment for each line that is left, found again by the next run and removed with its cause.

The id in a comment is the beginning of the fingerprint that the other reports have. A comment does
not name the legacy module, so the scan does not find it.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from codemods.discovery import discover
from codemods.edits import Edit, EditError, apply_to_bytes
from codemods.globs import first_match
from codemods.migration import Change, Migration, Outcome, Row
from codemods.occurrence import Status
from codemods.prefilter import read
from codemods.reports.account import fingerprints, printable, rules_of, shortened
from codemods.reports.comment_places import is_commentable, meaning, places
from codemods.settings import ScanSettings
from codemods.source import Source, declared_encoding, decode_python

REASON_CHARACTERS = 160
ID_CHARACTERS = 8
_WORD = "TODO"
_NAME = f"{_WORD}(planproof "
_COMMENT = re.compile(
    rf"[ \t\f]*#[ ]{_WORD}\(planproof (?P<rule>[A-Z]{{2}}\d{{3}}) (?P<id>[0-9a-f]{{8}})\): .*"
)
# Places in a reason move with the lines; the comment stands at its place anyway.
_PLACE = re.compile(r"(?:line )?\b\d+:\d+[ ,:]*|\bCM\d{3} ")
# In the first two lines this would say in which encoding the file is.
_CODING = re.compile(r"coding(?=[:=])")
_WRITABLE = 0o222
_LEGACY = "the old module"


@dataclass(frozen=True, slots=True)
class Todo:
    """What one line of a file needs: the line from 1, the id, the rule, the reason."""

    line: int
    id: str
    rule: str
    reason: str

    @property
    def text(self) -> str:
        """Return the comment without the sign that begins it."""
        return f"{_NAME}{self.rule} {self.id}): {self.reason}"


def insert_todos(
    plan: Migration, *, paths: Sequence[Path] = (), settings: ScanSettings | None = None
) -> tuple[Change, ...]:
    """Return the plan's changes with the comments in them, and further changes for comments alone.

    A comment stands above the statement or the entry that is left. Comments of an earlier run are
    kept where their line is still left and removed elsewhere. Files whose format has no comments
    or that cannot be parsed here, links and read-only files are as the plan leaves them; what is
    left in them stands in the report.

    Args:
        plan: the plan; its changes need not have been written.
        paths: where comments of earlier runs are looked for; the root of the scan if empty.
        settings: those of the scan, for what is excluded.
    """
    changes = {change.shown: change for change in plan.changes}
    left: dict[str, list[Row]] = defaultdict(list)
    for row in plan.rows:
        left[row.occurrence.path].append(row)
    group = max((change.group for change in plan.changes), default=-1)
    found: dict[str, Change] = dict(changes)
    for shown in sorted({*left, *_commented(plan, paths, settings or ScanSettings())}):
        base = changes.get(shown) or _unchanged(plan, shown, group + 1)
        if base is None:
            continue
        rows = _moved(left.get(shown, []), base)
        after = annotate(base.after, shown, _todos(rows, plan.scanned.legacy_roots))
        if after != base.after:
            found[shown] = replace(base, after=after)
            group = max(group, base.group)
    return tuple(found[shown] for shown in sorted(found))


def annotate(data: bytes, name: str, todos: Iterable[Todo]) -> bytes:
    """Return a file with exactly these comments; the same bytes where that is not possible.

    A comment that is there already is kept as it reads.
    """
    wanted = {todo.line: todo for todo in todos}
    if not is_commentable(name) or not (wanted or _NAME.encode() in data):
        return data
    try:
        text = decode_python(data)
        edits = _edits(text, name, wanted, declared_encoding(data))
        after = apply_to_bytes(data, edits)
        same = meaning(name, _lines(text))
        if same is None or same != meaning(name, _lines(decode_python(after))):
            return data
    except (EditError, UnicodeError, LookupError):
        return data
    return after


def _edits(text: str, name: str, wanted: Mapping[int, Todo], encoding: str) -> list[Edit]:
    lines = _lines(text)
    known = places(name, lines)
    if known is None:
        return []
    starts = Source.of(text).line_starts
    edits = []
    present: dict[str, str] = {}
    for row in sorted(known.comments):
        match = _COMMENT.fullmatch(lines[row - 1].rstrip("\r\n"))
        if match:
            present.setdefault(match["id"], match[0].lstrip())
            start = starts[row - 1]
            edits.append(Edit(start, start + len(lines[row - 1]), lines[row - 1], ""))
    for line, todo in sorted(wanted.items()):
        if line not in known.above:
            continue
        row = known.above[line]
        below = lines[row - 1]
        indent = below[: len(below) - len(below.lstrip(" \t\f"))].replace("\f", "")
        comment = present.get(todo.id) or f"# {_encodable(todo.text, encoding)}"
        new = f"{indent}{comment}{_line_end(lines, row)}"
        edits.append(Edit(starts[row - 1], starts[row - 1], "", new))
    return edits


def _line_end(lines: Sequence[str], row: int) -> str:
    """Return the end of a line; of the last one the end of the line before it."""
    for line in (lines[row - 1], *lines[max(0, row - 2) : row - 1], lines[0]):
        end = line[len(line.rstrip("\r\n")) :]
        if end:
            return end
    return "\n"


def _lines(text: str) -> list[str]:
    bounds = [*Source.of(text).line_starts, len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def _encodable(text: str, encoding: str) -> str:
    safe = _CODING.sub("coding ", printable(text))
    return safe.encode(encoding, "backslashreplace").decode(encoding)


def _todos(rows: Sequence[Row], roots: Iterable[str]) -> Iterator[Todo]:
    """Yield one entry for each line that is left, by its first occurrence."""
    words = re.compile("|".join(re.escape(item.rpartition(".")[2]) for item in roots) or r"(?!)")
    seen: set[int] = set()
    for row, identity in zip(rows, fingerprints(rows), strict=True):
        item = row.occurrence
        is_left = row.outcome is Outcome.REPORTED and item.status is not Status.UNEXAMINED
        if not is_left or item.cell is not None or item.line in seen:
            continue
        seen.add(item.line)
        reason = _PLACE.sub("", _nearest(row)).strip()
        reason = words.sub(_LEGACY, reason) or "change it by hand"
        yield Todo(
            item.line,
            identity[:ID_CHARACTERS],
            rules_of(row)[0],
            shortened(reason, REASON_CHARACTERS),
        )


def _nearest(row: Row) -> str:
    """Return the reason that is about the row's own line, else the first."""
    own = f"{row.occurrence.line}:"
    return next(
        (reason for reason in row.reasons if reason.startswith(own)), next(iter(row.reasons), "")
    )


def _moved(rows: Sequence[Row], base: Change) -> list[Row]:
    """Return the rows with the lines and texts that they have after the change."""
    if base.before == base.after:
        return list(rows)
    try:
        before, after = _lines(decode_python(base.before)), _lines(decode_python(base.after))
    except (UnicodeError, LookupError):
        return []
    lines: dict[int, int] = {}
    same: set[int] = set()
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after).get_opcodes():
        for index in range(i1, i2):
            lines[index + 1] = min(j1 + index - i1, max(j2 - 1, j1), len(after) - 1) + 1
            if tag == "equal":
                same.add(index + 1)
    return [_at(row, lines, same, after) for row in rows]


def _at(row: Row, lines: Mapping[int, int], same: set[int], after: Sequence[str]) -> Row:
    item = row.occurrence
    if row.outcome is not Outcome.REPORTED or item.line not in lines:
        return row
    line = lines[item.line]
    text = item.text if item.line in same else after[line - 1].strip()
    reasons = tuple(
        f"{line}:{reason.partition(':')[2]}" if reason.startswith(f"{item.line}:") else reason
        for reason in row.reasons
    )
    return replace(row, occurrence=replace(item, line=line, text=text), reasons=reasons)


def _unchanged(plan: Migration, shown: str, group: int) -> Change | None:
    """Return the change that changes nothing in a file; None if it must not be changed."""
    path = os.path.join(plan.scanned.root, shown)  # noqa: PTH118 - names need not be Unicode
    if not is_commentable(shown) or os.path.islink(path):  # noqa: PTH114 - the same
        return None
    data = read(path, "/dev/null")
    if not isinstance(data, bytes) or not os.stat(path).st_mode & _WRITABLE:  # noqa: PTH116 - the same
        return None
    return Change(path, shown, data, data, (), group)


def _commented(plan: Migration, paths: Sequence[Path], settings: ScanSettings) -> Iterator[str]:
    """Yield the files with comments of an earlier run in which nothing is left any more.

    A file in which the scan found something else than the plan has is not one of the plan's.
    """
    root = plan.scanned.root
    known = {item.path for item in plan.scanned.occurrences if item.status in _UNITS}
    mark = _NAME.encode()
    for path in paths or (Path(root),):
        listed = discover(path)
        for name in listed.names:
            full = os.path.join(listed.folder, name)  # noqa: PTH118 - names need not be Unicode
            shown = os.path.relpath(full, root)
            if shown in known or not is_commentable(name) or first_match(shown, settings.exclude):
                continue
            data = read(full, "/dev/null")
            if isinstance(data, bytes) and mark in data:
                yield shown


_UNITS = frozenset({Status.USE, Status.UNDECIDED, Status.ALLOWED, Status.UNEXAMINED})
