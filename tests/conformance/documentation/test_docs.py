"""Without these tests the pages would tell of commands that fail and of files that are gone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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
