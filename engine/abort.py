"""Cooperative aborts, for tools that were written to heed a signal instead of a cancellation."""

from collections.abc import Callable


class AbortSignal:
    """Tells a tool that its call is over: cancelled, or out of time."""

    def __init__(self) -> None:
        """Begin unaborted."""
        self._aborted = False
        self._listeners: list[Callable[[], object]] = []

    @property
    def aborted(self) -> bool:
        """Whether the abort has happened."""
        return self._aborted

    @property
    def is_heeded(self) -> bool:
        """Whether somebody listens."""
        return bool(self._listeners)

    def add_listener(self, listener: Callable[[], object]) -> None:
        """Call `listener` once when the abort happens; never if it already has."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[], object]) -> None:
        """Forget `listener`; harmless if it is unknown."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _abort(self) -> None:
        self._aborted = True
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()


class AbortController:
    """The caller's end of an `AbortSignal`."""

    def __init__(self) -> None:
        """Make a fresh signal."""
        self.signal = AbortSignal()

    def abort(self) -> None:
        """Raise the signal; only the first call has an effect."""
        if not self.signal.aborted:
            self.signal._abort()  # noqa: SLF001 - the two classes are one mechanism
