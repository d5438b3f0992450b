"""TLS sessions are resumed: with every server and version, with nobody else's ticket, and without a trace in errors.

The servers are ours and one of the standard library's blocking sockets.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

import pytest
from blocking_server import BlockingServer
from peers import Contexts, mongo_peer, resolver_of

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_options import ServerName, TLSOptions
from aiomongo_tls.errors import ClientCertificateRejected, TLSError, TLSProtocolError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity, load_identity
from aiomongo_tls.tls.tickets import LONGEST

both_versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name
)
both_servers = pytest.mark.parametrize("kind", ["ours", "blocking"])


class Server(Protocol):
    """What all of them have."""

    context: ssl.SSLContext

    @property
    def address(self) -> ServerAddress: ...


@asynccontextmanager
async def serving(kind: str, context: ssl.SSLContext) -> AsyncIterator[Any]:
    if kind == "ours":
        async with mongo_peer(context) as peer:
            yield peer
    else:
        with BlockingServer(context) as server:
            yield server


class Client:
    """Opens connections with one identity."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.ahead = 0.0

    async def connect(self, server: Server, *, monitors: bool = False, resumes: bool = True) -> bool:
        """Connect and close; whether a session was resumed."""
        connection = Connection(server.address, 1)
        await Establisher(
            address=server.address,
            client=None,
            identity=self.identity,
            credential=None,
            resolver=resolver_of(),
            monitors=monitors,
            resumes=resumes,
            clock=lambda: time.time() + self.ahead,
        ).establish(connection)
        assert connection.tls is not None
        resumed = connection.tls.resumed
        connection.close()
        await connection.wait_closed()
        return resumed

    async def connects(self, server: Server, count: int) -> list[bool]:
        return [await self.connect(server) for _ in range(count)]

    @property
    def has_tickets(self) -> bool:
        assert self.identity.setup is not None
        return any(slot.ticket for slot in self.identity.setup.tickets._slots.values())


@pytest.fixture
def client(contexts: Contexts) -> Client:
    identity = load_identity(contexts.options())
    assert identity.setup is not None
    # Others of this module have had the same fingerprint.
    identity.setup.tickets.clear()
    return Client(identity)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often a session is read: each time may lose 7 KB."""
    counted: list[int] = []
    original = ssl.SSLObject.session

    def read(self: ssl.SSLObject) -> Any:
        counted.append(1)
        return original.fget(self)  # type: ignore[attr-defined]

    monkeypatch.setattr(ssl.SSLObject, "session", property(read, original.fset))  # type: ignore[attr-defined]
    return counted


@both_versions
@both_servers
async def test_all_but_the_first_are_resumed(
    contexts: Contexts, client: Client, version: ssl.TLSVersion, kind: str, reads: list[int]
) -> None:
    """And one session is read for all of them."""
    async with serving(kind, contexts.server(version=version, client_certificate=True)) as server:
        assert await client.connects(server, 40) == [False] + [True] * 39
    assert len(reads) == 1


@both_versions
async def test_the_client_is_known_on_a_resumed_connection(
    contexts: Contexts, client: Client, version: ssl.TLSVersion
) -> None:
    """The server knows its certificate, and we know the server's."""
    with BlockingServer(contexts.server(version=version, client_certificate=True)) as server:
        await client.connects(server, 3)
    assert server.resumed == [False, True, True]
    assert server.subjects[0]
    assert server.subjects[1:] == server.subjects[:1] * 2


async def test_monitors_and_pools_share_tickets(contexts: Contexts, client: Client) -> None:
    """Those of one host."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        assert [await client.connect(peer, monitors=monitors) for monitors in (True, False, True)] == [
            False,
            True,
            True,
        ]


async def test_an_examination_does_not_resume(contexts: Contexts, client: Client, reads: list[int]) -> None:
    """It wants to see certificates, and leaves nothing to others either."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        assert not await client.connect(peer, resumes=False)
        assert not client.has_tickets
        assert not await client.connect(peer)
        assert not await client.connect(peer, resumes=False)
        assert await client.connect(peer)
    assert len(reads) == 1


