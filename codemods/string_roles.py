"""What a string constant or an f-string says about the legacy module, by its place in the code."""

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codemods.callees import CERTAIN_IMPORTERS, RUNNERS
from codemods.dotted_text import DOTTED, Form, Reading, read_text
from codemods.facts import Fixed, Mode, Origin, Reference
from codemods.occurrence import Kind, Status

if TYPE_CHECKING:
    from codemods.walk import Frame, Walk

_PROSE = Fixed(Status.DOCUMENTATION, Kind.PROSE, "a sentence that mentions the name")
_FILE = Fixed(Status.UNRELATED, Kind.IDENTIFIER, "the name of a file that is no module")
_ATTRIBUTE = Fixed(Status.UNRELATED, Kind.IDENTIFIER, "the name of an attribute")

_KINDS: dict[Form, Kind] = {
    Form.ENTRY_POINT: Kind.ENTRY_POINT,
    Form.COMMAND: Kind.COMMAND,
    Form.PATH: Kind.PATH,
    Form.CODE: Kind.EMBEDDED_CODE,
}

# A longer string is no dotted path to anything.
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Role:
    """Where a string stands.

    `name` is one of plain, docstring, annotation, exports (`__all__`), attribute (an attribute's
    name, of `owner`), key (of a mapping, or one side of a comparison) and call.
    """

    name: str = "plain"
    kind: Kind = Kind.STRING
    callee: str = ""
    call: ast.Call | None = None
    index: int = -1
    owner: ast.expr | None = None


PLAIN = Role()
ANNOTATION = Role("annotation")
DOCSTRING = Role("docstring")
EXPORTS = Role("exports")
KEY = Role("key")
LOOKUP = Role("call", kind=Kind.MODULE_LOOKUP)


def constant(walk: "Walk", node: ast.Constant, frame: "Frame") -> None:
    """Read one string (or bytes) constant."""
    value = node.value
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return
    if frame.role.name == "attribute" and value.isidentifier():
        _attribute(walk, node, value, frame)
        return
    for needle in walk.needles:
        if needle in value:
            _naming(walk, node, value, needle, frame)
            return
    if frame.role.name != "docstring" and "." in value and len(value) < _LONGEST_PATH:
        _other_path(walk, node, value, frame)


def _naming(walk: "Walk", node: ast.Constant, value: str, needle: str, frame: "Frame") -> None:
    """Read a string that holds the word."""
    match frame.role.name:
        case "docstring":
            _docstring(walk, node, frame)
        case "annotation":
            _annotation(walk, node, value, frame)
        case "exports" if DOTTED.fullmatch(value):
            walk.name_chain(node, (value,), frame)
        case _:
            _text(walk, walk.span(node, frame), read_text(value, needle), frame)


def joined(walk: "Walk", node: ast.JoinedStr, frame: "Frame") -> None:
    """Read an f-string; its expressions are visited like any others."""
    text = "".join(
        item.value if isinstance(item, ast.Constant) and isinstance(item.value, str) else "\0"
        for item in node.values
    )
    needle = next((item for item in walk.needles if item in text), None)
    if needle is not None:
        _text(walk, walk.span(node, frame), read_text(text, needle), frame)


def importer_call(walk: "Walk", node: ast.Call, callee: tuple[str, ...], frame: "Frame") -> None:
    """Doubt a dynamic import whose argument holds no text that decides it."""
    if not callee or callee[-1] not in CERTAIN_IMPORTERS or not node.args:
        return
    first = node.args[0]
    if isinstance(first, ast.Name):
        walk.importer_name(first.id, first, frame)
    elif not isinstance(first, ast.Constant) and not _has_word(walk, first):
        walk.doubt(first, frame, "dynamic import of a value that is not known")


def _has_word(walk: "Walk", node: ast.expr) -> bool:
    return any(
        isinstance(item, ast.Constant)
        and isinstance(item.value, str)
        and any(needle in item.value for needle in walk.needles)
        for item in ast.walk(node)
    )


