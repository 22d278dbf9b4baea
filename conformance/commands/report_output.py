"""The options that every command with a report has, and where the report goes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from conformance.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def report_options(command: _Command) -> _Command:
    """Add `--format` (as `format_`) and `--output` to a command."""
    output = click.option(
        "--output", type=click.Path(path_type=Path), help="Write the report to this file."
    )
    format_ = click.option(
        "--format",
        "format_",
        type=click.Choice(["console", "json"]),
        default="console",
        show_default=True,
        help="How the report is written.",
    )
    return format_(output(command))


def check_writable(output: Path | None) -> None:
    """Fail before a long run and not after it.

    Raises:
        UsageError: a report cannot be written there.
    """
    if output is None:
        return
    folder = output.parent
    if output.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError("the report cannot be written there", place=str(output))
