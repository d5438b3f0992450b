"""A user's deadline holds whatever the server does, and the error says how far things had come.

The only tests here that look at the clock: the deadline is the subject. `timeoutMS=1000` is to end within 1.2 s; the
tests use shorter limits with the same allowance. A busy machine may be late once, so each gets three tries; what the
error says has to be right in all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, NetworkTimeout, ServerSelectionTimeoutError, TLSHandshakeTimeout, timeout
from aiomongo_tls.errors import Phase
from aiomongo_tls.testing import MongoTestServer

LIMIT = 0.3
ALLOWANCE = 0.2
TRIES = 3

STALLS = [("accept", Phase.TLS), ("handshake", Phase.TLS), ("hello", Phase.HELLO)]


async def ends_in_time(attempt: Callable[[], Awaitable[None]]) -> None:
    """The attempt takes the limit, never less and hardly more."""
    for _ in range(TRIES):
        begin = time.monotonic()
        await attempt()
        elapsed = time.monotonic() - begin
        assert elapsed >= LIMIT - 0.01
        if elapsed <= LIMIT + ALLOWANCE:
            return
    pytest.fail(f"took {elapsed:.3f} s, the limit was {LIMIT} s")


async def test_a_ping_has_a_limit_of_its_own(aiomongo_server: MongoTestServer) -> None:
    """Instead of the client's, longer or shorter; a block around it can only be shortened."""
    async with AsyncClient.connect(aiomongo_server.uri(), timeoutMS=10_000) as client:
        assert (await client.ping(timeoutMS=0))["ok"] == 1
        aiomongo_server.on("ping").answers_after(60)

        async def attempt() -> None:
            with pytest.raises(NetworkTimeout, match=f"timeoutMS={LIMIT * 1000:g}"):
                await client.ping(timeoutMS=LIMIT * 1000)

        async def attempt_in_block() -> None:
            with timeout(LIMIT), pytest.raises(NetworkTimeout, match="timeout"):
                await client.ping(timeoutMS=60_000)

        await ends_in_time(attempt)
        await ends_in_time(attempt_in_block)


@pytest.mark.parametrize("wrong", [True, "500", -1, float("nan")])
async def test_a_ping_s_limit_is_a_number_of_milliseconds(aiomongo_server: MongoTestServer, wrong: Any) -> None:
    """Anything else is refused, before anything is sent."""
    async with aiomongo_server.connect() as client:
        with pytest.raises((TypeError, ValueError), match="timeoutMS is a number of milliseconds"):
            await client.ping(timeoutMS=wrong)
    assert not aiomongo_server.commands_named("ping")


@pytest.mark.parametrize(("where", "phase"), STALLS)
async def test_first_operation(aiomongo_server: MongoTestServer, where: Any, phase: Phase) -> None:
    """An operation that needs a new connection, and a server that falls silent on the way to it."""
    aiomongo_server.stalls(where)

    async def attempt() -> None:
        client = AsyncClient(aiomongo_server.uri(), timeoutMS=LIMIT * 1000)
        try:
            with pytest.raises((NetworkTimeout, TLSHandshakeTimeout)) as caught:
                await client["app"]["users"].find_one()
        finally:
            client.abort()
        assert caught.value.phase is phase
        assert caught.value.timeout
        assert "timeoutMS=300" in str(caught.value)
        assert phase.doing in str(caught.value)

    await ends_in_time(attempt)


@pytest.mark.parametrize(("where", "phase"), STALLS)
async def test_connecting(aiomongo_server: MongoTestServer, where: Any, phase: Phase) -> None:
    """Each attempt is bounded by connectTimeoutMS, and the last is the cause when serverSelectionTimeoutMS ends it."""
    aiomongo_server.stalls(where)

    async def attempt() -> None:
        options = {"connectTimeoutMS": 100, "serverSelectionTimeoutMS": LIMIT * 1000}
        with pytest.raises(ServerSelectionTimeoutError) as caught:
            await AsyncClient.connect(aiomongo_server.uri(), **options)
        cause = caught.value.__cause__
        assert isinstance(cause, NetworkTimeout | TLSHandshakeTimeout)
        assert cause.phase is phase
        assert caught.value.errors == {aiomongo_server.address: cause}

    await ends_in_time(attempt)


async def test_a_late_reply(aiomongo_server: MongoTestServer) -> None:
    """A server that takes its time over one command does not hold up the next."""
    async with AsyncClient.connect(aiomongo_server.uri(), timeoutMS=LIMIT * 1000) as client:
        users = client["app"]["users"]

        async def attempt() -> None:
            aiomongo_server.on("find").answers_after(60).times(1)
            with pytest.raises(NetworkTimeout) as caught:
                await users.find_one()
            assert caught.value.phase is Phase.REQUEST

        await ends_in_time(attempt)
        assert await users.find_one() is None


async def test_a_block_bounds_all_operations_in_it(aiomongo_server: MongoTestServer) -> None:
    """`timeout()` is one deadline for everything in its block, and wins over timeoutMS."""
    aiomongo_server.on("find").answers_after(60)
    async with AsyncClient.connect(aiomongo_server.uri(), timeoutMS=60_000) as client:
        users = client["app"]["users"]

        async def attempt() -> None:
            with timeout(LIMIT):
                await users.insert_one({})
                with pytest.raises(NetworkTimeout, match="timeout"):
                    await users.find_one()

        await ends_in_time(attempt)


async def test_short_budgets_cause_no_storm(aiomongo_server: MongoTestServer) -> None:
    """Ten operations with a budget shorter than the handshake cost one connection, which then serves."""
    aiomongo_server.on("hello").answers_after(LIMIT).times(1)
    client = AsyncClient(aiomongo_server.uri(), maxPoolSize=1)
    try:
        for _ in range(10):
            # It may end within the TLS handshake or after it.
            with timeout(0.01), pytest.raises((NetworkTimeout, TLSHandshakeTimeout)):
                await client.ping()
        await client.ping()
    finally:
        await client.close()
    hellos = aiomongo_server.commands_named("isMaster", "ismaster", "hello")
    assert sum("speculativeAuthenticate" in hello.document for hello in hellos) == 1


async def test_cancelled_from_outside(aiomongo_server: MongoTestServer) -> None:
    """An asyncio.timeout() around an operation works as well."""
    async with AsyncClient.connect(aiomongo_server.uri()) as client:

        async def attempt() -> None:
            aiomongo_server.on("find").answers_after(60).times(1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(LIMIT):
                    await client["app"]["users"].find_one()

        await ends_in_time(attempt)
        await client.ping()
