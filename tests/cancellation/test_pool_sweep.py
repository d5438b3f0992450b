"""Everything a pool and a topology do for an operation, cancelled at every step: no slot is lost, nobody is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import bson
import pytest
from counts import counts
from peers import Contexts, MongoPeer, mongo_peer, resolver_of
from sweep import Cancels, World, in_every_way, sweep, turns

from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool import slots
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.core.pool.status import Counts, PoolState
from aiomongo_tls.errors import AutoReconnect, MongoError
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.topology.topology import Topology

X509 = MongoCredential(username=None, password=None, source="$external", mechanism="MONGODB-X509")
PING = bson.encode({"ping": 1, "$db": "admin"})
SLOW = bson.encode({"slow": 1, "$db": "admin"})
LOST = AutoReconnect("the server went away")


async def use(pool: Pool | Topology, command: bytes = PING) -> None:
    """What an operation does: one that is broken off has its late reply waited for."""
    connection = pool.try_check_out() or await pool.check_out()
    try:
        await connection.request(command)
    except asyncio.CancelledError:
        connection.on_late_reply = lambda reply: None
        raise
    finally:
        pool.check_in(connection)


# The pool


@asynccontextmanager
async def pool_of(
    contexts: Contexts, identity: Identity, *, opened: bool, **options: Any
) -> AsyncIterator[tuple[MongoPeer, Pool]]:
    """A pool with its server."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        establisher = Establisher(
            address=peer.address, client={}, identity=identity, credential=X509, resolver=resolver_of()
        )
        pool = Pool(PoolKey(peer.address), PoolOptions(**({"max_pool_size": 1} | options)), establisher.establish)
        pool.ready()
        try:
            if opened:
                await use(pool)
            yield peer, pool
        finally:
            pool.abort()
            await pool.wait_closed()


def at_rest(pool: Pool) -> Callable[[], bool]:
    """Whether nothing is under way that an operation may leave behind: an attempt, and a late reply."""
    return lambda: not pool.attempts and not pool.status.parked


def check_given_back(*pools: Pool) -> None:
    """Whoever has given up has nothing and stands in no line, whatever is still to come."""
    for pool in pools:
        assert (pool.status.in_use, pool.status.waiting) == (0, 0)


async def check_whole(pool: Pool) -> None:
    """Nothing is in use, nobody waits, and the next one is served by the pool's only slot."""
    assert counts(pool) in (Counts(), Counts(idle=1))
    await use(pool)
    assert counts(pool) == Counts(idle=1)


@in_every_way
@pytest.mark.parametrize("opened", [True, False])
async def test_an_operation(contexts: Contexts, identity: Identity, cancels: Cancels, opened: bool) -> None:
    """Check-out, request and check-in, with a connection and without one: never is a second one needed."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with pool_of(contexts, identity, opened=opened) as (peer, pool):

            async def check(was_cancelled: bool) -> None:
                await check_whole(pool)
                assert len(peer.sessions) == 1

            yield World(lambda: use(pool), check, settled=at_rest(pool), at_once=partial(check_given_back, pool))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > (0 if opened else 10)


@in_every_way
async def test_an_operation_that_waits_for_its_turn(contexts: Contexts, identity: Identity, cancels: Cancels) -> None:
    """The one before gives the only connection back while the victim waits, and a third waits behind it."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with pool_of(contexts, identity, opened=True) as (peer, pool):
            first = asyncio.ensure_future(use(pool))
            await turns(1)

            async def third_in_line() -> None:
                await turns(1)
                await use(pool)

            third = asyncio.ensure_future(third_in_line())

            async def check(was_cancelled: bool) -> None:
                await asyncio.gather(first, third)
                await check_whole(pool)
                assert len(peer.sessions) == 1

            yield World(lambda: use(pool), check, settled=lambda: third.done() and at_rest(pool)())

    assert await sweep(scenario, cancels=cancels) > 0


