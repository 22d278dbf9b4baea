"""Without these a schedule could be followed in another way than it is written."""

import asyncio

import pytest

from chaos.virtual_time import VirtualClock, run_virtual
from chaos.worlds.life import Life
from chaos.worlds.turns import ScheduleError, Turns


def order(schedule: str, *operations: int) -> str:
    """Return whose operations follow each other, for processes with so many each."""
    made: list[str] = []

    async def process(turns: Turns, life: Life, count: int) -> None:
        for _ in range(count):
            await turns.take(life)
            made.append(str(life.number))
        turns.leave(life)

    async def main() -> None:
        turns = Turns(schedule)
        lives = [Life(number + 1) for number in range(len(operations))]
        for life in lives:
            turns.join(life)
        await asyncio.gather(
            *(process(turns, life, count) for life, count in zip(lives, operations, strict=True))
        )

    run_virtual(main, VirtualClock())
    return "".join(made)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("", "111222"),
        ("0", "222111"),
        ("2", "112221"),
        ("1.2", "122112"),
        ("9", "111222"),
    ],
)
def test_a_turn_is_as_long_as_the_schedule_says(schedule, expected):
    assert order(schedule, 3, 3) == expected


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another():
    found = {seed: order(f"pct3-{seed}", 4, 4, 4) for seed in range(8)}
    assert found == {seed: order(f"pct3-{seed}", 4, 4, 4) for seed in range(8)}
    assert len(set(found.values())) > 2


@pytest.mark.parametrize("schedule", ["x", "1..2", "pct", "-1"])
def test_what_is_no_schedule_is_refused(schedule):
    with pytest.raises(ScheduleError):
        Turns(schedule)
