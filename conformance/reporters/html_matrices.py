"""The tables of a chaos campaign as rows and columns, in the order in which they were measured."""

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.report_model_chaos import Chaos, CoverageCell, KillCell


@dataclass(frozen=True)
class Cell:
    """One cell: its text, its style (`good`, `bad`, `unsure`, `none`), and what it means."""

    text: str
    style: str
    title: str


@dataclass(frozen=True)
class Matrix:
    """Named rows of cells under named columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    summary: str


_NOT_RUN = Cell("", "none", "not run")


def coverage(chaos: Chaos) -> Matrix | None:
    """Return call sites by kinds of fault: cases that fired of those that ran."""
    if not chaos.coverage:
        return None
    cells = {(cell.site, cell.kind): _covered(cell) for cell in chaos.coverage}
    rows = _distinct(cell.site for cell in chaos.coverage)
    columns = _distinct(cell.kind for cell in chaos.coverage)
    covered = sum(cell.fired > 0 for cell in chaos.coverage)
    violated = sum(cell.violations > 0 for cell in chaos.coverage)
    summary = f"{covered} of {len(rows) * len(columns)} cells covered, {violated} with violations"
    return _matrix(rows, columns, cells, summary)


def kills(chaos: Chaos) -> Matrix | None:
    """Return mutants by kinds of fault: which kind kills which mutant."""
    if not chaos.mutants:
        return None
    harmless = {mutant.id for mutant in chaos.mutants if mutant.harmless}
    cells = {(cell.mutant, cell.kind): _kill(cell, harmless) for cell in chaos.kills}
    columns = _distinct(cell.kind for cell in chaos.kills)
    killed = {cell.mutant for cell in chaos.kills if cell.killed}
    wanted = [mutant.id for mutant in chaos.mutants if not mutant.harmless]
    summary = (
        f"{sum(name in killed for name in wanted)} of {len(wanted)} mutants killed, "
        f"{len(killed & harmless)} of {len(harmless)} harmless ones flagged"
    )
    return _matrix([mutant.id for mutant in chaos.mutants], columns, cells, summary)


def _covered(cell: CoverageCell) -> Cell:
    title = f"{cell.fired} of {cell.runs} fired, {cell.violations} violations"
    if cell.violations:
        return Cell(f"✗ {cell.violations}", "bad", title)
    if not cell.fired:
        return Cell(f"0/{cell.runs}", "unsure", title)
    return Cell(f"{cell.fired}/{cell.runs}", "good", title)


def _kill(cell: KillCell, harmless: set[str]) -> Cell:
    if cell.killed:
        style = "bad" if cell.mutant in harmless else "good"
        return Cell("killed", style, cell.witness or "killed")
    return Cell("survived", "none", "survived")


def _matrix(
    rows: list[str], columns: list[str], cells: dict[tuple[str, str], Cell], summary: str
) -> Matrix:
    return Matrix(
        columns=tuple(columns),
        rows=tuple(
            (row, tuple(cells.get((row, column), _NOT_RUN) for column in columns)) for row in rows
        ),
        summary=summary,
    )


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
