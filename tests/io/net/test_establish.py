"""From an address to a connection that is ready: success, refusal, and peers that misbehave at every step."""

from __future__ import annotations

import asyncio
import ssl
import struct
import threading
from typing import Any

import bson
import pytest
from peers import HELLO, Contexts, mongo_peer, name_of, raw_peer, resolver_of

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import (
    AuthenticationFailed,
    AutoReconnect,
    ClientCertificateRejected,
    ConfigurationError,
    ConnectionFailure,
    NetworkTimeout,
    Phase,
    ProtocolError,
    ServerCertificateError,
    TLSHandshakeTimeout,
    TLSProtocolError,
)
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity, load_identity

X509 = MongoCredential(username=None, password=None, source="$external", mechanism="MONGODB-X509")
both_versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name
)


async def establish(
    address: ServerAddress,
    tls: TLSOptions | None = None,
    *,
    credential: MongoCredential | None = None,
    connect_timeout: float | None = 5.0,
) -> Connection:
    connection = Connection(address, 1)
    establisher = Establisher(
        address=address,
        client={"driver": {"name": "test", "version": "0"}},
        identity=load_identity(tls or TLSOptions()),
        credential=credential,
        resolver=resolver_of(),
        connect_timeout=connect_timeout,
    )
    await establisher.establish(connection)
    return connection


async def end(connection: Connection) -> None:
    connection.close()
    await connection.wait_closed()


async def test_a_connection_without_tls_is_ready_after_hello() -> None:
    """Without TLS and without a credential one hello makes a connection."""
    async with mongo_peer() as peer:
        connection = await establish(peer.address)
        assert [name_of(command) for command in peer.commands] == ["hello"]
        assert connection.description is not None
        assert connection.description.max_wire_version == 21
        assert repr(connection) == f"<Connection 1 to localhost:{peer.port} idle>"
        await end(connection)


@both_versions
async def test_x509_costs_one_round_trip_after_the_handshake(contexts: Contexts, version: ssl.TLSVersion) -> None:
    """A server that takes the speculative authentication is asked nothing more, and knows the certificate."""
    async with mongo_peer(contexts.server(version=version, client_certificate=True)) as peer:
        connection = await establish(peer.address, contexts.options(), credential=X509)
        (hello,) = peer.commands
        assert hello["speculativeAuthenticate"] == {"authenticate": 1, "mechanism": "MONGODB-X509"}
        assert connection.tls is not None
        assert connection.tls.version == version.name.replace("_", ".")
        await end(connection)


async def test_x509_is_asked_for_where_it_was_not_taken_speculatively(contexts: Contexts) -> None:
    """A server that leaves the speculative authentication unanswered gets an authenticate command."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        peer.answers["hello"] = HELLO
        connection = await establish(peer.address, contexts.options(), credential=X509)
        assert [name_of(command) for command in peer.commands] == ["hello", "authenticate"]
        await end(connection)


async def test_a_refused_credential_names_the_subject_and_the_server(contexts: Contexts) -> None:
    """The twin: error 18 becomes AuthenticationFailed with the certificate's subject and what to do."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        peer.answers["hello"] = HELLO
        peer.answers["authenticate"] = {"ok": 0.0, "code": 18, "errmsg": "Authentication failed."}
        with pytest.raises(AuthenticationFailed) as caught:
            await establish(peer.address, contexts.options(), credential=X509)
        assert caught.value.host == peer.address
        assert caught.value.user is not None
        assert "CN=client" in caught.value.user
        assert "createUser" in str(caught.value)
        await peer.until(lambda: not peer.open_sessions)


@both_versions
@pytest.mark.parametrize("stranger", [False, True])
async def test_a_refused_client_certificate_is_explained(
    contexts: Contexts, version: ssl.TLSVersion, stranger: bool
) -> None:
    """With TLS 1.3 too, where the refusal comes while the reply to hello is awaited."""
    async with mongo_peer(contexts.server(version=version, client_certificate=True)) as peer:
        with pytest.raises(ClientCertificateRejected) as caught:
            await establish(peer.address, contexts.options(certificate=stranger, stranger=stranger), credential=X509)
        assert caught.value.host == peer.address
        assert caught.value.reason == f"client-certificate-{'unknown-ca' if stranger else 'required'}"
        assert isinstance(caught.value.__cause__, ssl.SSLError)


async def test_an_unknown_authority_is_explained(contexts: Contexts) -> None:
    """A server certificate of a stranger is refused by us, in a word of its own."""
    async with mongo_peer(contexts.server()) as peer:
        with pytest.raises(ServerCertificateError) as caught:
            await establish(peer.address, contexts.options(trust=contexts.stranger_ca))
        assert caught.value.reason == "unknown-ca"
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the connection and say nothing."""


async def dribbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The beginning of a TLS record, and never the end."""
    writer.write(b"\x16\x03\x03")


