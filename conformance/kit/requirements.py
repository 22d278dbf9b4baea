"""The requirements that an executor is certified against: clauses, frozen by version.

A clause is one scenario and the checks it is judged by. A version never changes: `digest` covers
the clauses and their scenarios, and a test compares it with the one that was published.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from conformance.errors import HarnessError, UsageError
from conformance.scenario import Scenario, read_scenarios

FOLDER = Path(__file__).parent / "requirements"
NEWEST = "v1"


class Level(StrEnum):
    """What an executor can be certified for; each level includes those before it."""

    C0 = "C0"
    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"

    @property
    def about(self) -> str:
        """What an executor of this level does, in a few words."""
        return _TITLES[self]


_TITLES = {
    Level.C0: "runs plans",
    Level.C1: "checkpoints and resumes",
    Level.C2: "effects exactly once per idempotency key, sagas",
    Level.C3: "failover and safety policies",
    Level.C4: "concurrent resumers are fenced",
    Level.C5: "migrates in and out",
}


class Drive(StrEnum):
    """How the scenario of a clause is carried out."""

    SCRIPT = "script"
    TWO_RESUMERS = "two-resumers"
    TWO_STARTERS = "two-starters"
    RESUME_BESIDE = "resume-beside"
    FROZEN_OWNER = "frozen-owner"
    MIGRATE_IN = "migrate-in"
    MIGRATE_OUT = "migrate-out"


@dataclass(frozen=True)
class Clause:
    """One requirement.

    Attributes:
        id: its stable name, and that of its scenario's file.
        checks: names in `conformance.kit.checks.CHECKS`; the first is the clause's own.
        reason: the code by which an executor that does not keep this clause fails.
        requires: clauses without which this one cannot be examined.
        alone: nothing but its checks is judged. Others rely on such a clause, and what else may be
            wrong is theirs to say.
    """

    id: str
    level: Level
    title: str
    drive: Drive
    checks: tuple[str, ...]
    reason: str
    requires: tuple[str, ...]
    alone: bool
    scenario: Scenario


@dataclass(frozen=True)
class Requirements:
    """One frozen version: its clauses in order, and the digest of all that defines them."""

    version: str
    clauses: tuple[Clause, ...]
    digest: str

    @cached_property
    def by_id(self) -> dict[str, Clause]:
        """The clauses by their ids."""
        return {clause.id: clause for clause in self.clauses}


def read_requirements(version: str = NEWEST, folder: Path = FOLDER) -> Requirements:
    """Read the requirements of `version`.

    Raises:
        HarnessError: the files are not what was shipped.
    """
    path = folder / f"{version}.toml"
    try:
        text = path.read_bytes()
        document = tomllib.loads(text.decode())
        clauses = tuple(_clause(entry, folder / version) for entry in document["clause"])
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        raise HarnessError(f"the requirements cannot be read: {error}", place=str(path)) from None
    digest = hashlib.sha256(text)
    for clause in clauses:
        digest.update(_scenario_path(folder / version, clause.id).read_bytes())
    return Requirements(document["version"], clauses, digest.hexdigest())


def _clause(entry: dict[str, object], folder: Path) -> Clause:
    def texts(name: str) -> tuple[str, ...]:
        value = entry[name]
        if not isinstance(value, list):
            raise TypeError(f"{name} is not a list")
        return tuple(map(str, value))

    identity = str(entry["id"])
    (scenario,) = read_scenarios(_scenario_path(folder, identity))
    return Clause(
        id=identity,
        level=Level(str(entry["level"])),
        title=str(entry["title"]),
        drive=Drive(str(entry["drive"])),
        checks=texts("checks"),
        reason=str(entry["reason"]),
        requires=texts("requires"),
        alone=entry.get("alone") is True,
        scenario=scenario,
    )


def _scenario_path(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.json"
