"""The proof ladder: climbs the rungs of `codemods.proofs` up to a level.

P0 the same tree by another way; P1 idempotent, independent of order and of parallelism; P2
compiles, and no name is newly undefined or unused; P3 the type checker; P4 imports; P5 the tests,
also without the legacy module; P6 behaviour; P7 recall and precision on foreign packages.
"""

from collections.abc import Mapping, Sequence

from codemods.migration import Change, Migration
from codemods.migration_settings import MigrationSettings
from codemods.proofs import (
    behaviour,
    compilation,
    consumer_tests,
    foreign_packages,
    module_imports,
    same_tree,
    stability,
    type_check,
)
from codemods.proofs.proof import (
    DEFAULT_LEVEL,
    LEVELS,
    BehaviourReport,
    Claim,
    Proof,
    ProofEnvironment,
    Rung,
)
from codemods.settings import ScanSettings

__all__ = ["DEFAULT_LEVEL", "LEVELS", "BehaviourReport", "Proof", "ProofEnvironment", "verify"]

_RUNGS: Mapping[str, Rung] = {
    same_tree.LEVEL: same_tree.prove,
    stability.LEVEL: stability.prove,
    compilation.LEVEL: compilation.prove,
    type_check.LEVEL: type_check.prove,
    module_imports.LEVEL: module_imports.prove,
    consumer_tests.LEVEL: consumer_tests.prove,
    behaviour.LEVEL: behaviour.prove,
    foreign_packages.LEVEL: foreign_packages.prove,
}


def verify(
    plan: Migration | Sequence[Change],
    settings: ScanSettings,
    level: str,
    *,
    since: str = LEVELS[0],
    options: MigrationSettings | None = None,
    environment: ProofEnvironment | None = None,
) -> tuple[Proof, ...]:
    """Climb the ladder from `since` up to `level`, every rung, whether or not a lower one holds.

    Changes without a plan can be proved file by file only. A plan that changes nothing has
    nothing to prove. A rung that could not be climbed is a fault (`Proof.is_unexamined`).
    """
    whole = plan if isinstance(plan, Migration) else None
    changes = plan.changes if isinstance(plan, Migration) else plan
    options = options or MigrationSettings()
    claim = Claim(changes, settings, options, environment or ProofEnvironment(), whole)
    if not changes:
        return ()
    wanted = LEVELS[LEVELS.index(since) : LEVELS.index(level) + 1]
    return tuple(proof for name in wanted for proof in _RUNGS[name](claim))
