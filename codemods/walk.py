"""The walk over a module's tree: a stack, scopes, and the claims on the legacy words.

With a stack of its own, because a thousand-term expression is nested as deeply.
"""

import ast
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from codemods.bindings import Alias, Literal, Scope, Unknown
from codemods.comments import comment_words
from codemods.facts import Doubt, Facts, Fixed, Mode, Origin, Reference
from codemods.idle_statements import is_idle
from codemods.occurrence import Kind, Status
from codemods.source import Source, Word
from codemods.string_roles import PLAIN, Role

IDENTIFIER = Fixed(Status.UNRELATED, Kind.IDENTIFIER, "a name of the program's own")
UNBOUND = Fixed(Status.UNDECIDED, Kind.REFERENCE, "this name is bound nowhere in the file")
COMMENT = Fixed(Status.COMMENT, Kind.COMMENT, "a comment")

_STANDARD_LIBRARY = sys.stdlib_module_names


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the walk stands: the scope, the context for reasons, the strings' role.

    `span` is set inside an f-string, where the positions of inner nodes are not reliable.
    """

    scope: Scope
    context: str = ""
    role: Role = PLAIN
    span: tuple[int, int] | None = None
    is_patched: bool = False

    def playing(self, role: Role, *, is_patched: bool = False) -> "Frame":
        """Return the frame with another role; itself if it has that one, which is the rule."""
        if role is self.role and is_patched is self.is_patched:
            return self
        return Frame(self.scope, self.context, role, self.span, is_patched)

    def within(self, scope: Scope) -> "Frame":
        """Return the frame in an inner scope."""
        return Frame(scope, self.context, PLAIN, self.span)


class _Chain(NamedTuple):
    """A name with its attributes, kept until all scopes are known."""

    base: str
    attributes: tuple[str, ...]
    node: Any
    frame: Frame
    form: Kind = Kind.REFERENCE
    as_text: bool = False


Handler = Callable[["Walk", Any, Frame], None]

# Fields that hold no part of the program that is visited: operators, contexts, plain values.
_BARREN = frozenset(
    {"ctx", "op", "ops", "type_comment", "conversion", "is_async", "kind", "simple"}
)


def _fields() -> dict[type[ast.AST], tuple[str, ...]]:
    """Return for each type of node its fields that are visited, the last one first."""
    return {
        kind: tuple(name for name in reversed(kind._fields) if name not in _BARREN)
        for kind in vars(ast).values()
        if isinstance(kind, type) and issubclass(kind, ast.AST)
    }


_FIELDS = _fields()


class Walk:
    """One walk over one module; `handlers` say what to do at a node of a type.

    If `lines` are given, what is in a statement with none of them is passed by.
    """

    def __init__(
        self,
        source: Source,
        words: Sequence[Word],
        needles: Sequence[str],
        handlers: dict[type[ast.AST], Handler],
        lines: Sequence[int] | None = None,
    ) -> None:
        self.source = source
        self.words = words
        self.needles = frozenset(needles)
        self.module = Scope()
        self.is_lazy = False
        self.public: tuple[str, ...] | None = None
        self.is_script = source.text.startswith("#!")
        self.stars: list[Origin] = []
        self._handlers = handlers
        self._lines = lines
        self._references: list[Reference] = []
        self._claims: list[tuple[int, int, int | Fixed]] = []
        self._doubts: list[Doubt] = []
        # Plain tuples with the fields of `_Chain`: a module has thousands, and few are looked at.
        self._chains: list[tuple[Any, ...]] = []
        self._imported: set[str] = set()
        self._importer_names: list[tuple[str, Any, Frame]] = []
        self._stack: list[tuple[ast.AST, Frame]] = []

    def facts(self, tree: ast.Module, code: str) -> Facts:
        """Walk `tree`, which was parsed from `code`, and return what was found."""
        self._stack = [(tree, Frame(self.module))]
        take = self._stack.pop
        handlers = self._handlers
        while self._stack:
            node, frame = take()
            handler = handlers.get(type(node), Walk.push_children)
            handler(self, node, frame)
        self._read_comments(code)
        self._resolve_chains()
        return Facts(
            references=tuple(self._references),
            claims=self._assign(),
            doubts=tuple(self._doubts),
            exports={
                name: tuple(dict.fromkeys(origins))
                for name in self.module.bindings
                if (origins := self.module.origins(name))
            },
            stars=tuple(self.stars),
            bound=frozenset(self.module.bindings),
            public=self.public,
            is_lazy=self.is_lazy,
            is_script=self.is_script,
        )

    # Movement

    def push_children(self, node: ast.AST, frame: Frame) -> None:
        """Visit all children of `node` in `frame`, in their order."""
        push = self._stack.append
        for name in _FIELDS[type(node)]:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for item in reversed(value):
                    if isinstance(item, ast.AST):
                        push((item, frame))
            elif isinstance(value, ast.AST):
                push((value, frame))

    def push(self, node: ast.AST | None, frame: Frame) -> None:
        """Visit `node` later."""
        if node is not None:
            self._stack.append((node, frame))

    def push_all(self, nodes: Sequence[ast.AST], frame: Frame) -> None:
        """Visit expressions later, the last one first."""
        self._stack.extend([(node, frame) for node in nodes])

    def passes_by(self, statement: ast.stmt) -> bool:
        """Say whether what is in a statement need not be walked."""
        return self._lines is not None and is_idle(statement, self._lines)

    def push_body(self, body: Sequence[ast.AST], frame: Frame) -> None:
        """Visit statements in their order."""
        self._stack.extend((statement, frame) for statement in reversed(body))

    # Records

    def span(self, node: Any, frame: Frame) -> tuple[int, int]:
        """Return the character offsets of a node."""
        if frame.span is not None:
            return frame.span
        return (
            self.source.offset(node.lineno, node.col_offset),
            self.source.offset(node.end_lineno, node.end_col_offset),
        )

    def at(self, span: tuple[int, int], frame: Frame) -> Frame:
        """Return `frame` with all positions replaced by `span`."""
        return Frame(frame.scope, frame.context, PLAIN, span)

    def add(self, reference: Reference, *, has_word: bool = True) -> int:
        """Record a reference, which claims the words in its span; return its index.

        A reference without a word of its own claims none: in an f-string, it has the span of the
        whole string.
        """
        self._references.append(reference)
        index = len(self._references) - 1
        if has_word:
            self._claims.append((reference.start, reference.end, index))
        return index

    def fix(self, span: tuple[int, int], decision: Fixed) -> None:
        """Record a decision for the words in a span."""
        self._claims.append((*span, decision))

    def doubt(self, node: Any, frame: Frame, reason: str) -> None:
        """Record a dynamic import that only running the program decides."""
        self._doubts.append(Doubt(*self.span(node, frame), Kind.DYNAMIC_IMPORT, reason))

    def bind_import(self, name: str, origin: Origin, frame: Frame) -> None:
        """Bind a name by an import statement."""
        frame.scope.bind(name, origin)
        if origin.level or origin.parts[0] not in _STANDARD_LIBRARY:
            self._imported.add(name)

    def bind_names(self, node: ast.ImportFrom, origin: Origin, frame: Frame) -> None:
        """Bind the names that are taken from the module `origin`."""
        if node.names[0].name != "*":
            for alias in node.names:
                self.bind_import(alias.asname or alias.name, origin.below(alias.name), frame)
        elif frame.scope is self.module:
            self.stars.append(origin)

    def bind_target(self, target: ast.expr, value: ast.expr | None, frame: Frame) -> None:
        """Bind the name of a simple assignment, as an alias where the value is a chain."""
        if not isinstance(target, ast.Name):
            return
        chain = chain_of(value)
        if chain is not None:
            frame.scope.bind(target.id, Alias(chain[0], tuple(chain[1:])))
            if chain[0] in self._imported:
                self._imported.add(target.id)
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            frame.scope.bind(target.id, Literal())
        else:
            frame.scope.bind(target.id, Unknown.OTHER)

    def name_chain(
        self,
        node: Any,
        chain: Sequence[str],
        frame: Frame,
        *,
        form: Kind = Kind.REFERENCE,
        as_text: bool = False,
    ) -> None:
        """Keep a name with its attributes; `as_text` reads an unbound one as an absolute path."""
        self._chains.append((chain[0], tuple(chain[1:]), node, frame, form, as_text))

    def name(self, node: ast.Name, frame: Frame) -> None:
        """Keep a bare name; the same as `name_chain`, for what most of a program consists of."""
        self._chains.append((node.id, (), node, frame))

    def importer_name(self, name: str, node: ast.expr, frame: Frame) -> None:
        """Keep a dynamic import of a variable."""
        self._importer_names.append((name, node, frame))

    # Conclusions

    def _read_comments(self, code: str) -> None:
        for word in comment_words(self.source, code, self.words):
            span = (word.start, word.end)
            if word.path:
                frame = Frame(self.module, span=span)
                self.name_chain(None, word.path, frame, form=Kind.TYPE_COMMENT, as_text=True)
            else:
                self.fix(span, COMMENT)

    def _resolve_chains(self) -> None:
        # Most names are no imports, and a set look-up tells.
        relevant = self._imported | self.needles
        needles = self.needles
        for chain in self._chains:
            attributes = chain[1]
            if chain[0] in relevant or (attributes and not needles.isdisjoint(attributes)):
                self._resolve_chain(_Chain(*chain))
        for name, node, frame in self._importer_names:
            bindings = frame.scope.lookup(name)
            if not bindings or not all(isinstance(item, Literal) for item in bindings):
                self.doubt(node, frame, f"dynamic import of the variable {name!r}")

    def _resolve_chain(self, chain: _Chain) -> None:
        frame = chain.frame
        origins = frame.scope.origins(chain.base)
        has_word = chain.base in self.needles or not self.needles.isdisjoint(chain.attributes)
        if not origins:
            if not has_word:
                return
            span = self.span(chain.node, frame)
            is_bound = bool(frame.scope.lookup(chain.base))
            if chain.as_text and not is_bound:
                origin = Origin((chain.base, *chain.attributes))
                self.add(Reference(*span, chain.form, Mode.TEXT, origin, context=frame.context))
            else:
                is_own = is_bound or chain.base not in self.needles
                self.fix(span, IDENTIFIER if is_own else UNBOUND)
            return
        mode = Mode.PATCHED if frame.is_patched else Mode.CHAIN
        form = Kind.PATCH_TARGET if frame.is_patched else chain.form
        for origin in dict.fromkeys(origins):
            path = origin.below(*chain.attributes)
            if not has_word and not self._may_lead_on(path, chain, mode):
                continue
            start, end = self.span(chain.node, frame)
            bound = len(origin.parts)
            reference = Reference(start, end, form, mode, path, bound, context=frame.context)
            self.add(reference, has_word=has_word)

    def _may_lead_on(self, path: Origin, chain: _Chain, mode: Mode) -> bool:
        """Say whether a chain without a legacy word can still reach one through a facade."""
        if mode is Mode.CHAIN and not chain.attributes:
            return False
        return bool(path.level) or path.parts[0] not in _STANDARD_LIBRARY

    def _assign(self) -> dict[int, int | Fixed]:
        """Give each word to the smallest claim around it; a reference wins over a decision."""
        found: dict[int, int | Fixed] = {}
        for index, word in enumerate(self.words):
            around = [
                (end - start, isinstance(owner, Fixed), position)
                for position, (start, end, owner) in enumerate(self._claims)
                if start <= word.start and word.end <= end
            ]
            if around:
                found[index] = self._claims[min(around)[2]][2]
        return found


def chain_of(node: ast.AST | None) -> list[str] | None:
    """Return `["a", "b"]` for the expression `a.b`, None for any other form."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    names.append(node.id)
    return names[::-1]
