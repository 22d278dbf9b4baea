"""A canonical form in which a module before the migration equals itself after it.

Imports of both sides become one marker where they stand, names their qualified targets, and legacy
calls what their template says.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from codemods.mapping import How, Symbol, Use, shipped

_MARKER = "the imports"
_TARGETS = ("execute_workflow", "WorkflowMachine", "adapt_tools", "workflow_options", "load_state")


@dataclass(frozen=True, slots=True)
class Bridged:
    """What a migrated module takes from the bridge: names, and whether the module itself."""

    names: frozenset[str] = frozenset()
    module: bool = False


def bridged_in(tree: ast.Module) -> Bridged:
    """Return what a module after the migration takes from the bridge."""
    bridge = shipped().bridge
    package, _, member = bridge.rpartition(".")
    names: set[str] = set()
    module = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            taken = {item.name for item in node.names}
            names |= taken if node.module == bridge else set()
            module |= node.module == package and member in taken
    return Bridged(frozenset(names), module)


def canonical(
    tree: ast.Module, roots: Sequence[tuple[str, ...]], bridged: Bridged | None = None
) -> str:
    """Return the canonical form of a module, before or after, one statement a line.

    `bridged` is what the module after the migration takes from the bridge.
    """
    names = _Names(roots, bridged or Bridged())
    names.visit(tree)
    changed = _Canonical(names).visit(tree)
    return ast.unparse(ast.fix_missing_locations(changed))


class _Names(ast.NodeVisitor):
    """Collects what the imports bind: local name to qualified target, and module aliases."""

    def __init__(self, roots: Sequence[tuple[str, ...]], bridged: Bridged) -> None:
        self.roots = roots
        self.bridged = bridged
        self.mapped = shipped()
        self.chains: set[str] = set()
        words = "|".join(re.escape(root[-1]) for root in roots)
        bridge = self.mapped.bridge.rpartition(".")[2]
        self.paths = re.compile(rf"(?<![\w.])(?:\w+\.)*(?:{words}|{bridge})(?!\w)")
        self.targets: dict[str, str] = {}
        self.symbols: dict[str, Symbol] = {}
        self.modules: set[str] = set()

    def is_root(self, module: str) -> bool:
        """Say whether a dotted name ends in a legacy root."""
        parts = tuple(module.split("."))
        return any(parts[-len(root) :] == root for root in self.roots)

    def is_engine(self, node: ast.ImportFrom) -> bool:
        """Say whether a statement takes names from the engine."""
        return not node.level and (node.module or "").split(".")[0] == self.mapped.engine

    @override
    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            if self.is_root(item.name):
                self._module(item.asname or item.name)

    def _module(self, local: str) -> None:
        """Note an import of the legacy module itself, by the name or path that stands for it."""
        self.modules.add(local)
        if self.bridged.module and "." in local:
            self.chains.add(local)
        elif self.bridged.module:
            self.targets[local] = self.mapped.bridge

    @override
    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for item in node.names:
            local = item.asname or item.name
            symbol = self.mapped.symbols.get(item.name)
            is_bridged = item.name in self.bridged.names
            if self.is_root(node.module or "") and symbol is not None and is_bridged:
                self.targets[local] = f"{self.mapped.bridge}.{item.name}"
            elif self.is_root(node.module or "") and symbol is not None:
                self.targets[local] = self.qualified(symbol)
                self.symbols[local] = symbol
            elif self.is_root(f"{node.module or ''}.{item.name}".lstrip(".")):
                self._module(local)
            elif self.is_engine(node):
                self.targets[local] = f"{node.module}.{item.name}"

    def qualified(self, symbol: Symbol) -> str:
        """Return the successor of a symbol with its module."""
        return ".".join(self.mapped.place(symbol.target))

    def symbol_of(self, node: ast.AST) -> Symbol | None:
        """Return the legacy symbol that an expression names."""
        if isinstance(node, ast.Name):
            return self.symbols.get(node.id)
        if self.bridged.module:
            return None
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in self.modules:
            return self.mapped.symbols.get(node.attr)
        return None


class _Canonical(ast.NodeTransformer):
    """Turns a module into its canonical form."""

    def __init__(self, names: _Names) -> None:
        self.names = names
        self.results: list[dict[str, Symbol]] = [{}]

    @override
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, _joined(statements))
        return node

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return self._function(node)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        found: dict[str, Symbol] = {}
        for item in ast.walk(node):
            target = item.targets[0] if isinstance(item, ast.Assign) else None
            target = item.target if isinstance(item, ast.AnnAssign) else target
            if isinstance(target, ast.Name):
                inner: Any = item.value  # type: ignore[attr-defined]  # both have one
                inside = inner.args if isinstance(inner, ast.Call) else ()
                for call in (getattr(inner, "value", None), *inside):
                    symbol = self._called(call)
                    if symbol is not None:
                        record = self.names.mapped.symbols[symbol.result]
                        found[target.id] = record
        self.results.append(found)
        self.generic_visit(node)
        self.results.pop()
        return node

    def _called(self, call: Any) -> Symbol | None:
        """Return the symbol whose call this is, or whose method's call."""
        if not isinstance(call, ast.Call):
            return None
        symbol = self.names.symbol_of(call.func)
        if symbol is None and isinstance(call.func, ast.Attribute):
            made = call.func.value
            symbol = self.names.symbol_of(made.func) if isinstance(made, ast.Call) else None
            return symbol if symbol is not None and symbol.method == call.func.attr else None
        return symbol if symbol is not None and symbol.how is How.CALL else None

    @override
    def visit_Import(self, node: ast.Import) -> Any:
        rest = [item for item in node.names if (item.asname or item.name) not in self.names.modules]
        return _divided(node, rest)

    @override
    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if self.names.is_root(node.module or "") or self.names.is_engine(node):
            return _divided(node, [])
        rest = [item for item in node.names if (item.asname or item.name) not in self.names.modules]
        return _divided(node, rest)

    @override
    def visit_Name(self, node: ast.Name) -> ast.AST:
        target = self.names.targets.get(node.id)
        return ast.Name(target, node.ctx) if target else node

    @override
    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        symbol = self.names.symbol_of(node)
        if symbol is not None:
            return ast.Name(self.names.qualified(symbol), node.ctx)
        if self.names.chains and ast.unparse(node) in self.names.chains:
            return ast.Name(self.names.mapped.bridge, node.ctx)
        if isinstance(node.value, ast.Name):
            for found in reversed(self.results):
                record = found.get(node.value.id)
                if record is not None and node.attr in record.fields:
                    text = record.fields[node.attr].format(value=node.value.id)
                    return ast.parse(text, mode="eval").body
        return self.generic_visit(node)

    @override
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            node.value = self.names.paths.sub(self.names.mapped.bridge, node.value)
        return node

    @override
    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func) == "__import__" and len(node.args) == 1:
            # A single name was the module itself; a path returns what it names if it takes names.
            node.keywords = [item for item in node.keywords if not _takes_all(item)]
        symbol = self._called(node)
        if symbol is None:
            self.generic_visit(node)
        else:
            node = self._by_template(node, symbol)
        node.keywords.sort(key=lambda item: (item.arg or "~", ast.unparse(item.value)))
        return node

    def _by_template(self, node: ast.Call, symbol: Symbol) -> ast.Call:
        arguments, by_keyword = _bind(node, symbol.method_parameters or symbol.parameters)
        if symbol.method and isinstance(node.func, ast.Attribute):
            arguments |= _bind(node.func.value, symbol.parameters)[0]
        values = {name: self.visit(value) for name, value in arguments.items()}
        slots = {name: f"slot_{name}" for name in values}
        targets = {name: f"target_{name}" for name in _TARGETS}
        call = ast.parse(symbol.template.format(**slots, **targets), mode="eval").body
        filled: ast.Call = _Fill(values, self.names.mapped.engine).visit(call)
        filled.keywords += [
            ast.keyword(name, values[name]) for name in symbol.optional if name in values
        ]
        order = [name for name, use in symbol.parameters.items() if use is Use.POSITIONAL]
        for name in [item for item in order if item in by_keyword and not symbol.method]:
            index = min(order.index(name), len(filled.args) - 1)
            filled.keywords.append(ast.keyword(name, filled.args.pop(index)))
            order.remove(name)
        return filled