def _other_path(walk: "Walk", node: ast.Constant, value: str, frame: "Frame") -> None:
    """Keep a dotted path that may lead through a facade to a legacy name."""
    path = value.replace(":", ".", 1)
    if DOTTED.fullmatch(path):
        span = walk.span(node, frame)
        origin = Origin(tuple(path.split(".")))
        walk.add(Reference(*span, frame.role.kind, Mode.TEXT, origin, context=frame.context))


def _docstring(walk: "Walk", node: ast.Constant, frame: "Frame") -> None:
    start, end = walk.span(node, frame)
    for word in walk.words:
        if start <= word.start and word.end <= end:
            line, _ = walk.source.line_column(word.start)
            is_doctest = walk.source.line_text(line).lstrip().startswith((">>>", "..."))
            kind = Kind.DOCTEST if is_doctest else Kind.DOCSTRING
            walk.fix((word.start, word.end), Fixed(Status.DOCUMENTATION, kind, "documentation"))


def _annotation(walk: "Walk", node: ast.Constant, value: str, frame: "Frame") -> None:
    from codemods.walk import chain_of  # noqa: PLC0415 - the walk calls this module

    span = walk.span(node, frame)
    try:
        tree = ast.parse(value.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        reason = "a string annotation that cannot be parsed"
        walk.fix(span, Fixed(Status.UNDECIDED, Kind.ANNOTATION, reason))
        return
    for item in ast.walk(tree):
        chain = chain_of(item)
        if chain is not None and not walk.needles.isdisjoint(chain):
            inner = walk.at(span, frame)
            walk.name_chain(node, chain, inner, form=Kind.ANNOTATION, as_text=True)
            return
    walk.fix(span, _PROSE)


def _attribute(walk: "Walk", node: ast.Constant, value: str, frame: "Frame") -> None:
    from codemods.walk import chain_of  # noqa: PLC0415 - the walk calls this module

    owner = chain_of(frame.role.owner)
    if owner is None:
        walk.fix(walk.span(node, frame), _ATTRIBUTE)
    else:
        walk.name_chain(node, (*owner, value), frame, form=frame.role.kind)


def _text(walk: "Walk", span: tuple[int, int], reading: Reading, frame: "Frame") -> None:
    role = frame.role
    kind = _KINDS.get(reading.form, role.kind)
    match reading.form:
        case Form.PROSE:
            if role.callee in RUNNERS:
                reason = "a program or command that cannot be read"
                walk.fix(span, Fixed(Status.UNDECIDED, Kind.EMBEDDED_CODE, reason))
            else:
                walk.fix(span, _PROSE)
        case Form.FILE:
            walk.fix(span, _FILE)
        case Form.TEMPLATE:
            walk.fix(span, Fixed(Status.UNDECIDED, kind, "a part of this path is not known"))
        case Form.CODE if role.callee not in RUNNERS:
            walk.fix(span, Fixed(Status.UNDECIDED, kind, "a program in a string"))
        case Form.RELATIVE:
            origin = _relative(reading, role)
            if origin is None:
                reason = "a relative path whose package is not known"
                walk.fix(span, Fixed(Status.UNDECIDED, kind, reason))
            else:
                walk.add(Reference(*span, kind, Mode.TEXT, origin, context=frame.context))
        case _:
            is_key = role.name == "key" and len(reading.parts) == 1
            origin = Origin(reading.parts)
            walk.add(
                Reference(*span, kind, Mode.TEXT, origin, context=frame.context, is_key=is_key)
            )


def _relative(reading: Reading, role: Role) -> Origin | None:
    """Return the path of `import_module(".jobs", package)`; None if the package is not known."""
    if role.kind is not Kind.DYNAMIC_IMPORT or role.call is None or role.index != 0:
        return None
    packages = [
        *role.call.args[1:2],
        *(keyword.value for keyword in role.call.keywords if keyword.arg == "package"),
    ]
    package = packages[0] if packages else None
    if isinstance(package, ast.Constant) and isinstance(package.value, str):
        above = package.value.split(".")
        kept = above[: len(above) - reading.level + 1]
        return Origin((*kept, *reading.parts))
    if isinstance(package, ast.Name) and package.id in {"__package__", "__name__"}:
        return Origin(reading.parts, reading.level)
    return None
