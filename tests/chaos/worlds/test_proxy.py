"""Without these the proxy could pass what it should hold, and nobody would see a fault that never was."""

import asyncio
import contextlib

import pytest

from chaos.worlds.proxy import Action, Proxy


def _packed(*parts: bytes) -> bytes:
    sized = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n" % len(parts) + sized


ONE, TWO, PING = _packed(b"SET", b"a", b"1"), _packed(b"SET", b"b", b"2"), _packed(b"PING")


class _Upstream:
    """Notes what it gets and answers each piece."""

    def __init__(self):
        self.got = bytearray()
        self.more = asyncio.Event()
        self.ended = 0

    async def serve(self, reader, writer):
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                self.got += piece
                self.more.set()
                writer.write(b"+OK\r\n")
        self.ended += 1
        writer.close()

    async def until(self, count):
        while len(self.got) < count:
            self.more.clear()
            await self.more.wait()


@contextlib.asynccontextmanager
async def _proxied():
    upstream = _Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[:2])
    address = await proxy.start()
    opened = []

    async def connect():
        streams = await asyncio.open_connection(*address)
        opened.append(streams[1])
        return streams

    yield proxy, upstream, connect
    for writer in opened:
        writer.close()
    await proxy.close()
    server.close()
    await server.wait_closed()


async def _until(holds):
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("in vain")


def _run(scenario):
    async def main():
        async with asyncio.timeout(30), _proxied() as parts:
            await scenario(*parts)

    asyncio.run(main())


def test_everything_passes_without_a_rule():
    async def scenario(proxy, upstream, connect):
        reader, writer = await connect()
        writer.write(ONE[:7])
        writer.write(ONE[7:] + TWO)
        await upstream.until(len(ONE + TWO))
        assert upstream.got == ONE + TWO
        assert await reader.readexactly(5) == b"+OK\r\n"

    _run(scenario)


@pytest.mark.parametrize("pieces", [[ONE + PING + TWO], [ONE[:9], ONE[9:] + PING, TWO]])
def test_the_nth_command_of_a_name_is_cut_and_what_came_before_has_passed(pieces):
    async def scenario(proxy, upstream, connect):
        rule = proxy.add(Action.CUT, b"set", nth=2)
        reader, writer = await connect()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await rule.fired.wait()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        await upstream.until(len(ONE + PING))
        assert upstream.got == ONE + PING

    _run(scenario)


def test_a_reply_is_lost_and_the_command_is_not():
    async def scenario(proxy, upstream, connect):
        proxy.add(Action.CUT_REPLY, b"SET")
        reader, writer = await connect()
        writer.write(ONE)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert upstream.got == ONE

    _run(scenario)


def test_a_silent_connection_stays_open_and_says_nothing():
    async def scenario(proxy, upstream, connect):
        rule = proxy.add(Action.SILENCE, b"SET", nth=2)
        reader, writer = await connect()
        writer.write(ONE)
        assert await reader.readexactly(5) == b"+OK\r\n"
        writer.write(TWO)
        await rule.fired.wait()
        other_reader, other = await connect()
        other.write(PING)
        assert await other_reader.readexactly(5) == b"+OK\r\n"
        assert upstream.got == ONE + PING
        assert not reader.at_eof()
        assert not writer.is_closing()

    _run(scenario)


def test_commands_of_two_processes_arrive_in_the_other_order():
    async def scenario(proxy, upstream, connect):
        rule = proxy.add(Action.HOLD, b"SET")
        first_reader, first = await connect()
        first.write(ONE)
        await rule.fired.wait()
        second_reader, second = await connect()
        second.write(TWO)
        assert await second_reader.readexactly(5) == b"+OK\r\n"
        held = next(link for link in proxy.links if link.held is not None)
        proxy.release(held)
        assert await first_reader.readexactly(5) == b"+OK\r\n"
        assert upstream.got == TWO + ONE

    _run(scenario)


def test_what_a_dead_sender_has_sent_arrives_when_it_is_let():
    async def scenario(proxy, upstream, connect):
        _, writer = await asyncio.open_connection(*await proxy.start_holding())
        writer.write(ONE)
        sender = writer.get_extra_info("sockname")
        writer.close()
        link = await proxy.orphan(sender)
        proxy.cut()
        assert upstream.got == b""
        assert await proxy.deliver(link) == b"+OK\r\n"
        assert upstream.got == ONE

    _run(scenario)


def test_what_is_held_is_told_apart_by_its_sender_and_not_by_when_it_came():
    async def scenario(proxy, upstream, connect):
        address = await proxy.start_holding()
        early, idle = [await asyncio.open_connection(*address) for _ in range(2)], await connect()
        for (_, writer), command in zip(early, (ONE, TWO), strict=True):
            writer.write(command)
            writer.close()
        idle[1].write(PING)
        assert await idle[0].readexactly(5) == b"+OK\r\n"
        for _, writer in reversed(early):
            await proxy.deliver(await proxy.orphan(writer.get_extra_info("sockname")))
        assert upstream.got == PING + TWO + ONE

    _run(scenario)


def test_a_stream_stands_still_and_flows_by_bytes():
    async def scenario(proxy, upstream, connect):
        reader, writer = await connect()
        writer.write(ONE)
        assert await reader.readexactly(5) == b"+OK\r\n"
        link = proxy.links[0]
        link.stream = bytearray()
        writer.write(TWO)
        await upstream.until(len(ONE + TWO))
        await _until(lambda: len(link.stream) == 5)
        proxy.let_flow(link, 3)
        assert await reader.readexactly(3) == b"+OK"
        assert link.stream == b"\r\n"

    _run(scenario)


def test_all_connections_are_cut_at_once_and_new_ones_go_to_the_new_server():
    async def scenario(proxy, upstream, connect):
        readers = [(await connect())[0] for _ in range(3)]
        await _until(lambda: len(proxy.links) == 3)
        proxy.cut()
        for reader in readers:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        proxy.upstream = ("127.0.0.1", 1)
        reader, _ = await connect()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert upstream.got == b""

    _run(scenario)


def test_a_delayed_command_arrives_after_a_later_one_of_somebody_else():
    async def scenario(proxy, upstream, connect):
        rule = proxy.add(Action.DELAY, b"SET", delay_ms=200)
        _, first = await connect()
        first.write(ONE)
        await rule.fired.wait()
        second_reader, second = await connect()
        second.write(PING)
        assert await second_reader.readexactly(5) == b"+OK\r\n"
        await upstream.until(len(ONE + PING))
        assert upstream.got == PING + ONE

    _run(scenario)
