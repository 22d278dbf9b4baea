"""All mutants by name."""

from chaos.mutants.call_bugs import CALL_BUGS
from chaos.mutants.durability_bugs import DURABILITY_BUGS
from chaos.mutants.harmless import HARMLESS
from chaos.mutants.lease_bugs import LEASE_BUGS
from chaos.mutants.mutant import Mutant
from chaos.mutants.protocol_bugs import PROTOCOL_BUGS
from chaos.mutants.saga_bugs import SAGA_BUGS

SEEDED: tuple[Mutant, ...] = (
    *PROTOCOL_BUGS,
    *LEASE_BUGS,
    *CALL_BUGS,
    *SAGA_BUGS,
    *DURABILITY_BUGS,
)
"""Every one of these must be killed."""
BY_NAME = {mutant.name: mutant for mutant in (*SEEDED, *HARMLESS)}
"""Seeded and harmless ones."""
QUICK = (
    "done-before-call",
    "attempt-in-key",
    "check-then-write",
    "early-resume-dropped",
    "undoing-restarts",
    "message-reworded",
)
"""What profile `pr` runs: one of each family, and a harmless one."""
