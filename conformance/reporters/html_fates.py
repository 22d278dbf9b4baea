"""The picture of where executors break: a square for each point, in the colour of what came of it."""

from dataclasses import dataclass

from conformance.report_model_chaos import Chaos

LEGEND = (
    ("clean", "clean: as if nothing had happened"),
    ("repeated", "called twice under one key"),
    ("diverged", "diverged: ended otherwise"),
    ("stuck", "stuck: never ended"),
    ("duplicated", "duplicated: an effect happened twice"),
    ("lost", "lost"),
)
LEFT, STEP, ROW, HEAD = 110, 9, 18, 24


@dataclass(frozen=True)
class Label:
    """A text at a place."""

    x: int
    y: int
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Square:
    """One point at which an executor was struck."""

    x: int
    y: int
    fate: str
    title: str


@dataclass(frozen=True)
class Picture:
    """Everything that the picture shows; lengths are pixels."""

    width: int
    height: int
    labels: tuple[Label, ...]
    squares: tuple[Square, ...]
    legend: tuple[tuple[str, str], ...]
    summary: str


def fates(chaos: Chaos) -> Picture | None:
    """Return the picture, an executor after the other, with a row for each of its plans."""
    if not chaos.fates:
        return None
    labels: list[Label] = []
    squares: list[Square] = []
    y, executor, width = 0, "", 0
    for row in chaos.fates:
        if row.executor != executor:
            executor = row.executor
            clean = sum(
                fate in ("clean", "repeated")
                for one in chaos.fates
                if one.executor == executor
                for fate in one.fates
            )
            total = sum(len(one.fates) for one in chaos.fates if one.executor == executor)
            y += HEAD
            labels.append(
                Label(0, y, f"{executor}: {clean} of {total} points do no harm", strong=True)
            )
            y += 6
        labels.append(Label(8, y + 11, row.plan))
        for at, (fate, case) in enumerate(zip(row.fates, row.cases, strict=True)):
            squares.append(Square(LEFT + at * STEP, y, fate, f"{case}: {fate}"))
        width = max(width, LEFT + len(row.fates) * STEP)
        y += ROW
    met = {square.fate for square in squares}
    legend = tuple(pair for pair in LEGEND if pair[0] in met)
    summary = "; ".join(label.text for label in labels if label.strong)
    return Picture(max(width, 420), y + 6, tuple(labels), tuple(squares), legend, summary)
