"""Planting legacy uses into a tree, and counting which of them a scan finds."""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.codemods.forms import FORMS, LEGACY, OTHER, Form
from codemods.settings import DEFAULT_ROOT

SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Plant:
    """One file with a legacy use.

    Attributes:
        path: relative to the tree, posix.
        form: the name of the form.
        size: bytes of the file before, which no migration may change.
        lines: the numbers of the lines that a scan must list.
    """

    path: str
    form: str
    size: int
    lines: tuple[int, ...]


def modules(tree: Path) -> list[str]:
    """Return the Python files below `tree`, relative, in a fixed order."""
    return sorted(file.relative_to(tree).as_posix() for file in tree.rglob("*.py"))


def plant(tree: Path, seed: int, share: float = SHARE) -> list[Plant]:
    """Append a legacy use to a share of the modules of `tree`, each form equally often.

    The same tree and seed give the same plants. Files are replaced, never written to, so that a
    tree of hard links leaves the files that it shares alone.
    """
    names = modules(tree)
    count = max(1, round(len(names) * share))
    chosen = random.Random(seed).sample(names, count)
    plants: list[Plant] = []
    index = 0
    while chosen:
        form = FORMS[index % len(FORMS)]
        index += 1
        path = chosen.pop()
        if form.other:
            module = _dotted(path)
            if not chosen or module is None:
                form = FORMS[0]
            else:
                plants.append(_append(tree, chosen.pop(), form, form.other, module))
        plants.append(_append(tree, path, form, form.text))
    return sorted(plants, key=lambda item: item.path)


def _dotted(path: str) -> str | None:
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None


def _append(tree: Path, path: str, form: Form, text: str, other: str = "") -> Plant:
    file = tree / path
    before = file.read_bytes()
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before or before.endswith((b"\n", b"\r")) else end
    wanted = (LEGACY, OTHER)
    lines = text.splitlines()
    body = [line.replace(LEGACY, DEFAULT_ROOT).replace(OTHER, other).encode() for line in lines]
    after = before + gap + end.join((*body, b""))
    replacement = file.with_name(f"{file.name}.planted")
    replacement.write_bytes(after)
    replacement.replace(file)
    first = len((before + gap).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    listed = (first + at for at, line in enumerate(lines) if any(item in line for item in wanted))
    return Plant(path, form.name, len(before), tuple(listed))


def missed(plants: Sequence[Plant], occurrences: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return the places of planted uses that a scan's occurrences do not list."""
    found = {(item["path"], item["line"]) for item in occurrences}
    return [
        (item.path, line)
        for item in plants
        for line in item.lines
        if (item.path, line) not in found
    ]


def damaged(before: Path, after: Path, plants: Sequence[Plant]) -> list[str]:
    """Return the files that a migration changed outside of the planted texts."""
    sizes = {item.path: item.size for item in plants}
    names = (file.relative_to(before).as_posix() for file in before.rglob("*") if file.is_file())
    return sorted(
        name
        for name in names
        if (before / name).read_bytes()[: sizes.get(name)]
        != (after / name).read_bytes()[: sizes.get(name)]
    )


def save(plants: Sequence[Plant], file: Path) -> None:
    """Write `plants` as JSON."""
    file.write_text(json.dumps([asdict(item) for item in plants], indent=1), encoding="utf-8")


def load(file: Path) -> list[Plant]:
    """Read what `save` wrote."""
    listed = json.loads(file.read_text(encoding="utf-8"))
    return [Plant(**{**item, "lines": tuple(item["lines"])}) for item in listed]
