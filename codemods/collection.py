"""Python's cyclic garbage collector, held back while syntax trees are built by the hundred.

Every tree is thousands of new objects, so the collector would walk all living ones again and
again: half of the time of parsing. Neither `ast`'s trees nor the facts made of them hold cycles;
they go away as soon as they are not used any more.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Collect no cycles meanwhile; the collector is left as it was found."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
