"""The work that all contenders do: chains of steps that answer with a kilobyte of text."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

OUTPUT = {"text": "x" * 1000}
"""What each step returns, about as much as a tool of an agent, and what a contender makes durable."""


@dataclass(frozen=True, slots=True)
class Load:
    """Some workflows, each a chain.

    Attributes:
        steps: of one workflow.
        workflows: how many there are.
        at_once: how many of them run at the same time.
    """

    steps: int
    workflows: int
    at_once: int = 1

    @property
    def total(self) -> int:
        """Steps of all workflows together."""
        return self.steps * self.workflows


def step_id(index: int) -> str:
    """Return the id of a step; the legacy executor takes nothing but UUIDs."""
    return str(uuid.UUID(int=index + 1))


def plan(steps: int) -> dict[str, Any]:
    """Return a chain in the plan format that both of this project's executors read."""
    return {
        "id": str(uuid.UUID(int=1 << 64)),
        "intent_id": str(uuid.UUID(int=2 << 64)),
        "steps": [
            {
                "id": step_id(index),
                "step_number": index,
                "tool_name": "work",
                "parameters": {"number": index},
                "dependencies": [step_id(index - 1)] if index else [],
                "description": "",
                "requires_confirmation": False,
                "timeout_ms": 30_000,
            }
            for index in range(steps)
        ],
        "constraints": {"max_steps": 100, "max_total_tokens": 1, "max_execution_time_ms": 10**6},
        "metadata": {
            "version": "1",
            "created_at": "2026-01-01T00:00:00.000Z",
            "planning_model_id": "none",
            "estimated_total_tokens": 0,
            "estimated_latency_ms": 0,
        },
        "summary": "",
    }


async def run_all(load: Load, name: str, run_one: Callable[[str], Awaitable[int]]) -> int:
    """Run all workflows of `load` through `run_one`, and return how many steps were done."""
    if load.at_once == 1:
        return sum([await run_one(f"{name}.{number}") for number in range(load.workflows)])
    slots = asyncio.Semaphore(load.at_once)

    async def one(number: int) -> int:
        async with slots:
            return await run_one(f"{name}.{number}")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(load.workflows)]
    return sum(task.result() for task in tasks)
