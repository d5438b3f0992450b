"""The examination of servers, cancelled at every step: no task and no socket is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from peers import Contexts, mongo_peer, resolver_of
from sweep import Cancels, World, in_every_way, sweep

from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.doctor.examination import _Rounds
from aiomongo_tls.doctor.findings import Check
from aiomongo_tls.doctor.host import Means, RecordedLookup
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity

X509 = MongoCredential(source="$external", mechanism="MONGODB-X509")
NEVER_REACHED = Deadline(1e9, "--timeout")


@in_every_way
async def test_the_examination_of_servers(contexts: Contexts, identity: Identity, cancels: Cancels) -> None:
    """Whatever it had opened is closed; if it was not cancelled, all steps were taken."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with mongo_peer(contexts.server(client_certificate=True)) as peer:
            resolver = resolver_of()
            means = Means(
                establisher=Establisher(
                    address=peer.address, client={}, identity=identity, credential=X509, resolver=resolver
                ),
                own=None,
                lookup=RecordedLookup(),
                deadline=NEVER_REACHED,
                now=lambda: datetime.now(UTC),
            )
            rounds = _Rounds(ClientOptions(seeds=(peer.address,)), means)

            async def check(was_cancelled: bool) -> None:
                findings = [finding for each in rounds.examinations.values() for finding in each.findings]
                assert was_cancelled or findings[-1].check is Check.PING
                # When the peer has taken this connection, it has taken those before as well.
                connection = Connection(peer.address, 1)
                await means.establisher.establish(connection)
                connection.close()
                await connection.wait_closed()
                await peer.until(lambda: not peer.open_sessions)

            yield World(rounds.run, check, settled=lambda: not resolver._jobs)

    assert await sweep(scenario, cancels=cancels) > 10
