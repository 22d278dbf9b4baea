"""Without these tests a misspelt setting would be ignored, and with it what it should have done."""

import os

import pytest

from codemods.errors import SettingsError
from codemods.migration_settings import (
    Binding,
    Level,
    MigrationSettings,
    MigrationSettingsError,
)
from codemods.proofs.proof import DEFAULT_LEVEL, LEVELS


def test_a_whole_table():
    settings = MigrationSettings.from_mapping(
        {
            "binding": "keep",
            "bridge": False,
            "docs": True,
            "string_keys": ["executor_name"],
            "verify": "P4",
            "jobs": 3,
        }
    )
    assert settings == MigrationSettings(Binding.KEEP, False, True, ("executor_name",), Level.P4, 3)


def test_an_empty_table_gives_the_published_defaults():
    settings = MigrationSettings.from_mapping({})
    assert settings == MigrationSettings()
    assert (settings.binding, settings.bridge, settings.docs) == ("rename", True, False)
    assert (settings.string_keys, settings.verify, settings.jobs) == ((), "P2", 1)


def test_the_levels_are_those_of_the_ladder():
    assert tuple(Level) == LEVELS
    assert MigrationSettings().verify == DEFAULT_LEVEL


def test_no_jobs_means_one_for_each_processor():
    assert MigrationSettings.from_mapping({"jobs": 0}).jobs == (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("table", "place", "word"),
    [
        ({"binding": "renamed"}, "binding", "rename, keep"),
        ({"bridge": 1}, "bridge", "true or false"),
        ({"docs": "yes"}, "docs", "true or false"),
        ({"string_keys": "handler"}, "string_keys", "list"),
        ({"string_keys": [" "]}, "string_keys", "non-empty"),
        ({"verify": "P9"}, "verify", "P0, P1"),
        ({"verify": 2}, "verify", "P0, P1"),
        ({"jobs": True}, "jobs", "processes"),
        ({"jobs": -1}, "jobs", "processes"),
    ],
)
def test_what_is_wrong_is_named(table, place, word):
    with pytest.raises(SettingsError) as caught:
        MigrationSettings.from_mapping(table)
    assert caught.value.place == place
    assert word in caught.value.message


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(MigrationSettingsError) as caught:
        MigrationSettings.from_mapping({"string_key": []})
    assert caught.value.advice == "did you mean 'string_keys'?"
    assert caught.value.code == "CODEMOD_SETTINGS"
