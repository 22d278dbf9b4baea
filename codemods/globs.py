"""Path globs of the settings, over posix paths relative to the project's root.

`*` and `?` stay within one folder, `**` spans folders. A pattern without a slash applies to
names at any depth; a pattern that names a folder covers everything below it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/").removeprefix("./")
    parts: list[str] = [] if anchored else ["(?:.*/)?"]
    index = 0
    while index < len(body):
        if body.startswith("**/", index):
            parts.append("(?:.*/)?")
            index += 3
        elif body.startswith("**", index):
            parts.append(".*")
            index += 2
        else:
            character = body[index]
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(character) or re.escape(character))
            index += 1
    return re.compile("".join(parts) + "(?:/.*)?", re.DOTALL)


def matches(path: str, pattern: str) -> bool:
    """Say whether `pattern` covers `path` or a folder above it."""
    return _compiled(pattern).fullmatch(path) is not None


def first_match(path: str, patterns: Sequence[str]) -> str | None:
    """Return the first of `patterns` that covers `path`."""
    return next((pattern for pattern in patterns if matches(path, pattern)), None)
