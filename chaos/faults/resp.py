"""Commands out of the bytes of a Redis connection. Pure."""

from collections.abc import Iterable, Iterator


class NotACommandError(ValueError):
    """Bytes that no client sends."""


def read_commands(packed: bytes) -> Iterator[list[bytes]]:
    """Yield the commands that a client has packed, each as its name and arguments.

    Raises:
        NotACommandError: the bytes are no whole commands.
    """
    at = 0
    try:
        while at < len(packed):
            count, at = _length(packed, at, b"*")
            command = []
            for _ in range(count):
                length, at = _length(packed, at, b"$")
                command.append(packed[at : at + length])
                at += length + 2
            yield command
    except (ValueError, IndexError) as error:
        raise NotACommandError(f"no command at byte {at}: {error}") from None


def packed_command(parts: Iterable[str]) -> bytes:
    """Return a command as a client packs it."""
    encoded = [part.encode() for part in parts]
    sized = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded)
    return b"*%d\r\n" % len(encoded) + sized


def joined(command: bytes | str | Iterable[bytes]) -> bytes:
    """Return what `send_packed_command` is given as one piece of bytes."""
    if isinstance(command, str):
        return command.encode()
    return command if isinstance(command, bytes) else b"".join(command)


def _length(packed: bytes, at: int, mark: bytes) -> tuple[int, int]:
    end = packed.index(b"\r\n", at)
    if packed[at : at + 1] != mark:
        raise ValueError(f"expected {mark!r}")
    return int(packed[at + 1 : end]), end + 2
