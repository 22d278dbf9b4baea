"""What the segment executor throws, and how each thing reads in its messages."""

import json
from typing import Final

OBJECT_TEXT: Final = "[object Object]"


class SegmentError(Exception):
    """Base of what the segment executor throws itself."""

    name = "Error"


class MemoryFailure(SegmentError):  # noqa: N818 - not an error object, which is the point
    """A fault of the memory layer: a plain record with a message, not an error.

    Quirk 44: whoever turns it into text gets `[object Object]`; the message is lost.
    """

    name = "object"


class SchemaViolation(SegmentError):  # noqa: N818 - named for what the schema reports
    """A plan, intent or state does not have the shape that the schema asks for.

    The message is the list of complaints as JSON; only the first complaint is looked for.
    """

    name = "ZodError"

    def __init__(self, path: str, complaint: str, code: str = "invalid_type") -> None:
        """Complain about the value at the dotted `path`."""
        issue = {
            "code": code,
            "message": complaint,
            "path": [int(part) if part.isdigit() else part for part in path.split(".")],
        }
        super().__init__(json.dumps([issue], indent=2, ensure_ascii=False))
        self.path = path
        self.complaint = complaint


class StateTransitionError(SegmentError):
    """The one checked transition, the one to EXECUTING, was refused."""


class CheckpointMissingError(SegmentError):
    """There is nothing to resume."""


class DeadlockError(SegmentError):
    """Pending steps remain and none of them is ready."""


class MalformedPlanError(SegmentError):
    """A field that the raw plan leaves out was read."""

    name = "TypeError"


def message_of(error: BaseException) -> str:
    """Return the message that a handler reads from something thrown."""
    return OBJECT_TEXT if isinstance(error, MemoryFailure) else str(error)


def text_of(error: BaseException) -> str:
    """Return the text form of something thrown: its name, a colon, its message."""
    if isinstance(error, MemoryFailure):
        return OBJECT_TEXT
    if isinstance(error, SegmentError):
        return f"{error.name}: {error}"
    name = "SyntaxError" if type(error).__name__ == "JsonSyntaxError" else "Error"
    return f"{name}: {error}"
