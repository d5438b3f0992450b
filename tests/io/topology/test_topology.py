"""Waiting for a server, or not: transient and permanent faults, time limits, the warning, the end."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import bson
import pytest
from peers import HELLO, Contexts, mongo_peer, raw_peer, resolver_of

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire.protocol import Role, WireProtocol
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailure,
    InvalidOperation,
    NetworkTimeout,
    Phase,
    PoolClosedError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
    TLSHandshakeTimeout,
    TLSProtocolError,
    WaitQueueTimeoutError,
)
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.topology.principal import Connect
from aiomongo_tls.topology.topology import Topology

X509 = MongoCredential(username=None, password=None, source="$external", mechanism="MONGODB-X509")


@pytest.fixture
async def topologies() -> AsyncIterator[Callable[..., Topology]]:
    """Make a topology that ends with the test."""
    made: list[Topology] = []

    def make(
        address: ServerAddress, *, patience: float = 100.0, connect: Connect = Establisher.establish, **options: Any
    ) -> Topology:
        options.setdefault("server_selection_timeout", 5.0)
        made.append(
            Topology(
                ClientOptions(seeds=(address,), **options),
                resolver=resolver_of(),
                connect=connect,
                chance=lambda: 0.0,
                patience=patience,
            )
        )
        return made[-1]

    yield make
    for topology in made:
        topology.abort()
        await topology.close()


def soon(seconds: float = 0.3) -> Deadline:
    return Deadline.after(seconds, f"timeoutMS={seconds * 1000:g}", now=asyncio.get_running_loop().time())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event for what goes on inside
            await asyncio.sleep(0)


def faults(topology: Topology) -> list[Exception]:
    return [server.error for server in topology.description.servers.values() if server.error is not None]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the connection and say nothing."""


async def test_opening_proves_a_connection(topologies: Any, contexts: Contexts) -> None:
    """After `open()` there is an authenticated connection, and it is known what the server said."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        topology = topologies(peer.address, tls=contexts.options(), credential=X509)
        assert topology.try_check_out() is None
        await topology.open()
        connection = topology.try_check_out()
        assert connection is not None
        assert topology.description.servers[peer.address].server_type is ServerType.STANDALONE
        topology.check_in(connection)
        # The monitor's and the pool's; the one has not authenticated, the other has.
        await peer.until(lambda: len(peer.sessions) == 2)
        assert ["speculativeAuthenticate" in session.commands[0] for session in peer.sessions] == [False, True]
        await topology.close()
        await peer.until(lambda: not peer.open_sessions)


async def test_a_permanent_fault_is_raised_at_once(topologies: Any, contexts: Contexts) -> None:
    """Not after thirty seconds; and the next operation looks again, so that recovery needs no help."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        peer.answers["hello"] = lambda command: {**peer_hello, "ok": 1.0}
        peer_hello = {"minWireVersion": 0, "maxWireVersion": 21, "isWritablePrimary": True}
        peer.answers["authenticate"] = {"ok": 0.0, "code": 18, "errmsg": "Authentication failed."}
        topology = topologies(peer.address, tls=contexts.options(), credential=X509, server_selection_timeout=None)
        with pytest.raises(AuthenticationFailed):
            await topology.open()
        with pytest.raises(AuthenticationFailed):
            await topology.check_out()
        assert sum(command.get("authenticate", 0) for command in peer.commands) == 2
        peer.answers["authenticate"] = {"ok": 1.0}
        await topology.open()


async def test_an_untrusted_certificate_is_raised_at_once(topologies: Any, contexts: Contexts) -> None:
    """With its reason and the original as its cause."""
    async with mongo_peer(contexts.server()) as peer:
        topology = topologies(
            peer.address, tls=contexts.options(trust=contexts.stranger_ca), server_selection_timeout=None
        )
        with pytest.raises(ServerCertificateError) as caught:
            await topology.open()
    assert caught.value.reason == "unknown-ca"
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_tls_fail_fast_off_waits_as_the_specification_has_it(topologies: Any, contexts: Contexts) -> None:
    """The twin: with tlsFailFast=false the same fault is waited out, and is the cause of the timeout."""
    async with mongo_peer(contexts.server()) as peer:
        topology = topologies(
            peer.address,
            tls=contexts.options(trust=contexts.stranger_ca),
            server_selection_timeout=0.7,
            tls_fail_fast=False,
        )
        with pytest.raises(ServerSelectionTimeoutError) as caught:
            await topology.open()
        assert len(peer.sessions) > 1
    assert isinstance(caught.value.__cause__, ServerCertificateError)
    assert caught.value.errors == {peer.address: caught.value.__cause__}
    assert "serverSelectionTimeoutMS=700" in str(caught.value)


