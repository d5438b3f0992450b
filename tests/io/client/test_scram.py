"""Logging in with a password: what can go wrong, what is shown, what a storm costs, and doing it again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    ConfigurationError,
    NetworkTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    timeout,
)
from aiomongo_tls.core.auth import scram_keys
from aiomongo_tls.core.pool.status import PoolStatus
from aiomongo_tls.testing import CertKit, MongoTestServer, RecordedCommand, User

SECRET = "hunter2-pass"
ADA = User("ada", SECRET)
OLD = User("old", SECRET, mechanisms=("SCRAM-SHA-1",))
NEW = User("new", SECRET, mechanisms=("SCRAM-SHA-256",))
PATIENT = {"serverSelectionTimeoutMS": 20_000}


@pytest.fixture(scope="module")
def running() -> Iterator[MongoTestServer]:
    with MongoTestServer(tls="off", users=[ADA, OLD, NEW]) as server:
        yield server


@pytest.fixture
def server(running: MongoTestServer) -> Iterator[MongoTestServer]:
    yield running
    running.reset()


# Failures: each a typed error at once, with no secret in it


def continuing(command: RecordedCommand) -> str:
    """The nonce of a first message, continued."""
    return command.document["payload"].decode().partition(",r=")[2] + "more"


def first(
    salt: str = "W22ZaJ0SNY7soEsUEjb6gQ==", iterations: int = 4096
) -> Callable[[RecordedCommand], dict[str, Any]]:
    return lambda command: {
        "conversationId": 1,
        "done": False,
        "payload": f"r={continuing(command)},s={salt},i={iterations}".encode(),
    }


def scripted(server: MongoTestServer, command: str, make: Callable[[RecordedCommand], dict[str, Any]]) -> None:
    """Answers that depend on the command: a condition that writes the rule's reply."""
    rule = server.on(command, where=lambda received: bool(rule.replies(make(received))))


def unspeculative(server: MongoTestServer) -> None:
    server.on("hello").replies({"isWritablePrimary": True, "maxWireVersion": 21, "minWireVersion": 0})


def foreign_nonce(server: MongoTestServer) -> None:
    unspeculative(server)
    payload = b"r=somebody-else,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    server.on("saslStart").replies({"conversationId": 1, "done": False, "payload": payload})


def few_iterations(server: MongoTestServer) -> None:
    unspeculative(server)
    scripted(server, "saslStart", first(iterations=4095))


def wrong_signature(server: MongoTestServer) -> None:
    server.on("saslContinue").replies({"conversationId": 1, "done": True, "payload": b"v=" + b"A" * 43 + b"="})


def no_signature(server: MongoTestServer) -> None:
    server.on("saslContinue").replies({"conversationId": 1, "done": True, "payload": b""})


def no_mechanism(server: MongoTestServer) -> None:
    unspeculative(server)
    server.on("saslStart").fails(334)


def nothing(server: MongoTestServer) -> None:
    """The server as it is."""


@pytest.mark.parametrize(
    ("user", "options", "script", "reason"),
    [
        (User("ada", SECRET + "-wrong"), {}, nothing, "bad-credentials"),
        (User("nobody", SECRET), {}, nothing, "bad-credentials"),
        (User("ada", SECRET, database="app"), {}, nothing, "bad-credentials"),
        (OLD, {"authMechanism": "SCRAM-SHA-256"}, nothing, "bad-credentials"),
        (NEW, {"authMechanism": "SCRAM-SHA-1"}, nothing, "bad-credentials"),
        (ADA, {"authMechanism": "SCRAM-SHA-256"}, no_mechanism, "mechanism-unavailable"),
        (ADA, {}, foreign_nonce, "server-not-trusted"),
        (ADA, {}, wrong_signature, "server-not-trusted"),
        (ADA, {}, no_signature, "server-not-trusted"),
        (ADA, {}, few_iterations, "too-few-iterations"),
    ],
    ids=[
        "password",
        "user",
        "database",
        "not SHA-256",
        "not SHA-1",
        "switched off",
        "nonce",
        "signature",
        "no signature",
        "iterations",
    ],
)
async def test_failures(
    server: MongoTestServer,
    caplog: pytest.LogCaptureFixture,
    user: User,
    options: Any,
    script: Callable[[MongoTestServer], None],
    reason: str,
) -> None:
    """Raised by the first attempt, not after serverSelectionTimeoutMS; told apart by `reason`."""
    caplog.set_level(logging.DEBUG)
    script(server)
    uri = server.uri(user=user, **options)
    async with asyncio.timeout(1):
        with pytest.raises(AuthenticationFailed) as caught:
            await AsyncClient.connect(uri)
    error = caught.value
    assert error.reason == reason
    assert (error.user, error.host) == (user.name, server.address)
    assert error.hint
    # One attempt, nothing tried again.
    hellos = [c for c in server.commands if "speculativeAuthenticate" in c.document]
    assert len(hellos) == 1
    shown = [str(error), repr(error), "".join(traceback.format_exception(error)), caplog.text, str(server.commands)]
    for text in shown:
        assert SECRET not in text


