"""A dead process does nothing more, whatever its clean-up code tries."""

import asyncio

import pytest

from chaos.virtual_time import VirtualClock, run_virtual
from conformance import process as process_module
from conformance.errors import HarnessError
from conformance.process import Process, current_process, follow_tasks, refuse_the_dead


def _run(main):
    clock = VirtualClock()

    async def prepared():
        follow_tasks(asyncio.get_running_loop())
        return await main(clock)

    return run_virtual(prepared, clock)


def test_every_task_that_a_process_starts_dies_with_it():
    async def main(clock):
        process, done = Process(), []

        async def child():
            await clock.sleep_ms(20)
            done.append("child")

        async def parent():
            background = asyncio.ensure_future(child())
            await asyncio.gather(child(), child())
            await background
            done.append("parent")

        process.spawn(parent())
        await clock.sleep_ms(10)
        process.kill()
        await process.reap()
        await clock.sleep_ms(100)
        return done, process.is_dead

    assert _run(main) == ([], True)


def test_clean_up_code_of_the_dead_is_refused():
    async def main(clock):
        process, seen = Process(), []

        async def body():
            try:
                await clock.sleep_ms(50)
            except Exception:  # noqa: BLE001 - what an executor would catch
                seen.append("handled")
            finally:
                seen.append("finally")
                refuse_the_dead()
                seen.append("wrote")

        process.spawn(body())
        await clock.sleep_ms(1)
        process.kill()
        process.kill()
        await process.reap()
        return seen

    assert _run(main) == ["finally"]


def test_a_task_that_survives_is_reported(monkeypatch):
    monkeypatch.setattr(process_module, "REAP_ROUNDS", 20)

    async def main(clock):
        process = Process()
        stubborn = True

        async def body():
            while stubborn:
                try:
                    await clock.sleep_ms(50)
                except asyncio.CancelledError:
                    continue

        process.spawn(body())
        await clock.sleep_ms(1)
        process.kill()
        with pytest.raises(HarnessError, match="outlives"):
            await process.reap()
        stubborn = False
        await process.reap()

    _run(main)


def test_the_driver_belongs_to_no_process():
    async def main(_):
        process = Process()
        assert current_process() is None
        assert process.call(current_process) is process
        process.kill()
        refuse_the_dead()
        with pytest.raises(asyncio.CancelledError):
            process.call(refuse_the_dead)

    _run(main)
