"""`planproof schema`: print the JSON Schema of a format."""

import json
import sys

import click

from conformance.schemas import FORMATS, schema


@click.command(name="schema")
@click.argument("format", type=click.Choice(list(FORMATS)))
def command(format: str) -> int:  # noqa: A002 - the argument's name in the help text
    """Print the JSON Schema of a format."""
    sys.stdout.write(json.dumps(schema(format), indent=2) + "\n")
    return 0
