"""`planproof completion`: the script that lets a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from conformance.errors import HarnessError

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PLANPROOF_COMPLETE"  # the name that click derives from the program's


@click.command(name="completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the completion script of SHELL; the shell reads it at its start.

    bash: planproof completion bash > ~/.planproof-complete.bash, and source it in ~/.bashrc.
    zsh: the same with zsh, sourced in ~/.zshrc.
    fish: planproof completion fish > ~/.config/fish/completions/planproof.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise HarnessError(f"click knows no completion for {shell}")
    click.echo(found(context.find_root().command, {}, "planproof", VARIABLE).source())
    return 0
