"""The baseline: how many uses of the legacy module each file may have, and may not fall short of.

A ratchet: a new use fails, and so does one that is gone while the baseline still allows it, because
somebody could put it back unseen. Pure, but for reading and writing the file.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conformance.errors import UsageError

if TYPE_CHECKING:
    from codemods.report import ScanReport

SCHEMA: Final = "baseline/v1"
FILE: Final = "planproof-baseline.json"

# Group ("production use", "test undecided", ...) -> file -> how many.
Counts = Mapping[str, Mapping[str, int]]


class Baseline(BaseModel):
    """One baseline/v1 document.

    Attributes:
        uses: group (`production use`, `test undecided`, ...) -> file -> how many.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    schema_: Literal["baseline/v1"] = Field(alias="schema")
    uses: dict[str, dict[str, Annotated[int, Field(gt=0)]]]


@dataclass(frozen=True, slots=True)
class Change:
    """One file whose count is not that of the baseline."""

    group: str
    file: str
    allowed: int
    found: int

    @property
    def is_more(self) -> bool:
        """Whether there are new ones."""
        return self.found > self.allowed

    def line(self) -> str:
        """Return it in words."""
        word = "more" if self.is_more else "fewer"
        return f"{word}: {self.file}: {self.group}: {self.found}, the baseline says {self.allowed}"


def counts_of(report: "ScanReport") -> Counts:
    """Return the counts of a scan: uses, and places that could not be decided."""
    from codemods.occurrence import Status  # noqa: PLC0415 - needs LibCST

    found: dict[str, Counter[str]] = {}
    for status in (Status.USE, Status.UNDECIDED):
        for item in report.of(status):
            found.setdefault(f"{item.scope} {status}", Counter())[item.path] += 1
    return found


def changes(allowed: Counts, found: Counts) -> tuple[Change, ...]:
    """Return what differs, the new ones first."""
    listed = [
        Change(group, file, allowed.get(group, {}).get(file, 0), found.get(group, {}).get(file, 0))
        for group, file in sorted({*_keys(allowed), *_keys(found)})
    ]
    differing = [change for change in listed if change.allowed != change.found]
    return tuple(sorted(differing, key=lambda change: not change.is_more))


def _keys(counts: Counts) -> Iterator[tuple[str, str]]:
    return ((group, file) for group, files in counts.items() for file in files)


def text_of(counts: Counts) -> str:
    """Return the file's text: sorted, so that two branches that change it merge well."""
    groups = {group: dict(sorted(files.items())) for group, files in sorted(counts.items())}
    return Baseline(schema=SCHEMA, uses=groups).model_dump_json(by_alias=True, indent=2) + "\n"


def read_baseline(file: Path) -> Counts:
    """Return the counts of a file.

    Raises:
        UsageError: it is missing, cannot be read, or is no baseline.
    """
    try:
        document: Any = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        advice = "`planproof baseline update` writes it"
        raise UsageError("there is no baseline", place=str(file), advice=advice) from None
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(file)) from None
    except json.JSONDecodeError as error:
        place = f"{file}:{error.lineno}:{error.colno}"
        raise UsageError(f"invalid JSON: {error.msg}", place=place) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(file)) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"is no {SCHEMA} document", place=str(file))
    try:
        return Baseline.model_validate(document).uses
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(f"{where}: expected counts by group and file", place=str(file)) from None
