"""Responders (tlsRevocation) over real sockets, TLS 1.2 and 1.3, both loops: each refusal has a twin that connects."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from aiomongo_tls import AsyncClient, ClientCertificateRejected, ConfigurationError, ServerCertificateError
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer, OCSPResponder
from aiomongo_tls.testing.ocsp import Behaviour

NAMES = ("localhost", "127.0.0.1")
GOOD = ("answers", "delegates", "undated")
BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)
HANGING = ("slow", "silent")


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Both protocol versions."""
    return {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[request.param]


@pytest.fixture
def kit() -> CertKit:
    """An authority of its own, because answers are remembered."""
    return CertKit()


@pytest.fixture
def responder(kit: CertKit) -> Iterator[OCSPResponder]:
    with OCSPResponder(kit) as responder:
        yield responder


@contextmanager
def serving(kit: CertKit, certificate: Certificate, **settings: Any) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=kit, certificate=certificate, **settings) as server:
        yield server


async def connects(server: MongoTestServer, **options: Any) -> None:
    async with AsyncClient.connect(server.uri(), **options) as client:
        await client.ping()


async def refused(server: MongoTestServer, **options: Any) -> ServerCertificateError:
    with pytest.raises(ServerCertificateError) as caught:
        await connects(server, **options)
    assert caught.value.host == server.address
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("intermediate", [False, True])
async def test_good_and_revoked(
    kit: CertKit, responder: OCSPResponder, version: ssl.TLSVersion, intermediate: bool
) -> None:
    """A certificate that was revoked is refused by either policy, and a good one beside it is not."""
    good, revoked = (
        kit.server(*NAMES, more, ocsp=responder.url, intermediate=intermediate)
        for more in ("good.example.net", "revoked.example.net")
    )
    responder.revoke(revoked)
    both = {"minimum_version": version, "maximum_version": version}
    with serving(kit, good, **both) as server:
        await connects(server, tlsRevocation="hard")
    with serving(kit, revoked, **both) as server:
        for policy in ("soft", "hard"):
            assert (await refused(server, tlsRevocation=policy)).reason == "revoked"
    assert len(responder.asked) == 2


async def test_who_does_not_ask_is_not_told(kit: CertKit, responder: OCSPResponder) -> None:
    """By default, and with the specification's switches."""
    certificate = kit.server(*NAMES, ocsp=responder.url)
    responder.revoke(certificate)
    with serving(kit, certificate) as server:
        await connects(server)
        await connects(server, tlsRevocation="off")
        await connects(server, tlsRevocation="soft", tlsDisableOCSPEndpointCheck=True)
        await connects(server, tlsRevocation="soft", tlsDisableCertificateRevocationCheck=True)
        assert not responder.asked
        await refused(server, tlsRevocation="soft", tlsDisableOCSPEndpointCheck=False)


async def test_a_revoked_server_gets_hello_and_nothing_more(
    kit: CertKit, responder: OCSPResponder, version: ssl.TLSVersion
) -> None:
    """The connections of operations and of monitors alike."""
    certificate = kit.server(*NAMES, ocsp=responder.url)
    responder.revoke(certificate)
    with serving(kit, certificate, minimum_version=version, maximum_version=version) as server:
        await refused(server, tlsRevocation="soft")
        assert {command.name for command in server.commands} <= {"hello", "isMaster"}
    with serving(kit, kit.server(*NAMES), minimum_version=version, maximum_version=version) as server:
        await connects(server, tlsRevocation="soft")
        assert "ping" in {command.name for command in server.commands}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_every_way_a_responder_behaves(kit: CertKit, responder: OCSPResponder, behaviour: Behaviour) -> None:
    """An answer that counts is taken; without one `soft` goes on and `hard` does not, both within their time."""
    responder.behaviour = behaviour
    # Half of it is for the responder.
    options = {"connectTimeoutMS": 300} if behaviour in HANGING else {}
    for policy in ("soft", "hard"):
        certificate = kit.server(*NAMES, f"{policy}.example.net", ocsp=responder.url)
        with serving(kit, certificate) as server:
            if policy == "soft" or behaviour in GOOD:
                await connects(server, tlsRevocation=policy, **options)
            else:
                error = await refused(server, tlsRevocation=policy, **options)
                assert error.reason == "revocation-unknown"
                assert responder.url in str(error)
                assert error.__cause__ is not None
        assert responder.asked


async def test_a_responder_that_is_down(kit: CertKit) -> None:
    """Nobody listens there any more."""
    with OCSPResponder(kit) as gone:
        certificate = kit.server(*NAMES, ocsp=gone.url)
    with serving(kit, certificate) as server:
        await connects(server, tlsRevocation="soft")
        assert (await refused(server, tlsRevocation="hard")).reason == "revocation-unknown"


async def test_must_staple(kit: CertKit, responder: OCSPResponder) -> None:
    """The responder's own word is as good as a staple; without it `soft` is not soft."""
    certificate = kit.server(*NAMES, ocsp=responder.url, must_staple=True)
    with serving(kit, certificate) as server:
        for policy in ("off", "soft", "hard"):
            await connects(server, tlsRevocation=policy)
    responder.behaviour = "later"
    certificate = kit.server(*NAMES, "other.example.net", ocsp=responder.url, must_staple=True)
    with serving(kit, certificate) as server:
        await connects(server)
        error = await refused(server, tlsRevocation="soft")
        assert error.reason == "revocation-unknown"
        assert "Must-Staple" in str(error)
        await connects(server, tlsRevocation="soft", tlsDisableOCSPEndpointCheck=True)


