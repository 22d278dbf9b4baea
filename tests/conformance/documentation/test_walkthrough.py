"""Without these tests a page could be wrong and its test would pass."""

import os

import pytest

from conformance.documentation.walkthrough import walk


def _page(language, text, above=""):
    return f"{above}\n```{language}\n{text}\n```\n"


def test_commands_programs_files_and_configurations(tmp_path):
    page = (
        _page("toml", "[tool.planproof]", "<!-- file: pyproject.toml -->")
        + _page("bash", "planproof scan .\ntest -f pyproject.toml && echo there")
        + _page("text", "there")
        + _page("python", "import engine")
        + _page("toml", "[tool.planproof.corpus]\nuse_shipped = true")
        + _page("bash", "exit 7", "<!-- no-run: it ends everything -->")
    )
    before = dict(os.environ)
    found = walk(page, tmp_path)
    assert found.faults == ()
    assert (found.ran, [each.reason for each in found.exempt]) == (4, ["it ends everything"])
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (_page("bash", "planproof scna ."), "exit code 2, not 0"),
        (_page("bash", "planproof --version # exit code 1"), "exit code 0, not 1"),
        (_page("bash", "false | cat"), "exit code 1, not 0"),
        (_page("bash", "planproof --version") + _page("text", "planproof 9...."), "not write"),
        (_page("python", "raise SystemExit('no')"), "no"),
        (_page("toml", "[tool.planproof.corpus]\nuse_shiped = true"), "use_shipped"),
        (_page("toml", "a ="), "line 1"),
    ],
)
def test_what_is_not_so_is_a_fault_with_its_line(page, message, tmp_path):
    (fault,) = walk(page + _page("bash", "touch later"), tmp_path).faults
    assert message in fault.message
    assert fault.line in {2, 3}
    assert not (tmp_path / "later").exists()