async def test_a_server_that_comes_late_is_waited_for(topologies: Any) -> None:
    """A refused connection is tried again until there is somebody."""
    loop = asyncio.get_running_loop()
    async with mongo_peer() as peer:
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            topology = topologies(ServerAddress("localhost", reserved.getsockname()[1]))
            opening = asyncio.create_task(topology.open())
            await until(lambda: faults(topology))
            reserved.listen()
            reserved.setblocking(False)
            server = await loop.create_server(peer.accept, sock=reserved)
            await opening
            server.close()


async def test_many_that_wait_make_few_attempts(topologies: Any, unused_tcp_port: int) -> None:
    """The monitor alone looks for the server, half a second apart, however many ask for it."""
    attempts: list[int] = []

    async def counting(establisher: Establisher, connection: Connection) -> None:
        attempts.append(connection.id)
        await establisher.establish(connection)

    address = ServerAddress("localhost", unused_tcp_port)
    topology = topologies(address, connect=counting, server_selection_timeout=0.7)
    results = await asyncio.gather(*(topology.check_out() for _ in range(200)), return_exceptions=True)
    assert {type(result) for result in results} == {ServerSelectionTimeoutError}
    assert len(set(map(id, results))) == 200
    assert len(attempts) == 2


async def test_a_server_that_stays_away_is_a_selection_timeout(topologies: Any, unused_tcp_port: int) -> None:
    """With the last fault as its cause, and in `errors`."""
    address = ServerAddress("localhost", unused_tcp_port)
    topology = topologies(address, server_selection_timeout=0.5)
    with pytest.raises(ServerSelectionTimeoutError) as caught:
        await topology.open()
    fault = caught.value.errors[address]
    assert caught.value.__cause__ is fault
    assert isinstance(fault, ConnectionFailure)
    assert isinstance(fault.__cause__, ConnectionRefusedError)
    assert "nothing listens there" in str(caught.value)


async def test_the_operations_deadline_counts_as_well(topologies: Any, unused_tcp_port: int) -> None:
    """Whichever is earlier; the message names it."""
    topology = topologies(ServerAddress("localhost", unused_tcp_port), server_selection_timeout=None)
    with pytest.raises(ServerSelectionTimeoutError, match="timeoutMS=400"):
        await topology.check_out(soon(0.4))


async def test_an_operation_in_a_hurry_names_the_phase(topologies: Any, contexts: Contexts) -> None:
    """Its own deadline passed in the very first attempt: the error says what that was doing."""
    async with raw_peer(silent) as address:
        topology = topologies(address, tls=contexts.options())
        with pytest.raises(TLSHandshakeTimeout, match="timeoutMS=300 has passed while in the TLS handshake") as caught:
            await topology.check_out(soon())
    assert caught.value.phase is Phase.TLS


async def test_an_operation_in_a_hurry_is_told_so_whatever_was_before(topologies: Any) -> None:
    """The server was fine at last sight, so serverSelectionTimeoutMS had no say; and it counts as fine still."""
    async with mongo_peer() as peer:
        topology = topologies(peer.address, server_selection_timeout=1.0)
        await topology.check_out()
        peer.answers["hello"] = None
        with pytest.raises(NetworkTimeout, match="timeoutMS=1400 has passed while waiting for the reply to hello"):
            await topology.check_out(soon(1.4))
        assert topology.description.has_known_servers


