"""A client from its constructor to its end."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import socket
from contextlib import aclosing
from typing import Any

import pytest
from sweep import descriptors

import aiomongo_tls
from aiomongo_tls import (
    AsyncClient,
    AsyncMongoClient,
    AuthenticationFailed,
    ConfigurationError,
    InvalidOperation,
    NetworkTimeout,
    PoolClosedError,
    ServerCertificateError,
    ServerSelectionTimeoutError,
)
from aiomongo_tls.testing import CertKit, MongoTestServer


def hellos(server: MongoTestServer) -> int:
    """The connections for operations, which authenticate; monitors do not."""
    return sum("speculativeAuthenticate" in command.document for command in server.commands_named("hello", "isMaster"))


@pytest.fixture(autouse=True)
async def nothing_left(aiomongo_server: MongoTestServer) -> Any:
    """After each test: no task, no socket."""
    sockets = descriptors()
    yield
    await asyncio.sleep(0)
    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    # The embedded server runs in this process, too, and notices the end of a connection a moment later.
    async with asyncio.timeout(5):
        while descriptors() - sockets:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_connect_and_await(aiomongo_server: MongoTestServer) -> None:
    """The connection is there, authenticated, before `connect()` returns; the caller closes."""
    client = await AsyncClient.connect(aiomongo_server.uri())
    (connection,) = (connection for connection in aiomongo_server.connections if connection.user)
    assert connection.user == "CN=tester,OU=clients,O=aiomongo_tls tests"
    assert await client.ping() == {"ok": 1.0}
    assert hellos(aiomongo_server) == 1
    await client.close()


async def test_connect_as_a_block(aiomongo_server: MongoTestServer) -> None:
    """Closed at its end, with endSessions."""
    async with AsyncClient.connect(aiomongo_server.uri()) as client:
        await client.ping()
    assert [command.name for command in aiomongo_server.commands][-2:] == ["ping", "endSessions"]


async def test_a_constructor_connects_in_a_block(aiomongo_server: MongoTestServer) -> None:
    """Under PyMongo's name, too."""
    client = AsyncMongoClient(aiomongo_server.uri())
    assert aiomongo_server.connections == []
    async with client as same:
        assert same is client
        assert hellos(aiomongo_server) == 1
        await client.aconnect()
        assert hellos(aiomongo_server) == 1


async def test_a_constructor_connects_at_the_first_operation(aiomongo_server: MongoTestServer) -> None:
    """Many at once open what the pool allows, once."""
    async with aclosing(AsyncClient(aiomongo_server.uri(), maxPoolSize=1)) as client:
        await asyncio.gather(*(client.ping() for _ in range(50)))
        assert hellos(aiomongo_server) == 1


async def test_a_client_made_without_a_loop_is_used_in_one(aiomongo_server: MongoTestServer) -> None:
    """At module level, say. A second loop is refused while the first one has it."""
    uri = aiomongo_server.uri()

    def in_a_thread() -> None:
        client = AsyncClient(uri)

        async def use() -> None:
            await client.ping()
            await asyncio.to_thread(asyncio.run, use_elsewhere())
            await client.ping()
            await client.close()

        async def use_elsewhere() -> None:
            for wrong in (client.ping(), client.close()):
                with pytest.raises(InvalidOperation, match="another event loop"):
                    await wrong

        asyncio.run(use())

    await asyncio.to_thread(in_a_thread)


async def test_host_and_port_and_keywords(aiomongo_server: MongoTestServer) -> None:
    """PyMongo's first two arguments; options as keywords."""
    certificate = aiomongo_server.client_certificate
    assert certificate is not None
    async with AsyncClient.connect(
        "127.0.0.1",
        aiomongo_server.address.port,
        tlsCAFile=certificate.ca_path,
        tlsCertificateKeyFile=certificate.path,
        authMechanism="MONGODB-X509",
    ) as client:
        assert await client.ping()
        assert repr(client) == f"AsyncClient('{aiomongo_server.address}', tls=True)"


async def test_bad_options_are_refused_before_anything_is_opened(aiomongo_server: MongoTestServer) -> None:
    """By the call itself, and no coroutine is left to complain."""
    with pytest.raises(ConfigurationError, match="tlsCAFiel"):
        AsyncClient.connect(aiomongo_server.uri(), tlsCAFiel="x")  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="connect"):
        AsyncClient(aiomongo_server.uri(), connect=True)
    AsyncClient(aiomongo_server.uri(), connect=False)
    gc.collect()
    assert aiomongo_server.commands == []


async def test_a_wrong_certificate_authority_fails_at_once(aiomongo_server: MongoTestServer, tmp_path: Any) -> None:
    """The failing twin of every test here: trust is what lets them pass."""
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(CertKit().ca_pem)
    uri = aiomongo_server.uri(tlsCAFile=stranger)
    async with asyncio.timeout(5):
        with pytest.raises(ServerCertificateError) as raised:
            await AsyncClient.connect(uri)
        assert raised.value.reason == "unknown-ca"
        with pytest.raises(ServerCertificateError):
            async with AsyncClient(uri):
                raise AssertionError
        async with aclosing(AsyncClient(uri)) as client:
            for _ in range(2):
                with pytest.raises(ServerCertificateError):
                    await client["app"]["users"].find_one()


