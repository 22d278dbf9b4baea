"""Without these a string could be rewritten that nobody imports, or one be left that somebody does."""

from pathlib import Path

import pytest

from codemods.discovery import Language, language_of
from codemods.edits import Edit, apply_edits
from codemods.mapping import shipped
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import RULES as FORMS
from codemods.occurrence import Kind
from codemods.rules.text_rules import RULE_OF_KIND, TEXT_RULES
from codemods.source import Source, decode_python, decode_text
from codemods.text_edits import Refusal, TextEdit, decide

CASES = [(rule, case) for rule in TEXT_RULES.values() for case in rule.cases]
DOCS = MigrationSettings(docs=True)


@pytest.fixture
def migrate(scan_files):
    """Return a function that scans one file and gives its text after, and all decisions."""

    def run(file, content, options=None):
        report = scan_files({file: content})
        data = Path(report.root, file).read_bytes()
        language = language_of(file.rpartition("/")[2])
        is_python = language is Language.PYTHON
        source = Source.of(decode_python(data) if is_python else decode_text(data))
        decisions = [
            (item, decide(source, item, language, options or MigrationSettings(), shipped()))
            for item in report.occurrences
        ]
        edits = [found for _, found in decisions if isinstance(found, TextEdit)]
        plain = [Edit(item.start, item.end, item.old, item.new) for item in edits]
        return apply_edits(source.text, plain), decisions

    return run


@pytest.mark.parametrize(
    ("rule", "case"), CASES, ids=[f"{rule.id}: {case.name}" for rule, case in CASES]
)
def test_case(migrate, rule, case):
    after, decisions = migrate(case.file, case.before, case.options)
    assert after == case.after, decisions
    assert decisions
    assert all(found.reason for _, found in decisions if isinstance(found, Refusal))
    if case.is_noop:
        assert all(isinstance(found, Refusal) for _, found in decisions)
        assert rule.id in {found.rule for _, found in decisions} or "comment" in case.name
    else:
        assert {found.rule for _, found in decisions if isinstance(found, TextEdit)} == {rule.id}
        again, decisions = migrate(case.file, after, case.options)
        assert again == after
        assert not any(isinstance(found, TextEdit) for _, found in decisions)


def test_every_rule_says_what_it_does_and_why_it_is_safe():
    for rule in TEXT_RULES.values():
        assert "What:" in rule.text and "Why it is safe:" in rule.text
        assert {case.is_noop for case in rule.cases} == {True, False}


def test_every_form_of_text_has_one_rule():
    kinds = [kind for rule in TEXT_RULES.values() for kind in rule.kinds]
    assert len(kinds) == len(set(kinds)) and set(kinds) == set(RULE_OF_KIND)
    names = {Kind.IMPORT, Kind.FROM_IMPORT, Kind.STAR_IMPORT, Kind.RELATIVE_IMPORT, Kind.REEXPORT}
    nothing = {Kind.REFERENCE, Kind.COMMENT, Kind.IDENTIFIER, Kind.SCANNER_SETTINGS}
    unread = {Kind.UNREADABLE, Kind.UNPARSABLE, Kind.OVERSIZE}
    assert set(FORMS) - set(kinds) == names | nothing | unread
