"""Without these a mutant could be the engine itself, and its survival say nothing."""

import subprocess
import sys

import pytest

from chaos.mutants.mutant import Patch
from chaos.mutants.patching import PatchError, patch_engine, patched


def patch(search: str, replacement: str = "x") -> Patch:
    return Patch("engine.limits", search, replacement)


@pytest.mark.parametrize("source", ["", "a a"])
def test_a_text_that_does_not_occur_once_is_refused(source: str) -> None:
    with pytest.raises(PatchError, match=r"engine\.limits"):
        patched(source, [patch("a")])


def test_patches_are_applied_in_turn() -> None:
    assert patched("a b", [patch("a", "c"), patch("c b", "d")]) == "d"


def test_an_engine_that_is_loaded_is_not_patched() -> None:
    import engine.limits  # noqa: F401

    with pytest.raises(PatchError, match="loaded already"):
        patch_engine([patch("LEASE_MS = 30_000")])


def test_a_fresh_process_runs_the_patched_engine() -> None:
    program = (
        "from chaos.mutants.mutant import Patch\n"
        "from chaos.mutants.patching import patch_engine\n"
        "patch_engine([Patch('engine.limits', 'LEASE_MS = 30_000', 'LEASE_MS = 7')])\n"
        "from engine import WorkflowSettings\n"
        "print(WorkflowSettings().lease_ms)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "7"
