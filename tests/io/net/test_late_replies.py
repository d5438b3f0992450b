"""What becomes of a request that was broken off, and streams of replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import bson
import pytest
from peers import MongoPeer, mongo_peer, resolver_of

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.wire.op_msg import Flags
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import AutoReconnect, InvalidOperation, NetworkTimeout
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import load_identity

SLOW = bson.encode({"slow": 1, "$db": "test"})
PING = bson.encode({"ping": 1, "$db": "test"})
LATE = {"ok": 1.0, "late": True}


@pytest.fixture
async def peer() -> AsyncIterator[MongoPeer]:
    """A server that leaves `slow` unanswered until the test answers it."""
    async with mongo_peer() as made:
        made.answers["slow"] = None
        yield made


@pytest.fixture
async def connection(peer: MongoPeer) -> AsyncIterator[Connection]:
    made = Connection(peer.address, 1)
    await Establisher(
        address=peer.address, client={}, identity=load_identity(TLSOptions()), credential=None, resolver=resolver_of()
    ).establish(made)
    yield made
    made.abort()
    await made.wait_closed()


class Told:
    """Remembers what it was told of a late reply, and whether the connection was handed back."""

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.done: list[Connection] = []
        self.changed = asyncio.Event()

    def reply(self, body: bytes | None) -> None:
        self.replies.append(None if body is None else bson.decode(body))
        self.changed.set()

    def drained(self, connection: Connection) -> None:
        self.done.append(connection)
        self.changed.set()

    async def until_told(self) -> None:
        async with asyncio.timeout(5):
            await self.changed.wait()


async def break_off(peer: MongoPeer, connection: Connection) -> None:
    """A request that is cancelled after the server has got it."""
    task = asyncio.create_task(connection.request(SLOW))
    await peer.until(lambda: peer.commands[-1:] and "slow" in peer.commands[-1])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_late_reply_makes_the_connection_clean(peer: MongoPeer, connection: Connection) -> None:
    """The late reply goes to whoever asked for it; then the connection serves the next request."""
    told = Told()
    await break_off(peer, connection)
    assert connection.can_drain
    connection.on_late_reply = told.reply
    connection.drain_late(told.drained, 1000)
    peer.sessions[0].reply(LATE)
    await told.until_told()
    assert (told.replies, told.done) == ([LATE], [connection])
    assert not connection.is_dirty
    assert bson.decode(await connection.request(PING)) == {"ok": 1.0}
    assert len(told.replies) == 1


async def test_a_connection_that_ends_meanwhile_tells_so_once(peer: MongoPeer, connection: Connection) -> None:
    """If the reply never comes, whoever waits for it learns that, and the connection is not handed back."""
    told = Told()
    await break_off(peer, connection)
    connection.on_late_reply = told.reply
    connection.drain_late(told.drained, 1000)
    peer.sessions[0].transport.abort()  # type: ignore[union-attr]
    await told.until_told()
    connection.abort()
    assert (told.replies, told.done) == ([None], [])


async def test_nobody_waits_for_the_reply_of_a_dead_connection(connection: Connection) -> None:
    """Asking after the end is answered at once."""
    told = Told()
    connection.abort()
    connection.on_late_reply = told.reply
    assert told.replies == [None]


async def test_a_late_reply_that_is_too_long_ends_the_connection(peer: MongoPeer, connection: Connection) -> None:
    """More bytes than allowed are not worth the wait."""
    told = Told()
    await break_off(peer, connection)
    connection.on_late_reply = told.reply
    connection.drain_late(told.drained, 100)
    # Half of a reply of 4 000 bytes.
    body = bson.encode({"x": "y" * 4000})
    data = peer.sessions[0].protocol.send_reply(peer.sessions[0].messages[-1], body)
    peer.sessions[0].transport.write(data[:2000])  # type: ignore[union-attr]
    await told.until_told()
    assert (told.replies, told.done) == ([None], [])
    assert not connection.is_usable


async def test_a_reply_that_comes_with_the_cancellation_is_told_at_once(
    peer: MongoPeer, connection: Connection
) -> None:
    """Reply and cancellation in the same turn of the loop: the connection is clean, and the reply is not lost."""
    told = Told()
    task = asyncio.create_task(connection.request(SLOW))
    await peer.until(lambda: "slow" in peer.commands[-1])
    data = peer.sessions[0].protocol.send_reply(peer.sessions[0].messages[-1], bson.encode(LATE))
    connection.data_received(data)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not connection.is_dirty
    assert not connection.can_drain
    connection.on_late_reply = told.reply
    assert told.replies == [LATE]


async def test_a_reply_that_comes_with_the_deadline_is_told_at_once(peer: MongoPeer, connection: Connection) -> None:
    """The same for a deadline."""
    told = Told()
    deadline = Deadline.after(0.02, "timeoutMS=20", now=asyncio.get_running_loop().time())
    task = asyncio.create_task(connection.request(SLOW, deadline=deadline))
    await peer.until(lambda: "slow" in peer.commands[-1])
    data = peer.sessions[0].protocol.send_reply(peer.sessions[0].messages[-1], bson.encode(LATE))
    # After its future has failed; whether the task was resumed by then makes no difference.
    asyncio.get_running_loop().call_at(deadline.at + 0.0005, connection.data_received, data)
    with pytest.raises(NetworkTimeout):
        await task
    connection.on_late_reply = told.reply
    await told.until_told()
    assert told.replies == [LATE]


async def test_a_request_that_was_not_broken_off_cannot_be_drained(connection: Connection) -> None:
    """An idle connection owes nothing, a dead one will not pay."""
    assert not connection.can_drain
    connection.abort()
    assert not connection.can_drain


async def test_a_stream_of_replies(peer: MongoPeer, connection: Connection) -> None:
    """One request, several replies, each read in turn; the last one ends the stream."""
    session = peer.sessions[0]
    connection.stream(SLOW)
    assert not connection.can_drain
    await peer.until(lambda: "slow" in peer.commands[-1])
    assert session.messages[-1].content.flags & Flags.EXHAUST_ALLOWED  # type: ignore[union-attr]
    for number in range(3):
        session.reply({"number": number}, flags=Flags.MORE_TO_COME if number < 2 else 0)
    for number in range(3):
        assert connection.more_to_come
        assert bson.decode(await connection.next_reply()) == {"number": number}
    assert not connection.more_to_come
    with pytest.raises(InvalidOperation, match="stream"):
        await connection.next_reply()
    assert bson.decode(await connection.request(PING)) == {"ok": 1.0}


async def test_the_silence_in_a_stream_has_a_limit(peer: MongoPeer, connection: Connection) -> None:
    """A deadline ends the waiting for the next reply."""
    connection.stream(SLOW)
    deadline = Deadline.after(0.02, "the heartbeat", now=asyncio.get_running_loop().time())
    with pytest.raises(NetworkTimeout, match="the heartbeat has passed"):
        await connection.next_reply(deadline)


async def test_a_stream_ends_with_its_connection(peer: MongoPeer, connection: Connection) -> None:
    """Whoever waits for the next reply learns that the connection is lost."""
    connection.stream(SLOW)
    await peer.until(lambda: "slow" in peer.commands[-1])
    peer.sessions[0].transport.abort()  # type: ignore[union-attr]
    with pytest.raises(AutoReconnect):
        await connection.next_reply()
