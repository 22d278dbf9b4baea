"""Names of the unified engine's store operations, read from its scripts and their arguments. Pure.

A name says what an operation does to which steps: "s1.commit+s2.intent". It follows from what is
written and not from where in the engine that happens, so unrelated edits leave it alone.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache

from chaos.port import Command, Operation
from engine import redis_scripts

SCRIPTS: tuple[str, ...] = tuple(redis_scripts.BY_NAME.values())


def digest_of(text: str) -> bytes:
    """Return what a script is called by, as it is sent."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode()


_NAMES = {digest_of(text): name for name, text in redis_scripts.BY_NAME.items()}
_SCRIPT_COMMANDS = frozenset({b"EVALSHA", b"EVAL"})
_STEP_WORDS = {
    "pending": "defer",
    "in_progress": "intent",
    "awaiting_confirmation": "await",
    "completed": "commit",
    "failed": "commit",
    "in_doubt": "doubt",
}
_FACTS = 14
_COUNTS = 7
"""Where among the facts of `apply` the counts of its lists begin."""


def script_of(command: Command) -> tuple[str, Sequence[bytes]] | None:
    """Return the script that a command calls, and its arguments; None: it calls none of these."""
    if command[0].upper() not in _SCRIPT_COMMANDS:
        return None
    digest = command[1] if command[0].upper() == b"EVALSHA" else digest_of(command[1].decode())
    return _NAMES.get(digest, "script"), command[3 + int(command[2]) :]


def name_operation(commands: Sequence[Command], step_ids: Sequence[str]) -> Operation | None:
    """Return what a command, or a pipeline, of the engine is for; None: nothing of its own."""
    if commands[0][0].upper() == b"SET" and len(commands) > 1:
        return Operation("barrier")
    called = script_of(commands[0])
    if called is None:
        return None
    script, arguments = called
    if script == "apply":
        return _name_apply(arguments, step_ids)
    if script == "claim":
        return Operation("claim" if arguments[5] else "look")
    if script == "renew":
        return Operation("renew", epoch=int(arguments[1]))
    return Operation({"request_cancel": "cancel"}.get(script, script))


def _name_apply(arguments: Sequence[bytes], step_ids: Sequence[str]) -> Operation:
    facts = arguments[2].split(b" ")
    if len(facts) != _FACTS:
        return Operation("apply")
    token, release, expire = int(facts[0]), facts[3] == b"1", facts[4]
    set_, removed, steps, undone, undoing = map(int, facts[_COUNTS : _COUNTS + 5])
    head = dict(zip(arguments[3 : 3 + 2 * set_ : 2], arguments[4 : 4 + 2 * set_ : 2], strict=True))
    at = 3 + 2 * set_ + removed
    words = [_word(text) for text in arguments[at + 1 : at + 2 * steps : 2]]
    at += 2 * steps
    words += [f"{step_ids[int(index)]}.undone" for index in arguments[at : at + 2 * undone : 2]]
    at += 2 * undone
    words += [f"{step_ids[int(index)]}.undoing" for index in arguments[at : at + undoing]]
    events = arguments[at + undoing :]
    if expire:
        words.append("finish")
    elif release:
        words.append(_release_word(head, events))
    return Operation("+".join(_ordered(words)) or "note", epoch=token)


def _release_word(head: dict[bytes, bytes], events: Sequence[bytes]) -> str:
    if b"waiting_for" in head:
        return "await"
    if any(b'"CONFIRMATION_DECIDED"' in event for event in events):
        return "decide"
    return "yield" if b"due_at_ms" in head else "release"


def _ordered(words: Sequence[str]) -> list[str]:
    """Return results before what they make possible; the order within is the plan's."""
    late = (".intent", ".undoing")
    return [word for word in words if not word.endswith(late)] + [
        word for word in words if word.endswith(late)
    ]


@lru_cache(maxsize=4096)
def _word(text: bytes) -> str:
    state = json.loads(text)
    return f"{state['id']}.{_STEP_WORDS[state.get('status', 'pending')]}"
