"""The page of the formats: what the top level of each published JSON Schema says."""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.documentation.attributes import attributes_in, without_attributes
from conformance.documentation.markdown import code, table
from conformance.schemas import FORMATS, schema

# Documents that people write: their inner records are shown, too.
WRITTEN = ("scenario", "ledger")

INTRODUCTION = """\
Documents that planproof reads or writes. `planproof schema NAME` prints the whole JSON Schema; this page
has the top level of each, and the inner records of those that people write. Fields are only ever added."""

Schema = Mapping[str, Any]


def format_page() -> str:
    """Return the page."""
    parts = ["# Formats", INTRODUCTION]
    for name in FORMATS:
        document = schema(name)
        parts += [f"## {name}", f"{code(f'planproof schema {name}')}: {code(document['$id'])}"]
        for variant in _variants(document):
            parts += _variant(variant, document)
        if name in WRITTEN:
            for inner in document.get("$defs", {}).values():
                parts += _variant(inner, document) if "properties" in inner else ()
    return "\n\n".join(parts) + "\n"


def _variants(document: Schema) -> list[Schema]:
    """Return the kinds of document: one, unless the schema is a choice."""
    choice = document.get("anyOf") or document.get("oneOf")
    return [_resolved(each, document) for each in choice] if choice else [document]


def _variant(variant: Schema, document: Schema) -> Iterator[str]:
    docstring = str(variant.get("description", ""))
    about, said = " ".join(without_attributes(docstring).split()), attributes_in(docstring)
    title = str(variant.get("title", ""))
    yield f"**{title}.** {about}".strip() if title else about
    required = set(variant.get("required", ()))
    rows = [
        (code(name), _kind(each, document), "yes" if name in required else "", said.get(name, ""))
        for name, each in variant.get("properties", {}).items()
    ]
    if rows:
        headings = ("field", "type", "required", "meaning")
        width = len(headings) if said else len(headings) - 1
        yield table(headings[:width], [row[:width] for row in rows])


def _resolved(part: Schema, document: Schema) -> Schema:
    reference = part.get("$ref")
    if reference is None:
        return part
    found: Any = document
    for name in str(reference).removeprefix("#/").split("/"):
        found = found[name]
    return found  # type: ignore[no-any-return]  # JSON


def _kind(part: Schema, document: Schema) -> str:
    """Return the type of a field in a few words."""
    if "const" in part:
        return code(repr(part["const"]).replace("'", '"'))
    if "enum" in part:
        return " or ".join(code(repr(each).replace("'", '"')) for each in part["enum"])
    if "$ref" in part:
        found = _resolved(part, document)
        return _kind(found, document) if "enum" in found else str(found.get("title", "object"))
    choice = part.get("anyOf") or part.get("oneOf")
    if choice:
        return " or ".join(dict.fromkeys(_kind(each, document) for each in choice))
    if part.get("type") == "array":
        return f"list of {_kind(part['items'], document)}" if "items" in part else "list"
    return str(part.get("type", "any"))
