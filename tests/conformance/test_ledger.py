"""The ledger file: every way in which it can be wrong fails with the entry and the cause."""

from datetime import date

import pytest

from conformance.cli import run
from conformance.errors import LedgerError
from conformance.ledger import FaultKind, Use, inspect_ledger, judge_uses, read_ledger
from conformance.predicate import NEUTRAL

TODAY = date(2026, 11, 22)
ENTRY = {
    "id": '"DIV-001"',
    "title": '"t"',
    "layer": '"L0"',
    "when": """'legacy.end == "deadlock"'""",
    "legacy": '"l"',
    "unified": '"u"',
    "reason": '"r"',
    "decision": '"fix"',
    "owner": '"o"',
    "since": "2026-11-22",
    "expires": "2027-11-22",
    "example": '"example-name"',
    "max_share": "0.1",
}


def _entry(**changes):
    fields = ENTRY | changes
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    return "\n".join(["[[divergence]]", *lines, ""])


def _file(tmp_path, *entries, head='schema = "ledger/v1"\n'):
    path = tmp_path / "ledger.toml"
    path.write_text(head + "\n".join(entries), encoding="utf-8")
    return path


def _faults(tmp_path, *entries, **options):
    return inspect_ledger(_file(tmp_path, *entries, **options), today=TODAY)[1]


def _facts(layer="L0", **legacy):
    divergence = dict(NEUTRAL["divergence"]) | {"layer": layer}
    return {**NEUTRAL, "legacy": dict(NEUTRAL["legacy"]) | legacy, "divergence": divergence}


def test_a_sound_entry_explains_what_its_predicate_says_in_its_layers(tmp_path):
    entry = _entry(layer='["L0", "L1"]')
    ledger = read_ledger(_file(tmp_path, entry), today=TODAY)
    assert [e.id for e in ledger.explain(_facts(end="deadlock"))[0]] == ["DIV-001"]
    assert [e.id for e in ledger.explain(_facts("L1", end="deadlock"))[0]] == ["DIV-001"]
    assert ledger.explain(_facts("L2", end="deadlock")) == ([], [])
    assert ledger.explain(_facts(end="stuck")) == ([], [])


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"owner": None}, FaultKind.SCHEMA, "lacks owner"),
        ({"owner": '""'}, FaultKind.SCHEMA, "owner must be a text"),
        ({"colour": '"red"'}, FaultKind.SCHEMA, "unknown key 'colour'"),
        ({"id": '"D-1"'}, FaultKind.SCHEMA, "DIV- and three digits"),
        ({"layer": '"L9"'}, FaultKind.SCHEMA, "'L9' is not a valid Layer"),
        ({"layer": "[]"}, FaultKind.SCHEMA, "layer must be"),
        ({"decision": '"TODO"'}, FaultKind.SCHEMA, "not a valid Decision"),
        ({"since": '"soon"'}, FaultKind.SCHEMA, "since must be a date"),
        ({"max_share": "0"}, FaultKind.SCHEMA, "max_share must be"),
        ({"max_share": "true"}, FaultKind.SCHEMA, "max_share must be"),
        ({"when": '"True"'}, FaultKind.SCHEMA, "speaks of no fact"),
        ({"when": '"legacy.success"'}, FaultKind.SCHEMA, "wildcard"),
        ({"when": '"legacy.x"'}, FaultKind.SCHEMA, "unknown fact legacy.x"),
        ({"expires": "2026-11-22"}, FaultKind.SCHEMA, "not after since"),
        ({"since": "2025-01-01", "expires": "2026-11-22"}, FaultKind.EXPIRED, "expired on"),
        ({"example": '"nowhere.json"'}, FaultKind.NO_EXAMPLE, "there is no file"),
    ],
)
def test_each_fault_of_an_entry_is_named(tmp_path, changes, kind, message):
    (fault,) = _faults(tmp_path, _entry(**changes))
    assert fault.kind is kind
    assert message in fault.line()
    assert fault.entry == ("D-1" if "id" in changes else "DIV-001")
    with pytest.raises(LedgerError) as caught:
        read_ledger(_file(tmp_path, _entry(**changes)), today=TODAY)
    assert message in caught.value.line()


