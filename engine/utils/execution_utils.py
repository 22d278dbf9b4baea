"""What every execution strategy needs: references, ready steps, one checkpointed step."""

import re
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Protocol

from engine.errors import UnresolvableReferenceError
from engine.plan import Step
from engine.settings import References
from engine.states import StepStatus
from engine.types.execution import StepState

# "12", not "01" and not "-1": what addresses an element of a list.
_INDEX = re.compile(r"0|[1-9][0-9]*")


class _Missing:
    """The type of the marker for a path that leads nowhere."""


_MISSING = _Missing()


def resolve_step_parameters(
    parameters: Mapping[str, Any],
    outputs: Mapping[str, Any],
    *,
    references: References = References.LENIENT,
    known_steps: Container[str] = (),
) -> dict[str, Any]:
    """Return `parameters` with each reference `$<step id>.<path>` replaced by its value.

    Only top-level values are references, a value is taken whole, and `outputs` holds what steps
    returned. A path goes through objects by key and lists by index; `length` of a list is its
    size. Text that names no value is passed on as it stands (the legacy executor's rule).

    With strict references those inside lists and objects are replaced too.

    Raises:
        UnresolvableReferenceError: strict, and a reference to a step in `known_steps` has no
            value. Other text with a dollar, such as a price, is never one.
    """
    if references is References.STRICT:
        return {
            name: _resolve_strictly(value, outputs, known_steps)
            for name, value in parameters.items()
        }
    resolved = dict(parameters)
    for name, value in parameters.items():
        found = _lookup(value, outputs)
        if not isinstance(found, _Missing) and found is not None:
            resolved[name] = found
    return resolved


def _split(value: Any) -> list[str] | None:
    if isinstance(value, str) and value.startswith("$") and "." in value:
        return value[1:].split(".")
    return None


def _lookup(value: Any, outputs: Mapping[str, Any]) -> Any:
    parts = _split(value)
    if parts is None:
        return _MISSING
    found = outputs.get(parts[0])
    if found is None or found is False or found in (0, ""):
        return _MISSING
    for part in parts[1:]:
        found = _member(found, part)
        if isinstance(found, _Missing):
            return _MISSING
    return found


def _member(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part, _MISSING)
    if isinstance(value, list | tuple):
        if part == "length":
            return len(value)
        if _INDEX.fullmatch(part) and int(part) < len(value):
            return value[int(part)]
    return _MISSING


def _resolve_strictly(value: Any, outputs: Mapping[str, Any], known: Container[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolve_strictly(item, outputs, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_resolve_strictly(item, outputs, known) for item in value]
    parts = _split(value)
    if parts is None or parts[0] not in known:
        return value
    found = outputs.get(parts[0], _MISSING)
    for part in parts[1:]:
        found = _member(found, part)
    if isinstance(found, _Missing):
        raise UnresolvableReferenceError(f"reference {value!r} names no value")
    return found


def find_ready_steps(steps: Sequence[Step], states: Sequence[StepState]) -> list[int]:
    """Return the positions of pending steps whose dependencies are all completed.

    A look at one moment, linear in the plan; a run that asks again and again keeps an
    `engine.schedule.Frontier` instead.
    """
    completed = {state.id for state in states if state.status is StepStatus.COMPLETED}
    return [
        index
        for index, (step, state) in enumerate(zip(steps, states, strict=True))
        if state.status is StepStatus.PENDING and completed.issuperset(step.dependencies)
    ]


class StepCheckpointer(Protocol):
    """Where the intent and the result of a step become durable."""

    async def commit_steps(self, states: Mapping[int, StepState], /) -> None:
        """Write the states of the steps at these positions, all or nothing."""


async def execute_step_with_checkpointing(
    index: int,
    intent: StepState,
    run: Callable[[StepState], Awaitable[StepState]],
    checkpointer: StepCheckpointer,
) -> StepState:
    """Carry one step out in two phases and return its final state.

    The intent is durable before `run` calls the tool; the result is durable before this returns.
    A crash between the two leaves an intent without a result, which a resume can tell apart.

    Raises:
        engine.errors.StoreUnavailableError: nothing is known to be written.
        engine.errors.LeaseLostError: another process took over; nothing was written.
    """
    await checkpointer.commit_steps({index: intent})
    final = await run(intent)
    await checkpointer.commit_steps({index: final})
    return final
