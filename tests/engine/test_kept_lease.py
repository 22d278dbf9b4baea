"""Without these a lost lease would let its work go on, or a renewal would outlive the work."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from engine.kept_lease import KeptLease


class Timer:
    """A timer that the test fires."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Lease:
    """A lease whose renewals do what the test says."""

    def __init__(self) -> None:
        self.kept = False
        self.is_quiet = True
        self.timers: list[Timer] = []
        self.failure: Exception | None = None
        self.hangs = False
        self.renewals = 0
        self.ended: list[str] = []

    def arm(self, callback: Callable[[], object]) -> Timer:
        self.timers.append(Timer(callback))
        return self.timers[-1]

    async def renew(self) -> None:
        self.renewals += 1
        try:
            if self.hangs:
                await asyncio.Event().wait()
            if self.failure is not None:
                raise self.failure
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # it takes its time
            self.ended.append("cancelled")
            raise
        self.ended.append("renewed")

    def fire(self) -> None:
        assert not self.timers[-1].cancelled
        self.timers[-1].callback()


class LostError(Exception):
    """The lease is another's."""


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(20):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, 5))


def test_a_lease_is_renewed_again_and_again_while_the_body_works() -> None:
    lease = Lease()

    async def main() -> None:
        async with KeptLease(lease):
            assert lease.kept
            for round_ in (1, 2, 3):
                lease.fire()
                await until(lambda n=round_: len(lease.timers) == n + 1)  # type: ignore[misc]

    run(main())
    assert lease.renewals == 3
    assert lease.timers[-1].cancelled
    assert not lease.kept


def test_a_lease_that_was_written_to_meanwhile_needs_no_renewal() -> None:
    lease = Lease()
    lease.is_quiet = False

    async def main() -> None:
        async with KeptLease(lease):
            lease.fire()

    run(main())
    assert lease.renewals == 0
    assert len(lease.timers) == 2
    assert lease.timers[-1].cancelled


def test_inside_another_one_it_does_nothing() -> None:
    lease = Lease()

    async def main() -> None:
        async with KeptLease(lease):
            async with KeptLease(lease):
                assert len(lease.timers) == 1
            assert lease.kept
            assert not lease.timers[0].cancelled
            lease.fire()
            await until(lambda: lease.ended == ["renewed"])

    run(main())
    assert not lease.kept


def test_a_lost_lease_cancels_the_body_and_says_why() -> None:
    lease = Lease()
    lease.failure = LostError()
    heard: list[str] = []

    async def work() -> None:
        async with KeptLease(lease):
            lease.fire()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                heard.append("cancelled")
                raise

    async def main() -> int:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(LostError):
            await work()
        await asyncio.sleep(0)  # nothing of the cancellation is left
        return task.cancelling()

    assert run(main()) == 0
    assert heard == ["cancelled"]


def test_a_body_that_ignores_its_cancellation_is_told_all_the_same() -> None:
    lease = Lease()
    lease.failure = LostError()

    async def main() -> None:
        async with KeptLease(lease):
            lease.fire()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(LostError):
        run(main())


def test_what_the_body_raises_goes_on_as_it_is_and_a_renewal_under_way_ends_first() -> None:
    lease = Lease()
    lease.hangs = True

    async def main() -> None:
        async with KeptLease(lease):
            lease.fire()
            await until(lambda: lease.renewals == 1)
            raise ValueError("the body's own")

    with pytest.raises(ValueError, match="the body's own"):
        run(main())
    assert lease.ended == ["cancelled"]
    assert len(lease.timers) == 1


def test_a_body_that_fails_while_it_is_cancelled_is_heard_beside_the_loss() -> None:
    lease = Lease()
    lease.failure = LostError()

    async def main() -> None:
        async with KeptLease(lease):
            lease.fire()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("no tidy end") from None

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main())
    assert [type(error) for error in caught.value.exceptions] == [ValueError, LostError]


@pytest.mark.parametrize("lost", [False, True])
def test_a_cancellation_by_others_stays_one(lost: bool) -> None:
    lease = Lease()
    lease.failure = LostError() if lost else None
    lease.hangs = not lost

    async def work() -> None:
        async with KeptLease(lease):
            lease.fire()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(work())
        await until(lambda: lease.renewals == 1)
        if lost:
            await until(lambda: task.cancelling() == 1)  # the loss has cancelled it
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(main())
    assert lease.ended == ([] if lost else ["cancelled"])


def test_the_end_waits_for_a_renewal_also_when_it_is_cancelled_meanwhile() -> None:
    lease = Lease()
    lease.hangs = True

    async def work() -> None:
        async with KeptLease(lease):
            lease.fire()
            await until(lambda: lease.renewals == 1)

    async def main() -> None:
        task = asyncio.create_task(work())
        await until(lambda: lease.renewals == 1)
        await until(lambda: not lease.kept)  # the body has ended, the renewal has not
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert lease.ended == ["cancelled"]

    run(main())
