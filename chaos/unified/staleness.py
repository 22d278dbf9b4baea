"""Which held operations of the unified engine can change nothing any more. Pure.

The fencing token of an execution only grows, and its version does under one token. So what names
another token, or another version of the newest, is refused whenever it arrives. (A store that loses
writes goes back in both; what is held is not combined with such losses.)
"""

from collections.abc import Mapping

from chaos.port import Command, Image
from chaos.unified.sites import script_of
from chaos.unified.view import stored

_READS = frozenset({"load"})


def is_stale(command: Command, image: Image) -> bool:
    """Whether a command that arrives now, or later, leaves everything as it is."""
    called = script_of(command)
    if called is None:
        return False
    script, arguments = called
    head: Mapping[bytes, bytes] = stored(image, "run") or {}
    fence, version = head.get(b"fence", b""), head.get(b"version", b"")
    if script in _READS:
        return True
    if b"ended" in head:
        return script != "script"
    if script == "claim":
        return not arguments[5] or arguments[5] != fence + b":" + version
    if script == "renew":
        return bool(head) and arguments[1] != fence
    if script == "begin":
        return bool(head) and head.get(b"begun_by") != arguments[5]
    if script == "apply":
        token, expected = arguments[2].split(b" ")[:2]
        return bool(head) and (token, expected) != (fence, version)
    return False