async def test_many_at_once(contexts: Contexts, client: Client, reads: list[int]) -> None:
    """Those that begin together are all not resumed, and those that come together later all are."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        for expected in (False, True):
            assert await asyncio.gather(*(client.connect(peer) for _ in range(20))) == [expected] * 20
    assert len(reads) == 1


@both_versions
@both_servers
async def test_a_server_that_forgot_its_keys(
    contexts: Contexts, client: Client, version: ssl.TLSVersion, kind: str, reads: list[int]
) -> None:
    """A handshake with certificates, no error, and its new ticket after that."""
    async with serving(kind, contexts.server(version=version, client_certificate=True)) as server:
        assert await client.connects(server, 3) == [False, True, True]
        server.context = contexts.server(version=version, client_certificate=True)
        assert await client.connects(server, 3) == [False, True, True]
    assert len(reads) == 2


@both_versions
async def test_a_server_without_tickets(
    contexts: Contexts, client: Client, version: ssl.TLSVersion, reads: list[int]
) -> None:
    """Whatever it does, connections work and few sessions are read."""
    context = contexts.server(version=version, client_certificate=True)
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    async with mongo_peer(context) as peer:
        assert not any(await client.connects(peer, 20)) or version is ssl.TLSVersion.TLSv1_2
    assert len(reads) < 10


# Whom a ticket is for. The server would take it in each case: both of its faces have the same keys.


@both_versions
async def test_no_ticket_goes_to_another_host(contexts: Contexts, client: Client, version: ssl.TLSVersion) -> None:
    """Neither to another port, though it would be taken there."""
    context = contexts.server(version=version, client_certificate=True)
    async with mongo_peer(context) as one, mongo_peer(context) as other:
        assert await client.connects(one, 2) == [False, True]
        assert await client.connects(other, 2) == [False, True]
        # The proof that nothing but the address made the difference.
        assert client.identity.setup is not None
        tickets = client.identity.setup.tickets
        (stolen, *_) = [slot.ticket for slot in tickets._slots.values() if slot.ticket is not None]
        tickets.clear()
        slot = tickets.resumption(client.identity.setup.context, other.address, None, time.time())._slot
        slot.ticket = stolen
        assert await client.connect(other)


@both_versions
async def test_no_ticket_serves_another_name(contexts: Contexts, version: ssl.TLSVersion) -> None:
    """A server that has to be db.example.net now is asked for its certificate, and refused."""
    context = contexts.client(certificate=True)
    plain = TLSOptions(enabled=True, ssl_context=context)
    named = replace(plain, server_names=(ServerName("localhost", 0, "db.example.net"),))
    also = replace(plain, server_names=(ServerName("localhost", 0, "127.0.0.1"),))
    async with mongo_peer(contexts.server(version=version, client_certificate=True)) as peer:
        clients = [Client(load_identity(options)) for options in (plain, named, also)]
        assert await clients[0].connects(peer, 2) == [False, True]
        with pytest.raises(TLSError) as caught:
            await clients[1].connect(peer)
        assert caught.value.reason == "hostname-mismatch"
        assert await clients[2].connects(peer, 2) == [False, True]
        assert await clients[0].connect(peer)


@both_versions
async def test_no_ticket_serves_another_identity(contexts: Contexts, version: ssl.TLSVersion) -> None:
    """Three certificates in turn over one server: it sees each on its own connections only."""
    issued = [contexts.ca.issue_cert(f"{name}@example.net", common_name=name) for name in ("ada", "bob", "cy")]
    clients = [
        Client(
            load_identity(replace(contexts.options(), certificate_key_file=cert.private_key_and_cert_chain_pem.bytes()))
        )
        for cert in issued
    ]
    with BlockingServer(contexts.server(version=version, client_certificate=True)) as server:
        for _ in range(3):
            for client in clients:
                await client.connect(server)
    assert server.resumed == [False] * 3 + [True] * 6
    names = [dict(part[0] for part in subject)["commonName"] for subject in server.subjects]  # type: ignore[attr-defined]
    assert names == ["ada", "bob", "cy"] * 3


async def test_clients_with_one_identity_share_tickets(contexts: Contexts, client: Client) -> None:
    """The twin: the same certificate is the same identity, whoever has loaded it."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        assert not await client.connect(peer)
        assert await Client(load_identity(contexts.options())).connect(peer)


