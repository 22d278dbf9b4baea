"""Runs do not disturb each other: beside whatever crashes have left of one, another is as if alone.

The other execution is put beside each place that crashes of the first lead to (the nodes of its
closure), in the same shard, so that both share a queue. Its whole history must be, to the last bit,
that of a store which holds nothing else.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from chaos.case import Case
from chaos.explore.closure import CRASHES, Bounds, closure
from chaos.fault_id import format_case
from chaos.faults.ledger import Ledger
from chaos.port import EXECUTION, StoredKey
from chaos.running import reference_of, simulate
from chaos.worlds.snapshot import Snapshot

OTHER = EXECUTION.replace("execution", "another")
"""The id under which the first execution lies beside the second; as long as the second's."""


def disturbed(plan: str, beside: str) -> Iterator[tuple[str, bool]]:
    """Yield each place that crashes of `plan` lead to, and if an execution of `beside` differs there."""
    nodes: list[Snapshot] = []
    closure(
        plan,
        Bounds(kinds=CRASHES, audited_share=0),
        found=lambda _, snapshot: nodes.append(snapshot),
    )
    alone = reference_of(beside).digest()
    for node in nodes:
        if node.image:
            history = simulate(Case(beside), start=_beside(node)).recorder.history
            yield format_case(Case(plan, node.fired)), history.digest() != alone


def _beside(node: Snapshot) -> Snapshot:
    """Return the begin of another execution, on a store that holds what a node holds."""
    return replace(
        node,
        image=_renamed(node.image),
        images=[],
        ledger=Ledger(),
        elapsed_ms=0,
        records=[],
        fired=(),
        held=[],
        sites=[],
        lives=0,
        last_fault_ms=0,
        failed_last=False,
        duplicates=0,
        cancelled=False,
        over=False,
    )


def _renamed(value: Any) -> Any:
    """Return a content in which the execution has another id, wherever that stands."""
    if isinstance(value, bytes):
        return value.replace(EXECUTION.encode(), OTHER.encode())
    if isinstance(value, dict):
        return {_renamed(key): _renamed(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_renamed(item) for item in value)
    return replace(value, value=_renamed(value.value)) if isinstance(value, StoredKey) else value
