"""Writing a group of files, all or nothing, and taking the last group back.

A journal with every file's bytes is durable before the first file changes, so a run that was killed
can be undone.
"""

import base64
import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codemods.errors import CodemodError
from codemods.migration import Change

JOURNAL = Path(".planproof", "codemod-journal.json")
_SCHEMA = "codemod-journal/v1"


class WriteError(CodemodError):
    """The group could not be written, or not be taken back; no file was left half written."""

    code = "CODEMOD_WRITE"


def write_group(root: Path, changes: Sequence[Change]) -> None:
    """Write all changes or none.

    Raises:
        WriteError: an earlier run was interrupted, a file has changed meanwhile, or the system
            refuses a write; what had been replaced is put back.
    """
    if not changes:
        return
    journal = root / JOURNAL
    if _state(journal) == "writing":
        advice = "take it back with --undo"
        raise WriteError("an earlier run was interrupted", place=str(journal), advice=advice)
    _write_journal(journal, "writing", changes)
    staged: list[tuple[Change, Path]] = []
    replaced: list[Change] = []
    try:
        staged.extend((change, _stage(Path(change.path), change.after)) for change in changes)
        _demand_unchanged(changes)
        for change, temporary in staged:
            temporary.replace(change.path)
            replaced.append(change)
        _write_journal(journal, "done", changes)
    except (OSError, WriteError) as error:
        for change in replaced:
            _stage(Path(change.path), change.before).replace(change.path)
        journal.unlink(missing_ok=True)
        if isinstance(error, WriteError):
            raise
        place = str(error.filename or journal)
        raise WriteError(error.strerror or str(error), place=place) from None
    finally:
        for _, temporary in staged:
            temporary.unlink(missing_ok=True)


def _demand_unchanged(changes: Sequence[Change]) -> None:
    for change in changes:
        if Path(change.path).read_bytes() != change.before:
            raise WriteError("has changed since it was read", place=change.shown)


def undo(root: Path) -> list[str]:
    """Give every file of the last run its earlier bytes; return their paths.

    Raises:
        WriteError: there is no run to undo, or a file has been changed after it.
    """
    journal = root / JOURNAL
    document = _read(journal)
    if document is None:
        raise WriteError("there is no run to undo", place=str(journal))
    pending: list[tuple[Path, bytes]] = []
    for entry in document["files"]:
        path = root / os.fsdecode(base64.b64decode(entry["path"]))
        before = base64.b64decode(entry["before"])
        current = path.read_bytes() if path.exists() else b""
        if current == before:
            continue
        if _digest(current) != entry["after_sha256"]:
            raise WriteError("has been changed since the run", place=str(path))
        pending.append((path, before))
    for path, before in pending:
        _stage(path, before).replace(path)
    journal.unlink()
    return [str(path) for path, _ in pending]


def patch_of(changes: Sequence[Change]) -> bytes:
    """Return the changes as a patch that `git apply` takes."""
    lines: list[bytes] = []
    for change in changes:
        name = os.fsencode(change.shown)
        diff = difflib.diff_bytes(
            difflib.unified_diff,
            _lines(change.before),
            _lines(change.after),
            b"a/" + name,
            b"b/" + name,
        )
        for line in diff:
            lines.append(line)
            if not line.endswith(b"\n"):
                lines.append(b"\n\\ No newline at end of file\n")
    return b"".join(lines)


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _stage(path: Path, data: bytes) -> Path:
    """Write `data` durably beside `path`, with its mode, and return the temporary file."""
    mode = path.stat().st_mode & 0o7777
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _write_journal(journal: Path, state: str, changes: Sequence[Change]) -> None:
    root = journal.parent.parent
    files = [
        {
            "path": base64.b64encode(os.fsencode(os.path.relpath(item.path, root))).decode(),
            "before": base64.b64encode(item.before).decode(),
            "after_sha256": _digest(item.after),
        }
        for item in changes
    ]
    document = {"schema_version": _SCHEMA, "state": state, "files": files}
    try:
        journal.parent.mkdir(exist_ok=True)
        (journal.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        if not journal.exists():
            journal.touch()
        _stage(journal, json.dumps(document).encode()).replace(journal)
    except OSError as error:
        raise WriteError(error.strerror or str(error), place=str(journal)) from None


def _read(journal: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(journal.read_bytes() or b"null")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WriteError(f"the journal cannot be read: {error}", place=str(journal)) from None
    return document


def _state(journal: Path) -> str:
    document = _read(journal)
    return "" if document is None else str(document["state"])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
