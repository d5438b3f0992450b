"""That the connections of one user and certificate serve nobody else: pools are told apart by their keys alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import bson
from peers import Contexts, MongoPeer, mongo_peer, resolver_of

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import load_identity
from aiomongo_tls.pool.pool import Pool


def user(name: str) -> MongoCredential:
    return MongoCredential(username=name, password=None, source="$external", mechanism="MONGODB-X509")


class Somebody:
    """What one user connects with: a credential and the TLS options with the certificate."""

    def __init__(self, name: str, tls: TLSOptions) -> None:
        self.name = name
        self.credential = user(name)
        self.identity = load_identity(tls)

    def key(self, address: ServerAddress) -> PoolKey:
        return PoolKey(address, self.identity.fingerprint, self.credential)


@asynccontextmanager
async def pools_of(
    contexts: Contexts, *people: Somebody
) -> AsyncIterator[tuple[MongoPeer, Callable[[Somebody], Pool]]]:
    """A server that takes both certificates, and the pools as a topology makes them: by their keys alone."""
    context = contexts.server(client_certificate=True)
    contexts.stranger_ca.configure_trust(context)
    async with mongo_peer(context) as peer:
        peer.answers["hello"] = {"isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": 21, "ok": 1.0}

        def make(key: PoolKey) -> Pool:
            identity = next(one.identity for one in people if one.identity.fingerprint == key.tls_fingerprint)
            establisher = Establisher(
                address=key.address, client={}, identity=identity, credential=key.credential, resolver=resolver_of()
            )
            pool = Pool(key, PoolOptions(max_pool_size=2), establisher.establish)
            pool.ready()
            return pool

        pools = {key: make(key) for key in {one.key(peer.address) for one in people}}
        try:
            yield peer, lambda somebody: pools[somebody.key(peer.address)]
        finally:
            for pool in pools.values():
                pool.abort()
                await pool.wait_closed()


async def work(pool: Pool, name: str) -> None:
    """A few operations, each of which says whose it is."""
    for _ in range(5):
        connection = await pool.check_out()
        try:
            await connection.request(bson.encode({"whose": name, "$db": "test"}))
        finally:
            pool.check_in(connection)


def served(peer: MongoPeer) -> list[tuple[str, bytes | None, set[str]]]:
    """Of each connection: who was authenticated on it, by which certificate, and whose operations it served."""
    found: list[tuple[str, bytes | None, set[str]]] = []
    for session in peer.sessions:
        assert session.transport is not None
        assert session.transport.info is not None
        (name,) = {command["user"] for command in session.commands if "authenticate" in command}
        owners = {command["whose"] for command in session.commands if "whose" in command}
        found.append((name, session.transport.info.peer_der, owners))
    return found


async def test_two_users_over_one_certificate_never_share_a_connection(contexts: Contexts) -> None:
    """Their operations go back and forth between the connections of one user, and never to one of the other's."""
    tls = contexts.options()
    ada, bob = Somebody("CN=ada", tls), Somebody("CN=bob", tls)
    assert ada.identity.fingerprint == bob.identity.fingerprint
    async with pools_of(contexts, ada, bob) as (peer, pool_of):
        # At once, and then again in turns, when all connections are idle.
        await asyncio.gather(*(work(pool_of(one), one.name) for one in (ada, bob, ada, bob)))
        for one in (ada, bob, ada, bob):
            await work(pool_of(one), one.name)
        connections = served(peer)
    assert {name for name, _, _ in connections} == {"CN=ada", "CN=bob"}
    assert len({certificate for _, certificate, _ in connections}) == 1
    for name, _, owners in connections:
        assert owners <= {name}


async def test_one_user_with_two_certificates_never_shares_a_connection(contexts: Contexts) -> None:
    """What the server lets a certificate do is that certificate's alone, whatever name was given."""
    old, new = Somebody("CN=ada", contexts.options()), Somebody("CN=ada", contexts.options(stranger=True))
    assert old.identity.fingerprint != new.identity.fingerprint
    async with pools_of(contexts, old, new) as (peer, pool_of):
        for one, whose in ((old, "old"), (new, "new"), (old, "old"), (new, "new")):
            await work(pool_of(one), whose)
        connections = served(peer)
    assert [owners for _, _, owners in connections] == [{"old"}, {"new"}]
    assert len({certificate for _, certificate, _ in connections}) == 2


async def test_the_same_user_with_the_same_certificate_shares(contexts: Contexts) -> None:
    """The twin: where nothing differs, one connection is enough for both."""
    one, other = Somebody("CN=ada", contexts.options()), Somebody("CN=ada", contexts.options())
    async with pools_of(contexts, one, other) as (peer, pool_of):
        await work(pool_of(one), "one")
        await work(pool_of(other), "other")
        ((_, _, owners),) = served(peer)
    assert owners == {"one", "other"}