def test_an_id_is_never_used_twice_not_even_after_it_was_retired(tmp_path):
    twice = _faults(tmp_path, _entry(), _entry())
    assert [fault.message for fault in twice] == ["ids are never used twice"]
    head = 'schema = "ledger/v1"\nretired = ["DIV-001"]\n'
    assert [f.message for f in _faults(tmp_path, _entry(), head=head)] == [
        "ids are never used twice"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = ", "is no TOML"),
        ('schema = "ledger/v2"', "does not say schema"),
        ('schema = "ledger/v1"\ndivergence = 1', "no array of tables"),
        ('schema = "ledger/v1"\nowner = "x"', "unknown key 'owner'"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused(tmp_path, text, message):
    path = tmp_path / "ledger.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match=message):
        inspect_ledger(path, today=TODAY)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="No such file"):
        inspect_ledger(tmp_path / "none.toml", today=TODAY)


def _ledger(tmp_path, *entries):
    return read_ledger(_file(tmp_path, *entries), today=TODAY)


def _judge(ledger, uses, names, *, complete=True):
    return [fault.line() for fault in judge_uses(ledger, uses, corpus=names, complete=complete)]


@pytest.mark.parametrize(
    ("use", "line"),
    [
        (Use("example-name", ("DIV-001",)), None),
        (Use("example-name"), "stale: its example 'example-name' does not diverge"),
        (Use("example-name", ("DIV-002",)), "is explained by DIV-002"),
        (Use("example-name", judged=False), None),
        (Use("another", ("DIV-001",)), "no scenario of this run is named 'example-name'"),
    ],
)
def test_an_example_must_still_diverge_in_exactly_this_way(tmp_path, use, line):
    ledger = _ledger(tmp_path, _entry())
    found = _judge(ledger, [use], [use.scenario])
    assert (not found) if line is None else (line in found[0] and found[0].startswith("DIV-001: "))
    assert _judge(ledger, [use], [use.scenario], complete=False) == []


def test_two_entries_for_one_divergence_are_not_disjoint(tmp_path):
    second = _entry(id='"DIV-002"', when='"legacy.failed == 0 and unified.calls > 1"')
    uses = [Use("s", ("DIV-001", "DIV-002"))]
    (line,) = _judge(_ledger(tmp_path, _entry(), second), uses, ["s"], complete=False)
    assert line.startswith("DIV-001 and DIV-002: not disjoint")
    assert "'s'" in line


def test_an_entry_may_not_explain_more_than_its_share(tmp_path):
    ledger = _ledger(tmp_path, _entry())
    names = [f"s{number}" for number in range(100)]
    uses = [Use(name, ("DIV-001",)) for name in names[:11]]
    (line,) = _judge(ledger, uses, names, complete=False)
    assert line == "DIV-001: over its share: explains 11 of 100 scenarios (11.0%), more than 10.0%"
    assert _judge(ledger, uses[:10], names, complete=False) == []
    assert _judge(ledger, uses, names[:20], complete=False) == []


def test_a_predicate_that_raises_is_a_fault_and_explains_nothing(tmp_path):
    ledger = _ledger(tmp_path, _entry(when='"legacy.failed > 0 and divergence.left > 1"'))
    entries, faults = ledger.explain(_facts(failed=1))
    assert entries == []
    (line,) = _judge(ledger, [Use("s", (), tuple(faults))], ["s"], complete=False)
    assert line.startswith("DIV-001: predicate raises: ")


def test_lint_names_every_fault_and_exits_with_the_ledgers_code(tmp_path, capsys):
    path = _file(tmp_path, _entry(owner=None), _entry(id='"DIV-002"', decision='"maybe"'))
    assert run(["ledger", "lint", "--ledger", str(path)]) == 5
    out, err = capsys.readouterr()
    assert "DIV-001: schema: lacks owner" in out
    assert "DIV-002: schema: 'maybe'" in out
    assert err.strip().startswith(f"planproof: {path}: 2 of its entries are wrong")


def test_lint_passes_a_sound_ledger(tmp_path, capsys):
    assert run(["ledger", "lint", "--ledger", str(_file(tmp_path, _entry()))]) == 0
    assert "1 entries are sound" in capsys.readouterr().out


def test_the_example_of_a_ledger_of_one_s_own_lies_below_its_folder(tmp_path):
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "late.json").write_text("{}", encoding="utf-8")
    assert _faults(tmp_path, _entry(example='"stories/late.json"')) == []
    (fault,) = _faults(tmp_path, _entry(example='"stories/gone.json"'))
    assert str(tmp_path / "stories" / "gone.json") in fault.message
