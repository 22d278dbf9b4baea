"""Edits as spans: what lies outside of them is identical by construction."""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from codemods.errors import CodemodError
from codemods.source import declared_encoding, decode_python, decode_text

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


class EditError(CodemodError):
    """The edits do not fit the text or its encoding; nothing was changed."""

    code = "CODEMOD_EDIT"


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the characters from `start` to `end`, which read `old`, by `new`."""

    start: int
    end: int
    old: str
    new: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with all edits applied; insertions at one place keep their order.

    Raises:
        EditError: two edits overlap, or a span does not read what its edit says.
    """
    return "".join(kept_or_new for kept_or_new, _ in _pieces(text, edits))


def apply_to_bytes(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes of a module with edits given in characters; every other byte is kept.

    Raises:
        EditError: as `apply_edits`, or the encoding does not give back the bytes it was read from.
    """
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    encoding = "utf-8" if bom else declared_encoding(data)
    return _apply(data, bom, encoding, decode_python(data), edits)


def apply_to_text_bytes(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes of any other text with edits given in characters of `decode_text`.

    Raises:
        EditError: as `apply_to_bytes`.
    """
    bom = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    text = decode_text(data)
    encoding = _MARKS.get(bom, "utf-8")
    if not bom and text.encode("utf-8", "surrogatepass") != data:
        encoding = "latin-1"
    return _apply(data, bom, encoding, text, edits)


def _apply(data: bytes, bom: bytes, encoding: str, text: str, edits: Iterable[Edit]) -> bytes:
    try:
        if bom + text.encode(encoding) != data:
            raise EditError(f"its bytes cannot be written back in {encoding}")
        pieces = [piece.encode(encoding) for piece, _ in _pieces(text, edits)]
    except UnicodeError as error:
        raise EditError(f"cannot be written in {encoding}: {error}") from None
    return bom + b"".join(pieces)


def _pieces(text: str, edits: Iterable[Edit]) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    position = 0
    for edit in sorted(edits, key=lambda item: (item.start, item.end)):
        if edit.start < position:
            raise EditError(f"two edits meet at character {edit.start}")
        if text[edit.start : edit.end] != edit.old:
            raise EditError(f"character {edit.start} does not begin {edit.old!r}")
        pieces += [(text[position : edit.start], False), (edit.new, True)]
        position = edit.end
    return [*pieces, (text[position:], False)]
