"""The byte stream: payload, alerts, resets, ends, slow peers, with and without TLS, in both roles."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from typing import Any

import pytest
from peers import Recorder

from aiomongo_tls.net import transport as transport_module
from aiomongo_tls.net.transport import Transport
from aiomongo_tls.tls.engine import TLSEngine

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
both_versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


async def test_bytes_pass_without_tls(listen: Any, dial: Any) -> None:
    """Without an engine the bytes go out as they are, those written before the connection too."""
    peer = await listen(echo=True)
    client = await dial(peer.port, first=b"first")
    await client.transport.handshake()
    client.transport.write(b" second")
    assert await client.receives(12) == b"first second"
    assert client.transport.info is None


@both_versions
async def test_bytes_pass_with_tls(listen: Any, dial: Any, contexts: Any, version: ssl.TLSVersion) -> None:
    """With an engine both ends agree on TLS, and what was written before the handshake arrives after it."""
    peer = await listen(contexts.server(version=version), echo=True)
    client = await dial(peer.port, contexts.client(), first=b"hello")
    await client.transport.handshake()
    assert await client.receives(5) == b"hello"
    assert client.transport.info.version == version.name.replace("_", ".")
    assert bytes((await peer.accepted()).data) == b"hello"


async def test_a_certificate_of_a_stranger_is_refused(listen: Any, dial: Any, contexts: Any) -> None:
    """The twin of success: another CA breaks the handshake on both ends, and the server hears why."""
    peer = await listen(contexts.server())
    client = await dial(peer.port, contexts.client(trust=contexts.stranger_ca))
    with pytest.raises(ssl.SSLCertVerificationError):
        await client.transport.handshake()
    error = await (await peer.accepted()).end()
    assert "UNKNOWN_CA" in str(error)


@pytest.mark.parametrize("tls", [True, False])
async def test_an_answer_and_the_end_before_anybody_asks(listen: Any, dial: Any, contexts: Any, tls: bool) -> None:
    """A peer that answers at once and closes in order has not broken the stream: its answer counts."""
    peer = await listen(contexts.server() if tls else None, echo=True)
    client = await dial(peer.port, contexts.client() if tls else None, first=b"hello")
    accepted = await peer.accepted()
    await accepted.receives(5)
    accepted.transport.close()
    assert await client.end() is None
    await client.transport.handshake()
    assert bytes(client.data) == b"hello"


@both_versions
async def test_a_refused_client_hears_the_alert(listen: Any, dial: Any, contexts: Any, version: ssl.TLSVersion) -> None:
    """A server that wants a certificate and gets none says so, and its alert reaches the client."""
    peer = await listen(contexts.server(version=version, client_certificate=True))
    client = await dial(peer.port, contexts.client(), first=b"hello")
    error = await client.end()
    assert isinstance(error, ssl.SSLError)
    assert "ALERT" in str(error)


@both_versions
async def test_a_client_with_a_certificate_is_accepted(
    listen: Any, dial: Any, contexts: Any, version: ssl.TLSVersion
) -> None:
    """The twin: the same server takes a client with a certificate of its CA, and sees it."""
    peer = await listen(contexts.server(version=version, client_certificate=True), echo=True)
    client = await dial(peer.port, contexts.client(certificate=True), first=b"hello")
    assert await client.receives(5) == b"hello"
    assert (await peer.accepted()).transport.info.peer_der


async def test_last_flight_and_first_request_leave_in_one_write(
    listen: Any, dial: Any, contexts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client writes twice until the server has its request: the first message, then all the rest at once."""
    peer = await listen(contexts.server(), echo=True)
    writes: list[int] = []
    flush = Transport._flush

    def counting(self: Transport) -> None:
        if self.engine is not None and not self.engine.server_side:
            before = self.engine.data_to_send

            def data_to_send() -> bytes:
                data = before()
                writes.append(len(data))
                return data

            class Spy:
                def __getattr__(self, name: str) -> Any:
                    return data_to_send if name == "data_to_send" else getattr(engine, name)

            engine = self.engine
            self.engine = Spy()  # type: ignore[assignment]
            try:
                flush(self)
            finally:
                self.engine = engine
        else:
            flush(self)

    monkeypatch.setattr(Transport, "_flush", counting)
    client = await dial(peer.port, contexts.client(), first=b"hello")
    await client.receives(5)
    assert len([size for size in writes if size]) == 2