@both_versions
async def test_a_supplied_context(contexts: Contexts, version: ssl.TLSVersion) -> None:
    """Resumes as well, each with its own tickets; another certificate in it counts when it is loaded again."""
    contexts_of_clients = [contexts.client(certificate=True) for _ in range(2)]
    clients = [Client(load_identity(TLSOptions(enabled=True, ssl_context=context))) for context in contexts_of_clients]
    with BlockingServer(contexts.server(version=version, client_certificate=True)) as server:
        for client in clients:
            assert await client.connects(server, 2) == [False, True]
        contexts.ca.issue_cert("new@example.net", common_name="new").configure_cert(contexts_of_clients[0])
        clients[0].identity = load_identity(TLSOptions(enabled=True, ssl_context=contexts_of_clients[0]))
        assert await clients[0].connects(server, 2) == [False, True]
        assert await clients[1].connect(server)
    assert "new" in str(server.subjects[-2])
    assert "new" not in str(server.subjects[-1])


@both_versions
async def test_an_expired_ticket_is_not_offered(contexts: Contexts, client: Client, version: ssl.TLSVersion) -> None:
    """An hour later, and after the end of the server's certificate, certificates are looked at."""
    async with mongo_peer(contexts.server(version=version, client_certificate=True)) as peer:
        assert await client.connects(peer, 2) == [False, True]
        client.ahead = LONGEST - 60
        assert await client.connect(peer)
        client.ahead = LONGEST + 60
        assert not await client.connect(peer)
        client.ahead = 400 * 365 * 86400
        assert await client.connects(peer, 2) == [False, False]


# Failing


def refusing(contexts: Contexts) -> ssl.SSLContext:
    """A server that has begun to accept the clients of another authority only."""
    context = contexts.server(version=ssl.TLSVersion.TLSv1_3)
    contexts.stranger_ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize("offered", [False, True])
@both_servers
async def test_a_refusal_after_the_handshake_is_told(
    contexts: Contexts, client: Client, offered: bool, kind: str
) -> None:
    """The alert of TLS 1.3 that comes after our side of the handshake; a ticket that was declined changes nothing."""
    for _ in range(10):
        async with serving(kind, contexts.server(version=ssl.TLSVersion.TLSv1_3, client_certificate=True)) as server:
            if offered:
                assert not await client.connect(server)
                assert client.has_tickets
            server.context = refusing(contexts)
            with pytest.raises(ClientCertificateRejected) as caught:
                await client.connect(server)
            assert caught.value.reason == "client-certificate-unknown-ca"


async def test_an_alert_on_a_resumed_connection_is_told(contexts: Contexts, client: Client) -> None:
    """Then the ticket is forgotten, and the next connection does without."""
    with BlockingServer(contexts.server(version=ssl.TLSVersion.TLSv1_3, client_certificate=True)) as server:
        for _ in range(10):
            assert not await client.connect(server)
            server.ruins = True
            with pytest.raises(TLSProtocolError, match="alert bad_record_mac"):
                await client.connect(server)
            assert server.resumed[-1]
            assert not client.has_tickets
            server.ruins = False
            assert not await client.connect(server)
            # No other is taken for a while.
            assert not client.has_tickets
            client.ahead += 120
