"""Resumption by whole clients against the embedded server: pools, monitors, X.509, responders."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, AutoReconnect, ServerCertificateError
from aiomongo_tls.testing import CertKit, MongoTestServer, OCSPResponder
from aiomongo_tls.tls.tickets import Resumption

NAMES = ("localhost", "127.0.0.1")


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Both protocol versions."""
    return {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[request.param]


@pytest.fixture
def kit() -> CertKit:
    """An authority of its own: tickets and answers of responders are remembered by the process."""
    return CertKit()


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each connection that was opened, whether a session was resumed."""
    found: list[bool] = []
    original = Resumption.succeeded

    def succeeded(self: Resumption, engine: Any, now: float) -> None:
        found.append(engine.resumed)
        original(self, engine, now)

    monkeypatch.setattr(Resumption, "succeeded", succeeded)
    return found


async def ping_until_it_works(client: AsyncClient[Any]) -> None:
    while True:
        try:
            await client.admin.command("ping")
        except AutoReconnect:
            continue
        return


async def test_connections_of_pools_and_monitors_are_resumed(
    kit: CertKit, version: ssl.TLSVersion, resumed: list[bool]
) -> None:
    """At least 95 % after the first few, and X.509 authenticates on them."""
    with MongoTestServer(ca=kit, minimum_version=version, maximum_version=version) as server:
        async with server.connect():
            for _ in range(12):
                async with server.connect() as client:
                    status = await client.admin.command("connectionStatus")
                    assert status["authInfo"]["authenticatedUsers"]
    assert len(resumed) >= 24
    assert sum(resumed[5:]) >= 0.95 * len(resumed[5:])


async def test_after_the_loss_of_every_connection(kit: CertKit, version: ssl.TLSVersion, resumed: list[bool]) -> None:
    """What is opened anew is resumed."""
    with MongoTestServer(ca=kit, minimum_version=version, maximum_version=version) as server:
        async with server.connect() as client:
            await ping_until_it_works(client)
            for _ in range(3):
                before = len(resumed)
                server.drop_connections()
                await ping_until_it_works(client)
                assert len(resumed) > before
    assert sum(resumed) >= len(resumed) - 3


async def test_two_users_of_one_server_never_share_a_ticket(
    kit: CertKit, version: ssl.TLSVersion, resumed: list[bool]
) -> None:
    """Each is who it is, on resumed connections too."""
    people = [kit.client(name) for name in ("ada", "bob")]
    versions = {"minimum_version": version, "maximum_version": version}
    with MongoTestServer(ca=kit, users=people, **versions) as server:  # type: ignore[arg-type]
        async with server.connect(client=people[0]) as ada, server.connect(client=people[1]) as bob:
            for _ in range(4):
                for client, person in ((ada, people[0]), (bob, people[1])):
                    await ping_until_it_works(client)
                    status = await client.admin.command("connectionStatus")
                    assert [user["user"] for user in status["authInfo"]["authenticatedUsers"]] == [person.subject]
                server.drop_connections()
    assert sum(resumed) >= 8


async def test_a_server_with_new_keys_is_no_error(kit: CertKit, version: ssl.TLSVersion, resumed: list[bool]) -> None:
    """As after a restart, or with a renewed certificate: whoever connects next does so with certificates."""
    with MongoTestServer(ca=kit, minimum_version=version, maximum_version=version) as server:
        for _ in range(3):
            async with server.connect() as client:
                await client.ping()
            server.rotate(kit.server(*NAMES))
            before = len(resumed)
            async with server.connect() as client:
                await client.ping()
            assert not resumed[before]


async def test_a_revoked_server_is_refused_on_resumed_connections(
    kit: CertKit, version: ssl.TLSVersion, resumed: list[bool]
) -> None:
    """Its verdict is not part of the ticket; an answer that has ended is asked for again."""
    with OCSPResponder(kit, "undated") as responder:
        certificate = kit.server(*NAMES, ocsp=responder.url)
        versions = {"minimum_version": version, "maximum_version": version}
        with MongoTestServer(ca=kit, certificate=certificate, **versions) as server:  # type: ignore[arg-type]
            async with server.connect(tlsRevocation="hard") as client:
                for _ in range(3):
                    await ping_until_it_works(client)
                    server.drop_connections()
                await ping_until_it_works(client)
                assert any(resumed)
                responder.revoke(certificate)
                server.drop_connections()
                with pytest.raises(ServerCertificateError) as caught:
                    await ping_until_it_works(client)
                assert caught.value.reason == "revoked"
            # The twin: who does not ask is not told.
            async with server.connect() as client:
                await client.ping()
