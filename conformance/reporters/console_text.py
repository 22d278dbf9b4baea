"""A console report as text: what rich draws, without what a log has no use for."""

import io
from collections.abc import Callable

from rich.console import Console


def console_text(draw: Callable[[Console], object], *, width: int, colour: bool) -> str:
    """Return what `draw` prints on a console of `width` columns, ending in a newline.

    Text is taken as it is: no markup, no highlighting, no emoji. Spaces that pad a line are dropped.
    """
    output = io.StringIO()
    draw(
        Console(
            file=output,
            width=width,
            force_terminal=colour,
            color_system="standard" if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
    )
    # Tables pad their lines to the full width, which helps nobody in a log.
    return "".join(line.rstrip() + "\n" for line in output.getvalue().splitlines())
