"""The tests of the engine's alert rules, run by `promtool` where it is installed."""

import shutil
import subprocess
from pathlib import Path

from conformance.config import Repository
from conformance.evidence.packages import package_folder
from conformance.metrics.monitoring import AlertTests, is_test_file

PROMTOOL = "promtool"
TIMEOUT_S = 120  # dozens of tests take a second


def alert_tests(repository: Repository) -> AlertTests:
    """Run every file of rule tests beside the engine."""
    folder = package_folder(repository.root, "engine")
    files = [
        file
        for file in sorted(folder.rglob("*") if folder is not None else ())
        if is_test_file(file.name)
    ]
    if not files:
        return AlertTests("not run", "there are no tests of alert rules")
    return run_promtool(files)


def run_promtool(files: list[Path]) -> AlertTests:
    """Run `promtool test rules` on `files`."""
    program = shutil.which(PROMTOOL)
    if program is None:
        return AlertTests("not run", f"{PROMTOOL} is not installed: the alerts were not tested")
    command = [program, "test", "rules", *map(str, files)]
    try:
        done = subprocess.run(  # noqa: S603 - the repository's own rules
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return AlertTests("not run", f"{PROMTOOL} ran longer than {TIMEOUT_S} s")
    if done.returncode == 0:
        return AlertTests("passed")
    said = " ".join((done.stderr + done.stdout).split())
    return AlertTests("failed", f"{PROMTOOL}: {said[:300]}")
