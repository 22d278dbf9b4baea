"""Without these tests the reference pages would say what the code said once."""

import pytest

from conformance.cli import COMMANDS
from conformance.documentation.__main__ import main
from conformance.documentation.pages import FOLDER, PAGES, page, stale_pages, write_pages


def test_the_committed_pages_are_those_that_the_code_writes():
    stale = [file.name for file in stale_pages()]
    assert stale == [], "run: python -m conformance.documentation"


def test_a_page_that_differs_is_missing_or_belongs_to_nothing_is_stale(tmp_path):
    assert {file.name for file in stale_pages(tmp_path)} == set(PAGES)
    write_pages(tmp_path)
    assert stale_pages(tmp_path) == ()
    changed = tmp_path / "engine.md"
    changed.write_text(changed.read_text("utf-8") + "more\n", "utf-8")
    (tmp_path / "old.md").write_text("nobody writes this\n", "utf-8")
    assert {file.name for file in stale_pages(tmp_path)} == {"engine.md", "old.md"}
    assert main(["--check"], tmp_path) == 1


def test_the_command_writes_compares_and_knows_no_other_option(tmp_path, capsys):
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert main(["--chekc"], tmp_path) == 2
    assert "--check" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_section_and_its_options(name):
    section = page("commands.md").split(f"\n## planproof {name}\n")[1].split("\n## ")[0]
    assert f"```text\nplanproof {name}" in section


def test_no_page_holds_a_path_of_this_machine():
    root = str(FOLDER.parents[2])
    assert [name for name in PAGES if root in page(name)] == []
