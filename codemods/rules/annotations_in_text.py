"""Annotations that are text name the bridge module where they name the legacy one.

What: the dotted path in a string annotation (`x: "legacy_module.ToolExecutor"`) or a type comment,
where the module imports that path as it stands (`import legacy_module`) or does not bind it at all.

Why it is safe: nothing is executed; a type checker and `get_type_hints` find the same class under
the bridge's name once `import engine.segment_api` stands for the import of the legacy module, which
changes together with the text. A path that begins with a local name of another import or
assignment is reported, because its meaning depends on what becomes of that name.
"""

import ast
import re

from codemods.occurrence import Kind
from codemods.python_strings import Module, module_of
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit

_TYPE_COMMENT = re.compile(r"#\s*type:[^#]*$")


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one path in an annotation."""
    path = passage.path
    module = module_of(passage.source.text)
    if module is None:
        raise RefusedError("the module cannot be parsed")
    _demand_text(passage, module)
    if ":" in path.rest:
        raise RefusedError("no type that can be read")
    name = f"{path.package}{passage.item.needle}"
    if not _means_module(module.tree, name):
        raise RefusedError(f"{name.partition('.')[0]} is a local name, which goes with its import")
    return passage.replace(path.start, path.end, passage.successor(path))


def _demand_text(passage: Passage, module: Module) -> None:
    node = module.string_at(passage.offset)
    if node is None:
        line, column = passage.source.line_column(passage.offset)
        if _TYPE_COMMENT.search(passage.source.line_text(line)[: column - 1]):
            return
        raise RefusedError("a name in the code, or a comment behind the type")
    if not isinstance(node, ast.Constant) or module.literal(node) is None:
        raise RefusedError("a string that is escaped or put together from several literals")


def _means_module(tree: ast.Module, name: str) -> bool:
    """Say whether a path is what an import statement names, or is not bound at all."""
    first = name.partition(".")[0]
    is_bound = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                is_bound |= alias.asname == first
        elif isinstance(node, ast.ImportFrom):
            is_bound |= any((alias.asname or alias.name) == first for alias in node.names)
        elif isinstance(node, ast.Name):
            is_bound |= node.id == first and not isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_bound |= node.name == first
    return not is_bound


_HEAD = "from typing import TYPE_CHECKING, cast\n\nif TYPE_CHECKING:\n    pass\n\n"
CASES = (
    TextCase(
        "string annotations and type comments",
        "a.py",
        _HEAD
        + "def f(x: 'LEGACY.ToolExecutor', y: \"list[legacy.LEGACY.ParameterError] | None\"):\n"
        "    z = y  # type: dict[str, LEGACY.ParameterError]\n"
        "    return cast('LEGACY.ToolExecutor', x)\n",
        _HEAD
        + "def f(x: 'engine.segment_api.ToolExecutor', y: \"list[engine.segment_api.ParameterError] | None\"):\n"
        "    z = y  # type: dict[str, engine.segment_api.ParameterError]\n"
        "    return cast('engine.segment_api.ToolExecutor', x)\n",
    ),
    TextCase.noop("a name without a successor", "a.py", "def f(x: 'LEGACY.worker.Main'): ...\n"),
    TextCase.noop(
        "a local name",
        "a.py",
        "from acme import LEGACY\n\ndef f(x: 'LEGACY.ToolExecutor'): ...\n",
    ),
    TextCase.noop(
        "comments that are no types",
        "a.py",
        "x = 1  # LEGACY.ToolExecutor\ny = 2  # type:"
        " ignore  # LEGACY.ToolExecutor\n"
        "z = 3  # type: int # LEGACY.ToolExecutor\n",
    ),
)
RULE = TextRule(
    "CM207",
    "Annotations in text",
    __doc__ or "",
    frozenset({Kind.ANNOTATION, Kind.TYPE_COMMENT}),
    CASES,
    migrate,
)
