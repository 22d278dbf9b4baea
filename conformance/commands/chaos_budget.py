"""What campaigns are given on the command line, time and store, and the bar that shows how far one is."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from redis.exceptions import RedisError

from chaos.campaign.running import Progress
from chaos.case import StorePolicy
from chaos.worlds.premises import use_server
from chaos.worlds.server import ServerError
from conformance.errors import HarnessError, UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_TIME = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[smh])")


def seconds_of(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> float | None:
    """Return the seconds of a time like `60s`, `30m` or `2h`, as a callback of an option.

    Raises:
        click.BadParameter: it is none, or no time at all.
    """
    if value is None:
        return None
    found = _TIME.fullmatch(value)
    if found is None or float(found["number"]) == 0:
        raise click.BadParameter(f"{value!r} is no time; one looks like 60s, 30m or 2h")
    return float(found["number"]) * _UNITS_S[found["unit"]]


@contextmanager
def campaign_bar(title: str) -> Iterator[Callable[[Progress], None] | None]:
    """Give a function that shows how far a campaign is; None if nobody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - slower to import than a usage error takes
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415 - the same
    from rich.progress import Progress as Bars  # noqa: PLC0415 - the same

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None, said="planning")

        def show(now: Progress) -> None:
            minutes, seconds = divmod(round(now.left_s), 60)
            said = f"{now.cases} cases, {now.failures} failures, about {minutes}:{seconds:02d} left"
            bars.update(task, completed=now.done, total=now.units, said=said)

        yield show


def check_store(url: str | None, *, i_know: bool) -> None:
    """Look at a given server before a long run and not in it.

    Raises:
        UsageError: it is no server's URL, or the server holds keys of somebody else.
        HarnessError: the server does not answer, or refuses to.
    """
    if url is None:
        return
    try:
        use_server(url, i_know=i_know).server(StorePolicy.ALWAYS)
    except ServerError as error:
        # What the client said is behind it, if there was a server to say something to.
        if isinstance(error.__context__, RedisError):
            raise HarnessError(str(error)) from None
        raise UsageError(str(error)) from None
    finally:
        use_server(None)
