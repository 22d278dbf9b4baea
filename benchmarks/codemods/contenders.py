"""The programs that are measured, and the targets that are set for ours."""

import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.codemods.corpus import Corpus, copy
from benchmarks.codemods.forms import FORMS
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
# A run that did its work on the tree: a scan or a plan of planted uses is red.
_CLEAN = frozenset({0})
_FOUND = frozenset({1, 4})
# Parts of the corpus are no Python that LibCST reads.
_RENAMED = frozenset({0, 1})


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

    def grep(name: str, tree: Path, code: int) -> Contender:
        command = ("grep", "-rlF", DEFAULT_ROOT, str(tree))
        return Contender(name, command, name, frozenset({code}), every)

    def ours(name: str, *arguments: str, floor: str = GREP) -> Contender:
        prepare = fresh if name == WRITE else None
        codes = _FOUND if floor == GREP else _CLEAN
        if name in {DRY_RUN, WRITE}:
            codes |= _CLEAN  # every planted use may have been rewritten; the recall is counted
        return Contender(name, (*_OURS, *arguments), floor, codes, every, prepare)

    listed = [
        grep(GREP_CLEAN, corpus.clean, 1),
        ours(SCAN_CLEAN, "scan", str(corpus.clean), floor=GREP_CLEAN),
        grep(GREP, corpus.planted, 0),
        ours(SCAN, "scan", str(corpus.planted), "--format", "json", "--output", str(report)),
        ours(DRY_RUN, "codemod", str(corpus.planted)),
        ours(WRITE, "codemod", "--write", "--allow-dirty", str(written)),
    ]
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is not None:
        ban = f'lint.flake8-tidy-imports.banned-api."{DEFAULT_ROOT}".msg = "legacy"'
        options = ("--isolated", "--no-cache", "--quiet", "--select", "TID251", "--config", ban)
        command = (ruff, "check", *options, str(corpus.planted))
        listed.append(Contender(RUFF, command, GREP, frozenset({1}), every))
    if sample:
        names = random.Random(seed).sample(modules(corpus.planted), sample)
        used = next(item.path for item in corpus.plants if item.form == FORMS[0].name)
        listed.append(_rename(corpus.planted, few, [used, *names[1:]]))
    return listed, Products(report, written)


def _rename(tree: Path, few: Path, names: list[str]) -> Contender:
    def fresh() -> None:
        shutil.rmtree(few, ignore_errors=True)
        for name in names:
            (few / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / name, few / name)

    command = (
        *(sys.executable, "-m", "libcst.tool", "codemod", "rename.RenameCommand"),
        *("-j", "1", "--no-format"),
        *("--old_name", f"{DEFAULT_ROOT}.execute_segment", "--new_name", "engine.execute_workflow"),
        *(str(few / name) for name in names),
    )

    def has_worked() -> bool:
        return (few / names[0]).read_bytes() != (tree / names[0]).read_bytes()

    return Contender(RENAME, command, GREP, _RENAMED, len(names), fresh, has_worked)
