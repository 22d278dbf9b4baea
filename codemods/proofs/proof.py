"""What every rung takes and gives: the claim to be proved, the environment, and the proof."""

import datetime as dt
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.migration import Change, Migration
from codemods.migration_settings import DEFAULT_VERIFY, Level, MigrationSettings
from codemods.settings import ScanSettings

LEVELS = tuple(level.value for level in Level)
# Up to here nothing of the consumer is run.
DEFAULT_LEVEL = DEFAULT_VERIFY.value
# The path of a proof that concerns the migration as a whole.
WHOLE = "."
_NOT_RUN = "could not run: "


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of one rung for one file, or for everything (path `.`).

    Attributes:
        path: the file as the report shows it, or `.`.
        level: the rung.
        fault: why it does not hold; empty when it holds.
        detail: what was examined and by what, and what was not.
    """

    path: str
    level: str
    fault: str = ""
    detail: str = ""

    @property
    def is_unexamined(self) -> bool:
        """Whether the rung could not be climbed at all, which proves nothing either way."""
        return self.fault.startswith(_NOT_RUN)


@dataclass(frozen=True, slots=True)
class BehaviourReport:
    """What a comparison of both engines found.

    Attributes:
        scenarios: how many were judged.
        divergences: one line for each that no ledger entry accepts.
        source: which scenarios they were.
    """

    scenarios: int
    divergences: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class ProofEnvironment:
    """Where a migration is proved, and what the rungs need that is not in the plan.

    Attributes:
        paths: what was migrated; the root of the plan if empty.
        today: the date by which allow entries are judged; None: today's.
        jobs: how many processes the plan was made with; the second planning uses another number.
        python: the interpreter of the consumer.
        test_command: runs the consumer's tests; `{python}` and `{junit}` are replaced, and
            `--junitxml` is appended where `{junit}` does not stand. Empty: pytest.
        foreign: a folder of packages that have nothing to do with the legacy module; None: those
            installed for `python`.
        foreign_packages: how many of them are taken at most.
        planted: how many legacy forms are planted into them.
        seed: chooses packages, forms and places.
        behaviour: compares both engines on the same scenarios.
        import_deadline_s: for the import of one module.
        check_deadline_s: for one run of the type checker.
        test_deadline_s: for one run of the tests.
    """

    paths: tuple[Path, ...] = ()
    today: dt.date | None = None
    jobs: int = 1
    python: str = sys.executable
    test_command: str = ""
    foreign: Path | None = None
    foreign_packages: int = 12
    planted: int = 24
    seed: int = 0
    behaviour: Callable[[], BehaviourReport] | None = None
    import_deadline_s: float = 60
    check_deadline_s: float = 600
    test_deadline_s: float = 1800


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be proved: that these changes are right. `plan` is None for changes alone."""

    changes: Sequence[Change]
    settings: ScanSettings
    options: MigrationSettings
    environment: ProofEnvironment
    plan: Migration | None = None


Rung = Callable[[Claim], Iterable[Proof]]


def not_run(level: str, reason: str, path: str = WHOLE) -> Proof:
    """Return the proof of a rung that was asked for and could not be climbed."""
    return Proof(path, level, f"{_NOT_RUN}{reason}")
