"""What shadow runs show, written down: the sink of `engine.router.Router(reported=...)`."""

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from conformance.recording.line_file import LineFile
from conformance.recording.redaction import Redaction, UnrecordableError
from engine.shadow import ShadowReport

SCHEMA: Final = "shadow/v1"


class ShadowLine(ShadowReport):
    """One line of shadow/v1: what a shadow run showed."""

    schema_: Literal["shadow/v1"] = Field(default=SCHEMA, alias="schema")


class ShadowLog:
    """Appends each report as a line that `planproof shadow` reads. It never raises."""

    def __init__(self, path: str | Path, *, redaction: Redaction | None = None) -> None:
        """Name the file, and what may be written of outputs that differ."""
        self.file = LineFile(path)
        self.redaction = redaction or Redaction()

    def __call__(self, report: ShadowReport) -> None:
        """Append `report`; values that may not be written are left out, the difference stays."""
        document = report.model_dump(mode="json")
        for difference in document["differences"]:
            name = difference["path"].rpartition(".")[2]
            for side in ("legacy", "unified"):
                difference[side] = self._clean(difference[side], name)
        document["reason"] = self._clean(document["reason"], "reason")
        line = ShadowLine.model_validate(document)
        self.file.append({"schema": SCHEMA} | line.model_dump(mode="json", by_alias=True))

    def _clean(self, value: Any, path: str) -> Any:
        try:
            return self.redaction.clean(value, path, set())
        except UnrecordableError as error:
            return f"[not recorded: {error}]"
