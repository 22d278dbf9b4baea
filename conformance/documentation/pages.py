"""The generated pages: which there are, writing them, and finding those that are out of date."""

from collections.abc import Callable, Mapping
from pathlib import Path

from conformance.documentation.command_page import command_page
from conformance.documentation.configuration_page import configuration_page
from conformance.documentation.engine_page import engine_page
from conformance.documentation.fact_page import fact_page
from conformance.documentation.format_page import format_page

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": command_page,
    "configuration.md": configuration_page,
    "engine.md": engine_page,
    "facts.md": fact_page,
    "formats.md": format_page,
}

MARK = "<!-- Generated from code: `python -m conformance.documentation` writes it, a test compares. -->"


def page(name: str) -> str:
    """Return the text of one page as the code says it now."""
    return f"{MARK}\n\n{PAGES[name]()}"


def write_pages(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Write every page below `folder`, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in PAGES:
        file = folder / name
        file.write_text(page(name), "utf-8")
        written.append(file)
    return tuple(written)


def stale_pages(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Return the files that are missing, that differ, or that no page stands behind."""
    stale = [
        folder / name
        for name in PAGES
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != page(name)
    ]
    stale += [file for file in sorted(folder.glob("*.md")) if file.name not in PAGES]
    return tuple(stale)
