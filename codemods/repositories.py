"""The repositories of a batch: a list in a text file, or a glob of folders."""

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from codemods.errors import CodemodError
from codemods.staging import STATE_FOLDER

_COMMENT = b"#"
_INDEX_ENTRY_BYTES = 100  # what git needs for one file, roughly
_COUNTED_ENTRIES = 5_000  # beyond these, which repository is the largest is clear enough


class ListError(CodemodError):
    """The list of repositories cannot be read: name a text file or a pattern in quotes."""

    code = "CODEMOD_LIST"


@dataclass(frozen=True, slots=True)
class RepositoryList:
    """What a batch goes over.

    Attributes:
        source: what the user gave.
        state: the folder for the state of the batch, beside the list.
        repositories: absolute paths, each once, in the order of the list; not all need exist.
    """

    source: str
    state: Path
    repositories: tuple[Path, ...]


def read_list(given: str) -> RepositoryList:
    """Read a list: one path a line, relative to its folder, `#` begins a comment; or expand a glob.

    Raises:
        ListError: there is no such file, and no folder matches.
    """
    path = Path(given)
    if path.is_file():
        folder = Path(os.path.abspath(path.parent))  # noqa: PTH100 - links keep their names
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise ListError(error.strerror or "cannot be read", place=given) from None
        named = [folder / os.fsdecode(line) for line in map(_stripped, lines) if line]
    else:
        folder = Path(os.path.abspath(_fixed_part(path)))  # noqa: PTH100 - the same
        named = [Path(item) for item in sorted(glob.glob(given)) if Path(item).is_dir()]  # noqa: PTH207 - `Path.glob` takes no absolute pattern
        if not named or not glob.has_magic(given):
            raise ListError(
                "no such list, and no folder that matches",
                place=given,
                advice="name a text file with one repository a line, or a pattern in quotes",
            )
    absolute = dict.fromkeys(Path(os.path.abspath(item)) for item in named)  # noqa: PTH100 - the same
    once = {os.path.realpath(item): item for item in reversed(absolute)}
    kept = set(once.values())
    return RepositoryList(
        given, folder / STATE_FOLDER, tuple(item for item in absolute if item in kept)
    )


def _stripped(line: bytes) -> bytes:
    """Return a line without its comment, which begins the line or follows a blank."""
    text = line.strip()
    if text.startswith(_COMMENT):
        return b""
    for blank in (b" #", b"\t#"):
        text = text.split(blank, 1)[0]
    return text.strip()


def _fixed_part(pattern: Path) -> Path:
    parts: list[str] = []
    for part in pattern.parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts) if parts else Path()


def size_of(repository: Path) -> int:
    """Return about how many files a repository has, quickly: for the order of the work only."""
    try:
        return (repository / ".git" / "index").stat().st_size // _INDEX_ENTRY_BYTES
    except OSError:
        pass
    count = 0
    for _, folders, files in os.walk(repository):
        folders[:] = [name for name in folders if not name.startswith(".")]
        count += len(files)
        if count > _COUNTED_ENTRIES:
            break
    return count
