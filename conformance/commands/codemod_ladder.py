"""Climbing the proof ladder with a plan from which groups of files fall: what is left is proved."""

from collections.abc import Mapping
from dataclasses import dataclass

from codemods.migration import Migration
from codemods.migration_outcome import drop_groups, faults_of
from codemods.migration_settings import MigrationSettings
from codemods.settings import ScanSettings
from codemods.verification import LEVELS, Proof, ProofEnvironment, verify

# From here on a rung looks at the changes as a whole: what it says of all says nothing of some.
FIRST_OF_THE_WHOLE = "P3"


@dataclass(frozen=True, slots=True)
class Ladder:
    """How far and with what a plan is proved."""

    settings: ScanSettings
    options: MigrationSettings
    environment: ProofEnvironment

    def climb(self, plan: Migration, foreign: Mapping[str, str]) -> tuple[Proof, ...]:
        """Prove a plan, and what is left of it again whenever a proof takes files out of it.

        Args:
            plan: what is to be written.
            foreign: why files will not be written whatever the proofs say, by their shown path.

        Returns:
            The proofs of the lower rungs, of everything that failed, and of what is left.
        """
        level = self.options.verify.value
        first = LEVELS.index(FIRST_OF_THE_WHOLE)
        lower = min(level, LEVELS[first - 1], key=LEVELS.index)
        proofs = list(self._verify(plan, LEVELS[0], lower))
        left = drop_groups(drop_groups(plan, foreign), faults_of(proofs))
        while LEVELS.index(level) >= first and left.changes:
            found = self._verify(left, FIRST_OF_THE_WHOLE, level)
            fewer = drop_groups(left, faults_of(found))
            if len(fewer.changes) in {0, len(left.changes)}:
                return (*proofs, *found)
            proofs += [proof for proof in found if proof.fault]
            left = fewer
        return tuple(proofs)

    def _verify(self, plan: Migration, since: str, level: str) -> tuple[Proof, ...]:
        return verify(
            plan,
            self.settings,
            level,
            since=since,
            options=self.options,
            environment=self.environment,
        )
