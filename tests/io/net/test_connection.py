"""One request at a time: replies, deadlines, cancellations, what comes unasked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import bson
import pytest
from peers import MongoPeer, mongo_peer, resolver_of

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.wire.op_msg import DocumentSequence
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import AutoReconnect, InvalidOperation, NetworkTimeout, Phase, PoolClosedError, ProtocolError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import load_identity


def command(name: str, **fields: Any) -> bytes:
    return bson.encode({name: 1, **fields, "$db": "test"})


PING = command("ping")


def soon(seconds: float, option: str = "timeoutMS=20") -> Deadline:
    return Deadline.after(seconds, option, now=asyncio.get_running_loop().time())


@pytest.fixture
async def peer() -> AsyncIterator[MongoPeer]:
    async with mongo_peer() as made:
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


async def lost(connection: Connection) -> None:
    """Wait until the connection is lost."""
    if connection.is_usable:
        waiter = asyncio.get_running_loop().create_future()
        connection.on_lost = lambda _: waiter.set_result(None)
        async with asyncio.timeout(5):
            await waiter


async def test_a_request_gets_its_reply(peer: MongoPeer, connection: Connection) -> None:
    """Body and sequences arrive; the reply is BSON as it came."""
    peer.answers["insert"] = {"ok": 1.0, "n": 2}
    sequence = DocumentSequence("documents", [bson.encode({"_id": 1}), bson.encode({"_id": 2})])
    reply = await connection.request(command("insert"), [sequence])
    assert bson.decode(reply) == {"ok": 1.0, "n": 2}
    assert peer.commands[-1] == {"insert": 1, "$db": "test"}
    assert not connection.is_dirty


async def test_a_request_without_a_reply_leaves_the_connection_clean(peer: MongoPeer, connection: Connection) -> None:
    """An unacknowledged write is sent; the next request gets its own reply."""
    peer.answers["insert"] = None
    connection.send(command("insert"))
    assert not connection.is_dirty
    assert bson.decode(await connection.request(PING)) == {"ok": 1.0}
    assert [next(iter(document)) for document in peer.commands[1:]] == ["insert", "ping"]


async def test_a_request_without_a_reply_is_dirty_until_it_has_left(peer: MongoPeer, connection: Connection) -> None:
    """Whoever breaks off the waiting for a peer that does not read leaves a connection that nobody else can use."""
    stream = peer.sessions[0].transport
    assert stream is not None
    assert stream._stream is not None
    stream._stream.pause_reading()
    connection.send(command("insert", x=bytes(16_000_000)))
    draining = asyncio.create_task(connection.drain())
    await asyncio.sleep(0)
    draining.cancel()
    await asyncio.wait([draining])
    assert draining.cancelled()
    assert connection.is_dirty
    assert connection.is_usable
    peer.answers["insert"] = None
    stream._stream.resume_reading()
    await connection.drain()
    assert not connection.is_dirty
    await connection.request(PING)
    assert len(peer.commands) == 3


async def test_one_request_at_a_time(peer: MongoPeer, connection: Connection) -> None:
    """The second is refused before anything is sent."""
    peer.answers["ping"] = None
    first = asyncio.create_task(connection.request(PING))
    await asyncio.sleep(0)
    with pytest.raises(InvalidOperation):
        await connection.request(PING)
    with pytest.raises(InvalidOperation):
        connection.send(PING)
    first.cancel()


async def test_a_deadline_ends_the_waiting_and_leaves_the_connection_dirty(
    peer: MongoPeer, connection: Connection
) -> None:
    """The error names option, phase and what the server did."""
    peer.answers["ping"] = None
    with pytest.raises(
        NetworkTimeout, match=r"timeoutMS=20 has passed while waiting for the reply; .* nothing"
    ) as caught:
        await connection.request(PING, deadline=soon(0.02))
    assert caught.value.host == connection.address
    assert caught.value.phase is Phase.REQUEST
    assert connection.is_dirty
    assert connection.is_usable


async def test_a_deadline_tells_of_half_a_reply(peer: MongoPeer, connection: Connection) -> None:
    """Dribbling is not silence."""
    peer.answers["ping"] = b"\x50\x00\x00\x00"
    with pytest.raises(NetworkTimeout, match="has sent only 4 bytes"):
        await connection.request(PING, deadline=soon(0.02))


async def test_a_deadline_that_has_passed_sends_nothing(peer: MongoPeer, connection: Connection) -> None:
    """The connection stays clean."""
    with pytest.raises(NetworkTimeout, match="before the request was sent"):
        await connection.request(PING, deadline=Deadline(0, "timeoutMS=1"))
    assert not connection.is_dirty
    await connection.request(PING)
    assert len(peer.commands) == 2


async def test_one_timer_serves_many_requests(peer: MongoPeer, connection: Connection) -> None:
    """It stands where the first request put it, and an earlier deadline moves it."""
    await connection.request(PING, deadline=soon(10))
    timer = connection._timer
    assert timer is not None
    await connection.request(PING, deadline=soon(20))
    assert connection._timer is timer
    peer.answers["ping"] = None
    with pytest.raises(NetworkTimeout):
        await connection.request(PING, deadline=soon(0.02))
    assert timer.cancelled()


async def test_a_timer_whose_time_has_come_can_be_moved(connection: Connection) -> None:
    """One of the loops gives a handle of another kind then, which does not tell its time."""
    now = asyncio.get_running_loop().time()
    connection._watch(now)
    connection._watch(now - 1)
    connection._watch(now)


async def test_a_standing_timer_spares_a_request_with_a_later_deadline(peer: MongoPeer, connection: Connection) -> None:
    """It fires for the deadline before, sees that this one has time left, and waits on."""
    await connection.request(PING, deadline=soon(0.01))
    peer.answers["ping"] = None
    with pytest.raises(NetworkTimeout, match="timeoutMS=50"):
        await connection.request(PING, deadline=soon(0.05, "timeoutMS=50"))


async def test_a_late_reply_reaches_nobody(peer: MongoPeer, connection: Connection) -> None:
    """After a cancellation the connection is dirty until the reply has come, which is then dropped."""
    session = peer.sessions[0]
    peer.answers["ping"] = None
    task = asyncio.create_task(connection.request(PING))
    await peer.until(lambda: len(peer.commands) == 2)
    task.cancel()
    await asyncio.wait([task])
    assert connection.is_dirty
    message = session.protocol._answering
    assert message is not None
    assert session.transport is not None
    session.transport.write(session.protocol.send_reply(message, bson.encode({"ok": 1.0, "late": True})))
    async with asyncio.timeout(5):
        while connection.is_dirty:  # noqa: ASYNC110 - nobody is told of a reply that nobody waits for
            await asyncio.sleep(0)
    peer.answers["ping"] = {"ok": 1.0}
    assert bson.decode(await connection.request(PING)) == {"ok": 1.0}


async def test_an_idle_connection_that_the_server_closes_is_lost_at_once(
    peer: MongoPeer, connection: Connection
) -> None:
    """Later requests say why."""
    assert peer.sessions[0].transport is not None
    peer.sessions[0].transport.close()
    await lost(connection)
    with pytest.raises(AutoReconnect):
        await connection.request(PING)
    with pytest.raises(AutoReconnect):
        connection.send(PING)
    assert repr(connection) == f"<Connection 1 to {peer.address} closed>"


async def test_an_idle_connection_on_which_the_server_speaks_is_lost_at_once(
    peer: MongoPeer, connection: Connection
) -> None:
    """Nobody asked, so nobody knows what it means."""
    assert peer.sessions[0].transport is not None
    peer.sessions[0].transport.write(b"anybody there?")
    await lost(connection)
    with pytest.raises(ProtocolError, match=str(peer.address)):
        await connection.request(PING)


async def test_a_request_fails_when_the_server_hangs_up(peer: MongoPeer, connection: Connection) -> None:
    """With host, phase and cause; in the middle of a reply it says so."""

    def hang_up(document: dict[str, Any]) -> bytes:
        assert peer.sessions[0].transport is not None
        asyncio.get_running_loop().call_soon(peer.sessions[0].transport.close)
        return b"\x50\x00\x00\x00" if document["ping"] == 2 else b""

    peer.answers["ping"] = hang_up
    with pytest.raises(AutoReconnect, match="the server closed the connection while waiting for the reply") as caught:
        await connection.request(PING)
    assert (caught.value.host, caught.value.phase) == (peer.address, Phase.REQUEST)
    assert isinstance(caught.value.__cause__, EOFError)


async def test_half_a_reply_and_the_end_is_told_as_such(peer: MongoPeer, connection: Connection) -> None:
    """How much had come stands in the message."""

    def hang_up(document: dict[str, Any]) -> bytes:
        assert peer.sessions[0].transport is not None
        asyncio.get_running_loop().call_soon(peer.sessions[0].transport.close)
        return b"\x50\x00\x00\x00"

    peer.answers["ping"] = hang_up
    with pytest.raises(AutoReconnect, match="in the middle of a message") as caught:
        await connection.request(PING)
    assert isinstance(caught.value.__cause__, ProtocolError)


@pytest.mark.parametrize("garbage", [b"\xff" * 40, b"\xff\xff\xff\x7f" + b"\x01\x00\x00\x00" * 3])
async def test_a_reply_that_is_none_breaks_the_connection(
    peer: MongoPeer, connection: Connection, garbage: bytes
) -> None:
    """At once, and for good."""
    peer.answers["ping"] = garbage
    with pytest.raises(ProtocolError, match=str(peer.address)):
        await connection.request(PING)
    assert not connection.is_usable


async def test_closing_fails_the_request_under_way(peer: MongoPeer, connection: Connection) -> None:
    """It was this client's doing, and the error says so."""
    peer.answers["ping"] = None
    task = asyncio.create_task(connection.request(PING))
    await asyncio.sleep(0)
    connection.close()
    with pytest.raises(PoolClosedError):
        await task
    assert not connection.is_usable
    await connection.wait_closed()
    assert connection.is_gone
