"""The metric "documentation complete": sections, public names, and examples that run."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.report import Finding, Verdict

METRIC = "documentation"
SHOWN = 5  # places that a report lists; the rest is counted

# The sections that the plan names -> what a heading has to say to be that section.
SECTIONS: Mapping[str, str] = {
    "execution flow diagram": r"execution flow",
    "checkpointing strategy": r"checkpoint",
    "saga compensation pattern": r"saga|compensation",
    "yield-and-resume mechanism": r"yield.*resume",
    "configuration options": r"configuration|options|settings",
}
OPTIONS_SECTION = "configuration options"
# The one section that has to hold a diagram and not only prose: a fenced block or a picture.
DIAGRAM_SECTION = "execution flow diagram"

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<fence>```+|~~~+)(?P<info>[^\n`]*)$")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_NO_RUN = re.compile(r"<!--\s*no-run:\s*(?P<reason>.*?)\s*-->")

ExampleOutcome = Literal["ran", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of a Markdown text and what stands below it, up to the next of its level."""

    title: str
    line: int
    body: str


@dataclass(frozen=True, slots=True)
class Example:
    """One fenced Python block. `no_run` is the reason given for not running it."""

    file: str
    line: int
    code: str
    no_run: str = ""

    @property
    def place(self) -> str:
        """Where the block begins."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of one example; `message` is the last line that it wrote when it failed."""

    example: Example
    outcome: ExampleOutcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class DocumentationEvidence:
    """Everything the metric is judged by.

    `names` counts the public names that were looked at; `options` are the fields that the section
    on configuration has to name.
    """

    readme: str
    text: str | None
    sections: tuple[str, ...]
    names: int
    undocumented: tuple[str, ...]
    examples: tuple[ExampleResult, ...]
    options: tuple[str, ...] = ()


def sections(text: str) -> list[Section]:
    """Return the sections of a Markdown text; headings inside fenced blocks are none."""
    lines = text.splitlines()
    headings: list[tuple[int, int, str]] = []
    closing = ""
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if fence and not closing:
            closing = fence["fence"]
        elif fence and fence["fence"].startswith(closing) and not fence["info"].strip():
            closing = ""
        elif not closing and (heading := _HEADING.match(line)):
            headings.append((number, len(heading[1]), heading[2]))
    ends = [
        next((later for later, depth, _ in headings[index + 1 :] if depth <= level), len(lines) + 1)
        for index, (_, level, _) in enumerate(headings)
    ]
    return [
        Section(title, number, "\n".join(lines[number : end - 1]).strip())
        for (number, _, title), end in zip(headings, ends, strict=True)
    ]


def missing_sections(text: str, wanted: Sequence[str]) -> list[str]:
    """Return the wanted sections that are absent, empty, or without the diagram they promise."""
    found = sections(text)
    return [name for name in wanted if not any(_is_section(each, name) for each in found)]


def missing_options(text: str, options: Sequence[str]) -> list[str]:
    """Return the options that the section on configuration does not name as code."""
    bodies = [each.body for each in sections(text) if _is_section(each, OPTIONS_SECTION)]
    return [name for name in options if not any(f"`{name}" in body for body in bodies)]


def examples(text: str, file: str) -> Iterator[Example]:
    """Yield the Python blocks of a Markdown text.

    A comment `<!-- no-run: reason -->` on the line above (blank lines between) exempts a block.
    """
    opened: re.Match[str] | None = None
    start, reason, code = 0, "", list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None and fence is not None:
            opened, start, code = fence, number, []
        elif opened is not None and fence and fence["fence"].startswith(opened["fence"]):
            if opened["info"].strip().split(" ")[0] in {"python", "py"}:
                yield Example(file, start, "\n".join(code) + "\n", reason)
            opened, reason = None, ""
        elif opened is not None:
            code.append(line.removeprefix(opened["indent"]))
        elif exempt := _NO_RUN.search(line):
            reason = exempt["reason"]
        elif line.strip():
            reason = ""


def judge(evidence: DocumentationEvidence) -> Finding:
    """Return whether the documentation is complete."""
    if evidence.text is None:
        return _finding(evidence, Verdict.MISSED, "no README", f"{evidence.readme} does not exist")
    absent = missing_sections(evidence.text, evidence.sections)
    failed = [result for result in evidence.examples if result.outcome == "failed"]
    ran = sum(result.outcome == "ran" for result in evidence.examples)
    exempt = sum(result.outcome == "not run" for result in evidence.examples)
    wanted, names = len(evidence.sections), evidence.names
    figure = (
        f"{wanted - len(absent)}/{wanted} sections, "
        f"{names - len(evidence.undocumented)}/{names} public names, "
        f"{ran}/{ran + len(failed)} examples ran" + (f" ({exempt} exempt)" if exempt else "")
    )
    reasons = [f"no section on {name}" for name in absent]
    reasons += [
        f"option not listed: {name}" for name in missing_options(evidence.text, evidence.options)
    ]
    reasons += [f"undocumented: {name}" for name in evidence.undocumented[:SHOWN]]
    reasons += [f"{each.example.place}: {each.message}" for each in failed[:SHOWN]]
    if reasons:
        gaps = len(reasons) + len(evidence.undocumented[SHOWN:]) + len(failed[SHOWN:])
        return _finding(evidence, Verdict.MISSED, figure, "; ".join(reasons), gaps)
    if names == 0:
        return _finding(evidence, Verdict.UNKNOWN, figure, "no public name was found")
    if ran == 0:
        return _finding(evidence, Verdict.UNKNOWN, figure, "no example ran")
    return _finding(evidence, Verdict.MET, figure, "")


def _is_section(section: Section, name: str) -> bool:
    pattern = SECTIONS.get(name, re.escape(name))
    if not section.body or not re.search(pattern, section.title, re.IGNORECASE):
        return False
    return name != DIAGRAM_SECTION or "```" in section.body or "![" in section.body


def _finding(
    evidence: DocumentationEvidence, verdict: Verdict, figure: str, reason: str, gaps: int = 0
) -> Finding:
    return Finding(
        id=METRIC,
        title="Documentation is complete",
        verdict=verdict,
        figure=figure,
        target="all sections, all public names, all examples run",
        evidence=(evidence.readme,),
        reason=reason,
        details={
            "gaps": gaps,
            "undocumented": list(evidence.undocumented),
            "examples": {each.example.place: each.outcome for each in evidence.examples},
            "exempt": {
                each.example.place: each.example.no_run
                for each in evidence.examples
                if each.outcome == "not run"
            },
        },
    )
