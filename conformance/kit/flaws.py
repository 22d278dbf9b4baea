"""For each clause an executor that breaks it: what proves that no clause is empty.

A kit that lets one of these pass is worth nothing; `planproof certify --self-test` tries them all.
"""

from collections.abc import Mapping

from conformance.kit import flawed_effects, flawed_owners, flawed_runs
from conformance.kit.exemplar import Exemplar

FLAWS: Mapping[str, type[Exemplar]] = {
    **flawed_runs.FLAWS,
    **flawed_effects.FLAWS,
    **flawed_owners.FLAWS,
}
