"""A simulated world between two lives, from which it can go on any number of times."""

from dataclasses import dataclass
from typing import TypeAlias

from chaos.case import FaultPoint
from chaos.faults.ledger import Ledger
from chaos.history import Record
from chaos.port import Image
from chaos.worlds.held import Held

Site: TypeAlias = tuple[int, str, int, str]
"""A point that a case passes: life, site, nth, and the target that stands there."""


@dataclass(slots=True)
class Snapshot:
    """Everything that the rest of a case depends on.

    Attributes:
        images: what the server held before each operation that changed it.
        fired: faults that have happened, in order.
        lives: how many there were.
        duplicates: resume messages that are under way a second time.
        cancelled: whether the person who cancels has been heard.
        over: nobody has anything to do any more.
    """

    image: Image
    images: list[Image]
    scripts: dict[bytes, bytes]
    generation: int
    ledger: Ledger
    elapsed_ms: int
    records: list[Record]
    fired: tuple[FaultPoint, ...]
    held: list[Held[bytes]]
    sites: list[Site]
    lives: int
    last_fault_ms: int
    failed_last: bool
    duplicates: int
    cancelled: bool
    over: bool = False
