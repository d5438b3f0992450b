"""Listeners are told of each TLS handshake: that it begins, and one of two ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    ClientCertificateRejected,
    InvalidOperation,
    MongoError,
    ServerCertificateError,
    ServerListener,
    TLSHandshakeFailedEvent,
    TLSHandshakeListener,
    TLSHandshakeStartedEvent,
    TLSHandshakeSucceededEvent,
)
from aiomongo_tls.net import establish
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer

Event = TLSHandshakeStartedEvent | TLSHandshakeSucceededEvent | TLSHandshakeFailedEvent


class Handshakes(TLSHandshakeListener):
    """What was told, in order."""

    def __init__(self) -> None:
        self.all: list[Event] = []

    def started(self, event: TLSHandshakeStartedEvent) -> None:
        self.all.append(event)

    def succeeded(self, event: TLSHandshakeSucceededEvent) -> None:
        self.all.append(event)

    def failed(self, event: TLSHandshakeFailedEvent) -> None:
        self.all.append(event)

    def of(self, *, monitors: bool) -> list[Event]:
        return [event for event in self.all if event.monitors is monitors]

    @property
    def failures(self) -> set[str]:
        return {event.reason for event in self.all if isinstance(event, TLSHandshakeFailedEvent)}


@pytest.fixture
def kit() -> CertKit:
    return CertKit()


@pytest.fixture
def server(kit: CertKit) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=kit, users=["CN=ada"]) as made:
        yield made


@pytest.fixture
def told() -> Handshakes:
    return Handshakes()


def client_of(
    server: MongoTestServer, certificate: Certificate, told: TLSHandshakeListener | ServerListener, **options: Any
) -> AsyncClient[Any]:
    files = {"tlsCAFile": server.certs.ca_path, "tlsCertificateKeyFile": certificate.path}
    uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509"
    given: dict[str, Any] = files | options | {"event_listeners": [told]}
    return AsyncClient(uri, **given)


async def test_of_pools_and_monitors(server: MongoTestServer, kit: CertKit, told: Handshakes) -> None:
    """Each connection's handshake begins and succeeds, with its times and what was agreed."""
    async with client_of(server, kit.client(subject="CN=ada"), told) as client:
        await client.ping()
        for monitors in (True, False):
            started, succeeded = told.of(monitors=monitors)[:2]
            assert isinstance(started, TLSHandshakeStartedEvent)
            assert isinstance(succeeded, TLSHandshakeSucceededEvent)
            assert started.address == succeeded.address == server.address
            assert started.server_name == succeeded.server_name == server.address.host
            assert started.connection_id == succeeded.connection_id == 1
            assert started.dns_duration == succeeded.dns_duration >= 0
            assert started.tcp_duration == succeeded.tcp_duration > 0
            assert 0 < succeeded.tls_duration < 10
            assert succeeded.version == "TLSv1.3"
            assert succeeded.cipher.startswith("TLS_")
    assert not told.failures


async def test_a_name_of_the_user_s(server: MongoTestServer, kit: CertKit, told: Handshakes) -> None:
    """With tlsServerNames it is that name."""
    server.rotate(kit.server("db.example.net"))
    names = {str(server.address): "db.example.net"}
    async with client_of(server, kit.client(subject="CN=ada"), told, tlsServerNames=names):
        assert {event.server_name for event in told.all} == {"db.example.net"}


async def failing(client: AsyncClient[Any]) -> MongoError:
    """The error of the first use of a client, which is closed then."""
    try:
        with pytest.raises(MongoError) as caught:
            await client.ping()
    finally:
        await client.close()
    return caught.value


async def test_a_server_that_is_not_trusted(server: MongoTestServer, kit: CertKit, told: Handshakes) -> None:
    """The failure carries the reason and the error; where the monitor fails no pool begins."""
    ada = kit.client(subject="CN=ada")
    await failing(client_of(server, ada, told, tlsCAFile=CertKit().ca_path))
    started, failed = told.all[:2]
    assert isinstance(started, TLSHandshakeStartedEvent)
    assert isinstance(failed, TLSHandshakeFailedEvent)
    assert failed.reason == "unknown-ca"
    assert isinstance(failed.failure, ServerCertificateError)
    assert failed.tls_duration > 0
    assert {type(event) for event in told.all} == {TLSHandshakeStartedEvent, TLSHandshakeFailedEvent}


