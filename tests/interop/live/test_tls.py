"""TLS against a stack that is not Python's: every way to give a certificate; every fault told as what it is, soon."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer, Unsupported

from aiomongo_tls import (
    AsyncClient,
    ClientCertificateRejected,
    ConnectionFailure,
    MongoError,
    ServerCertificateError,
    TLSError,
    TLSIdentity,
    TLSProtocolError,
)
from aiomongo_tls.testing import Certificate, CertKit

# The specification's waiting for a server would last 30 s.
SOON = 5


@pytest.fixture(autouse=True)
def is_served_afterwards(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[None]:
    """Whatever was refused, the next one with everything in order is served: the twin of each refusal."""
    yield

    async def ask() -> None:
        async with AsyncClient.connect(server.uri()) as client:
            await client.ping()

    asyncio.run(ask())


@pytest.fixture
def hosts(client: AsyncClient[Any]) -> list[str]:
    """Where TLS is spoken, also where somebody else has made the certificates."""
    found = [str(address) for address in client.tls_status().servers]
    if not found:
        pytest.skip("the given URI is without TLS")
    return found


async def test_what_was_agreed(client: AsyncClient[Any], hosts: list[str], server: LiveServer) -> None:
    """The version of TLS, a verified peer, its names and its time."""
    for status in client.tls_status().servers.values():
        assert status.version == "TLSv1.3" or (status.version == "TLSv1.2" and server.kit is None)
        assert status.peer_names
        assert server.kit is None or {"localhost", "127.0.0.1"} <= set(status.peer_names)
        assert status.not_after is not None


async def test_the_servers_name(server: LiveServer, kit: CertKit) -> None:
    """`localhost` stands in the certificate as well as the address."""
    async with AsyncClient.connect(server.uri().replace("127.0.0.1", "localhost", 1)) as client:
        (status,) = client.tls_status().servers.values()
        assert status.server_name == "localhost"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
async def test_a_ready_context(server: LiveServer, kit: CertKit, version: ssl.TLSVersion) -> None:
    """One's own `ssl.SSLContext`, with one version of TLS."""
    context = ssl.create_default_context(cafile=kit.ca_path)
    context.minimum_version = context.maximum_version = version
    if server.demands_client_certificate:
        context.load_cert_chain(kit.client().path)
    uri = server.uri(tlsCAFile=None, tlsCertificateKeyFile=None)
    async with AsyncClient.connect(uri, ssl_context=context) as client:
        (status,) = client.tls_status().servers.values()
        assert status.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


def _in_one_file(kit: CertKit, directory: Path) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": kit.client().path}


def _in_two_files(kit: CertKit, directory: Path) -> dict[str, Any]:
    (directory / "tls.crt").write_bytes(kit.client().certificate_chain_pem)
    (directory / "tls.key").write_bytes(kit.client().private_key_pem)
    return {"tlsCertificateFile": directory / "tls.crt", "tlsCertificateKeyFile": directory / "tls.key"}


def _as_content(kit: CertKit, directory: Path) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": kit.client().pem, "tlsCAFile": kit.ca_pem}


def _encrypted(kit: CertKit, directory: Path) -> dict[str, Any]:
    return {
        "tlsCertificateKeyFile": kit.client("ada", password="secret").path,
        "tlsCertificateKeyFilePassword": lambda: "secret",
    }


def _by_an_intermediate_authority(kit: CertKit, directory: Path) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": kit.client("ada", intermediate=True).path}


def _as_an_identity(kit: CertKit, directory: Path) -> dict[str, Any]:
    mine = kit.client()
    return {
        "tls_identity": TLSIdentity(key=mine.private_key_pem, chain=mine.certificate_chain_pem, ca=kit.ca_pem),
        "tlsCAFile": None,
    }


def _unverified(kit: CertKit, directory: Path) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": kit.client().path, "tlsCAFile": None, "tlsInsecure": True}


