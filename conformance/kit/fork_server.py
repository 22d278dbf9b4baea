"""A process that has imported what a program needs, and forks one life of the program after another.

    python -m conformance.kit.fork_server DESCRIPTOR MODULE PACKAGE...

It is spoken to on the socket of that descriptor by `conformance.kit.fork_launch`, one line a request:
`start FOLDER`, with the three standard descriptors of the new life, is answered with its process id;
`wait PID` with what it ended with, as `subprocess` has it. It ends when the socket is closed.
"""

import contextlib
import gc
import importlib
import os
import runpy
import socket
import sys
import traceback
from collections.abc import Sequence

LINE_BYTES = 65_536
STANDARD = (0, 1, 2)


def serve(control: socket.socket, module: str) -> None:
    """Answer requests until the other end is closed."""
    while True:
        line, descriptors, _, _ = socket.recv_fds(control, LINE_BYTES, len(STANDARD))
        if not line:
            return
        request, _, rest = line.decode().rstrip("\n").partition(" ")
        if request == "start":
            answer = _begin(control, module, rest, descriptors)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(int(rest), 0)[1])
        control.sendall(b"%d\n" % answer)


def _begin(control: socket.socket, module: str, folder: str, descriptors: Sequence[int]) -> int:
    """Fork, and return when the new life can be killed as a group."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        control.close()
        os.close(ready)
        os.setsid()
        os.close(tell)
        _live(module, folder, descriptors)
    for descriptor in (*descriptors, tell):
        os.close(descriptor)
    os.read(ready, 1)
    os.close(ready)
    return pid


def _live(module: str, folder: str, descriptors: Sequence[int]) -> None:
    """Be the program; never returns."""
    code = 1
    try:
        os.chdir(folder)
        for standard, descriptor in zip(STANDARD, descriptors, strict=True):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does with what nobody catches
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)


def main(arguments: Sequence[str]) -> None:
    """Import the packages, then serve."""
    descriptor, module, *packages = arguments
    for package in packages:
        importlib.import_module(package)
    gc.freeze()  # what is imported is never looked at again, so that lives share its memory
    with socket.socket(fileno=int(descriptor)) as control:
        serve(control, module)


if __name__ == "__main__":
    main(sys.argv[1:])
