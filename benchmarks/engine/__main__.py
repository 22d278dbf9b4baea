"""What a durable step costs, against the raw client, the legacy executor and other engines.

Run from the root of the repository: `python -m benchmarks.engine`. It starts a server of its own.
Prints progress and a table on standard error and one JSON object on standard output.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine.agent import CONTENDERS
from benchmarks.engine.contenders import FLOOR, LEGACY, OURS
from benchmarks.engine.measurement import (
    Agent,
    Figures,
    Series,
    count_sent,
    import_ms,
    run_rounds,
)
from benchmarks.engine.report import document, table
from benchmarks.engine.server import server
from benchmarks.engine.workload import Load
from conformance.errors import ExitCode, HarnessError, PlanproofError

OWN = (FLOOR, OURS, LEGACY)
AT_ONCE = 50
COUNTED_STEPS = (10, 100, 1000)


def full() -> list[Series]:
    """Return the loads of a whole run: 1,000 workflows of 10 steps, 50 at once, among them."""
    return [
        Series("10 steps", Load(10, 20), slow=2, rounds=12, slow_rounds=5),
        Series("100 steps", Load(100, 3), slow=1, rounds=12, slow_rounds=5),
        Series("1000 steps", Load(1000, 1), slow=1, rounds=8, slow_rounds=3, all_slow=True),
        Series("10 steps, 50 at once", Load(10, 1000, AT_ONCE), slow=50, rounds=8, slow_rounds=3),
    ]


def quick() -> list[Series]:
    """Return loads that show that everything works, and little more."""
    return [
        Series("10 steps", Load(10, 2), slow=1, rounds=2, slow_rounds=1),
        Series("100 steps", Load(100, 1), slow=1, rounds=2, slow_rounds=1),
        Series("10 steps, 50 at once", Load(10, AT_ONCE, AT_ONCE), slow=5, rounds=2, slow_rounds=1),
    ]


def measure(names: Sequence[str], listed: Sequence[Series], *, is_quick: bool) -> dict[str, Any]:
    """Measure the contenders called `names` and return everything as plain data.

    Raises:
        HarnessError: there is no server, a contender failed, or it did not do its work.
    """
    unmeasured: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(server(folder))
        agents: list[Agent] = []
        for number, name in enumerate(names):
            _tell(f"starting: {name}")
            try:
                agent = Agent(name, url, folder / str(number))
            except HarnessError as error:
                if name in OWN:
                    raise
                unmeasured[name] = error.message
                continue
            stack.callback(agent.close)
            agents.append(agent)
        figures = run_rounds(agents, listed, _tell)
        _count(agents, figures, is_quick=is_quick)
    _tell("")
    return document(figures, listed, unmeasured)


def _count(agents: Sequence[Agent], figures: Mapping[str, Figures], *, is_quick: bool) -> None:
    for agent in agents:
        _tell(f"counting: {agent.name}")
        # The legacy executor needs ten seconds and half a gigabyte for a thousand steps.
        lengths = COUNTED_STEPS[:2] if is_quick and agent.name != OURS else COUNTED_STEPS
        count_sent(agent, lengths, figures[agent.name])
        figures[agent.name].peak_mb = agent.peak_mb()
        figures[agent.name].import_ms = import_ms(agent.imports, 1 if is_quick else 5)


def _tell(text: str) -> None:
    end = "" if sys.stderr.isatty() else "\n"
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, end=end, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 1 when a target is missed, 3 when it cannot be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.engine", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds; the times mean little")
    parser.add_argument(
        "--own", action="store_true", help="leave other engines out, installed or not"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="at most so many rounds")
    given = parser.parse_args(arguments)
    listed = quick() if given.quick else full()
    if given.rounds is not None:
        listed = [series.shortened(max(1, given.rounds)) for series in listed]
    names = OWN if given.own else tuple(CONTENDERS)
    try:
        found = measure(names, listed, is_quick=given.quick)
    except PlanproofError as error:
        print(f"benchmarks.engine: {error.line()}", file=sys.stderr)
        return int(error.exit_code)
    print(table(found, listed), file=sys.stderr)
    print(json.dumps(found, indent=2))
    met = all(item["met"] for item in found["targets"])
    return int(ExitCode.PASSED if met else ExitCode.FAILED)


if __name__ == "__main__":
    sys.exit(main())
