"""The Docket adapter as a subject: each process has a worker of its own on one shared Docket.

Whoever starts or resumes an execution only asks for it; a worker of any living process carries it out.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from typing_extensions import override

try:
    from docket import Docket, Worker
except ImportError as error:
    raise ImportError(
        f"{error}; the Docket adapter is an extra: pip install 'planproof[pydocket]'"
    ) from None

from conformance.subject import ResumeRequest, SegmentResult, StartRequest
from conformance.subjects.docket_time import virtual_docket
from conformance.subjects.unified import UnifiedSubject
from conformance.world import World
from engine.adapters import docket_executor
from engine.slice_runner import SliceRunner
from engine.types.execution import WorkflowExecutor

NAME = "planproof"
EVERY = timedelta(milliseconds=200)  # virtual time between two looks of a worker at its queue


class DocketSubject(UnifiedSubject):
    """Runs a scenario through `engine.adapters.docket_executor`, default settings."""

    def __init__(self, world: World) -> None:
        """Prepare one process; its worker begins with the first request."""
        super().__init__(world)
        self._worker_name = f"worker-{world.store.observer.processes}"
        self._docket: Docket | None = None
        self._work: asyncio.Task[None] | None = None

    @override
    async def start(self, request: StartRequest) -> SegmentResult:
        """Set the plan, and wait until a worker has carried it out."""
        await self._serving()
        return await super().start(request)

    @override
    async def resume(self, request: ResumeRequest) -> SegmentResult:
        """Ask for the next slice, and wait as above."""
        await self._serving()
        return await super().resume(request)

    @override
    async def close(self) -> None:
        """Stop the worker."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    @override
    def _executor(self, execution_id: str, intent: Mapping[str, Any] | None) -> WorkflowExecutor:
        assert self._docket is not None  # noqa: S101 - it is being served
        return docket_executor.DocketExecutor(
            execution_id,
            partial(self._machine, intent=intent),
            self._docket,
            clock=self._world.clock,
        )

    async def _serving(self) -> None:
        """Return when this process serves the Docket."""
        if self._work is not None:
            return
        ready = asyncio.Event()
        self._work = asyncio.get_running_loop().create_task(self._serve(ready))
        waiting = asyncio.get_running_loop().create_task(ready.wait())
        await asyncio.wait([self._work, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._work.done():
            self._work.result()

    async def _serve(self, ready: asyncio.Event) -> None:
        clock = self._world.clock
        with virtual_docket(clock):
            async with Docket(NAME, url=f"memory://{NAME}") as served:
                runner = SliceRunner(self._store, partial(self._machine, intent=None), clock=clock)
                docket_executor.register(served, runner, clock=clock)
                async with Worker(
                    served,
                    name=self._worker_name,
                    minimum_check_interval=EVERY,
                    scheduling_resolution=EVERY,
                ) as worker:
                    self._docket = served
                    ready.set()
                    await worker.run_forever()