async def test_a_password_that_saslprep_refuses(server: MongoTestServer) -> None:
    """Is a mistake in the options; SHA-1 takes it."""
    with pytest.raises(ConfigurationError, match="password cannot be used with SCRAM-SHA-256") as caught:
        await AsyncClient.connect(server.uri(user=None, client=None), username="ada", password=SECRET + "\x07")
    assert SECRET not in str(caught.value)


async def test_silence_in_the_middle_ends_in_time(server: MongoTestServer) -> None:
    """The option connectTimeoutMS bounds authentication, too."""
    server.on("saslContinue").stays_silent()
    with pytest.raises((NetworkTimeout, ServerSelectionTimeoutError)) as caught:
        await AsyncClient.connect(server.uri(), connectTimeoutMS=100, serverSelectionTimeoutMS=150)
    causes = [caught.value, caught.value.__cause__]
    assert any(isinstance(error, NetworkTimeout) and "authenticating" in str(error) for error in causes)


async def test_nothing_secret_in_a_repr(server: MongoTestServer) -> None:
    """Of client, pool, connection, server and what it recorded."""
    async with server.connect(user=ADA) as client:
        await client.ping()
        topology = client._executor._topology
        deployment = topology._life.deployment
        principal = topology._principal
        (access,) = principal.accesses.values()
        things = [client, client.app, topology, topology._life, deployment, access.pool, access.pool.key]
        things += [
            topology.options,
            principal,
            principal._means.computations,
            server,
            server.commands,
            server.connections,
        ]
        assert SECRET not in repr(things)
        await client.admin.command("createUser", "bob", pwd=SECRET, roles=[])
        assert SECRET not in repr(server.commands)
        assert server.commands_named("createUser")[0].document["pwd"] == SECRET


# A storm


