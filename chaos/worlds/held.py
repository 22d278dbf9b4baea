"""What is under way and arrives late: writes and effects whose sender may be dead by then."""

from dataclasses import dataclass

from chaos.faults.connection import Passage
from chaos.port import CallRequest


@dataclass(slots=True)
class Held:
    """One message.

    Attributes:
        after_life: the life that sent it.
        own: whether operations of the sender itself count, because it lives on.
        left: operations that pass before it arrives.
        packed: bytes of a held command.
        request: a held call of a tool.
    """

    after_life: int
    own: bool
    left: int
    passage: Passage | None = None
    packed: bytes = b""
    request: CallRequest | None = None

    def copy(self) -> "Held":
        """Return one whose countdown is its own."""
        return Held(self.after_life, self.own, self.left, self.passage, self.packed, self.request)

    def counts(self, life: int) -> bool:
        """Whether an operation of `life` brings it nearer."""
        return life > self.after_life or (self.own and life == self.after_life)