@pytest.mark.parametrize("tls", [False, True])
async def test_a_large_message_arrives_whole_and_in_order(listen: Any, dial: Any, contexts: Any, tls: bool) -> None:
    """Four megabytes and a small message behind them are not mixed up; drain() returns when they have left."""
    peer = await listen(contexts.server() if tls else None)
    client = await dial(peer.port, contexts.client() if tls else None)
    await client.transport.handshake()
    big = b"".join(struct.pack("<I", number) for number in range(1 << 20))
    client.transport.write(big)
    client.transport.write(b"after")
    await client.transport.drain()
    assert not client.transport._outbound
    server = await peer.accepted()
    assert await server.receives(len(big) + 5) == big + b"after"


async def test_a_slow_reader_leaves_plaintext_waiting(contexts: Any, dial: Any) -> None:
    """While the peer does not read, what was written waits in this process, unencrypted beyond a few records."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1])
        accepted, _ = await loop.sock_accept(listener)
        with accepted:
            client.transport.write(b"x" * (1 << 20))
            client.transport.write(b"y" * (1 << 25))
            client.transport.write(b"z")
            drained = asyncio.ensure_future(client.transport.drain())
            await asyncio.sleep(0)
            assert not drained.done()
            assert client.transport._outbound
            client.transport.abort()
            with pytest.raises(ConnectionAbortedError):
                await drained


async def test_waiting_for_what_can_never_leave_is_an_error(contexts: Any, dial: Any) -> None:
    """Before the loss or after it: what was written has not left, and drain() must not say so."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1])
        accepted, _ = await loop.sock_accept(listener)
        client.transport.write(b"x" * (1 << 25))
        client.transport.write(b"y" * (1 << 25))
        assert client.transport.has_backlog
        drained = asyncio.ensure_future(client.transport.drain())
        await asyncio.sleep(0)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        for waiting in (drained, client.transport.drain()):
            with pytest.raises(ConnectionError):
                await waiting


async def test_the_peers_end_is_told_once(listen: Any, dial: Any, contexts: Any) -> None:
    """close() on one end is a clean end on the other: one call, no error; close_notify was sent."""
    peer = await listen(contexts.server(), echo=True)
    client = await dial(peer.port, contexts.client(), first=b"hello")
    await client.receives(5)
    client.transport.close()
    await client.transport.wait_closed()
    server = await peer.accepted()
    assert await server.end() is None
    await server.transport.wait_closed()
    assert (client.ends, server.ends) == ([None], [None])


async def test_close_notify_is_answered(dial: Any, contexts: Any) -> None:
    """Whoever learns that the peer has ended its direction ends its own in order too."""
    loop = asyncio.get_running_loop()
    server = TLSEngine(contexts.server(version=ssl.TLSVersion.TLSv1_2), server_side=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1], contexts.client())
        accepted, _ = await loop.sock_accept(listener)
        with accepted:
            accepted.setblocking(False)
            while not server.handshake_done:
                server.receive_data(await loop.sock_recv(accepted, 65536))
                await loop.sock_sendall(accepted, server.data_to_send())
            await client.transport.handshake()
            server.close()
            await loop.sock_sendall(accepted, server.data_to_send())
            assert await client.end() is None
            answer = await loop.sock_recv(accepted, 65536)
            assert answer[:1] == b"\x15"
            assert await loop.sock_recv(accepted, 65536) == b""


async def test_closing_sends_what_was_written(listen: Any, dial: Any, contexts: Any) -> None:
    """close() after a large write loses nothing."""
    peer = await listen(contexts.server())
    client = await dial(peer.port, contexts.client())
    await client.transport.handshake()
    client.transport.write(b"x" * (1 << 22))
    client.transport.close()
    server = await peer.accepted()
    assert await server.end() is None
    assert len(server.data) == 1 << 22


async def test_closing_is_bounded_when_the_peer_does_not_read(dial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """close() with bytes that nobody takes ends when its time is up."""
    monkeypatch.setattr(transport_module, "LINGER", 0.01)
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1])
        accepted, _ = await loop.sock_accept(listener)
        with accepted:
            client.transport.write(b"x" * (1 << 25))
            client.transport.close()
            async with asyncio.timeout(5):
                await client.transport.wait_closed()


