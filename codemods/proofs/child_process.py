"""One program of the consumer, with a deadline; its own children end with it."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LONGEST_OUTPUT = 4_000_000


class ChildError(Exception):
    """The program could not be started, or ran longer than it may."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Exit status and output of a program; the output of both streams in one."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        """The last line that is not blank."""
        lines = (line.strip() for line in reversed(self.output.splitlines()))
        return next((line for line in lines if line), f"exit status {self.status}")


def run(
    words: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    deadline_s: float,
) -> Finished:
    """Run a program to its end.

    Raises:
        ChildError: it cannot be started, or is not done in `deadline_s` seconds.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the consumer's own programs, no shell
                list(words),
                cwd=folder,
                env=environment,
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ChildError(f"{words[0]}: {error}") from None
        try:
            status = process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise ChildError(f"{words[0]}: not done in {deadline_s:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return Finished(status, output.read(_LONGEST_OUTPUT).decode("utf-8", "replace"))
