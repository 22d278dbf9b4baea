"""Declared normalisation: which differences between two traces are no differences, and why.

Everything else is compared exactly. Each rule counts the fields it touched, so that a rule that
stands for nothing any more is found out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.scenario import Execute, Resume, Run, Scenario

VERSION = 1

_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_BOUND_NAME = re.compile(r"\b(?:step|execution|plan)#")


@dataclass(frozen=True)
class Rule:
    """One rule; `name@version` is its identity in reports."""

    name: str
    version: int
    description: str

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


IDS = Rule("ids", 1, "ids of the scenario are bound, one to one, to step#n, execution#n, plan#n")
TIMES = Rule("times", 1, "times of calls count by their order, not by their distance")
STATUS = Rule("status", 1, "statuses of an executor count by what they mean (declared map)")
REFUSAL = Rule(
    "refusal", 1, "the wording of a refused plan does not count, that it is refused does"
)

RULES = (IDS, TIMES, STATUS, REFUSAL)


class IdBinding:
    """Names for the ids that a scenario declares; one to one in both directions."""

    def __init__(self, scenario: Scenario) -> None:
        """Bind the ids of `scenario` in the order in which its author wrote them."""
        self._names: dict[str, str] = {}
        calls = [op for op in scenario.driver if isinstance(op, Execute | Resume | Run)]
        plans = [scenario.plan] + [op.plan for op in calls if op.plan is not None]
        self._bind("execution", [scenario.execution_id, *(op.execution_id for op in calls)])
        self._bind("plan", [plan.get("id") for plan in plans])
        self._bind("step", [step for plan in plans for step in _step_ids(plan)])

    def _bind(self, kind: str, ids: Iterable[Any]) -> None:
        number = 0
        for raw in ids:
            if isinstance(raw, str) and _ID.fullmatch(raw) and raw not in self._names:
                number += 1
                self._names[raw] = f"{kind}#{number}"

    def name(self, raw: str) -> str:
        """Return the name of an id, or the id itself when the scenario does not declare it."""
        return self._names.get(raw, raw)

    def text(self, text: str) -> str:
        """Return `text` with every declared id replaced by its name.

        A text that already speaks of `step#1` is escaped, so that it can never equal a bound id.
        """
        escaped = text.replace("#", "##") if _BOUND_NAME.search(text) else text
        return _ID.sub(lambda match: self.name(match[0]), escaped)


class Normaliser:
    """Applies the rules to one trace and counts the fields that each of them touched."""

    def __init__(self, scenario: Scenario) -> None:
        """Start with the ids of `scenario` and empty counts."""
        self.binding = IdBinding(scenario)
        self.touched: Counter[str] = Counter()

    def ids(self, value: Any) -> Any:
        """Return a JSON value with the declared ids in it replaced by their names."""
        if isinstance(value, str):
            text = self.binding.text(value)
            self.touched[IDS.id] += text != value
            return text
        if isinstance(value, Mapping):
            return {self.ids(key): self.ids(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.ids(item) for item in value]
        return value

    def order(self, times: Iterable[int]) -> list[int]:
        """Return the rank of each time; equal times have equal ranks."""
        given = list(times)
        rank = {time: position for position, time in enumerate(sorted(set(given)))}
        self.touched[TIMES.id] += len(given)
        return [rank[time] for time in given]

    def status(self, status: str, meanings: Mapping[str, str]) -> str | None:
        """Return what a status means, or None when the map does not know it."""
        meaning = meanings.get(status)
        self.touched[STATUS.id] += meaning is not None and meaning != status
        return meaning

    def refusal(self, _message: str) -> str:
        """Return the one wording that all refusals share."""
        self.touched[REFUSAL.id] += 1
        return "refused"


def stale_rules(touched: Mapping[str, int]) -> list[Rule]:
    """Return the rules that touched nothing. Judge complete corpora only."""
    return [rule for rule in RULES if not touched.get(rule.id)]


def _step_ids(plan: Mapping[str, Any]) -> list[Any]:
    steps = plan.get("steps")
    if not isinstance(steps, list):
        return []
    return [step.get("id") for step in steps if isinstance(step, Mapping)]