async def test_a_storm_computes_once_and_does_not_hold_the_loop(
    aiomongo_certs: CertKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred connections at a time, each of which needs the key: one computation, beside the loop.

    The user's iterations are so many that one computation takes far longer than anything else that happens here; had
    the loop waited for it, its longest pause would have been as long.
    """
    slow = User("slow", SECRET, iterations=1_500_000, mechanisms=("SCRAM-SHA-256",))
    durations: list[float] = []
    compute = hashlib.pbkdf2_hmac

    def counted(*arguments: Any) -> bytes:
        begin = time.perf_counter()
        try:
            return compute(*arguments)
        finally:
            durations.append(time.perf_counter() - begin)

    with MongoTestServer(ca=aiomongo_certs, tls="require", users=[slow]) as server:
        # The server's own part of the work, on its thread.
        server._backend.with_state(lambda state: state.users.find("admin", "slow").credential("SCRAM-SHA-256"))
        monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
        pauses: list[float] = []

        async def heartbeat() -> None:
            last = time.perf_counter()
            while True:
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                pauses.append(now - last)
                last = now

        client = AsyncClient(
            server.uri(), maxPoolSize=100, minPoolSize=100, maxConnecting=100, connectTimeoutMS=60_000, **PATIENT
        )
        beating = asyncio.create_task(heartbeat())
        try:
            await asyncio.gather(*(client.app.users.find_one() for _ in range(100)))
            async with asyncio.timeout(20):
                while status(client).opening:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert status(client).idle == 100
        finally:
            beating.cancel()
            await client.close()
    (duration,) = durations
    assert max(pauses) < duration / 2


def status(client: Any) -> PoolStatus:
    """What the connections of a client with one server are doing."""
    (found,) = client.pool_status().values()
    return found  # type: ignore[no-any-return]


async def hang_up(server: MongoTestServer, client: Any) -> None:
    """The server ends every connection, and the client has noticed."""
    server.drop_connections()
    async with asyncio.timeout(5):
        while status(client).idle:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_another_password_is_another_key(server: MongoTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: a user whose password has changed is computed anew, and each client has a cache of its own."""
    found: list[tuple[Any, ...]] = []
    compute = scram_keys.keys

    def counted(*arguments: Any) -> Any:
        found.append(arguments)
        return compute(*arguments)

    async with server.connect(user=ADA) as client:
        # From here on only what clients compute is counted: the server has its credential.
        monkeypatch.setattr(scram_keys, "keys", counted)
        await hang_up(server, client)
        await asyncio.gather(*(client.app.users.find_one() for _ in range(3)))
        assert found == []
        async with server.connect(user=ADA):
            assert len(found) == 1
        server.add_user(ADA)
        await hang_up(server, client)
        await client.ping()
        # The server's new salt, and what the client makes of it.
        assert len({arguments[2] for arguments in found}) == 2


# Reauthentication


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", None])
async def test_scram_again(server: MongoTestServer, mechanism: str | None) -> None:
    """Error 391: the mechanism alone on the same connection, then the operation, whatever it is."""
    async with AsyncClient.connect(server.uri(user=ADA, authMechanism=mechanism), maxPoolSize=1) as client:
        await client.ping()
        seen = len(server.commands)
        server.on("insert", "find").fails(391).once()
        await client.app.users.insert_one({"_id": 1})
        names = [(command.name, command.connection_id) for command in server.commands[seen:]]
        number = names[0][1]
        assert names == [(name, number) for name in ("insert", "saslStart", "saslContinue", "insert")]
        start = server.commands[seen + 1].document
        assert start["mechanism"] == (mechanism or "SCRAM-SHA-256")
        assert "db" not in start
        assert await client.app.users.find_one() == {"_id": 1}


async def test_x509_again(aiomongo_server: MongoTestServer) -> None:
    """The same with a certificate, for a bulk of several batches and for a cursor."""
    async with aiomongo_server.connect(maxPoolSize=1) as client:
        await client.ping()
        seen = len(aiomongo_server.commands)
        aiomongo_server.on("insert").fails(391).once()
        documents = [{"_id": number} for number in range(5)]
        assert (await client.app.users.insert_many(documents)).inserted_ids == list(range(5))
        assert [c.name for c in aiomongo_server.commands[seen:]] == ["insert", "authenticate", "insert"]
        one, other = aiomongo_server.commands_named("insert")
        assert one.document == other.document
        cursor = client.app.users.find(batch_size=2)
        assert (await cursor.next())["_id"] == 0
        aiomongo_server.on("getMore").fails(391).once()
        assert [document["_id"] for document in await cursor.to_list()] == [1, 2, 3, 4]


async def test_once_and_not_twice(server: MongoTestServer) -> None:
    """A server that demands it again gets no third attempt; the error is its own."""
    async with server.connect(user=ADA) as client:
        rule = server.on("find").fails(391)
        with pytest.raises(OperationFailure) as caught:
            await client.app.users.find_one()
        assert (caught.value.code, rule.used) == (391, 2)
        assert not isinstance(caught.value, AuthenticationFailed)
        await client.ping()


async def test_refused_when_asked_again(server: MongoTestServer) -> None:
    """The refusal is raised, and the connection is gone."""
    async with server.connect(user=ADA, maxPoolSize=1) as client:
        await client.ping()
        server.on("find").fails(391).once()
        server.remove_user(ADA)
        with pytest.raises(AuthenticationFailed) as caught:
            await client.app.users.find_one()
        assert caught.value.reason == "bad-credentials"
        assert status(client).idle == 0
        server.add_user(ADA)
        assert await client.app.users.find_one() is None


async def test_too_slow_when_asked_again(server: MongoTestServer) -> None:
    """The operation's own deadline bounds it, and the connection is gone."""
    async with server.connect(user=ADA, maxPoolSize=1) as client:
        await client.ping()
        server.on("find").fails(391).once()
        server.on("saslStart").stays_silent().once()
        with pytest.raises(NetworkTimeout, match="authenticating"), timeout(0.1):
            await client.app.users.find_one()
        assert status(client).idle == 0
        assert await client.app.users.find_one() is None


async def test_nobody_is_not_asked_again() -> None:
    """Without a credential the error is passed on."""
    with MongoTestServer(tls="off") as server:
        async with server.connect() as client:
            rule = server.on("find").fails(391).once()
            with pytest.raises(OperationFailure) as caught:
                await client.app.users.find_one()
            assert (caught.value.code, rule.used) == (391, 1)


async def test_not_within_authentication(server: MongoTestServer) -> None:
    """Error 391 in answer to hello or to saslContinue is a failure to connect, and no reason for a loop."""
    rule = server.on("saslContinue").fails(391)
    with pytest.raises(AuthenticationFailed) as caught:
        await server.connect(user=ADA)
    assert (caught.value.code, rule.used) == (391, 1)
