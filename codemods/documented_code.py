"""Code in documentation: the block of code around a line, and what the legacy word is in it."""

import ast
import re
from dataclasses import dataclass
from typing import Any

from codemods.source import Source
from codemods.syntax import Parsed, parse

_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.)(?: |$)")
_FENCE = re.compile(r"\s*(?P<mark>```+|~~~+)\s*\{?(?P<language>[\w+-]*)")
_DIRECTIVE = re.compile(r"\s*\.\.\s+(?:code-block|code|sourcecode)::\s*(?P<language>\w*)\s*$")
_PYTHON = frozenset({"py", "py3", "pycon", "python", "python3", "testcode"})

_NOT_FOLLOWED = "this form is not followed in documentation"

# A block of code is not longer, and a search for its begin ends.
_LONGEST_BLOCK = 400


@dataclass(frozen=True, slots=True)
class Block:
    """Code of a document: its text as a module, and where its lines stand.

    `indents` gives for each line how many characters stand before the code.
    """

    text: str
    first: int
    indents: tuple[int, ...]


def block_at(source: Source, line: int) -> Block | None:
    """Return the code that a line of a document belongs to, None if it belongs to none."""
    if _PROMPT.match(source.line_text(line)):
        return _doctest(source, line)
    return _fenced(source, line) or _literal(source, line)


def _doctest(source: Source, line: int) -> Block:
    first = last = line
    while first > 1 and _PROMPT.match(source.line_text(first - 1)):
        first -= 1
    while last < len(source.line_starts) and _PROMPT.match(source.line_text(last + 1)):
        last += 1
    # What is imported in one example of a document is known in those below it.
    numbers = [n for n in range(1, last + 1) if _PROMPT.match(source.line_text(n))]
    numbers = [n for n in numbers if n > line - _LONGEST_BLOCK]
    lines, indents = [], []
    for number in range(numbers[0], last + 1):
        text = source.line_text(number)
        match = _PROMPT.match(text)
        lines.append(text[match.end() :] if match else "")
        indents.append(match.end() if match else 0)
    return Block("\n".join(lines), numbers[0], tuple(indents))


def _fenced(source: Source, line: int) -> Block | None:
    """Return the fenced block of Markdown around a line."""
    opened: tuple[int, str, str] | None = None
    for number in range(1, line):
        match = _FENCE.match(source.line_text(number))
        if match is None:
            continue
        if opened is None:
            opened = number, match["mark"], match["language"].lower()
        elif match["mark"].startswith(opened[1]) and not match["language"]:
            opened = None
    if opened is None or opened[2] not in _PYTHON:
        return None
    first = last = opened[0] + 1
    while last < len(source.line_starts):
        text = source.line_text(last).strip()
        if text.startswith(opened[1]):
            return _block(source, first, last - 1)
        last += 1
    return None


def _literal(source: Source, line: int) -> Block | None:
    """Return the block of a `code-block` directive around a line."""
    indent = _indent(source.line_text(line))
    for number in range(line - 1, max(0, line - _LONGEST_BLOCK), -1):
        text = source.line_text(number)
        if not text.strip() or _indent(text) >= indent:
            continue
        match = _DIRECTIVE.match(text)
        if match is None:
            indent = _indent(text)
            if not indent:
                return None
            continue
        return _body(source, number, match["language"].lower() or "python")
    return None


def _body(source: Source, directive: int, language: str) -> Block | None:
    if language not in _PYTHON:
        return None
    outer = _indent(source.line_text(directive))
    last = first = directive + 1
    for number in range(directive + 1, len(source.line_starts) + 1):
        text = source.line_text(number)
        if text.strip() and _indent(text) <= outer:
            break
        if text.strip():
            is_option = number == first and text.lstrip().startswith(":")
            first = number + 1 if is_option else first
            last = number
    return _block(source, first, last)


def _block(source: Source, first: int, last: int) -> Block | None:
    texts = [source.line_text(number) for number in range(first, last + 1)]
    said = [text for text in texts if text.strip()]
    if not said:
        return None
    indent = min(_indent(text) for text in said)
    return Block("\n".join(text[indent:] for text in texts), first, (indent,) * len(texts))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def fault_at(block: Block, line: int, column: int, needle: str, names: frozenset[str]) -> str:
    """Say why the path at a place of a block cannot be followed, "" if it can.

    Args:
        block: the code.
        line: of the legacy word, in the document.
        column: of the legacy word, from 1, in the document.
        needle: the legacy word.
        names: the names that the successor has.
    """
    parsed = parse(block.text)
    if not isinstance(parsed, Parsed):
        return "code that cannot be parsed"
    row = line - block.first + 1
    offset = column - 1 - block.indents[row - 1]
    code = _Code(parsed.tree, needle, names)
    for node in ast.walk(parsed.tree):
        if not _covers(node, row, offset):
            continue
        if isinstance(node, ast.alias) and _ends(node.name, needle):
            return code.fault() if id(node) in code.imported else _NOT_FOLLOWED
        if isinstance(node, ast.ImportFrom) and not node.level and _ends(node.module, needle):
            foreign = {alias.name for alias in node.names} - names
            return f"{min(foreign)} is not in the mapping" if foreign else ""
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in code.plain:
            return code.fault()
    return _NOT_FOLLOWED


class _Code:
    """What a block imports of the legacy module as a whole, and whether all uses can follow."""

    def __init__(self, tree: ast.Module, needle: str, names: frozenset[str]) -> None:
        aliases = [
            alias
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if _ends(alias.name, needle)
        ]
        self.tree = tree
        self.names = names
        self.plain = {alias.name for alias in aliases if alias.asname is None}
        self.imported = {id(alias) for alias in aliases}

    def fault(self) -> str:
        """Say why an import of the module would leave a use behind, "" if it would not."""
        used = [node for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)]
        followed = {id(node.value): node.attr for node in used}
        inner = {id(node.value) for node in used}
        firsts = {name.partition(".")[0] for name in self.plain}
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Name | ast.Attribute):
                continue
            text = ast.unparse(node)
            if text in self.plain and followed.get(id(node)) not in self.names:
                return f"{followed.get(id(node), text)} is not in the mapping"
            if text in firsts - self.plain and id(node) not in inner:
                return _NOT_FOLLOWED
        return ""


def _ends(module: str | None, needle: str) -> bool:
    return module is not None and module.split(".")[-1] == needle


def _covers(node: Any, row: int, offset: int) -> bool:
    """Say whether a node that has a position covers one."""
    if not hasattr(node, "lineno"):
        return False
    start = (node.lineno, node.col_offset)
    end = (node.end_lineno, node.end_col_offset)
    return bool(start <= (row, offset) < end)