async def test_a_silent_server_is_a_selection_timeout_with_the_phase_in_its_cause(
    topologies: Any, contexts: Contexts
) -> None:
    """Where no operation was in a hurry, each attempt ends by connectTimeoutMS and is repeated."""
    async with raw_peer(silent) as address:
        topology = topologies(address, tls=contexts.options(), connect_timeout=0.2, server_selection_timeout=0.7)
        with pytest.raises(ServerSelectionTimeoutError) as caught:
            await topology.open()
    assert isinstance(caught.value.__cause__, TLSHandshakeTimeout)
    assert caught.value.__cause__.phase is Phase.TLS


async def test_selection_timeout_ends_an_attempt_that_is_slower(topologies: Any) -> None:
    """The attempt itself may take ten seconds more; nobody waits for it."""
    async with raw_peer(silent) as address:
        topology = topologies(address, server_selection_timeout=0.3)
        with pytest.raises(ServerSelectionTimeoutError) as caught:
            await topology.open()
    assert isinstance(caught.value.__cause__, NetworkTimeout)
    assert caught.value.__cause__.phase is Phase.HELLO


async def test_a_busy_pool_is_not_bounded_by_selection(topologies: Any) -> None:
    """While the server is fine, serverSelectionTimeoutMS has no say in the queue."""
    async with mongo_peer() as peer:
        topology = topologies(peer.address, pool=PoolOptions(max_pool_size=1), server_selection_timeout=0.5)
        connection = await topology.check_out()
        waiting = asyncio.create_task(topology.check_out())
        done, _ = await asyncio.wait([waiting], timeout=0.6)
        assert not done
        topology.check_in(connection)
        assert await waiting is connection
        with pytest.raises(WaitQueueTimeoutError):
            await topology.check_out(soon(0.01))


