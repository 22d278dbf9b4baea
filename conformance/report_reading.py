"""Reading a report back: a `run/v1` document, or a command's own document that holds one."""

import json
import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conformance.errors import UsageError
from conformance.report_model import SCHEMA, RunReport

MAX_BYTES = 256 * 1024 * 1024  # of one report; a larger file is none


def read_report(path: Path) -> RunReport:
    """Return the report in `path`, as `--format json` or `--report json=FILE` has written it.

    Raises:
        UsageError: the file cannot be read or is no report; the message names the wrong field.
    """
    document = _document(path)
    if isinstance(document, dict) and isinstance(document.get("run"), dict):
        document = document["run"]
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(
            f"is no report: there is no {SCHEMA} document in it",
            place=str(path),
            advice="write one with `--report json=FILE`",
        )
    try:
        return RunReport.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise UsageError(f"{where}: {fault['msg']}", place=str(path)) from None


def _document(path: Path) -> Any:
    try:
        found = path.stat()
        if stat.S_ISCHR(found.st_mode):  # it may have no end
            raise UsageError("is a device, not a report", place=str(path))
        if found.st_size > MAX_BYTES:
            raise UsageError("is too large for a report", place=str(path))
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", place=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", place=str(path)) from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"is not JSON: {error.msg}", place=f"{path}:{error.lineno}:{error.colno}"
        ) from None
    except RecursionError:
        raise UsageError("is nested too deeply", place=str(path)) from None
