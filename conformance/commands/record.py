"""`planproof record`: scenarios of executions that were recorded, or that are in a store."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from conformance.commands.report_output import check_writable
from conformance.errors import ExitCode, VacuousError
from conformance.recording.building import Untestable, build
from conformance.recording.recorded import read_recordings
from conformance.recording.redaction import SECRET_KEYS, Redaction
from conformance.report_files import write_report
from conformance.scenario import Scenario

_FILE = click.Path(path_type=Path)
_OUT = click.option("--out", required=True, type=_FILE, help="The file of scenarios (.jsonl).")


@click.group(name="record")
def command() -> None:
    """Turn executions of production into scenarios that `planproof diff --scenarios` replays."""


@command.command(name="build")
@click.argument("recordings", nargs=-1, required=True, type=_FILE)
@_OUT
def build_(recordings: tuple[Path, ...], out: Path) -> int:
    """Build scenarios of what `conformance.recording.Recorder` has written.

    Each is replayed once. An execution of which a fact is missing is named with all that is
    missing, and left out: then the exit code is 4.
    """
    check_writable(out)
    found = read_recordings(recordings)
    built = [build(recorded) for recorded in found.executions.values()]
    torn = [f"unreadable line: {place}" for place in found.unreadable]
    return _deliver(built, torn, out, ", ".join(map(str, recordings)))


@command.command(name="from-redis")
@click.option("--store", required=True, metavar="URL", help="redis://HOST:PORT/DB and the like.")
@click.option(
    "--prefix", default="planproof", show_default=True, help="Of the unified engine's keys."
)
@click.option(
    "--redact-key", "keys", multiple=True, metavar="NAME", help="Hide the values of this field too."
)
@_OUT
def from_redis(store: str, prefix: str, keys: tuple[str, ...], out: Path) -> int:
    """Build scenarios of the executions that a store holds, of both executors; it is only read.

    A store keeps the last outcome of each step: an execution with retries, or that has not ended,
    is named and left out.
    """
    from conformance.recording.stored import build_stored, read_store  # noqa: PLC0415 - loads the client

    check_writable(out)
    redaction = Redaction(keys=(*SECRET_KEYS, *keys))
    stored = asyncio.run(read_store(store, prefix, redaction))
    return _deliver([build_stored(each) for each in stored], [], out, f"the store, prefix {prefix}")


def _deliver(
    built: Sequence[Scenario | Untestable], torn: Sequence[str], out: Path, source: str
) -> int:
    """Write what can be replayed, and name the rest."""
    if not built and not torn:
        raise VacuousError("there is no execution", place=source)
    scenarios = [each for each in built if isinstance(each, Scenario)]
    refused = [each for each in built if isinstance(each, Untestable)]
    if scenarios:
        lines = [json.dumps(each.document(), ensure_ascii=True) for each in scenarios]
        write_report(out, "".join(f"{line}\n" for line in lines))
    for each in refused:
        sys.stdout.write(f"{each.line()}\n")
    sys.stdout.writelines(f"{line}\n" for line in torn)
    code = ExitCode.VACUOUS if refused or torn or not scenarios else ExitCode.PASSED
    place = f" in {out}" if scenarios else ""
    sys.stdout.write(
        f"{len(scenarios)} scenarios{place}, {len(refused)} untestable (exit {int(code)})\n"
    )
    if scenarios:
        sys.stdout.write(f"replay them: planproof diff --scenarios {out}\n")
    return int(code)
