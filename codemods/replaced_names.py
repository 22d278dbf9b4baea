"""Names that tests may replace without a path that can be read: by a keyword, a variable, a template.

A name that a module is to lose must not be one that `patch.multiple("app", run=fake)` or
`patch(f"{APP}.run")` looks for. What is found here is only a suspicion, and costs the direct form.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from codemods.discovery import discover
from codemods.prefilter import read

# A file without one of these replaces nothing.
_REPLACERS = (b"patch", b"setattr", b"mocker")
_SUFFIX = ".py"


def replaced_names(
    folders: Iterable[str], names: Mapping[str, Collection[str]]
) -> Mapping[str, tuple[str, ...]]:
    """Return the symbols whose local names stand in files that replace something.

    Args:
        folders: the projects.
        names: local names with the symbols that they stand for.

    Returns:
        Each symbol with the absolute paths of those files.
    """
    if not names:
        return {}
    word = re.compile(
        rb"(?<![\w])(?:" + b"|".join(re.escape(name.encode()) for name in names) + rb")(?![\w])"
    )
    found: dict[str, list[str]] = {}
    for folder in folders:
        listed = discover(Path(folder))
        for name in listed.names:
            path = os.path.join(listed.folder, name)  # noqa: PTH118 - names need not be Unicode
            data = read(path, folder) if name.endswith(_SUFFIX) else b""
            if not isinstance(data, bytes) or not any(item in data for item in _REPLACERS):
                continue
            for local in {match.group().decode() for match in word.finditer(data)}:
                for symbol in names[local]:
                    found.setdefault(symbol, []).append(path)
    return {symbol: tuple(dict.fromkeys(paths)) for symbol, paths in found.items()}