@pytest.mark.parametrize("monitors", [True, False])
async def test_a_client_that_is_not_trusted(server: MongoTestServer, told: Handshakes, *, monitors: bool) -> None:
    """With TLS 1.3 the refusal comes when the client is done already; it is a failed handshake all the same."""
    stranger = CertKit().client(subject="CN=ada")
    error = await failing(client_of(server, stranger, told, **({} if monitors else {"loadBalanced": True})))
    assert isinstance(error, ClientCertificateRejected)
    assert told.failures == {error.reason}
    assert told.of(monitors=monitors) == told.all


async def test_a_silent_server(server: MongoTestServer, kit: CertKit, told: Handshakes) -> None:
    """A handshake that takes too long has failed; what is given up with the client was cancelled."""
    server.stalls("handshake")
    options = {"connectTimeoutMS": 200, "serverSelectionTimeoutMS": 1000}
    await failing(client_of(server, kit.client(subject="CN=ada"), told, **options))
    assert told.failures <= {"handshake-timeout", "cancelled"}
    assert "handshake-timeout" in told.failures


async def test_a_client_that_is_closed_meanwhile(server: MongoTestServer, kit: CertKit) -> None:
    """The handshake that was under way has its end, too."""
    begun = asyncio.Event()

    class Waiting(Handshakes):
        def started(self, event: TLSHandshakeStartedEvent) -> None:
            super().started(event)
            begun.set()

    told = Waiting()
    server.stalls("handshake")
    client = client_of(server, kit.client(subject="CN=ada"), told)
    connecting = asyncio.create_task(client.aconnect())
    await begun.wait()
    connecting.cancel()
    await client.close()
    _, failed = told.all
    assert isinstance(failed, TLSHandshakeFailedEvent)
    assert failed.failure is None
    assert failed.reason == "cancelled"


async def test_a_fault_after_the_handshake_is_not_its_failure(
    server: MongoTestServer, kit: CertKit, told: Handshakes
) -> None:
    """Somebody whom the server does not know has done the handshake well; so has who gets no answer to hello."""
    assert isinstance(await failing(client_of(server, kit.client(subject="CN=eve"), told)), AuthenticationFailed)
    assert not told.failures
    assert any(isinstance(event, TLSHandshakeSucceededEvent) for event in told.of(monitors=False))
    told.all.clear()
    server.stalls("hello")
    options = {"serverSelectionTimeoutMS": 1000, "connectTimeoutMS": 300}
    await failing(client_of(server, kit.client(subject="CN=ada"), told, **options))
    assert {type(event) for event in told.all} == {TLSHandshakeStartedEvent, TLSHandshakeSucceededEvent}


async def test_a_listener_may_abort_the_client(server: MongoTestServer, kit: CertKit) -> None:
    """In the middle of any of the events; nothing is left behind."""

    class Aborting(TLSHandshakeListener):
        def started(self, event: TLSHandshakeStartedEvent) -> None:
            client.abort()

    client = client_of(server, kit.client(subject="CN=ada"), Aborting())
    with pytest.raises(InvalidOperation, match="closed"):
        await client.ping()
    await client.close()


async def test_nothing_is_made_for_nobody(
    server: MongoTestServer, kit: CertKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a listener for it there is no event, and nothing that looks at the clock for one."""

    def made(*_: object, **__: object) -> None:
        pytest.fail("made for nobody")

    monkeypatch.setattr(establish, "ReportedProgress", made)
    async with client_of(server, kit.client(subject="CN=ada"), ServerListener()) as client:
        await client.ping()


async def test_without_tls_there_is_no_handshake(told: Handshakes) -> None:
    """And nothing is told."""
    with MongoTestServer(tls="off") as server:
        async with server.connect(event_listeners=[told]) as client:
            await client.ping()
    assert told.all == []
