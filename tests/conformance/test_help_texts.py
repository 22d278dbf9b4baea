"""`--help` teaches: every command has an example that its own parser takes, and its exit codes."""

import re
import shlex

import click
import pytest

from conformance.cli import COMMANDS, command_group, run
from conformance.errors import ExitCode
from conformance.help_texts import TEACHINGS


def _commands():
    group = command_group()
    context = click.Context(group)
    found = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {below}": each for below, each in command.commands.items()}
    return found


FOUND = _commands()


def test_every_command_is_taught_and_nothing_else():
    assert set(TEACHINGS) == set(FOUND)
    assert set(COMMANDS) <= set(FOUND)


@pytest.mark.parametrize("path", FOUND)
def test_the_example_is_one_that_the_parser_takes(path):
    words = shlex.split(TEACHINGS[path].example.partition(" > ")[0])
    assert words[0] == "planproof"
    own = path.split()
    assert words[1 : 1 + len(own)] == own
    command = FOUND[path]
    if isinstance(command, click.Group):
        own, command = words[1:3], command.commands[words[2]]
    command.make_context("planproof", words[1 + len(own) :])


@pytest.mark.parametrize("path", FOUND)
def test_the_help_shows_the_example_and_the_exit_codes(path, capsys):
    assert run([*path.split(), "--help"]) == ExitCode.PASSED
    shown = capsys.readouterr().out
    assert TEACHINGS[path].example in shown
    codes = [int(code) for code in re.findall(r"^ {4}(\d)  \S", shown, re.MULTILINE)]
    assert {0, 2, 3} <= set(codes)
    assert codes == sorted(codes)