async def test_a_reset_is_explained_once(dial: Any) -> None:
    """A reset becomes what `explain` makes of it, with the original as its cause."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1], explain=lambda exc: ValueError(f"explained {exc!r}"))
        accepted, _ = await loop.sock_accept(listener)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        error = await client.end()
    assert isinstance(error, ValueError)
    assert isinstance(error.__cause__, ConnectionResetError)


async def test_what_came_before_a_reset_is_read(dial: Any) -> None:
    """Bytes that lay in the kernel when our write failed are delivered before the loss is told."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1])
        accepted, _ = await loop.sock_accept(listener)
        # The client must not see the bytes before its write fails.
        client.transport._stream.pause_reading()
        accepted.sendall(b"last words")
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        client.transport.write(b"x")
        client.transport.write(b"y")
        await client.end()
    assert bytes(client.data) == b"last words"


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64, b"\xff" * 100_000])
async def test_random_bytes_break_the_handshake_at_once(dial: Any, contexts: Any, garbage: bytes) -> None:
    """A peer that does not speak TLS is found out by its first bytes."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1], contexts.client())
        accepted, _ = await loop.sock_accept(listener)
        with accepted:
            accepted.setblocking(False)
            await loop.sock_sendall(accepted, garbage)
            assert isinstance(await client.end(), ssl.SSLError)


async def test_end_of_stream_within_the_handshake_is_an_error(dial: Any, contexts: Any) -> None:
    """A peer that closes before the handshake is done has broken it; `handshake()` says so."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1], contexts.client())
        accepted, _ = await loop.sock_accept(listener)
        accepted.setblocking(False)
        await loop.sock_recv(accepted, 65536)
        accepted.close()
        with pytest.raises(ssl.SSLEOFError):
            await client.transport.handshake()
        assert isinstance(client.ends[0], ssl.SSLEOFError)


async def test_a_server_whose_client_stays_hangs_up_in_bounded_time(
    listen: Any, contexts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed handshake the server reads and discards until its client closes, but not for ever."""
    monkeypatch.setattr(transport_module, "LINGER", 0.01)
    peer = await listen(contexts.server())
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
    writer.write(b"\x16\x03\x01\x00\x05hello")
    server = await peer.accepted()
    assert isinstance(await server.end(), ssl.SSLError)
    alert = await reader.read()
    assert alert[:1] == b"\x15"
    writer.write(b"more that nobody reads")
    async with asyncio.timeout(5):
        await server.transport.wait_closed()
    writer.close()


async def test_handshakes_wait_their_turn(listen: Any, dial: Any, contexts: Any) -> None:
    """Ten handshakes at once all succeed although the loop takes only a few steps per turn."""
    peer = await listen(contexts.server(), echo=True)
    context = contexts.client()
    clients = [await dial(peer.port, context, first=b"hello") for _ in range(10)]
    for client in clients:
        assert await client.receives(5) == b"hello"


async def test_an_alert_before_a_reset_is_read(dial: Any, contexts: Any) -> None:
    """A TLS 1.3 server refuses our certificate and resets; our write fails before we have read why."""
    loop = asyncio.get_running_loop()
    server = TLSEngine(contexts.server(version=ssl.TLSVersion.TLSv1_3, client_certificate=True), server_side=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await dial(listener.getsockname()[1], contexts.client(), first=b"hello")
        accepted, _ = await loop.sock_accept(listener)
        accepted.setblocking(False)
        server.receive_data(await loop.sock_recv(accepted, 65536))
        await loop.sock_sendall(accepted, server.data_to_send())
        await client.transport.handshake()
        client.transport._stream.pause_reading()
        with pytest.raises(ssl.SSLError):
            server.receive_data(await loop.sock_recv(accepted, 65536))
        await loop.sock_sendall(accepted, server.data_to_send())
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        client.transport.write(b"x")
        client.transport.write(b"y")
        error = await client.end()
    assert isinstance(error, ssl.SSLError)
    assert "CERTIFICATE_REQUIRED" in str(error)


async def test_a_connection_that_comes_too_late_is_ended(contexts: Any) -> None:
    """Aborted before the loop has told it of its socket: the socket is closed as soon as it is known."""
    loop = asyncio.get_running_loop()
    made: list[Transport] = []

    def accept() -> Transport:
        transport = Transport(Recorder(), engine=TLSEngine(contexts.server(), server_side=True))
        transport.abort()
        made.append(transport)
        return transport

    server = await loop.create_server(accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    with suppress(ConnectionError):
        assert await reader.read() == b""
    await made[0].wait_closed()
    assert made[0].is_gone
    writer.close()
    server.close()
