"""The programs that are measured, and the targets that are set for ours."""

import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.codemods.corpus import Corpus, copy
from benchmarks.codemods.measurement import Contender
from benchmarks.codemods.planting import modules
from codemods.settings import DEFAULT_ROOT

GREP_CLEAN = "grep, no hits"
GREP = "grep, 1 % hits"
SCAN_CLEAN = "planproof scan, no hits"
SCAN = "planproof scan, 1 % hits"
DRY_RUN = "planproof codemod, 1 % hits"
WRITE = "planproof codemod --write, 1 % hits"
RUFF = "ruff TID251, 1 % hits"
RENAME = "LibCST RenameCommand, a sample"

_OURS = (sys.executable, "-m", "conformance.cli")
_FOUND = frozenset({0, 1})
_JUDGED = frozenset({0, 1, 4})


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for one figure of one contender."""

    contender: str
    limit: float
    figure: str = "over_floor"


TARGETS = (
    Target(SCAN_CLEAN, 3),
    Target(SCAN, 8),
    Target(DRY_RUN, 180),
    Target(WRITE, 180),
    Target(SCAN, 400, "peak_mb"),
    Target(WRITE, 400, "peak_mb"),
    # Per file, LibCST's own command over ours.
    Target(WRITE, 100, "rename_over_it"),
)


@dataclass(frozen=True, slots=True)
class Products:
    """Where the contenders leave what is checked afterwards."""

    report: Path
    written: Path


def contenders(
    corpus: Corpus, folder: Path, sample: int, seed: int
) -> tuple[list[Contender], Products]:
    """Return the contenders that are installed; the others are left out."""
    report, written, few = folder / "scan.json", folder / "written", folder / "sample"
    every = corpus.files

    def fresh() -> None:
        shutil.rmtree(written, ignore_errors=True)
        copy(corpus.planted, written)

    def grep(name: str, tree: Path) -> Contender:
        command = ("grep", "-rlF", DEFAULT_ROOT, str(tree))
        return Contender(name, command, name, _FOUND, every)

    def ours(name: str, *arguments: str, floor: str = GREP) -> Contender:
        prepare = fresh if name == WRITE else None
        return Contender(name, (*_OURS, *arguments), floor, _JUDGED, every, prepare)

    listed = [
        grep(GREP_CLEAN, corpus.clean),
        ours(SCAN_CLEAN, "scan", str(corpus.clean), floor=GREP_CLEAN),
        grep(GREP, corpus.planted),
        ours(SCAN, "scan", str(corpus.planted), "--format", "json", "--output", str(report)),
        ours(DRY_RUN, "codemod", str(corpus.planted)),
        ours(WRITE, "codemod", "--write", "--allow-dirty", str(written)),
    ]
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is not None:
        ban = f'lint.flake8-tidy-imports.banned-api."{DEFAULT_ROOT}".msg = "legacy"'
        options = ("--isolated", "--no-cache", "--quiet", "--select", "TID251", "--config", ban)
        command = (ruff, "check", *options, str(corpus.planted))
        listed.append(Contender(RUFF, command, GREP, _FOUND, every))
    if sample:
        names = random.Random(seed).sample(modules(corpus.planted), sample)
        listed.append(_rename(corpus.planted, few, names))
    return listed, Products(report, written)


def _rename(tree: Path, few: Path, names: list[str]) -> Contender:
    def fresh() -> None:
        shutil.rmtree(few, ignore_errors=True)
        for name in names:
            (few / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / name, few / name)

    command = (
        *(sys.executable, "-m", "libcst.tool", "codemod", "--jobs", "1", "--no-format"),
        "rename.RenameCommand",
        *("--old_name", f"{DEFAULT_ROOT}.execute_segment", "--new_name", "engine.execute_workflow"),
        *(str(few / name) for name in names),
    )
    return Contender(RENAME, command, GREP, _FOUND, len(names), fresh)
