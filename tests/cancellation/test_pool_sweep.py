"""Everything a pool and a topology do for an operation, cancelled at every step: no slot is lost, nobody is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import bson
import pytest
from counts import counts
from peers import Contexts, mongo_peer, resolver_of
from sweep import World, sweep

from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.pool.status import Counts
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.topology.topology import Topology

X509 = MongoCredential(username=None, password=None, source="$external", mechanism="MONGODB-X509")
PING = bson.encode({"ping": 1, "$db": "admin"})
three_times = pytest.mark.parametrize("cancels", [1, 2, 3])


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
        topology._identities.identity = identity
        try:
            if opened:
                await topology.open()
            yield topology
        finally:
            topology.abort()
            await topology.close()


def pool_of(topology: Topology) -> Pool:
    assert topology._pool is not None
    return topology._pool


def no_attempt(topology: Topology) -> bool:
    """What an operation may leave behind: reading the files, and an attempt that belongs to the pool."""
    return topology._identities._loading is None and (topology._pool is None or not topology._pool.attempts)


async def use(topology: Topology) -> None:
    """What an operation does."""
    connection = topology.try_check_out() or await topology.check_out()
    try:
        await connection.request(PING)
    finally:
        topology.check_in(connection)


async def check_whole(topology: Topology) -> None:
    """Nothing is in use, nobody waits, and the next one is served by the pool's only slot."""
    if topology._pool is not None:
        counts = pool_of(topology).status
        assert (counts.in_use, counts.opening, counts.waiting) == (0, 0, 0)
        assert counts.idle <= 1
    await use(topology)
    assert counts(pool_of(topology)) == Counts(idle=1)


@three_times
@pytest.mark.parametrize("opened", [True, False])
async def test_an_operation(contexts: Contexts, identity: Identity, cancels: int, opened: bool) -> None:
    """Check-out, request and check-in, on an open topology and on one that connects first."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=identity, opened=opened) as topology:

            async def check(was_cancelled: bool) -> None:
                await check_whole(topology)

            yield World(lambda: use(topology), check, settled=lambda: no_attempt(topology))

    steps = await sweep(scenario, cancels=cancels)
    assert steps > (0 if opened else 10)


async def test_an_operation_that_reads_the_certificates_first(contexts: Contexts) -> None:
    """The very first one of a client."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=None, opened=False) as topology:

            async def check(was_cancelled: bool) -> None:
                await check_whole(topology)

            yield World(lambda: use(topology), check, settled=lambda: no_attempt(topology))

    assert await sweep(scenario, cancels=1)


@three_times
async def test_an_operation_that_waits_for_its_turn(contexts: Contexts, identity: Identity, cancels: int) -> None:
    """The one before gives the only connection back while the victim waits, and a third waits behind it."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=identity, opened=True) as topology:
            first = asyncio.ensure_future(use(topology))
            await asyncio.sleep(0)
            third: list[asyncio.Future[None]] = []

            async def victim() -> None:
                await use(topology)

            async def after_victim() -> None:
                await asyncio.sleep(0)
                third.append(asyncio.ensure_future(use(topology)))

            behind = asyncio.ensure_future(after_victim())

            async def check(was_cancelled: bool) -> None:
                await asyncio.gather(first, behind, *third)
                await asyncio.gather(*third)
                await check_whole(topology)

            yield World(victim, check)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 0


@three_times
@pytest.mark.parametrize("opened", [True, False])
async def test_closing(contexts: Contexts, identity: Identity, cancels: int, opened: bool) -> None:
    """close() leaves nothing, also if an attempt and an operation are under way, and however often it is cancelled."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with topology_of(contexts, identity=identity, opened=opened, max_pool_size=2) as topology:
            operations = [asyncio.ensure_future(use(topology)) for _ in range(3)]
            await asyncio.sleep(0)

            async def check(was_cancelled: bool) -> None:
                if was_cancelled and not topology._is_closed:
                    # Cancelled before its first step.
                    await topology.close()
                await asyncio.wait(operations)
                for operation in operations:
                    operation.exception()
                if topology._pool is not None:
                    assert counts(pool_of(topology)) == Counts()
                    assert not pool_of(topology)._attempts

            yield World(topology.close, check, settled=lambda: no_attempt(topology) or topology._is_closed)

    steps = await sweep(scenario, cancels=cancels)
    assert steps > 0
