"""What process worlds of one process share: its keeper and its servers, until it ends."""

import atexit
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from chaos.case import StorePolicy
from chaos.worlds.keeping import Keeping
from chaos.worlds.server import GivenServer, OwnServer, Server


@dataclass(slots=True)
class Premises:
    """One keeper, and a server for each policy that was asked for.

    Attributes:
        url: of a server to use instead of one of our own.
        i_know: whether that one may hold keys of somebody else.
    """

    url: str | None = None
    i_know: bool = False
    owner: int = field(default_factory=os.getpid)
    _keeping: Keeping | None = None
    _servers: dict[StorePolicy, Server] = field(default_factory=dict)
    _given: GivenServer | None = None

    @property
    def keeping(self) -> Keeping:
        """The keeper, started when it is first needed, and again if somebody has killed it."""
        if self._keeping is not None and not self._keeping.is_alive:
            self.close()
        if self._keeping is None:
            self._keeping = Keeping()
        return self._keeping

    def server(self, policy: StorePolicy) -> Server:
        """Return the server for cases of a policy.

        Raises:
            chaos.worlds.server.ServerError: it cannot be used.
        """
        if self.url is not None:
            if self._given is None:
                self._given = GivenServer(self.url, i_know=self.i_know)
            return self._given
        keeping = self.keeping
        if policy not in self._servers:
            self._servers[policy] = OwnServer(keeping, policy)
        return self._servers[policy]

    def replace(self, policy: StorePolicy, server: OwnServer) -> None:
        """Use another server for a policy from now on."""
        self._servers[policy] = server

    def close(self) -> None:
        """End everything that was started here."""
        if self.owner != os.getpid():
            return  # a fork of the process that they belong to
        for server in [*self._servers.values(), *([self._given] if self._given else [])]:
            server.close()
        self._servers.clear()
        self._given = None
        if self._keeping is not None:
            self._keeping.close()
            self._keeping = None


_PREMISES: list[Premises] = []
_WATCHED: list[int] = []


def end_with_parent() -> None:
    """Let this worker of a pool end when the process that owns the pool is gone; once is enough.

    A pool's workers outlive an owner that is killed. Give it to the pool as its initializer, so that
    this holds from the first case on; the first case with real processes calls it otherwise.
    """
    parent = multiprocessing.parent_process()
    if parent is None or os.getpid() in _WATCHED:
        return
    _WATCHED.append(os.getpid())
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def premises() -> Premises:
    """Return those of this process."""
    end_with_parent()
    if not _PREMISES or _PREMISES[-1].owner != os.getpid():
        use_server(None)
    return _PREMISES[-1]


def use_server(url: str | None, *, i_know: bool = False) -> Premises:
    """Use a server that is given by its URL from now on; None: start our own.

    Args:
        url: of the server.
        i_know: whether its database may hold keys of somebody else.
    """
    close()
    _PREMISES.append(Premises(url, i_know))
    return _PREMISES[-1]


def close() -> None:
    """End everything that this process has started."""
    while _PREMISES:
        _PREMISES.pop().close()


@atexit.register
def _close_undisturbed() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C would leave files behind
    close()
