"""What keeps its name: imports that move from the legacy module to the bridge, `engine.segment_api`.

The bridge has every legacy name in the same shape, so nothing but the import has to change where a
name is handed on, looked up in text, or used in a way that no rule can follow.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from codemods.import_edits import ImportEdit
from codemods.module_view import BlockedError, ModuleView

BRIDGE_RULE = "CM108"
# In a set of bridged symbols: modules that are imported as a whole, or all of them.
MODULE = "the module"
EVERYTHING = "*"
# The bridge has these, and no rule rewrites them: they hand on every name.
WHOLE_NAMES = frozenset({"*", "__all__"})


@dataclass(slots=True)
class Bridging:
    """What one module takes from the bridge, and what follows from it.

    Attributes:
        symbols: the names that are bridged, or `EVERYTHING`.
        keeps_locals: no local name may change (some of the text could not be read as nodes).
        is_replaced: a test puts another module in the legacy one's place.
        named_in_text: offsets of words in string annotations and type comments.
        paths: offsets of words in strings that are import paths, whatever the module binds.
        covered: offsets of words that stay and mean the bridge from now on.
        assigned: symbols that this module sets on the legacy module.
        notes: why, for each symbol.
    """

    symbols: set[str] = field(default_factory=set)
    keeps_locals: bool = False
    is_replaced: bool = False
    named_in_text: frozenset[int] = frozenset()
    paths: frozenset[int] = frozenset()
    covered: set[int] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)

    def takes(self, symbol: str) -> bool:
        """Say whether a symbol is taken from the bridge."""
        return symbol in self.symbols or EVERYTHING in self.symbols


def local_of(item: ImportEdit) -> tuple[str, int]:
    """Return the name that a module import binds, and how many attributes lead to the module."""
    if item.alias.asname or isinstance(item.statement, ast.ImportFrom):
        return item.alias.asname or item.alias.name, 0
    parts = item.alias.name.split(".")
    return parts[0], len(parts) - 1


def bridge_module(
    view: ModuleView, item: ImportEdit, bridging: Bridging, *, is_kept: bool, done: set[ast.AST]
) -> None:
    """Bridge a module that is imported as a whole: the import, and what names the module.

    `is_kept` says that the local name is used elsewhere. `done` collects the nodes that have been
    edited, as several functions may import the same module.

    Raises:
        BlockedError: the package around the module is used too, or a position is not reliable.
    """
    local, depth = local_of(item)
    if bridging.is_replaced and view.scope(item.statement) is not view.tree:
        # `from engine import segment_api` takes the package's attribute, if it has one by then.
        reason = "a test puts another module in this one's place, which this import would not see"
        raise BlockedError(item.alias, reason)
    chains = [
        (node, _chain(view, node, item, depth))
        for node in ast.walk(view.tree)
        if isinstance(node, ast.Name) and node.id == local
    ]
    references = [chain for _, chain in chains if chain is not None]
    foreign = [node for node, chain in chains if chain is None]
    others = [
        node
        for node in view.bindings[local]
        if not (isinstance(node, ast.alias) and node.name == item.alias.name)
    ]
    if foreign and not others:
        raise BlockedError(foreign[0], f"{local} is used for more than the legacy module")
    for reference in references:
        parent = view.parents.get(reference)
        if isinstance(parent, ast.Attribute) and not isinstance(parent.ctx, ast.Load):
            bridging.assigned.add(parent.attr)
    keeps = depth == 0 and (
        item.alias.asname is not None
        or is_kept
        or bool(others)
        or bridging.keeps_locals
        or any(_is_unreliable(view, reference) for reference in references)
    )
    item.bridged = True
    if keeps:
        item.keeps = local
        bridging.covered |= {view.span(node)[0] for node in references}
        bridging.covered |= set(_declared(view, local, others))
        bridging.covered |= bridging.named_in_text
        return
    if is_kept or bridging.keeps_locals:
        raise BlockedError(item.alias, f"{local} is used by other modules or in text")
    item.local_module = view.use_module(view.mapped.bridge)
    for reference in references:
        if reference not in done:
            view.demand_position(reference)
            view.replace(*view.span(reference), item.local_module)
            done.add(reference)
    _edit_text(view, ".".join((local, *item.alias.name.split(".")[1:][:depth])), item, bridging)


def _chain(view: ModuleView, node: ast.Name, item: ImportEdit, depth: int) -> ast.expr | None:
    """Return the expression that names the legacy module from `node` on, None if another one."""
    reference: ast.expr = node
    parts = item.alias.name.split(".")[1:] if depth else []
    for part in parts:
        parent = view.parents[reference]
        if not (isinstance(parent, ast.Attribute) and parent.attr == part):
            return None
        reference = parent
    return reference


def _declared(view: ModuleView, local: str, bindings: list[ast.AST]) -> Iterator[int]:
    """Yield the offsets of a name in `global` and `nonlocal` statements."""
    for node in bindings:
        if isinstance(node, ast.Global | ast.Nonlocal):
            start, end = view.span(node)
            for word in re.finditer(rf"\b{re.escape(local)}\b", view.source.text[start:end]):
                yield start + word.start()


def _is_unreliable(view: ModuleView, node: ast.AST) -> bool:
    try:
        view.demand_position(node)
    except BlockedError:
        return True
    return False


def _edit_text(view: ModuleView, dotted: str, item: ImportEdit, bridging: Bridging) -> None:
    """Rename the module in string annotations and type comments."""
    text = view.source.text
    last = dotted.rpartition(".")[2]
    for offset in bridging.named_in_text:
        start = offset + len(last) - len(dotted)
        edited = any(edit.start <= start < edit.end for edit in view.edits)
        if start >= 0 and text.startswith(dotted, start) and not edited:
            view.replace(start, start + len(dotted), item.local_module)


def module_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names in a literal `__all__`."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(item, ast.Name) and item.id == "__all__" for item in targets):
            for item in ast.walk(node):
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    yield item.value


def pinned_note(symbol: str) -> str:
    """Return why a symbol is bridged although its own module would not need it."""
    named = "the module" if symbol == EVERYTHING else symbol
    return f"{named}: replaced or looked up by its name elsewhere in the project"
