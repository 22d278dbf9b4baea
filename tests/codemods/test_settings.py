"""Without these tests a misspelt setting would be ignored, and with it what it should have done."""

import datetime as dt

import pytest

from codemods import AllowEntry, ScanSettings
from codemods.errors import SettingsError


def test_a_whole_table():
    settings = ScanSettings.from_mapping(
        {
            "roots": ["acme.old_engine"],
            "exclude": ["legacy/"],
            "tests": ["spec/"],
            "source_roots": ["python"],
            "max_file_bytes": 10,
            "allow": [
                {"path": "a.py", "reason": "soon", "expires": dt.date(2027, 1, 31)},
                {"path": "b.py", "reason": "soon", "expires": "2027-01-31"},
            ],
        }
    )
    assert settings.needles == ("durable_execution", "old_engine")
    assert settings.all_roots == (("durable_execution",), ("acme", "old_engine"))
    assert settings.allow[0] == AllowEntry("a.py", "soon", dt.date(2027, 1, 31))
    assert settings.allow[1].expires == dt.date(2027, 1, 31)
    assert ScanSettings.from_mapping({}) == ScanSettings()


ENTRY = {"path": "a", "reason": "b", "expires": "2027-01-31"}


@pytest.mark.parametrize(
    ("table", "place", "word"),
    [
        ({"exlude": []}, None, "exlude"),
        ({"roots": "a"}, "roots", "list"),
        ({"roots": ["a-b"]}, "roots", "dotted"),
        ({"exclude": [""]}, "exclude", "non-empty"),
        ({"max_file_bytes": True}, "max_file_bytes", "positive"),
        ({"max_file_bytes": 0}, "max_file_bytes", "positive"),
        ({"allow": {}}, "allow", "array"),
        ({"allow": ["a"]}, "allow[0]", "table"),
        ({"allow": [ENTRY, {**ENTRY, "expire": 1}]}, "allow[1]", "expire"),
        ({"allow": [{"path": "a", "reason": "b"}]}, "allow[0]", "expires"),
        ({"allow": [{**ENTRY, "reason": " "}]}, "allow[0].reason", "non-empty"),
        ({"allow": [{**ENTRY, "expires": "soon"}]}, "allow[0].expires", "date"),
        ({"allow": [{**ENTRY, "expires": dt.datetime(2027, 1, 1)}]}, "allow[0].expires", "date"),  # noqa: DTZ001 - TOML has such dates
    ],
)
def test_what_is_wrong_is_named(table, place, word):
    with pytest.raises(SettingsError) as caught:
        ScanSettings.from_mapping(table)
    assert caught.value.place == place
    assert word in caught.value.message


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(SettingsError) as caught:
        ScanSettings.from_mapping({"exlude": []})
    assert caught.value.advice == "did you mean 'exclude'?"
