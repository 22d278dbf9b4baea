"""A page as a list of things to do: commands to run, files to write, texts to read. Pure.

- A `bash` block holds one command a line; `# exit code N` at the end of a line says how it ends
  (otherwise with 0), and a backslash continues it. Any other comment is for the reader.
- A `text` block right after it says what the last command wrote: its lines occur in this order. `...`
  stands for anything, as a line or in a line.
- `<!-- file: PATH -->` above a block: the block is that file. `<!-- no-run: REASON -->`: it is not run.
- A `python` block is a program, a `toml` block with `[tool.planproof]` a configuration.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

_OPEN = re.compile(r"^(?P<fence>```+)(?P<language>[\w-]*)\s*$")
_DIRECTIVE = re.compile(r"^<!--\s*(?P<name>file|no-run):\s*(?P<value>.*?)\s*-->$")
_EXIT_CODE = re.compile(r"\s#.*?\bexit code (?P<code>\d)\b.*$")
_COMMENT = re.compile(r"(?:^|\s+)#\s.*$")

Language: TypeAlias = Literal["python", "toml"]


class PageError(Exception):
    """A page breaks the notation; the message names the line."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line, the exit code that it has to have, and lines that it has to write."""

    line: int
    text: str
    exit_code: int = 0
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file that the reader writes; `path` is relative to the folder that the page is about."""

    line: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A block in a language that can be run or read."""

    line: int
    language: Language
    text: str


@dataclass(frozen=True, slots=True)
class Exempt:
    """A block that is not run, and why."""

    line: int
    reason: str


Item: TypeAlias = Command | File | Code | Exempt


@dataclass(slots=True)
class _Block:
    line: int
    language: str
    directives: dict[str, str]
    text: str
    follows: bool  # nothing but blank lines between the block before and this one


def items(text: str) -> tuple[Item, ...]:
    """Return what a page asks for, in its order.

    Raises:
        PageError: a block has no end, a file lies outside, or an expected output has no command.
    """
    found: list[Item] = []
    before = ""
    for block in _blocks(text):
        if block.language == "text" and block.follows and before == "bash":
            found[-1:] = [_with_output(found[-1] if found else None, block)]
        else:
            found += _items(block)
        before = "no-run" if "no-run" in block.directives else block.language
    return tuple(found)


def _items(block: _Block) -> Iterator[Item]:
    if "no-run" in block.directives:
        if not block.directives["no-run"]:
            raise PageError(f"line {block.line}: a block that is not run needs a reason")
        yield Exempt(block.line, block.directives["no-run"])
    elif "file" in block.directives:
        path = PurePosixPath(block.directives["file"])
        if path.is_absolute() or ".." in path.parts:
            raise PageError(f"line {block.line}: {path} lies outside of the folder")
        yield File(block.line, str(path), block.text)
    elif block.language == "bash":
        yield from _commands(block)
    elif block.language == "python":
        yield Code(block.line, "python", block.text)
    elif block.language == "toml":
        yield Code(block.line, "toml", block.text)


def _commands(block: _Block) -> Iterator[Command]:
    pending, start = "", 0
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        start = start or number
        if line.endswith("\\"):
            pending += line.removesuffix("\\").rstrip() + " "
            continue
        whole = pending + line.strip()
        pending, first, start = "", start, 0
        code = _EXIT_CODE.search(whole)
        command = _COMMENT.sub("", whole).strip()
        if command:
            yield Command(first, command, int(code["code"]) if code else 0)
    if pending:
        raise PageError(f"line {block.line}: the last command goes on nowhere")


def _with_output(item: Item | None, block: _Block) -> Command:
    if not isinstance(item, Command):
        raise PageError(f"line {block.line}: an output without a command")
    lines = tuple(line for line in block.text.splitlines() if line.strip())
    return Command(item.line, item.text, item.exit_code, lines)


def _blocks(text: str) -> Iterator[_Block]:
    opened: _Block | None = None
    fence, lines, directives, follows = "", list[str](), dict[str, str](), False
    for number, line in enumerate(text.splitlines(), start=1):
        if opened is not None:
            if line.startswith(fence) and not line.strip("`").strip():
                opened.text = "".join(f"{each}\n" for each in lines)
                yield opened
                opened, directives, follows = None, {}, True
            else:
                lines.append(line)
        elif opening := _OPEN.match(line):
            fence, lines = opening["fence"], []
            opened = _Block(number, opening["language"], directives, "", follows)
        elif directive := _DIRECTIVE.match(line.strip()):
            directives, follows = {**directives, directive["name"]: directive["value"]}, False
        elif line.strip():
            directives, follows = {}, False
    if opened is not None:
        raise PageError(f"line {opened.line}: the block has no end")


def differs(expected: tuple[str, ...], output: str) -> str | None:
    """Return the first expected line that `output` does not have in its place; None if it has all."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    at = 0
    for line in expected:
        wanted = " ".join(line.split())
        if wanted == "...":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("...")))
        found = next((n for n in range(at, len(lines)) if pattern.fullmatch(lines[n])), None)
        if found is None:
            return line
        at = found + 1
    return None