async def test_a_certificate_that_names_no_responder(kit: CertKit) -> None:
    """`hard` means what it says."""
    with serving(kit, kit.server(*NAMES)) as server:
        await connects(server, tlsRevocation="soft")
        error = await refused(server, tlsRevocation="hard")
        assert error.reason == "revocation-unknown"
        assert "names no responder" in str(error)


async def test_in_the_uri_and_with_a_supplied_context(kit: CertKit, responder: OCSPResponder) -> None:
    """A ready SSLContext cannot do it, so it is done for it."""
    certificate = kit.server(*NAMES, ocsp=responder.url)
    responder.revoke(certificate)
    with serving(kit, certificate, tls="require", users=[]) as server:
        context = ssl.create_default_context(cadata=kit.ca_pem.decode())
        plain = f"mongodb://{server.address}/?tls=true"
        async with AsyncClient.connect(plain, ssl_context=context) as client:
            await client.ping()
        for uri, options in (
            (plain + "&tlsRevocation=hard", {"ssl_context": context}),
            (plain + "&tlsRevocation=soft", {"tlsCAFile": kit.ca_path}),
        ):
            with pytest.raises(ServerCertificateError, match="revoked"):
                async with AsyncClient.connect(uri, **options):  # type: ignore[arg-type]
                    pytest.fail("connected")


async def test_a_pool_asks_once(kit: CertKit, responder: OCSPResponder) -> None:
    """Twenty connections and a monitor."""
    with serving(kit, kit.server(*NAMES, ocsp=responder.url)) as server:
        async with AsyncClient(server.uri(), tlsRevocation="hard", minPoolSize=20) as client:
            await asyncio.gather(*(client.ping() for _ in range(20)))
        assert len(responder.asked) == 1


async def test_our_own_certificate_is_the_servers_business(kit: CertKit, responder: OCSPResponder) -> None:
    """A refusal of it is told as that, also where the responder keeps silent; and nobody asks about it."""
    responder.behaviour = "silent"
    certificate = kit.server(*NAMES, ocsp=responder.url)
    stranger = kit.stranger().client("ada")
    with serving(kit, certificate) as server, pytest.raises(ClientCertificateRejected):
        async with AsyncClient.connect(
            server.uri(client=stranger, tlsCAFile=kit.ca_path), tlsRevocation="hard", connectTimeoutMS=5000
        ):
            pytest.fail("connected")
    assert not responder.asked


@pytest.mark.parametrize("how", ["cancelled", "closed"])
async def test_nothing_is_left_of_a_client_that_waited_for_a_responder(
    kit: CertKit, responder: OCSPResponder, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No task and no connection, whichever way it ends."""
    responder.behaviour = "silent"
    loop, asked, answer = asyncio.get_running_loop(), asyncio.Event(), responder.answer

    def told(request: bytes) -> bytes:
        loop.call_soon_threadsafe(asked.set)
        return answer(request)

    monkeypatch.setattr(responder, "answer", told)
    before = asyncio.all_tasks()
    with serving(kit, kit.server(*NAMES, ocsp=responder.url)) as server:
        client = AsyncClient(server.uri(), tlsRevocation="hard")
        waiting = asyncio.ensure_future(client.ping())
        async with asyncio.timeout(5):
            await asked.wait()
            if how == "cancelled":
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            await client.close()
            await asyncio.wait([waiting])
            assert waiting.cancelled() or waiting.exception() is not None
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    "options",
    [
        {"tlsRevocation": "hard", "tlsInsecure": True},
        {"tlsRevocation": "soft", "tlsAllowInvalidCertificates": True},
        {"tlsRevocation": "hard", "tlsDisableOCSPEndpointCheck": True},
        {"tlsRevocation": "hard", "tlsDisableCertificateRevocationCheck": True},
        {"tlsRevocation": "firm"},
    ],
)
async def test_contradictions_are_refused_before_anything_is_sent(kit: CertKit, options: dict[str, Any]) -> None:
    """The message names the option."""
    with serving(kit, kit.server(*NAMES)) as server, pytest.raises(ConfigurationError, match="tlsRevocation"):
        await connects(server, **options)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")
@pytest.mark.parametrize("revoked", [False, True])
async def test_openssl_understands_the_kits_responder(
    kit: CertKit, responder: OCSPResponder, tmp_path: Path, revoked: bool
) -> None:
    """Somebody else's client: what both halves of ours get wrong alike would show here."""
    certificate = kit.server(*NAMES, ocsp=responder.url)
    if revoked:
        responder.revoke(certificate)
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(certificate.certificate_chain_pem)
    command = ["openssl", "ocsp", "-issuer", kit.ca_path, "-cert", str(leaf), "-url", responder.url]
    command += ["-CAfile", kit.ca_path]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert "Response verify OK" in done.stderr
    assert f"leaf.pem: {'revoked' if revoked else 'good'}" in done.stdout
