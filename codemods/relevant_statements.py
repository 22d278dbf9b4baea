"""What of two modules a comparison has to look into: the statements that name what may change.

All other statements are replaced by a mark of their text, so that they are compared as they stand.
"""

import ast
import hashlib
from collections.abc import Collection, Iterator, Sequence

from codemods.mapping import shipped
from codemods.source import Source

Roots = Sequence[tuple[str, ...]]


def narrowed(
    before: tuple[ast.Module, str], after: tuple[ast.Module, str], roots: Roots
) -> tuple[ast.Module, ast.Module]:
    """Return both modules with marks in place of what names neither the legacy module nor the engine.

    Each module is its tree with its text.
    """
    words = {root[-1] for root in roots} | {shipped().engine}
    names = set(words)
    for tree, text in (before, after):
        for statement in _statements(tree, text, words):
            names.update(_imported(statement))
    return _marked(*before, names), _marked(*after, names)


def _statements(tree: ast.Module, text: str, words: Collection[str]) -> Iterator[ast.stmt]:
    source = Source.of(text)
    for statement in tree.body:
        segment = _segment(source, statement)
        if any(word in segment for word in words):
            yield statement


def _imported(statement: ast.stmt) -> Iterator[str]:
    """Yield every name that an import in a statement binds."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]


def _marked(tree: ast.Module, text: str, names: Collection[str]) -> ast.Module:
    if "*" in names:
        return tree
    source = Source.of(text)
    body: list[ast.stmt] = []
    for statement in tree.body:
        segment = _segment(source, statement)
        if any(name in segment for name in names):
            body.append(statement)
        else:
            digest = hashlib.sha256(segment.encode("utf-8", "surrogatepass")).hexdigest()
            body.append(ast.Expr(ast.Constant(f"\0{digest}")))
    return ast.Module(body, [])


def _segment(source: Source, statement: ast.stmt) -> str:
    """Return all lines of a statement."""
    decorators = getattr(statement, "decorator_list", ())
    first = min([statement.lineno, *(item.lineno for item in decorators)])
    last = statement.end_lineno or first
    starts = source.line_starts
    end = starts[last] if last < len(starts) else len(source.text)
    return source.text[starts[first - 1] : end].rstrip()
