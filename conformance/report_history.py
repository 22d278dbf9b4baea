"""Past runs in one SQLite file: what each found, so that a trend can be drawn.

A run is in the file once, however often it is recorded. Runs are compared with those of their own
series only: the same command, profile and executors, and for a comparison the same scenarios.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import HarnessError, UsageError
from conformance.report_model import RunReport

DEFAULT_HISTORY = Path(".planproof") / "history.sqlite"
VERSION = 1  # of the tables; kept in the file's `user_version`
MAX_RUNS = 60  # of one series that are drawn
BUSY_S = 10.0  # how long another process may hold the file
BARS = "▁▂▃▄▅▆▇█"
MISSING = "·"

_TABLES = """
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, series TEXT NOT NULL,
    started_at TEXT NOT NULL, product_version TEXT NOT NULL, exit_code INTEGER NOT NULL,
    counts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS metric (
    run INTEGER NOT NULL REFERENCES run (id), name TEXT NOT NULL, verdict TEXT NOT NULL,
    value REAL, goal REAL, unit TEXT NOT NULL, figure TEXT NOT NULL, PRIMARY KEY (run, name)
);
CREATE INDEX IF NOT EXISTS run_by_series ON run (series, started_at);
"""


@dataclass(frozen=True)
class PastMetric:
    """What one metric was; `value` is None where it had no number."""

    verdict: str
    value: float | None
    goal: float | None
    unit: str
    figure: str


@dataclass(frozen=True)
class PastRun:
    """One recorded run: when it began (ISO 8601, UTC), how it ended, and its figures."""

    series: str
    started_at: str
    product_version: str
    exit_code: int
    counts: Mapping[str, int]
    metrics: Mapping[str, PastMetric]


def series_of(report: RunReport) -> str:
    """Return the name of the series that a run belongs to."""
    source = report.source if report.kind == "diff" else ""
    return " ".join(
        part for part in (report.kind, report.profile, *report.executors, source) if part
    )


def record(file: Path, reports: Sequence[RunReport], *, now: str) -> int:
    """Add runs to the history in `file` and return how many are new; it is made where it is not.

    `now` (ISO 8601) is the time of a report that does not know when it began.

    Raises:
        HarnessError: the file is no history, or cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(error.strerror or "cannot be made", place=str(file.parent)) from None
    with _opened(file) as connection:
        return sum(_add(connection, report, now) for report in reports)


def read(file: Path, series: str | None = None, *, limit: int = MAX_RUNS) -> list[PastRun]:
    """Return the newest runs, the oldest of them first; of one series, or of all.

    Raises:
        UsageError: there is no such file.
        HarnessError: the file is no history.
    """
    if not file.is_file():
        raise UsageError(
            "there is no history", place=str(file), advice="record runs with `--history`"
        )
    with _opened(file) as connection:
        rows = connection.execute(
            "SELECT id, series, started_at, product_version, exit_code, counts FROM run"
            " WHERE ?1 IS NULL OR series = ?1 ORDER BY started_at DESC, id DESC LIMIT ?2",
            [series, limit],
        ).fetchall()
        return [
            PastRun(
                series=row[1],
                started_at=row[2],
                product_version=row[3],
                exit_code=row[4],
                counts=json.loads(row[5]),
                metrics=_metrics(connection, row[0]),
            )
            for row in reversed(rows)
        ]


def sparkline(values: Sequence[float | None]) -> str:
    """Return values as bars from the lowest to the highest; a missing one is a dot."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        MISSING if value is None else BARS[round((value - low) * scale)] for value in values
    )


def _add(connection: sqlite3.Connection, report: RunReport, now: str) -> int:
    digest = hashlib.sha256(report.to_json().encode("utf-8", "surrogatepass")).hexdigest()
    cursor = connection.execute(
        "INSERT OR IGNORE INTO run (digest, series, started_at, product_version, exit_code, counts)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            digest,
            series_of(report),
            report.started_at or now,
            report.product_version,
            report.exit_code,
            json.dumps(report.counts),
        ),
    )
    if not cursor.rowcount:
        return 0
    connection.executemany(
        "INSERT INTO metric VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                cursor.lastrowid,
                metric.id,
                metric.verdict.value,
                metric.gauge.value if metric.gauge else None,
                metric.gauge.goal if metric.gauge else None,
                metric.gauge.unit if metric.gauge else "",
                metric.figure,
            )
            for metric in report.metrics
        ],
    )
    return 1


def _metrics(connection: sqlite3.Connection, run: int) -> dict[str, PastMetric]:
    rows = connection.execute(
        "SELECT name, verdict, value, goal, unit, figure FROM metric WHERE run = ? ORDER BY rowid",
        [run],
    )
    return {row[0]: PastMetric(*row[1:]) for row in rows}


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise HarnessError(
                    f"the history has version {version}, and this program knows {VERSION}",
                    place=str(file),
                    advice="use the newer planproof",
                )
            with connection:
                if version < VERSION:
                    connection.executescript(_TABLES)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                yield connection
    except sqlite3.Error as error:
        raise HarnessError(f"the history cannot be used: {error}", place=str(file)) from None
