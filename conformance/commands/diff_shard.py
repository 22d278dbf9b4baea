"""The option `--shard I/N`: which part of a corpus one of several jobs compares."""

import re

import click

_SHARD = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})")


def shard_of(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Return (I, N) of `I/N`, from `1/N` to `N/N`.

    Raises:
        BadParameter: it is not of this form.
    """
    if value is None:
        return None
    found = _SHARD.fullmatch(value)
    if found is None or int(found[1]) > int(found[2]):
        raise click.BadParameter(f"{value!r} is not I/N with I from 1 to N")
    return int(found[1]), int(found[2])
