"""What is under way and arrives late: writes and effects whose sender may be dead by then."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from chaos.case import FaultPoint
from chaos.fault_kinds import FaultKind
from chaos.faults.connection import Passage
from chaos.port import CallRequest

Command = TypeVar("Command")
"""What a world holds of a command: its bytes, or the connection that has them."""


@dataclass(slots=True)
class Held(Generic[Command]):
    """One message.

    Attributes:
        after_life: the life that sent it.
        own: whether operations of the sender itself count, because it lives on.
        left: operations that pass before it arrives.
        passage: the operation that a held command is.
        command: the held command.
        request: a held call of a tool.
    """

    after_life: int
    own: bool
    left: int
    passage: Passage | None = None
    command: Command | None = None
    request: CallRequest | None = None

    def copy(self) -> "Held[Command]":
        """Return one whose countdown is its own."""
        return replace(self)

    def counts(self, life: int) -> bool:
        """Whether an operation of `life` brings it nearer."""
        return life > self.after_life or (self.own and life == self.after_life)


def held_command(passage: Passage, command: Command) -> Held[Command]:
    """Return a command that is sent by a process that is killed, or times out and lives on."""
    own = passage.kind is FaultKind.APPLIED_AFTER_TIMEOUT
    left = 1 if passage.amount is None else passage.amount
    return Held(passage.life, own=own, left=left, passage=passage, command=command)


def held_call(life: int, request: CallRequest, point: FaultPoint) -> Held[Command]:
    """Return a call whose effect comes after its process has been killed."""
    left = 1 if point.amount is None else point.amount
    return Held(life, own=False, left=left, request=request)
