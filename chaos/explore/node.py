"""Nodes of the closure: where a case stands between two lives, up to what cannot matter."""

import hashlib
from typing import Any

from chaos.faults.ledger import Ledger
from chaos.faults.resp import read_commands
from chaos.plans import ChaosPlan
from chaos.port import ExecutorPort, Image
from chaos.virtual_time import EPOCH_MS
from chaos.worlds.held import Held
from chaos.worlds.sim import SimWorld
from chaos.worlds.snapshot import Snapshot


def node_of(snapshot: Snapshot, plan: ChaosPlan, port: ExecutorPort) -> str:
    """Return a hash of everything that the rest of a case depends on.

    That is what the executor reads of the store (`ExecutorPort.canonical` says why no more), what the
    tools answer, what is still held, whether the server knows the scripts, what is due, and whether
    a person still wants to cancel. How often each of these came about is the history's affair.
    """
    cancels_in = None
    if not snapshot.cancelled and plan.cancel_after_ms is not None:
        cancels_in = max(0, plan.cancel_after_ms - snapshot.elapsed_ms)
    return _hash(
        _content(snapshot.image, snapshot.ledger, snapshot.elapsed_ms, plan, port),
        _messages(snapshot.held, snapshot.image, port),
        bool(snapshot.scripts),
        cancels_in,
        snapshot.duplicates,
    )


def point_of(world: SimWorld, site: str) -> str:
    """Return a hash of a point within a life: the site, and what a crash there would leave."""
    image, port = world.store.image, world.port
    content = _content(image, world.ledger, world.clock.elapsed_ms, world.plan, port)
    return _hash(site, content, _messages(world.held, image, port))


def _content(
    image: Image, ledger: Ledger, elapsed_ms: int, plan: ChaosPlan, port: ExecutorPort
) -> Any:
    return port.canonical(image, EPOCH_MS + elapsed_ms), ledger.canonical(plan)


def _messages(held: list[Held[bytes]], image: Image, port: ExecutorPort) -> Any:
    """Return what is held and can still do something.

    A held write that is not stale was made of exactly what the store holds, so its content follows
    from that and from its site.
    """
    return tuple(
        sorted(
            (
                "" if one.passage is None else one.passage.site,
                "" if one.request is None else f"{one.request.tool} {one.request.key}",
                one.left,
            )
            for one in held
            if one.command is None or not port.is_stale(list(read_commands(one.command)), image)
        )
    )


def _hash(*parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()