@pytest.mark.parametrize(
    "material",
    [
        _in_one_file,
        _in_two_files,
        _as_content,
        _encrypted,
        _by_an_intermediate_authority,
        _as_an_identity,
        _unverified,
    ],
    ids=lambda function: function.__name__[1:].replace("_", " "),
)
@pytest.mark.filterwarnings("ignore:.*tlsInsecure")
async def test_ways_to_give_a_certificate(
    demanding: LiveServer, kit: CertKit, material: Callable[[CertKit, Path], dict[str, Any]], tmp_path: Path
) -> None:
    """The server accepts each."""
    options = {"tlsCAFile": kit.ca_path} | material(kit, tmp_path)
    given = {name: value for name, value in options.items() if value is not None}
    uri = demanding.uri(tlsCAFile=None, tlsCertificateKeyFile=None)
    async with AsyncClient.connect(uri, **given) as client:
        assert (await client.ping())["ok"] == 1


def _wrong_usage(kit: CertKit) -> Certificate:
    return kit.server("localhost")


@pytest.mark.parametrize(
    ("certificate", "reasons"),
    [
        pytest.param(lambda kit: None, {"client-certificate-required"}, id="none"),
        pytest.param(lambda kit: kit.stranger().client(), {"client-certificate-unknown-ca"}, id="of a strange CA"),
        pytest.param(
            lambda kit: kit.client("ada", self_signed=True), {"client-certificate-unknown-ca"}, id="self-signed"
        ),
        pytest.param(lambda kit: kit.client("ada", expired=True), {"client-certificate-expired"}, id="expired"),
        # There is no alert of their own for these two.
        pytest.param(
            lambda kit: kit.client("ada", not_yet_valid=True),
            {"client-certificate-expired", "client-certificate-rejected"},
            id="not yet valid",
        ),
        pytest.param(_wrong_usage, {"client-certificate-rejected"}, id="for servers only"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
async def test_a_certificate_that_the_server_refuses(
    demanding: LiveServer,
    kit: CertKit,
    certificate: Callable[[CertKit], Certificate | None],
    reasons: set[str],
    version: ssl.TLSVersion,
) -> None:
    """Its alert is told as what it is, soon, with TLS 1.3 too, where it comes after the handshake."""
    context = ssl.create_default_context(cafile=kit.ca_path)
    context.minimum_version = context.maximum_version = version
    if (mine := certificate(kit)) is not None:
        context.load_cert_chain(mine.path)
    uri = demanding.uri(tlsCAFile=None, tlsCertificateKeyFile=None)
    async with asyncio.timeout(SOON):
        with pytest.raises(ClientCertificateRejected) as caught:
            await AsyncClient.connect(uri, ssl_context=context)
    assert caught.value.reason in reasons


async def test_the_hint_of_a_refusal(demanding: LiveServer) -> None:
    """Without a certificate: which option is missing."""
    with pytest.raises(ClientCertificateRejected) as caught:
        await AsyncClient.connect(demanding.uri(tlsCertificateKeyFile=None))
    assert caught.value.reason == "client-certificate-required"
    assert "tlsCertificateKeyFile" in str(caught.value)


async def test_always_the_same_answer(demanding: LiveServer, kit: CertKit) -> None:
    """A hundred times, many at once: no alert is lost to the reset that follows it."""
    uri = demanding.uri(tlsCertificateKeyFile=kit.stranger().client().path)

    async def reason() -> str:
        with pytest.raises(TLSError) as caught:
            await AsyncClient.connect(uri)
        return caught.value.reason

    found: list[str] = []
    for _ in range(10):
        found += await asyncio.gather(*(reason() for _ in range(10)))
    assert set(found) == {"client-certificate-unknown-ca"}


async def test_a_server_of_an_unknown_authority(server: LiveServer, hosts: list[str]) -> None:
    """Refused by the client, soon."""
    async with asyncio.timeout(SOON):
        with pytest.raises(ServerCertificateError) as caught:
            await AsyncClient.connect(server.uri(tlsCAFile=CertKit().ca_path))
    assert caught.value.reason == "unknown-ca"


async def test_a_server_by_another_name(server: LiveServer, hosts: list[str]) -> None:
    """Refused by the client, which says for which names the certificate is."""
    async with asyncio.timeout(SOON):
        with pytest.raises(ServerCertificateError) as caught:
            await AsyncClient.connect(server.uri(), tlsServerNames=dict.fromkeys(hosts, "db.example.net"))
    assert caught.value.reason == "hostname-mismatch"
    assert "db.example.net" in str(caught.value)
    assert server.kit is None or "localhost" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [({"expired": True}, "certificate-expired"), ({"not_yet_valid": True}, "not-yet-valid")],
    ids=["expired", "not yet valid"],
)
async def test_a_server_out_of_its_time(
    another: Callable[..., LiveServer], kit: CertKit, kind: dict[str, Any], reason: str
) -> None:
    """Refused by the client."""
    other = another(certificate=kit.server("localhost", "127.0.0.1", **kind))
    async with asyncio.timeout(SOON):
        with pytest.raises(ServerCertificateError) as caught:
            await AsyncClient.connect(other.uri())
    assert caught.value.reason == reason


async def test_a_server_with_an_intermediate_authority(another: Callable[..., LiveServer], kit: CertKit) -> None:
    """It sends the whole chain."""
    other = another(certificate=kit.server("localhost", "127.0.0.1", intermediate=True))
    async with AsyncClient.connect(other.uri()) as client:
        assert (await client.ping())["ok"] == 1


@pytest.mark.parametrize("shown", [True, False], ids=["with a certificate", "without"])
async def test_a_server_that_demands_no_certificate(
    another: Callable[..., LiveServer], kit: CertKit, shown: bool
) -> None:
    """It accepts clients with and without one."""
    other = another(demands_client_certificate=False)
    uri = other.uri(tlsCertificateKeyFile=kit.client().path if shown else None)
    async with AsyncClient.connect(uri) as client:
        assert (await client.ping())["ok"] == 1


@pytest.fixture
def plain_uri(server: LiveServer) -> str:
    """The listener without TLS."""
    try:
        return server.plain_uri()
    except Unsupported as error:
        pytest.skip(str(error))


async def test_the_plain_listener(client: AsyncClient[Any], plain_uri: str, run: str, name: str) -> None:
    """The same data without TLS."""
    async with AsyncClient.connect(plain_uri) as plain:
        await plain[run][name].insert_one({"_id": 1})
    assert await client[run][name].find_one({}) == {"_id": 1}


async def test_tls_where_there_is_none(plain_uri: str, kit: CertKit) -> None:
    """Told as that at once where the server hangs up, and as a possibility where it waits for more."""
    options: dict[str, Any] = {"tlsCAFile": kit.ca_path, "connectTimeoutMS": 500, "serverSelectionTimeoutMS": 1500}
    async with asyncio.timeout(SOON):
        with pytest.raises(ConnectionFailure) as caught:
            await AsyncClient.connect(plain_uri, **options)
    if isinstance(caught.value, TLSProtocolError):
        assert caught.value.reason == "not-tls"
    else:
        assert "check that this port speaks TLS" in str(caught.value)


async def test_no_tls_where_it_is_spoken(server: LiveServer, kit: CertKit) -> None:
    """Without `tls=true`: an error that says what may be missing, within the time given."""
    uri = server.uri(tls=None, tlsCAFile=None, tlsCertificateKeyFile=None, serverSelectionTimeoutMS=1500)
    async with asyncio.timeout(SOON):
        with pytest.raises(ConnectionFailure) as caught:
            await AsyncClient.connect(uri)
    assert "add tls=true" in str(caught.value)


async def test_the_server_is_asked_for_nothing_before(demanding: LiveServer, tmp_path: Path) -> None:
    """A certificate that is not there is an error of the options, naming the file."""
    with pytest.raises(MongoError) as caught:
        await AsyncClient.connect(demanding.uri(tlsCertificateKeyFile=tmp_path / "missing.pem"))
    assert "missing.pem" in str(caught.value)
