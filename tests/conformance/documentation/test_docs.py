"""Without these tests the pages would tell of commands that fail and of files that are gone."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from conformance.cli import command_group
from conformance.documentation.pages import DOCS, FOLDER
from conformance.documentation.walkthrough import walk

ROOT = Path(__file__).parents[3]
CONSUMER = ROOT / "tests" / "fixtures" / "consumer"
INDEX = ROOT / "conformance" / "README.md"
PAGES = sorted(DOCS.glob("*.md"))
READMES = [
    ROOT / "README.md",
    *(ROOT / name / "README.md" for name in ("chaos", "codemods", "engine", "legacy", "tests")),
    *sorted((ROOT / "conformance").rglob("README.md")),
]
EXEMPT_MAX = 3  # blocks of one page that cannot run
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PLANPROOF = re.compile(r"(?:\S*/)?planproof ")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.fixture
def consumer(tmp_path):
    """Return a copy of the example consumer, as a repository with one commit."""
    folder = tmp_path / "consumer"
    shutil.copytree(CONSUMER, folder)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it was"]):
        command = ["git", "-c", "user.name=r", "-c", "user.email=r@example.org", *arguments]
        subprocess.run(command, cwd=folder, check=True)
    return folder


def _command_lines(text):
    """Return the command lines of a text: of its `bash` blocks, and those that are indented."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines() + re.findall(
        r"^ {4}(planproof .*)$", text, re.MULTILINE
    )
    parts = (part.strip() for line in lines for part in re.split(r"&&|;|\|", line))
    return [shlex.split(part, comments=True) for part in parts if PLANPROOF.match(part)]


@pytest.mark.parametrize("page", READMES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_readme_are_commands(page):
    group = command_group()
    for words in _command_lines(page.read_text("utf-8")):
        command, rest = group, words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, words
            command, rest = found, rest[1:]
        # Raises for an option that is not known; values and files are not looked at.
        command.make_parser(click.Context(command)).parse_args(list(rest))


def test_there_are_commands_in_the_readmes():
    assert sum(len(_command_lines(page.read_text("utf-8"))) for page in READMES) > 20


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, consumer):
    found = walk(page.read_text("utf-8"), consumer)
    assert [f"{page.name}:{fault.line}: {fault.message}" for fault in found.faults] == []
    assert found.ran or page.stem == "explanation"
    assert len(found.exempt) <= EXEMPT_MAX


def test_the_index_names_every_page():
    text = INDEX.read_text("utf-8")
    pages = [*PAGES, *FOLDER.glob("*.md")]
    missing = [p.name for p in pages if f"({p.relative_to(INDEX.parent)})" not in text]
    assert (len(pages) > 10, missing) == (True, [])


def _anchors(text):
    words = (re.sub(r"[^\w\- ]", "", heading).strip() for heading in HEADING.findall(text))
    return {heading.lower().replace(" ", "-") for heading in words}


@pytest.mark.parametrize(
    "page",
    [*READMES, *PAGES, *sorted(FOLDER.glob("*.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for match in LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in _anchors(file.read_text("utf-8"))):
            broken.append(match["target"])
    assert broken == []
