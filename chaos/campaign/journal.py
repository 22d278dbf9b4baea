"""What a campaign has done so far, a line for each unit, so that an interrupted one goes on.

A journal belongs to one campaign on one state of the sources: its first line says which. A line that
was cut off when the machine went down is dropped; its unit is done again.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from pydantic import ValidationError

import chaos
import engine
from chaos.campaign.result import UnitResult

SCHEMA = "chaos-journal/v1"
FOLDER = Path(".planproof") / "chaos"


def sources_hash() -> str:
    """Return a hash of the sources of the engine and of the campaigns."""
    whole = hashlib.sha256()
    for package in (engine, chaos):
        root = Path(str(package.__file__)).parent
        for file in sorted([*root.rglob("*.py"), *root.rglob("*.toml"), *root.rglob("*.lua")]):
            whole.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()[:16]


class Journal:
    """The journal of one campaign. One process writes it."""

    def __init__(self, folder: Path, name: str, identity: str) -> None:
        """Open the journal of the campaign `name`; one of another identity is begun anew."""
        self.file = folder / f"{name}.journal.jsonl"
        self._head = json.dumps({"schema": SCHEMA, "identity": identity})
        self.done: Mapping[str, UnitResult] = self._read()
        self._out: TextIO | None = None

    def __enter__(self) -> Self:
        """Begin to write."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lines = [self._head, *(done.model_dump_json() for done in self.done.values())]
        text = "".join(f"{line}\n" for line in lines)
        beside = self.file.with_suffix(".new")
        beside.write_text(text, "utf-8")
        beside.replace(self.file)
        self._out = self.file.open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file; it stays for the next run."""
        if self._out is not None:
            self._out.close()

    def add(self, result: UnitResult) -> None:
        """Write one unit down."""
        assert self._out is not None  # noqa: S101 - the journal is open
        self._out.write(result.model_dump_json() + "\n")
        self._out.flush()

    def forget(self) -> None:
        """Remove the journal of a campaign that has ended."""
        self.file.unlink(missing_ok=True)

    def _read(self) -> dict[str, UnitResult]:
        if not self.file.is_file():
            return {}
        head, *lines = self.file.read_text("utf-8").splitlines() or [""]
        if head != self._head:
            return {}
        found: dict[str, UnitResult] = {}
        for line in lines:
            try:
                result = UnitResult.model_validate_json(line)
            except ValidationError:
                continue
            found[result.unit] = result
        return found
