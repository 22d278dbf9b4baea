"""From the facts of a file to its occurrences: one for each legacy word, and those through facades."""

from bisect import bisect_right
from collections.abc import Iterator

from codemods.examination import Examined, Failure, Part
from codemods.facts import Fixed, Mode, Origin, Reference
from codemods.globs import first_match
from codemods.occurrence import RULES, Kind, Occurrence, Scope, Status
from codemods.resolution import Resolver, Verdict
from codemods.settings import ScanSettings
from codemods.source import Word

# What stands in a report of the line is cut here; generated lines can be megabytes long.
_LONGEST_TEXT = 160

# The gravest reading of a word wins where a name has several bindings.
_GRAVITY = (Status.USE, Status.UNDECIDED, Status.NAMESAKE)

_UNCLAIMED = Fixed(
    Status.UNDECIDED, Kind.REFERENCE, "this word belongs to no part of the program that can be read"
)
_OTHER_THING = Fixed(Status.UNRELATED, Kind.IDENTIFIER, "not the module")


def assemble(
    item: Examined, path: str, resolver: Resolver, settings: ScanSettings
) -> Iterator[Occurrence]:
    """Yield the occurrences of one examined file; `path` is the one to show."""
    scope = scope_of(path, settings)
    for part in item.parts:
        yield from _Assembly(item.path, path, scope, part, resolver).occurrences()


def scope_of(path: str, settings: ScanSettings) -> Scope:
    """Tell test code from production code by the path rules."""
    return Scope.TEST if first_match(path, settings.tests) else Scope.PRODUCTION


def unreadable(path: str, reason: str, settings: ScanSettings) -> Occurrence:
    """Return the occurrence of a file or folder that could not be read at all."""
    kind = Kind.UNREADABLE
    scope = scope_of(path, settings)
    return Occurrence(
        path, 1, 1, 1, kind, scope, Status.UNEXAMINED, "", "", RULES[kind], reason, ""
    )


class _Assembly:
    """The occurrences of one part of a file."""

    def __init__(self, file: str, path: str, scope: Scope, part: Part, resolver: Resolver) -> None:
        self.file = file
        self.path = path
        self.scope = scope
        self.part = part
        self.resolver = resolver

    def occurrences(self) -> Iterator[Occurrence]:
        """Yield one occurrence for each word, then those without a word."""
        if self.part.failure is not None:
            yield from self._unexamined(self.part.failure)
            return
        decided: set[int] = set()
        names_legacy = False
        for index, word in enumerate(self.part.words):
            claim = self.part.facts.claims.get(index)
            found = self._word(word, claim)
            yield found
            if isinstance(claim, int):
                reference = self.part.facts.references[claim]
                decided |= self._same_span(reference)
                names_legacy |= reference.mode is Mode.TEXT and found.status is Status.USE
        yield from self._without_words(decided)
        if names_legacy:
            for doubt in self.part.facts.doubts:
                decision = Fixed(Status.UNDECIDED, doubt.kind, doubt.reason)
                yield self._make((doubt.start, doubt.end), decision)

    def _unexamined(self, failure: Failure) -> Iterator[Occurrence]:
        decision = Fixed(Status.UNEXAMINED, failure.kind, failure.reason)
        for word in self.part.words:
            yield self._make((word.start, word.end), decision, needle=word.needle)
        if not self.part.words:
            starts = self.part.source.line_starts
            start = starts[min(failure.line, len(starts)) - 1]
            yield self._make((start, start), decision)

    def _same_span(self, reference: Reference) -> set[int]:
        return {
            index
            for index, other in enumerate(self.part.facts.references)
            if (other.start, other.end) == (reference.start, reference.end)
        }

    def _word(self, word: Word, claim: int | Fixed | None) -> Occurrence:
        span = (word.start, word.end)
        if not isinstance(claim, int):
            return self._make(span, claim or _UNCLAIMED, needle=word.needle)
        reference = self.part.facts.references[claim]
        verdict = self._gravest(reference)
        if verdict is None:
            return self._make(span, _OTHER_THING, needle=word.needle)
        decision = Fixed(verdict.status, reference.form, verdict.reason or reference.context)
        return self._make(span, decision, target=_target(reference, verdict), needle=word.needle)

    def _gravest(self, reference: Reference) -> Verdict | None:
        references = self.part.facts.references
        verdicts = [
            verdict
            for index in self._same_span(reference)
            if (verdict := self.resolver.judge(references[index], self.file)) is not None
        ]
        return min(verdicts, key=lambda item: _GRAVITY.index(item.status), default=None)

    def _without_words(self, decided: set[int]) -> Iterator[Occurrence]:
        if not self.resolver.facades and all(
            item.mode is not Mode.PATCHED for item in self.part.facts.references
        ):
            return
        if self.resolver.is_inside_legacy(self.file):
            return
        seen: set[tuple[int, int]] = set()
        for index, reference in enumerate(self.part.facts.references):
            span = (reference.start, reference.end)
            if index in decided or span in seen or reference.parent in decided:
                continue
            verdict = self._beyond_words(reference)
            if verdict is None:
                continue
            seen.add(span)
            is_import = reference.mode is not Mode.TEXT and reference.form is not Kind.PATCH_TARGET
            kind = Kind.REEXPORT if is_import else reference.form
            decision = Fixed(verdict.status, kind, verdict.reason or reference.context)
            yield self._make(span, decision, target=_target(reference, verdict))

    def _beyond_words(self, reference: Reference) -> Verdict | None:
        """Judge a reference whose text does not hold a legacy word."""
        if reference.mode is Mode.MODULE and reference.names != ("*",):
            return None  # its names are judged one by one
        verdict = self.resolver.judge(reference, self.file)
        if verdict is None or verdict.status not in {Status.USE, Status.UNDECIDED}:
            return None
        if reference.mode is Mode.PATCHED:
            return verdict
        if verdict.via is None:
            return None  # the import that binds the name is an occurrence already
        if reference.mode is Mode.CHAIN:
            origin = reference.origin
            base = Origin(origin.parts[: reference.bound], origin.level, origin.certain)
            known = self.resolver.resolve(base, (), self.file)
            if known is not None and known.status is Status.USE:
                return None
        return verdict

    def _make(
        self, span: tuple[int, int], decision: Fixed, *, target: str = "", needle: str = ""
    ) -> Occurrence:
        source = self.part.source
        line, column = source.line_column(span[0])
        last, end_column = source.line_column(span[1])
        text = source.line_text(line)
        if last != line:
            end_column = len(text) + 1
        first, cell = self._cell(line)
        return Occurrence(
            path=self.path,
            line=line - first + 1,
            column=column,
            end_column=end_column,
            kind=decision.kind,
            scope=self.scope,
            status=decision.status,
            text=text.strip()[:_LONGEST_TEXT],
            target=target,
            rule_id=RULES[decision.kind],
            reason=decision.reason,
            needle=needle,
            cell=cell,
        )

    def _cell(self, line: int) -> tuple[int, int | None]:
        cells = self.part.cells
        if not cells:
            return 1, None
        return cells[bisect_right(cells, line, key=lambda item: item[0]) - 1]


def _target(reference: Reference, verdict: Verdict) -> str:
    """Return what is named, with the names that an import takes from it."""
    names = reference.names
    if reference.mode is not Mode.MODULE or not names or verdict.via:
        return verdict.target
    listed = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
    return f"{verdict.target}.{listed}"
