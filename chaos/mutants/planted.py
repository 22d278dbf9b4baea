"""Runs a module as a program, on an engine in which a bug is planted.

    python -m chaos.mutants.planted done-before-call conformance.cli chaos --replay ID

Other processes that the program starts run the engine as it is.
"""

import runpy
import sys

from chaos.mutants.catalogue import BY_NAME
from chaos.mutants.patching import patch_engine


def main() -> None:
    """Do what the arguments say: mutant, module, and the module's own."""
    mutant, module, *arguments = sys.argv[1:]
    patch_engine(BY_NAME[mutant].patches)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