async def dribbling_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A MongoDB message of which only the first bytes come."""
    writer.write(b"\x50\x00\x00\x00\x01\x00")


@pytest.mark.parametrize(
    ("script", "sent"),
    [(silent, "the server accepted the TCP connection and has sent nothing"), (dribbling, "has sent only 3 bytes")],
)
async def test_a_stalled_handshake_ends_in_time(contexts: Contexts, script: Any, sent: str) -> None:
    """The option connectTimeoutMS bounds the TLS handshake, and the error tells what the server did."""
    async with raw_peer(script) as address:
        with pytest.raises(TLSHandshakeTimeout) as caught:
            await establish(address, contexts.options(), connect_timeout=0.05)
    assert caught.value.phase is Phase.TLS
    assert "connectTimeoutMS=50 has passed" in str(caught.value)
    assert sent in str(caught.value)


@pytest.mark.parametrize(
    ("script", "sent"), [(silent, "has sent nothing"), (dribbling_message, "has sent only 6 bytes")]
)
async def test_a_stalled_hello_ends_in_time(script: Any, sent: str) -> None:
    """So does it bound the waiting for the reply to hello."""
    async with raw_peer(script) as address:
        with pytest.raises(NetworkTimeout) as caught:
            await establish(address, connect_timeout=0.05)
    assert caught.value.phase is Phase.HELLO
    assert sent in str(caught.value)


@both_versions
async def test_silence_after_the_tls_handshake_ends_in_time(contexts: Contexts, version: ssl.TLSVersion) -> None:
    """The same with TLS, after the handshake."""
    async with mongo_peer(contexts.server(version=version)) as peer:
        peer.answers["hello"] = None
        with pytest.raises(NetworkTimeout) as caught:
            await establish(peer.address, contexts.options(), connect_timeout=0.1)
    assert caught.value.phase is Phase.HELLO
    assert "has sent nothing" in str(caught.value)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_server_that_dribbles_for_ever_ends_in_time(contexts: Contexts, tls: bool) -> None:
    """Byte after byte of something that never ends: the limit is for the whole way, not for each pause."""

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x03\x40\x00" if tls else struct.pack("<iiii", 4096, 1, 1, 2013))
        while True:
            writer.write(b"\x01")
            await asyncio.sleep(0.001)

    async with raw_peer(dribble) as address:
        with pytest.raises((NetworkTimeout, TLSHandshakeTimeout), match=r"has sent only \d\d? bytes") as caught:
            await establish(address, contexts.options() if tls else None, connect_timeout=0.05)
    assert caught.value.phase is (Phase.TLS if tls else Phase.HELLO)


async def test_a_look_up_that_takes_too_long_names_that_phase() -> None:
    """Nothing can stop the thread that asks, so nobody waits for it."""
    release = threading.Event()

    def lookup(host: str, port: int) -> list[Endpoint]:
        release.wait(5)
        return []

    address = ServerAddress("db.example.net")
    establisher = Establisher(
        address=address,
        client={},
        identity=Identity(),
        credential=None,
        resolver=Resolver(lookup),
        connect_timeout=0.02,
    )
    with pytest.raises(NetworkTimeout, match="connectTimeoutMS=20 has passed while looking up") as caught:
        await establisher.establish(Connection(address, 1))
    assert caught.value.phase is Phase.DNS
    release.set()


async def test_an_address_that_never_answers_names_that_phase(silent_port: int) -> None:
    """What a firewall does that drops packets."""
    with pytest.raises(NetworkTimeout, match="connectTimeoutMS=20 has passed while opening the TCP conn") as caught:
        await establish(ServerAddress("127.0.0.1", silent_port), connect_timeout=0.02)
    assert caught.value.phase is Phase.TCP


async def test_silence_while_authenticating_names_that_phase(contexts: Contexts) -> None:
    """And in the last step."""
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        peer.answers["hello"] = HELLO
        peer.answers["authenticate"] = None
        with pytest.raises(NetworkTimeout) as caught:
            await establish(peer.address, contexts.options(), credential=X509, connect_timeout=0.1)
    assert caught.value.phase is Phase.AUTH


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"\xff\xff\xff\x7f" + b"\x00" * 12, ProtocolError),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolError),
        (b"\x00" * 64, ProtocolError),
        ({"ok": 1.0, "minWireVersion": 0, "maxWireVersion": 3}, ConfigurationError),
    ],
)
async def test_nonsense_is_refused_at_once(answer: Any, expected: type[Exception]) -> None:
    """Random bytes, a length field of 2 GiB and a server of another age: a clear error, without waiting."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = answer
        with pytest.raises(expected, match=f"localhost:{peer.port}"):
            await establish(peer.address, connect_timeout=None)


