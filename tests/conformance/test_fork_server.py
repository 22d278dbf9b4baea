"""Without it a harness that is killed would leave its servers behind."""

import socket

from conformance.kit.fork_server import serve


def test_it_ends_with_the_other_end_of_its_socket():
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        assert serve(theirs, "json.tool") is None