@in_every_way
async def test_an_operation_that_finds_only_parked_connections(
    contexts: Contexts, identity: Identity, cancels: Cancels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its predecessor was broken off at a server that hangs: room is made, and whoever comes next has the use of it."""
    monkeypatch.setattr(slots, "SPARED", 0.0)

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with pool_of(contexts, identity, opened=True) as (peer, pool):
            peer.answers["slow"] = None
            before = asyncio.ensure_future(use(pool, SLOW))
            await peer.until(lambda: "slow" in peer.commands[-1])
            before.cancel()
            await asyncio.wait([before])
            assert counts(pool) == Counts(parked=1)

            async def check(was_cancelled: bool) -> None:
                assert pool.status.in_use == pool.status.waiting == 0
                await use(pool)
                assert counts(pool) == Counts(idle=1)
                assert len(peer.sessions) == 2

            given_back = partial(check_given_back, pool)
            yield World(lambda: use(pool), check, settled=lambda: not pool.attempts, at_once=given_back)

    assert await sweep(scenario, cancels=cancels) > 10


@in_every_way
@pytest.mark.parametrize("interrupts", [True, False])
@pytest.mark.parametrize("opened", [True, False])
async def test_an_operation_while_the_pool_is_cleared(
    contexts: Contexts, identity: Identity, cancels: Cancels, opened: bool, interrupts: bool
) -> None:
    """Cleared and made ready again every few turns, while it waits, while its connection is opened, while it runs."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with pool_of(contexts, identity, opened=opened) as (_, pool):

            async def trouble() -> None:
                for pause in (1, 2, 7):
                    await turns(pause)
                    pool.clear(LOST, interrupt_in_use_connections=interrupts)
                    await turns(1)
                    pool.ready()

            async def victim() -> None:
                for _ in range(4):
                    try:
                        await use(pool)
                    except MongoError:
                        # As an operation that may be tried again.
                        await turns(2)

            troubled = asyncio.ensure_future(trouble())

            async def check(was_cancelled: bool) -> None:
                assert pool.generation == 3
                await check_whole(pool)
                assert all(connection.is_usable for connection, _ in pool._slots._idle)

            yield World(victim, check, settled=lambda: troubled.done() and at_rest(pool)())

    assert await sweep(scenario, cancels=cancels) > 3


@in_every_way
@pytest.mark.parametrize("opened", [True, False])
async def test_closing_a_pool(contexts: Contexts, identity: Identity, cancels: Cancels, opened: bool) -> None:
    """However often the waiting for its end is cancelled, with an operation and an attempt under way and one parked."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with pool_of(contexts, identity, opened=opened, max_pool_size=2) as (peer, pool):
            peer.answers["slow"] = None
            broken_off = asyncio.ensure_future(use(pool, SLOW))
            if opened:
                await peer.until(lambda: "slow" in peer.commands[-1])
            else:
                await turns(1)
            broken_off.cancel()
            operations = [broken_off, *(asyncio.ensure_future(use(pool)) for _ in range(3))]
            await turns(1)

            async def victim() -> None:
                pool.close()
                await pool.wait_closed()

            async def check(was_cancelled: bool) -> None:
                # It may have been cancelled before its first step.
                pool.close()
                await asyncio.wait(operations)
                for operation in operations:
                    assert operation.cancelled() or operation.exception() is not None
                await pool.wait_closed()
                assert counts(pool) == Counts()
                assert pool.status.state is PoolState.CLOSED
                await peer.until(lambda: not peer.open_sessions)

            yield World(victim, check)

    await sweep(scenario, cancels=cancels)


# The topology


@asynccontextmanager
async def topology_of(
    contexts: Contexts, *, identity: Identity | None, opened: bool, max_pool_size: int = 1
) -> AsyncIterator[Topology]:
    """A topology with its server; without an identity it reads the certificates first, which takes many turns."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        options = ClientOptions(
            seeds=(peer.address,),
            tls=contexts.options(),
            credential=X509,
            pool=PoolOptions(max_pool_size=max_pool_size),
        )
        topology = Topology(options, resolver=resolver_of())
        topology._principal.identities.identity = identity
        try:
            if opened:
                await topology.open()
            yield topology
        finally:
            topology.abort()
            await topology.close()


def pools_of(topology: Topology) -> list[Pool]:
    return [access.pool for access in topology._principal.accesses.values()]


def is_settled(topology: Topology) -> bool:
    """What an operation may leave behind: the beginning of the topology, an attempt and a late reply."""
    principal = topology._principal
    return (
        principal.beginning._task is None
        and (principal.identities._loading is None or not principal.identities._loading.is_open)
        and all(at_rest(pool)() for pool in pools_of(topology))
    )


async def check_topology(topology: Topology) -> None:
    """Nothing is in use, nobody waits, and the next one is served by the pool's only slot."""
    for pool in pools_of(topology):
        assert counts(pool) in (Counts(), Counts(idle=1))
    await use(topology)
    (pool,) = pools_of(topology)
    assert counts(pool) == Counts(idle=1)


@in_every_way
@pytest.mark.parametrize("opened", [True, False])
async def test_an_operation_of_a_topology(
    contexts: Contexts, identity: Identity, cancels: Cancels, opened: bool
) -> None:
    """Selection, check-out, request and check-in, on an open topology and on one that begins with it."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=identity, opened=opened) as topology:

            async def check(was_cancelled: bool) -> None:
                await check_topology(topology)

            def at_once() -> None:
                check_given_back(*pools_of(topology))

            yield World(lambda: use(topology), check, settled=lambda: is_settled(topology), at_once=at_once)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > (0 if opened else 10)


async def test_an_operation_that_reads_the_certificates_first(contexts: Contexts) -> None:
    """The very first one of a client."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=None, opened=False) as topology:

            async def check(was_cancelled: bool) -> None:
                await check_topology(topology)

            yield World(lambda: use(topology), check, settled=lambda: is_settled(topology))

    assert await sweep(scenario, cancels=1)


@in_every_way
@pytest.mark.parametrize("opened", [True, False])
async def test_closing_a_topology(contexts: Contexts, identity: Identity, cancels: Cancels, opened: bool) -> None:
    """close() leaves nothing, also if an attempt and an operation are under way, and however often it is cancelled."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=identity, opened=opened, max_pool_size=2) as topology:
            operations = [asyncio.ensure_future(use(topology)) for _ in range(3)]
            await turns(1)

            async def check(was_cancelled: bool) -> None:
                if was_cancelled and not topology._is_closed:
                    # Cancelled before its first step.
                    await topology.close()
                await asyncio.wait(operations)
                for operation in operations:
                    operation.exception()
                for pool in pools_of(topology):
                    assert counts(pool) == Counts()
                    assert pool.is_gone

            yield World(topology.close, check, settled=lambda: is_settled(topology) or topology._is_closed)

    assert await sweep(scenario, cancels=cancels) > 0
