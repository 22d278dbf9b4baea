"""`decide`: whether a place in a text, outside of imports and names, is rewritten, and how.

A pure function over one occurrence. The rules are in `codemods.rules.text_rules`; each names the
bridge module where the text named the legacy one, so text and code must change together.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from codemods.discovery import Language
from codemods.mapping import Mapped
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Occurrence, Status
from codemods.rules import configuration_values, dotted_strings
from codemods.rules.text_rules import RULE_OF_KIND
from codemods.source import Source
from codemods.text_passage import Passage, Refusal, RefusedError, TextEdit

__all__ = ["GENERATED", "Refusal", "TextEdit", "decide", "settle"]

# Changes of a generated file are lost; its generator has to be changed.
GENERATED = re.compile(r"@generated|DO NOT EDIT", re.IGNORECASE)
_HEAD_CHARACTERS = 2_000

# How the scanner says that a path leads through a module of the project.
_HANDED_ON = "handed on by "

# Their values may be compared with; what the other rules rewrite is imported on the spot.
_SETTINGS_RULES = frozenset({dotted_strings.RULE.id, configuration_values.RULE.id})


def decide(
    source: Source,
    item: Occurrence,
    language: Language,
    options: MigrationSettings,
    mapped: Mapped,
) -> TextEdit | Refusal:
    """Decide about one occurrence.

    Args:
        source: the whole decoded text.
        item: the occurrence; its line and column are those of `source`, so one in a notebook has
            been moved there (see `codemods.notebook_edits`).
        language: how the file is read.
        options: the migration's settings.
        mapped: the mapping, whose bridge takes the legacy module's place.

    Returns:
        An edit in characters of the whole text, or why there is none.
    """
    rule = RULE_OF_KIND.get(item.kind)
    if rule is None:
        return Refusal("no text, or none that a rule is for", "")
    reason = _reason_to_stay(source, item)
    if not reason:
        offset = source.line_starts[item.line - 1] + item.column - 1
        passage = Passage(source, item, language, options, mapped, offset)
        try:
            return replace(rule.migrate(passage), rule=rule.id)
        except RefusedError as error:
            return Refusal(error.message, rule.id, error.is_data)
    return Refusal(reason, rule.id)


Decisions = Sequence[tuple[Occurrence, TextEdit | Refusal]]


def settle(decisions: Decisions) -> list[tuple[Occurrence, TextEdit | Refusal]]:
    """Take back what contradicts other decisions of the same project.

    A setting that names a path, and a table or comparison that the setting's value is looked up
    in, must go on to agree: where the one is data and stays, the other stays.

    Args:
        decisions: every occurrence of a project with what `decide` said.
    """
    data: dict[str, Occurrence] = {}
    for item, found in decisions:
        if isinstance(found, Refusal) and found.is_data:
            data.setdefault(item.target, item)
    settled: list[tuple[Occurrence, TextEdit | Refusal]] = []
    for item, found in decisions:
        place = data.get(item.target) if isinstance(found, TextEdit) else None
        if place is not None and found.rule in _SETTINGS_RULES:
            reason = f"the same path is data at {place.place}, so that both would differ"
            settled.append((item, Refusal(reason, found.rule)))
        else:
            settled.append((item, found))
    return settled


def _reason_to_stay(source: Source, item: Occurrence) -> str:
    """Return why no rule needs to look at an occurrence, "" if one does."""
    if item.status not in {Status.USE, Status.DOCUMENTATION}:
        return item.reason or f"its status is {item.status}"
    if not item.needle or item.reason.startswith(_HANDED_ON):
        return f"{item.reason or 'named through another module'}, which keeps its names"
    if item.line > len(source.line_starts) or not source.text.startswith(
        item.needle, source.line_starts[item.line - 1] + item.column - 1
    ):
        return "the file has changed since it was scanned"
    if GENERATED.search(source.text[:_HEAD_CHARACTERS]):
        return "a generated file: change its generator"
    return ""
