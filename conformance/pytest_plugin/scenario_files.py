"""Scenario files collected as tests: each scenario runs under both executors and is compared."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from conformance.differential import Options, PairResult, examine, settle
from conformance.errors import PlanproofError
from conformance.ledger import DEFAULT_LEDGER, Ledger, read_ledger
from conformance.scenario import Scenario, read_scenarios


class DivergedError(Exception):
    """The executors differ where no ledger entry says that they may."""

    def __init__(self, result: PairResult) -> None:
        """Keep what was found."""
        super().__init__(result.scenario)
        self.result = result


class ScenarioFile(pytest.File):
    """The scenarios of one file."""

    @override
    def collect(self) -> Iterator[pytest.Item]:
        seen: dict[str, int] = {}
        try:
            scenarios = list(read_scenarios(self.path))
        except PlanproofError as error:
            raise self.CollectError(error.line()) from None
        for scenario in scenarios:
            seen[scenario.name] = seen.get(scenario.name, 0) + 1
            again = seen[scenario.name]
            name = scenario.name if again == 1 else f"{scenario.name}-{again}"
            yield ScenarioItem.from_parent(self, name=name, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario: legacy and unified run it, and the ledger judges what differs."""

    def __init__(self, *, scenario: Scenario, **named: Any) -> None:
        """Compare the executors on `scenario`."""
        super().__init__(**named)
        self.scenario = scenario

    @override
    def runtest(self) -> None:
        ledger: str = self.config.getini("planproof_ledger")
        file = self.config.rootpath / ledger if ledger else DEFAULT_LEDGER
        result, _ = settle(examine(self.scenario, Options()), _ledger(file))
        if not result.verdict.is_green:
            raise DivergedError(result)

    @override
    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, DivergedError):
            return "\n".join(self._lines(error.result))
        if isinstance(error, PlanproofError):
            return error.line()
        return super().repr_failure(excinfo, style)

    @override
    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"scenario {self.name}"

    def _lines(self, result: PairResult) -> Iterator[str]:
        yield f"{result.verdict}: {self.scenario.name} [{result.attribution}] {result.reason}".rstrip()
        for shown in filter(None, (result.shown,)):
            yield f"  {shown.layer} {shown.layer.subject}: {shown.path}"
            yield f"    legacy: {_text(shown.left)}"
            yield f"    unified: {_text(shown.right)}"
        if result.difference is not None:
            yield f"  first differing event (number {result.difference.index + 1}):"
            yield from (f"      both: {line}" for line in result.difference.before)
            yield from (f"    legacy: {line}" for line in result.difference.left)
            yield from (f"   unified: {line}" for line in result.difference.right)
        yield f"  replay: planproof diff --scenarios {self.path}"


@cache
def _ledger(file: Path) -> Ledger:
    return read_ledger(file, today=datetime.now(tz=UTC).date())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
