"""Prose tests of retries that are about events and pauses; the others stand in `tests/io/client/test_retries.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from events import Events

from aiomongo_tls import (
    AsyncClient,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutFailedReason,
    MongoError,
    NotPrimaryError,
    OperationFailure,
    PoolClearedEvent,
)
from aiomongo_tls.testing import MongoTestServer

Client = AsyncClient[dict[str, Any]]
OVERLOADED = ["RetryableError", "SystemOverloadedError"]


class Pauses:
    """The pauses of a client, at their longest, none of which is made; what the first of them lets happen."""

    def __init__(self, client: Client) -> None:
        self.seconds: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        client._executor._chance = lambda: 1.0
        client._executor._sleep = self._pause

    async def _pause(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.meanwhile()
        self.meanwhile = lambda: None


@pytest.fixture
async def deployment() -> AsyncIterator[tuple[MongoTestServer, Client, Pauses]]:
    with MongoTestServer(topology="replica_set") as server:
        async with server.connect(heartbeatFrequencyMS=500) as client:
            yield server, client, Pauses(client)


@pytest.mark.parametrize(("name", "labels"), [("find", None), ("insert", ["RetryableWriteError"])])
async def test_pool_cleared_error(name: str, labels: list[str] | None) -> None:
    """Retryable reads 1, retryable writes 2: who waited for the connection of a pool that is cleared tries again."""
    events = Events()
    options: dict[str, Any] = {"errorLabels": labels} if labels else {}
    with MongoTestServer(topology="replica_set") as server:
        async with server.connect(maxPoolSize=1, heartbeatFrequencyMS=500, event_listeners=[events]) as client:
            users = client.app.users
            events.forget()
            with server.fail_point(
                mode={"times": 1}, failCommands=[name], errorCode=91, blockConnection=True, blockTimeMS=100, **options
            ):
                await asyncio.gather(*(users.find_one() if name == "find" else users.insert_one({}) for _ in "ab"))
            assert len(server.commands_named(name)) == 3
    kinds: tuple[type[Any], ...] = (ConnectionCheckedOutEvent, PoolClearedEvent, ConnectionCheckOutFailedEvent)
    seen = events.of(*kinds)
    assert [type(event) for event in seen[:3]] == list(kinds)
    assert seen[2].reason == ConnectionCheckOutFailedReason.CONN_ERROR


async def test_retryable_writes_1_a_storage_engine_without_transaction_numbers() -> None:
    """The error says what to do, with the server's code."""
    with MongoTestServer(topology="replica_set") as server:
        server.on("insert").fails(20, "Transaction numbers are only allowed on a replica set member or mongos")
        async with server.connect() as client:
            with pytest.raises(OperationFailure) as raised:
                await client.app.users.insert_one({})
    assert raised.value.code == 20
    assert "retryWrites=false" in str(raised.value)


@pytest.mark.parametrize("name", ["find", "insert"])
async def test_errors_that_follow_an_overload(deployment: tuple[MongoTestServer, Client, Pauses], name: str) -> None:
    """Retryable reads 4 and 5, retryable writes 6 cases 4 and 5: three attempts in all, and one pause."""
    server, client, pauses = deployment
    labels = ["RetryableError", "RetryableWriteError"] if name == "insert" else ["RetryableError"]
    pauses.meanwhile = lambda: server.fail_point(failCommands=[name], errorCode=91, errorLabels=labels)
    server.fail_point(mode={"times": 1}, failCommands=[name], errorCode=91, errorLabels=OVERLOADED)
    with pytest.raises(NotPrimaryError):
        await (client.app.users.find_one() if name == "find" else client.app.users.insert_one({"a": 1}))
    assert len(server.commands_named(name)) == 3
    assert pauses.seconds == pytest.approx([0.2])


async def insert(client: Client) -> MongoError:
    with pytest.raises(OperationFailure) as raised:
        await client.app.users.insert_one({"a": 1})
    return raised.value


async def test_backpressure_1_pauses_grow(deployment: tuple[MongoTestServer, Client, Pauses]) -> None:
    """By chance there is none, or 0.2 s and then 0.4 s."""
    server, client, pauses = deployment
    with server.fail_point(failCommands=["insert"], errorCode=2, errorLabels=OVERLOADED):
        client._executor._chance = lambda: 0.0
        await insert(client)
        assert sum(pauses.seconds) == 0
        client._executor._chance = lambda: 1.0
        await insert(client)
        assert sum(pauses.seconds) == pytest.approx(0.6)


async def test_backpressure_1_pauses_are_made() -> None:
    """With a clock on the wall: an overloaded server is left alone for as long as the pauses say."""
    with MongoTestServer(topology="replica_set") as server:
        async with server.connect() as client:
            chance: list[Callable[[], float]] = [lambda: 0.0, lambda: 1.0]
            took = []
            with server.fail_point(failCommands=["insert"], errorCode=2, errorLabels=OVERLOADED):
                for client._executor._chance in chance:
                    took.append(await timed(insert(client)))
    assert took[1] - took[0] == pytest.approx(0.6, abs=0.6)
    assert took[1] >= 0.59


async def test_backpressure_5_the_server_s_own_base(deployment: tuple[MongoTestServer, Client, Pauses]) -> None:
    """With baseBackoffMS the pauses begin lower: 0.1 s and 0.2 s."""
    server, client, pauses = deployment
    with server.fail_point(failCommands=["insert"], errorCode=462, errorLabels=OVERLOADED):
        await insert(client)
    assert pauses.seconds == pytest.approx([0.2, 0.4])
    pauses.seconds.clear()
    with server.fail_point(failCommands=["insert"], errorCode=462, errorLabels=OVERLOADED, baseBackoffMS=50):
        error = await insert(client)
    assert pauses.seconds == pytest.approx([0.1, 0.2])
    assert isinstance(error, OperationFailure)
    assert error.details is not None
    assert error.details["baseBackoffMS"] == 50


async def timed(work: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work
    return loop.time() - began
