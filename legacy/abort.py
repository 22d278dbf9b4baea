"""Cooperative aborts: a signal that a tool may heed.

Quirk 31: an abort is only a signal. A tool that ignores it is awaited for as long as it takes.
"""

from collections.abc import Callable


class AbortSignal:
    """Tells a tool that its caller has lost patience."""

    def __init__(self) -> None:
        """Begin unaborted."""
        self._aborted = False
        self._listeners: list[Callable[[], object]] = []

    @property
    def aborted(self) -> bool:
        """Whether the abort has happened."""
        return self._aborted

    def add_listener(self, listener: Callable[[], object]) -> None:
        """Call `listener` once when the abort happens; never if it already has."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[], object]) -> None:
        """Forget `listener`; harmless if it is unknown."""
        if listener in self._listeners:
            self._listeners.remove(listener)


class AbortController:
    """The caller's end of an `AbortSignal`."""

    def __init__(self) -> None:
        """Make a fresh signal."""
        self.signal = AbortSignal()

    def abort(self) -> None:
        """Raise the signal; only the first call has an effect."""
        signal = self.signal
        if signal._aborted:  # noqa: SLF001 - the two classes are one mechanism
            return
        signal._aborted = True  # noqa: SLF001 - the two classes are one mechanism
        listeners, signal._listeners = signal._listeners, []  # noqa: SLF001 - the same
        for listener in listeners:
            listener()