async def test_an_unknown_user_fails_at_once(aiomongo_server: MongoTestServer) -> None:
    """Nothing is left open."""
    stranger = aiomongo_server.certs.client("mallory")
    with pytest.raises(AuthenticationFailed, match="mallory"):
        await AsyncClient.connect(aiomongo_server.uri(client=stranger))


async def test_a_server_that_is_not_there_is_waited_for() -> None:
    """Until serverSelectionTimeoutMS; the cause is the last fault."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but it does not listen
        with pytest.raises(ServerSelectionTimeoutError) as raised:
            await AsyncClient.connect("127.0.0.1", nobody.getsockname()[1], serverSelectionTimeoutMS=200)
    assert raised.value.__cause__ is not None
    assert raised.value.timeout


async def test_timeout_ms_bounds_connecting(aiomongo_server: MongoTestServer) -> None:
    """And the phase is named."""
    aiomongo_server.stalls("hello")
    with pytest.raises(NetworkTimeout, match="timeoutMS=200"):
        await AsyncClient.connect(aiomongo_server.uri(), timeoutMS=200)
    with pytest.raises(NetworkTimeout, match=r"timeout\(0.2\)"), aiomongo_tls.timeout(0.2):
        await AsyncClient.connect(aiomongo_server.uri())


async def test_cancelling_connect_leaves_nothing(aiomongo_server: MongoTestServer) -> None:
    """Whatever the server does."""
    aiomongo_server.stalls("handshake")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await AsyncClient.connect(aiomongo_server.uri())


async def test_a_closed_client_stays_closed(aiomongo_server: MongoTestServer) -> None:
    """Closing twice is fine, using it afterwards is not."""
    client = await AsyncClient.connect(aiomongo_server.uri())
    cursor = client["app"]["users"].find()
    await asyncio.gather(client.close(), client.aclose(), client.close())
    await client.close()
    client.abort()
    for use in (client.ping(), client.aconnect(), cursor.to_list(), client["app"].command("ping")):
        with pytest.raises(InvalidOperation, match="closed"):
            await use


async def test_closing_an_unused_client_needs_nothing() -> None:
    """Not even a server."""
    client = AsyncClient("nowhere.invalid")
    await client.close()
    AsyncClient("nowhere.invalid").abort()


@pytest.mark.parametrize("take_away", [pickle.dumps, copy.copy, copy.deepcopy])
async def test_a_client_cannot_be_taken_elsewhere(take_away: Any) -> None:
    """Its connections cannot go along, and its secrets must not."""
    client = AsyncClient("mongodb://ada:secret@nowhere.invalid/")
    with pytest.raises(TypeError, match="cannot be pickled"):
        take_away(client)


async def test_closing_ends_what_is_under_way(aiomongo_server: MongoTestServer) -> None:
    """Within a second, with an error that says so."""
    aiomongo_server.on("ping").stays_silent()
    client = await AsyncClient.connect(aiomongo_server.uri())
    ping = asyncio.create_task(client.ping())
    await asyncio.to_thread(aiomongo_server.wait_for, "ping")
    async with asyncio.timeout(1):
        await client.close()
    with pytest.raises(PoolClosedError):
        await ping


async def test_closing_takes_a_second_at_most(aiomongo_server: MongoTestServer) -> None:
    """Even if the server does not answer endSessions."""
    aiomongo_server.on("endSessions").stays_silent()
    client = await AsyncClient.connect(aiomongo_server.uri())
    await client.ping()
    async with asyncio.timeout(1.2):
        await client.close()
    assert aiomongo_server.commands_named("endSessions")


async def test_a_cancelled_close_goes_through(aiomongo_server: MongoTestServer) -> None:
    """Sessions ended, nothing left; the caller learns that it was cancelled."""
    client = await AsyncClient.connect(aiomongo_server.uri())
    await client.ping()
    closing = asyncio.create_task(client.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.to_thread(aiomongo_server.wait_for, "endSessions")


async def test_aborting_needs_no_await(aiomongo_server: MongoTestServer) -> None:
    """And says nothing to the server."""
    client = await AsyncClient.connect(aiomongo_server.uri())
    await client.ping()
    client.abort()
    client.abort()
    with pytest.raises(InvalidOperation):
        await client.ping()
    assert not aiomongo_server.commands_named("endSessions")


async def test_a_forgotten_connect_warns(aiomongo_server: MongoTestServer) -> None:
    """By the name that the user wrote."""

    def forget() -> None:
        AsyncClient.connect(aiomongo_server.uri())
        gc.collect()

    with pytest.warns(RuntimeWarning, match=r"AsyncClient\.connect' was never awaited"):
        forget()


def test_run_takes_it(aiomongo_server: MongoTestServer) -> None:
    """`asyncio.run(AsyncClient.connect(...))`; the loop is gone afterwards, and closing is still in order."""

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(AsyncClient.connect(aiomongo_server.uri()))
        await task.result().close()

    asyncio.run(both())
