"""What of a server's content the unified engine's further behaviour depends on. Pure.

Two contents with the same canonical form behave the same from here on, because of what is left out

- versions, operation ids, fencing tokens, owners and the ids of claims are compared for equality,
  and only with what a living process holds; between two lives nobody holds any. A held write does,
  so whether its token is still the newest is part of the node (see `chaos.explore.closure`);
- times of the past, segment numbers and the numbers of events are reported and never decided upon;
- the outbox is only written to;
- the count of attempts is compared with a retry policy's bound; it is capped there;
- times of resumes and of retries count from now, because clocks only go on; of a lease that runs
  only that it does, because what it holds up waits for its end, however far that is.

What is compared with the clock over a whole execution (a limit of a saga's or of a plan's time) makes
a start time matter; plans with such limits keep theirs.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chaos.plans import ENOUGH_ATTEMPTS, ChaosPlan
from chaos.port import EXECUTION, Image
from chaos.unified.view import DROPPED_HEAD, queued_at_ms, stored

_TOMBSTONE = b"!"
_START_TIMES = (b"created_at_ms", b"saga_started_at_ms")


def canonical_form(image: Image, now_ms: int, plan: ChaosPlan) -> Any:
    """Return the canonical form of an image, a nested tuple."""
    head: Mapping[bytes, bytes] | None = stored(image, "run")
    due_at_ms = queued_at_ms(image)
    due = None if due_at_ms is None else max(0, due_at_ms - now_ms)
    if not head:
        return ("none", due)
    budgets = {step["id"]: _budget(step) for step in plan.plan["steps"]}
    fields = [
        (name.decode(), _head_value(name, value, now_ms))
        for name, value in head.items()
        if name not in DROPPED_HEAD
    ]
    if plan.settings.saga_timeout_ms or plan.settings.enforce_plan_constraints:
        fields += [
            (name.decode(), str(now_ms - int(head[name]))) for name in _START_TIMES if name in head
        ]
    leased = bool(head.get(b"lease_owner")) and int(head.get(b"lease_until_ms") or 0) > now_ms
    steps = [
        (
            name.decode(),
            "" if name.startswith(_TOMBSTONE) else _step(text, now_ms, _freeze(budgets)),
        )
        for name, text in (stored(image, "steps") or {}).items()
    ]
    others = sorted(
        key.decode(errors="replace") for key in image if key.endswith(f":{EXECUTION}".encode())
    )
    return (
        tuple(sorted(fields)),
        leased,
        None if leased else due,
        tuple(sorted(steps)),
        tuple(others),
    )


def _head_value(name: bytes, value: bytes, now_ms: int) -> str:
    if name == b"due_at_ms" and value:
        return str(max(0, int(value) - now_ms))
    if name == b"waiting_for" and value:
        return str(json.loads(value)["step_id"])
    return value.decode(errors="replace")


def _budget(step: Mapping[str, Any]) -> int:
    """Return the count from which on more attempts make no difference.

    A bound that no path comes near makes none at all, with pauses that do not grow.
    """
    policy = step.get("retry_policy") or {}
    attempts = int(policy.get("max_attempts", 1))
    if attempts >= ENOUGH_ATTEMPTS and policy.get("multiplier") == 1:
        return 1
    return attempts + 1


def _freeze(budgets: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(budgets.items())


def _step(text: bytes, now_ms: int, budgets: tuple[tuple[str, int], ...]) -> str:
    state, retry_at_ms = _step_parts(text, budgets)
    if retry_at_ms is None:
        return state
    return f"{state} retry in {max(0, retry_at_ms - now_ms)}"


@lru_cache(maxsize=8192)
def _step_parts(text: bytes, budgets: tuple[tuple[str, int], ...]) -> tuple[str, int | None]:
    state = json.loads(text)
    retry_at_ms = state.pop("retry_at_ms", None)
    for name in ("started_at_ms", "completed_at_ms", "latency_ms"):
        state.pop(name, None)
    if "attempts" in state:
        state["attempts"] = min(state["attempts"], dict(budgets).get(state["id"], 1))
    return json.dumps(state, sort_keys=True), retry_at_ms