async def test_a_reply_that_is_not_bson_is_refused_at_once() -> None:
    """A message in order with a body that is not: the length of a string runs out of the document."""
    body = bytearray(bson.encode({"ok": 1.0, "x": "text"}))
    body[body.index(b"text") - 4] = 200
    async with mongo_peer() as peer:

        def answer(command: dict[str, Any]) -> bytes:
            message = peer.sessions[-1].protocol._answering
            assert message is not None
            return peer.sessions[-1].protocol.send_reply(message, bytes(body))

        peer.answers["hello"] = answer
        with pytest.raises(ProtocolError, match=f"localhost:{peer.port}"):
            await establish(peer.address, connect_timeout=None)


async def test_http_where_tls_was_expected_is_not_tls(contexts: Contexts) -> None:
    """A port that speaks something else is found out by its first bytes."""

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_peer(http) as address:
        with pytest.raises(TLSProtocolError) as caught:
            await establish(address, contexts.options(), connect_timeout=None)
    assert caught.value.reason == "not-tls"


@pytest.mark.parametrize("tls", [False, True])
async def test_a_server_that_hangs_up_is_told(contexts: Contexts, tls: bool) -> None:
    """An end of stream at once is a lost connection, or an unfinished handshake, with its cause."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with raw_peer(hang_up) as address:
        with pytest.raises(ConnectionFailure) as caught:
            await establish(address, contexts.options() if tls else None, connect_timeout=None)
    assert caught.value.host == address
    assert caught.value.phase is (Phase.TLS if tls else Phase.HELLO)
    assert caught.value.__cause__ is not None


async def test_a_server_that_wants_tls() -> None:
    """Hanging up on a hello without TLS is what servers do that speak nothing else: the error says so."""

    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.close()

    async with raw_peer(turn_away) as address:
        with pytest.raises(AutoReconnect, match="if this one does, add tls=true") as caught:
            await establish(address, connect_timeout=None)
    assert (caught.value.host, caught.value.phase) == (address, Phase.HELLO)
    assert isinstance(caught.value.__cause__, EOFError)


async def test_a_refused_connection_names_address_and_advice(unused_tcp_port: int) -> None:
    """Nobody listens: which address, and what to look at."""
    with pytest.raises(ConnectionFailure, match=f"127.0.0.1:{unused_tcp_port}.*nothing listens there") as caught:
        await establish(ServerAddress("localhost", unused_tcp_port), connect_timeout=None)
    assert caught.value.phase is Phase.TCP
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_an_unknown_name_names_the_look_up() -> None:
    """The look-up fails: the phase says so, and the original is the cause."""
    with pytest.raises(ConnectionFailure, match=r"nowhere\.example.*could not be looked up") as caught:
        await establish_by(OSError("no such name"))
    assert caught.value.phase is Phase.DNS
    assert isinstance(caught.value.__cause__, OSError)


async def establish_by(failure: OSError) -> None:
    address = ServerAddress("nowhere.example", 27017)
    establisher = Establisher(
        address=address,
        client={},
        identity=load_identity(TLSOptions()),
        credential=None,
        resolver=resolver_of(**{"nowhere.example": failure}),
    )
    await establisher.establish(Connection(address, 1))


async def test_a_unix_domain_socket_works(tmp_path: Any) -> None:
    """A path instead of a host name; nothing is looked up."""
    path = str(tmp_path / "mongodb.sock")
    async with mongo_peer(path=path):
        connection = await establish(ServerAddress(path, None))
        await end(connection)


async def test_a_missing_unix_domain_socket_is_named(tmp_path: Any) -> None:
    """The twin: there is no such socket."""
    path = str(tmp_path / "mongodb.sock")
    with pytest.raises(ConnectionFailure, match=r"mongodb\.sock.*no such socket"):
        await establish(ServerAddress(path, None))


async def test_a_connection_that_is_lost_right_after_hello_is_not_ready() -> None:
    """The reply to hello and the end of the stream arrive together: no success is reported."""

    async def greet_and_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from aiomongo_tls.core.wire.protocol import Role, WireProtocol

        protocol = WireProtocol(Role.SERVER)
        messages = []
        while not messages:
            messages = protocol.receive_data(await reader.read(65536))
        writer.write(protocol.send_reply(messages[0], bson.encode(HELLO)) + b"unsolicited")

    async with raw_peer(greet_and_leave) as address:
        with pytest.raises((AutoReconnect, ProtocolError)):
            await establish(address, connect_timeout=None)
