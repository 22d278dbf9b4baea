"""The command `planproof`: one module per subcommand, errors turned into exit codes here."""

import errno
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conformance.errors import ExitCode, PlanproofError

if TYPE_CHECKING:
    import click

# Subcommand -> what it does. The command object is `conformance.commands.<name>.command`.
COMMANDS: dict[str, str] = {
    "trace": "Run scenarios through one executor and print a trace/v1 line for each.",
    "diff": "Run scenarios through both executors and judge every divergence.",
    "failures": "Compare the failure rates that both executors had in production.",
    "certify": "Say which capability level an executor, whoever wrote it, has reached.",
    "chaos": "Break everything that can break, everywhere, and judge what comes of it.",
    "record": "Turn executions of production into scenarios that can be replayed.",
    "shadow": "Judge what shadow runs of the unified engine have shown.",
    "ledger": "Lint the divergence ledger or propose an entry.",
    "scan": "Find every use of durable_execution below the given paths.",
    "codemod": "Migrate the uses of durable_execution below the given paths.",
    "explain": "Explain a rule of the codemods.",
    "gate": "Report the five success metrics and the migration checklist of this repository.",
    "report": "Open a report, merge those of several shards, or draw the trend of past runs.",
    "schema": "Print the JSON Schema of a format.",
    "init": "Write the configuration into a repository, and say what to do next.",
    "doctor": "Say what the environment has, and what it lacks.",
    "baseline": "Keep the uses of durable_execution from growing, file by file.",
    "completion": "Print the script that lets a shell complete commands and options.",
}

MISSING_EXTRA = "planproof: the command line needs the extra: pip install 'planproof[all]'"

READER_GONE = "planproof: the reader of the output went away"


class _ReaderGoneError(Exception):
    """The reader of the output went away (`| head`) before the command had ended."""


def command_group() -> "click.Group":
    """Return the command with all subcommands, which are imported when they are asked for."""
    import click  # noqa: PLC0415 - an extra: its absence is reported, not raised
    from typing_extensions import override  # noqa: PLC0415 - slow to import, see `run`

    class LazyGroup(click.Group):
        """Imports a subcommand only when it is used, so that every start is quick."""

        @override
        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(COMMANDS)

        @override
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in COMMANDS:
                return None
            module = importlib.import_module(f"conformance.commands.{cmd_name}")
            command: click.Command = module.command
            from conformance.help_texts import teach  # noqa: PLC0415 - needs click

            return teach(command, cmd_name)

        @override
        def invoke(self, ctx: click.Context) -> Any:
            # click would turn it into exit code 1, which here says that a check has failed.
            try:
                return super().invoke(ctx)
            except BrokenPipeError:
                raise _ReaderGoneError from None

        @override
        def format_commands(
            self,
            ctx: click.Context,
            formatter: click.HelpFormatter,
        ) -> None:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))

    return LazyGroup(
        name="planproof",
        help="Prove that the unified engine does what the legacy executor did, except where the ledger says why not.",
        epilog="Exit codes: 0 passed, 1 a check failed, 2 usage, 3 harness failed, 4 nothing examined, 5 ledger invalid.",
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version and exit.",
            )
        ],
    )


def _print_version(ctx: "click.Context", _param: "click.Parameter", value: bool) -> None:  # noqa: FBT001
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415

        import click  # noqa: PLC0415

        click.echo(f"planproof {version('planproof')}")
        ctx.exit()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises for a user's mistake."""
    try:
        import click  # noqa: PLC0415 - an extra; and slow, so that an interrupt may come meanwhile
    except ImportError:
        sys.stderr.write(MISSING_EXTRA + "\n")
        return int(ExitCode.USAGE)
    except KeyboardInterrupt:
        return _interrupted()
    try:
        result = command_group().main(args=arguments, prog_name="planproof", standalone_mode=False)
        return _delivered(int(result) if isinstance(result, int) else int(ExitCode.PASSED))
    except PlanproofError as error:
        sys.stderr.write(f"planproof: {error.line()}\n")
        return int(error.exit_code)
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")  # the help itself, which is no line
        return int(ExitCode.USAGE)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see `{context.command_path} --help`)" if context is not None else ""
        sys.stderr.write(f"planproof: {' '.join(error.format_message().split())}{hint}\n")
        return int(ExitCode.USAGE)
    except _interruptions():
        return _interrupted()
    except _ReaderGoneError:
        _discard_output()
        sys.stderr.write(READER_GONE + "\n")
        return int(ExitCode.HARNESS)
    except OSError as error:
        _give_up_output()
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"planproof: {place}{error.strerror or error}\n")
        # A name that no file can have is a wrong argument, and no fault of the disk.
        wrong = error.errno == errno.ENAMETOOLONG
        return int(ExitCode.USAGE if wrong else ExitCode.HARNESS)


def _interrupted() -> int:
    sys.stderr.write("planproof: interrupted\n")
    return int(ExitCode.HARNESS)


def _interruptions() -> tuple[type[BaseException], ...]:
    """Return what a Ctrl-C may show as.

    `asyncio.Runner` forgets one that comes while it is being set up, but for the task that it has
    cancelled already. Nothing else cancels a whole command.
    """
    from asyncio import CancelledError  # noqa: PLC0415 - asked for only when something was raised

    import click  # noqa: PLC0415

    return (click.Abort, KeyboardInterrupt, CancelledError)


def _delivered(code: int) -> int:
    """Return `code` after the last of the output has left.

    Raises:
        _ReaderGoneError: there is nobody who reads it.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise _ReaderGoneError from None
    return code


def _give_up_output() -> None:
    """Let go of output that cannot be written (a full disk): the interpreter would try again."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Point standard output at nothing, so that the interpreter's last flush succeeds."""
    try:
        target = sys.stdout.fileno()
    except OSError:
        return  # it is no file, and nothing is flushed into it at the end
    os.dup2(os.open(os.devnull, os.O_WRONLY), target)


def main() -> None:
    """Run the command line of this process and exit."""
    # A Ctrl-C may come between the making of a coroutine and its first step; that is no news.
    warnings.filterwarnings("ignore", r"coroutine .* was never awaited", RuntimeWarning)
    code = run()
    # Whatever is still alive ends with the process: no need to look for cycles in it.
    gc.freeze()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
