"""The page of all commands, from the command line's own definitions."""

from collections.abc import Iterator

import click

from conformance.cli import COMMANDS, command_group
from conformance.documentation.markdown import code, table
from conformance.errors import SEVERITY, ExitCode

INTRODUCTION = """\
Every command, argument and option. Exit codes mean the same everywhere; the most severe wins, in the
order {order}."""


def command_page() -> str:
    """Return the page."""
    group = command_group()
    context = click.Context(group, info_name="planproof")
    order = ", ".join(str(int(each)) for each in SEVERITY if each is not ExitCode.PASSED)
    contents = " · ".join(f"[{name}](#planproof-{name})" for name in COMMANDS)
    parts = ["# Commands", INTRODUCTION.format(order=order), contents]
    for name in COMMANDS:
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(f"planproof {name} is listed and cannot be loaded")
        parts += _command(command, f"planproof {name}", context)
    return "\n\n".join(parts) + "\n"


def _command(command: click.Command, path: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield f"## {path}" if path.count(" ") == 1 else f"### {path}"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{path} {usage}\n```"
    yield _prose(command.help or "")
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        yield table(("option", "what", "default"), [_row(each, context) for each in options])
    if command.epilog:
        yield _prose(command.epilog)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _command(below, f"{path} {name}", parent)


def _row(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    flags = ", ".join(code(flag) for flag in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag else option.make_metavar(context)
    said = (option.help or "").removesuffix(".")
    extra = option.get_help_extra(context)
    needed = "required" if "required" in extra else extra.get("default", "")
    bounds = f" ({code(extra['range'])})" if "range" in extra else ""
    again = "; may be repeated" if option.multiple and "repeated" not in said else ""
    return f"{flags} {code(kind)}".strip(), said + again + bounds, needed


def _prose(text: str) -> str:
    """Return help text as Markdown; what click may not wrap becomes a block of its own."""
    paragraphs = []
    for paragraph in text.strip().replace("\r", "").split("\n\n"):
        if paragraph.strip().startswith("\b"):
            kept = paragraph.strip().removeprefix("\b").strip("\n")
            paragraphs.append(f"```text\n{kept}\n```")
        else:
            paragraphs.append(" ".join(paragraph.split()))
    return "\n\n".join(each for each in paragraphs if each)
