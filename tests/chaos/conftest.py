"""Worlds of real processes: their server is found as everywhere, and none is skipped in CI."""

import os

import pytest

from chaos.worlds import premises
from chaos.worlds.server import ServerError, find_binary


@pytest.fixture
def process_world():
    """Make sure that a server can be started; what runs is ended with the test session."""
    try:
        find_binary()
    except ServerError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}; CI must not skip this")
        pytest.skip(str(error))
    return premises.premises()
