"""One process, one mutant: patches the engine, then runs cases on it. Started by `chaos.mutants.running`.

    python -m chaos.mutants.worker '{"mutant": "no-fencing", "seconds": 20, "random": true, "all": false}'

prints one line of JSON, a `chaos.mutants.trial.Trial`.
"""

import json
import sys

from chaos.mutants.catalogue import BY_NAME
from chaos.mutants.mutant import Mutant
from chaos.mutants.patching import patch_engine
from chaos.mutants.trial import Trial

SEED = 20_261_129
"""Of the random kills: the same for every mutant."""
AT_LEAST_S = 2.0
"""CPU time that random kills get at least, where enumeration was faster."""


def try_mutant(mutant: Mutant, seconds: float, *, random: bool, whole: bool) -> Trial:
    """Look for a mutant, which this process runs already, within `seconds` of CPU time.

    `whole` goes on after the mutant is killed, until each kind of fault has its first kill.
    """
    # Imported here: what these import is the engine, which is patched by now.
    from chaos.mutants.random_kills import random_kills  # noqa: PLC0415 - see above
    from chaos.mutants.trying import Jury, enumerated  # noqa: PLC0415 - see above

    trial = Trial(mutant.name)
    jury = Jury()
    wanted = mutant.predicates
    stop = not (whole or mutant.harmless)
    jury.search(trial.enumerated, enumerated(mutant), seconds, wanted=wanted, stop=stop, once=True)
    if random and not mutant.harmless:
        left = max(AT_LEAST_S, trial.enumerated.seconds)
        cases = random_kills(mutant.plans, SEED)
        jury.search(trial.random, cases, left, wanted=wanted, stop=True, once=False)
    return trial


def main() -> None:
    """Do what the only argument says."""
    order = json.loads(sys.argv[1])
    mutant = BY_NAME[order["mutant"]]
    patch_engine(mutant.patches)
    trial = try_mutant(
        mutant, float(order["seconds"]), random=bool(order["random"]), whole=bool(order["all"])
    )
    sys.stdout.write(json.dumps(trial.document()) + "\n")


if __name__ == "__main__":
    main()
