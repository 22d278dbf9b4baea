"""Plans for tests, written down as they read."""

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

from engine import parse_plan

Keys: TypeAlias = str | tuple[str, ...] | list[str]


class PlanBuilder:
    """A plan in the making: every method returns the builder, `build` the plan's JSON form.

    >>> plan = PlanBuilder("trip").step("seat", "hold", {"row": "A4"}).undo("release")
    >>> [step["id"] for step in plan.step("pay", after="seat").build()["steps"]]
    ['seat', 'pay']
    """

    def __init__(self, name: str = "plan") -> None:
        """Start an empty plan."""
        self._plan: dict[str, Any] = {"id": name, "steps": []}

    def step(
        self,
        key: str,
        tool: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        after: Keys = (),
        **fields: Any,
    ) -> Self:
        """Append a step.

        Args:
            key: its id.
            tool: the tool's name; else the key.
            parameters: `"$seat.ticket"` stands for a field of the output of the step `seat`.
            after: the step, or the steps, that it depends on.
            fields: further fields of the step: `timeout_ms`, `description`, ...
        """
        self._steps.append(
            {
                "id": key,
                "tool_name": tool or key,
                "parameters": dict(parameters or {}),
                "dependencies": [after] if isinstance(after, str) else list(after),
                **fields,
            }
        )
        return self

    def then(
        self,
        key: str,
        tool: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Self:
        """Append a step that depends on the one before."""
        return self.step(key, tool, parameters, after=self._last("then")["id"], **fields)

    def undo(self, tool: str, parameters: Mapping[str, Any] | None = None) -> Self:
        """Let `tool` undo the last step if the plan fails later on."""
        last = self._last("undo")
        given = last["parameters"] if parameters is None else parameters
        last["compensation"] = {"tool_name": tool, "parameters": dict(given)}
        return self

    def retry(self, attempts: int, *, backoff_ms: int = 0) -> Self:
        """Let the last step be called up to `attempts` times."""
        self._last("retry")["retry_policy"] = {"max_attempts": attempts, "backoff_ms": backoff_ms}
        return self

    def confirm(self) -> Self:
        """Let the last step wait for a person's consent."""
        self._last("confirm")["requires_confirmation"] = True
        return self

    def within(self, **constraints: Any) -> Self:
        """Set constraints of the plan: `max_steps`, `max_execution_time_ms`, ..."""
        self._plan["constraints"] = {**self._plan.get("constraints", {}), **constraints}
        return self

    def build(self) -> dict[str, Any]:
        """Return the plan's JSON form.

        Raises:
            engine.errors.InvalidPlanError: it is none; the message names the path.
        """
        parse_plan(self._plan)
        return self._plan

    @property
    def _steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self._plan["steps"]
        return steps

    def _last(self, method: str) -> dict[str, Any]:
        if not self._steps:
            raise ValueError(f"`{method}` speaks of the step before, and there is none")
        return self._steps[-1]
