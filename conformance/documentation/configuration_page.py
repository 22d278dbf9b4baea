"""The page of the configuration: every key below `[tool.planproof]`, from the settings' classes."""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from codemods.migration_settings import MigrationSettings
from codemods.settings import AllowEntry, ScanSettings
from conformance.config import TABLE, Attestation, RunSettings, Settings
from conformance.documentation.attributes import described, prose
from conformance.documentation.markdown import code, table

INTRODUCTION = f"""\
`planproof` reads `[{TABLE}]` of the nearest `pyproject.toml`. An empty table is valid; a key that is not
known is an error that names the nearest one. Paths count from that file."""

# Sections that another package reads: name -> its settings.
FOREIGN: Mapping[str, type] = {"scan": ScanSettings, "codemod": MigrationSettings}


def configuration_page() -> str:
    """Return the page."""
    parts = ["# Configuration", INTRODUCTION]
    sections = described(Settings, Settings.model_fields)
    for name, field in Settings.model_fields.items():
        parts += [f"## {code(f'{TABLE}.{name}')}", _sentence(sections[name])]
        if name in FOREIGN:
            parts.append(_dataclass_table(FOREIGN[name]))
        elif name == "checklist":
            parts.append(_model_table(Attestation))
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts += [*prose(field.annotation), _model_table(field.annotation)]
        if name == "scan":
            parts += ["Each entry of `allow` has:", _dataclass_table(AllowEntry)]
        elif name == "profile":
            parts += ["Each of them has:", _model_table(RunSettings)]
    return "\n\n".join(parts) + "\n"


def _model_table(model: type[BaseModel]) -> str:
    said = described(model, model.model_fields)
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else shown(field.get_default())
        rows.append((code(name), said[name], default))
    return table(("key", "meaning", "default"), rows)


def _dataclass_table(owner: type) -> str:
    fields = tuple(_fields(owner))
    said = described(owner, (field.name for field in fields))
    rows = [
        (
            code(field.name),
            said[field.name],
            "required" if field.default is dataclasses.MISSING else shown(field.default),
        )
        for field in fields
    ]
    return table(("key", "meaning", "default"), rows)


def _fields(owner: type) -> Iterator["dataclasses.Field[Any]"]:
    if not dataclasses.is_dataclass(owner):
        raise TypeError(f"{owner.__qualname__} is no dataclass")
    yield from dataclasses.fields(owner)


def shown(value: object) -> str:
    """Return a default as TOML writes it; nothing for "not set" and for what is empty."""
    if value is None or value == ():
        return "" if value is None else code("[]")
    if isinstance(value, BaseModel):
        inner = ", ".join(f"{name} = {_toml(each)}" for name, each in value)
        return code(f"{{ {inner} }}")
    return code(_toml(value))


def _toml(value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, dt.date | Path):
        return str(value)
    return json.dumps(value)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