class _Fill(ast.NodeTransformer):
    """Puts values into the slots of a template."""

    def __init__(self, values: dict[str, ast.expr], engine: str) -> None:
        self.values = values
        self.engine = engine

    @override
    def visit_Name(self, node: ast.Name) -> ast.AST:
        kind, _, name = node.id.partition("_")
        return self.values[name] if kind == "slot" else ast.Name(f"{self.engine}.{name}", node.ctx)

    @override
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        node.keywords.sort(key=lambda item: (item.arg or "~", ast.unparse(item.value)))
        return node


def _takes_all(item: ast.keyword) -> bool:
    return item.arg == "fromlist" and ast.unparse(item.value) == "['*']"


def _bind(node: Any, parameters: Any) -> tuple[dict[str, ast.expr], set[str]]:
    bound = dict(zip(parameters, node.args, strict=False))
    named = {item.arg: item.value for item in node.keywords}
    return bound | named, set(named)


def _divided(node: ast.Import | ast.ImportFrom, rest: list[ast.alias]) -> list[ast.stmt]:
    """Return the statement without the aliases that are gone, and a marker for those."""
    marker = [] if len(rest) == len(node.names) else [ast.Expr(ast.Constant(_MARKER))]
    if not rest:
        return list(marker)
    node.names = rest
    return [node, *marker]


def _joined(statements: list[Any]) -> list[Any]:
    """Return statements with one marker in place of several in a row."""
    kept: list[Any] = []
    for item in statements:
        is_marker = _is_marker(item)
        if not (is_marker and kept and _is_marker(kept[-1])):
            kept.append(item)
    return kept


def _is_marker(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and node.value.value == _MARKER
    )