async def test_one_warning_says_what_is_waited_for(
    topologies: Any, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """After the patience is over, once for all who wait; and again only after the server was there."""
    topology = topologies(ServerAddress("localhost", unused_tcp_port), patience=0.01, server_selection_timeout=0.5)
    await asyncio.gather(*(topology.open() for _ in range(3)), return_exceptions=True)
    with pytest.raises(ServerSelectionTimeoutError):
        await topology.open()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("aiomongo_tls.topology", logging.WARNING)
    assert f"localhost:{unused_tcp_port}: no connection yet after 0.01 s" in record.getMessage()
    assert "trying on until serverSelectionTimeoutMS=500 has passed" in record.getMessage()


async def test_an_attempt_that_hangs_is_warned_of_too(
    topologies: Any, caplog: pytest.LogCaptureFixture, contexts: Contexts
) -> None:
    """The warning tells the phase of the attempt under way."""
    async with raw_peer(silent) as address:
        topology = topologies(address, tls=contexts.options(), patience=0.3, server_selection_timeout=0.8)
        with pytest.raises(ServerSelectionTimeoutError):
            await topology.open()
    (record,) = caplog.records
    assert "now in the TLS handshake; last fault: none" in record.getMessage()


async def test_a_good_start_warns_of_nothing(topologies: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No timer is left behind that would."""

    def timers() -> list[str]:
        scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        return [repr(timer) for timer in scheduled if not timer.cancelled() and "Topology._warn" in repr(timer)]

    async with mongo_peer() as peer:
        topology = topologies(peer.address)
        opening = asyncio.create_task(topology.open())
        await until(timers)
        assert len(timers()) == 1
        await opening
        assert not timers()
    assert not caplog.records


async def test_a_file_that_cannot_be_read_is_raised_at_once_and_looked_at_again(
    topologies: Any, contexts: Contexts, tmp_path: Any
) -> None:
    """A mended file needs no new client."""
    ca_file = tmp_path / "ca.pem"
    async with mongo_peer(contexts.server()) as peer:
        topology = topologies(peer.address, tls=TLSOptions(enabled=True, ca_file=str(ca_file)))
        errors = await asyncio.gather(topology.open(), topology.open(), return_exceptions=True)
        assert [type(error) for error in errors] == [ConfigurationError] * 2
        assert errors[0] is not errors[1]
        ca_file.write_bytes(contexts.ca.cert_pem.bytes())
        await topology.open()


async def test_a_password_callback_that_waits_is_bounded(topologies: Any, contexts: Contexts) -> None:
    """Reading the files happens in a thread and under the same limit."""
    import threading

    release = threading.Event()

    def password() -> str:
        release.wait(5)
        return "secret"

    options = contexts.options()
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(contexts._client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert isinstance(options.certificate_key_file, bytes)
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        topology = topologies(
            peer.address,
            tls=TLSOptions(
                enabled=True,
                ca_file=options.ca_file,
                certificate_file=contexts._client.cert_chain_pems[0].bytes(),
                certificate_key_file=encrypted,
                certificate_key_file_password=password,
            ),
        )
        with pytest.raises(ConnectionFailure, match="timeoutMS=300 has passed while reading the TLS files"):
            await topology.check_out(soon())
        release.set()
        await topology.open()


async def test_a_closed_topology_says_so(topologies: Any) -> None:
    """Operations that wait are ended, later ones refused; closing again is nothing."""
    async with mongo_peer() as peer:
        topology = topologies(peer.address, pool=PoolOptions(max_pool_size=1))
        connection = await topology.check_out()
        waiting = asyncio.create_task(topology.check_out())
        await asyncio.sleep(0)
        await topology.close()
        with pytest.raises(PoolClosedError):
            await waiting
        topology.check_in(connection)
        with pytest.raises(InvalidOperation, match="closed"):
            await topology.check_out()
        with pytest.raises(InvalidOperation, match="closed"):
            topology.try_check_out()
        await topology.close()


async def test_closing_is_bounded_when_the_server_does_not_read(
    topologies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not take is dropped when the time for goodbyes is up, and no socket is left."""
    monkeypatch.setattr("aiomongo_tls.topology.topology.CLOSE_LIMIT", 0.02)

    async def greet_and_sleep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = WireProtocol(Role.SERVER)
        messages = []
        while not messages:
            messages = protocol.receive_data(await reader.read(65536))
        writer.write(protocol.send_reply(messages[0], bson.encode(HELLO)))

    async with raw_peer(greet_and_sleep) as address:
        topology = topologies(address)
        connection = await topology.check_out()
        connection.send(bson.encode({"insert": "c", "x": bytes(16_000_000), "$db": "test"}))
        assert connection.is_dirty
        async with asyncio.timeout(0.5):
            await topology.close()
        assert connection.is_gone


async def test_closing_ends_a_pause_between_attempts(topologies: Any, unused_tcp_port: int) -> None:
    """Nobody sleeps on in a client that is closed."""
    topology = topologies(ServerAddress("localhost", unused_tcp_port))
    waiting = asyncio.create_task(topology.open())
    await until(lambda: faults(topology))
    await topology.close()
    with pytest.raises((InvalidOperation, PoolClosedError)):
        await waiting


async def test_closing_in_the_middle_of_an_attempt_leaves_nothing(topologies: Any, contexts: Contexts) -> None:
    """The task is ended and the socket closed when `close()` returns."""
    async with raw_peer(silent) as address:
        topology = topologies(address, tls=contexts.options())
        waiting = asyncio.create_task(topology.open())
        await until(lambda: any("monitor" in task.get_name() for task in asyncio.all_tasks()))
        await topology.close()
        with pytest.raises(InvalidOperation, match="closed"):
            await waiting
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not [name for name in names if name.startswith("aiomongo_tls")]


def test_a_second_event_loop_is_refused(contexts: Contexts) -> None:
    """While the first is there; nothing is opened by making the object."""
    topology = Topology(ClientOptions(seeds=(ServerAddress("localhost", 1),)))
    first = asyncio.new_event_loop()

    async def use() -> None:
        topology.try_check_out()

    async def close() -> None:
        await topology.close()

    first.run_until_complete(use())
    with pytest.raises(InvalidOperation, match="another event loop"):
        asyncio.run(use())
    with pytest.raises(InvalidOperation, match="another event loop"):
        asyncio.run(close())
    first.close()
    asyncio.run(close())


async def test_a_port_that_speaks_http_is_permanent(topologies: Any, contexts: Contexts) -> None:
    """Wrong protocol: no waiting."""

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_peer(http) as address:
        topology = topologies(address, tls=contexts.options(), server_selection_timeout=None)
        with pytest.raises(TLSProtocolError) as caught:
            await topology.open()
    assert caught.value.reason == "not-tls"
