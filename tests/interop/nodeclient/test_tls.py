"""TLS between Node's OpenSSL and our server: each connection that works has twins that must not."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from node_driver import PATIENCE, Exactly, Node, NodeError

from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer

# Long enough for a handshake on a busy machine; every refusal takes as long.
IMPATIENT = {"serverSelectionTimeoutMS": 500}


def refused(node: Node, uri: str) -> NodeError:
    """The error of a client that cannot connect."""
    with pytest.raises(NodeError) as caught:
        node.connect(uri, IMPATIENT)
    assert caught.value.name == "MongoServerSelectionError"
    return caught.value


def ping(node: Node, uri: str) -> None:
    """Connect, ask, and close."""
    client = node.connect(uri)
    assert client.db("admin").command({"ping": 1}).get()["ok"] == 1
    client.close().get()


def test_verified_on_both_sides(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Either side has seen the other's certificate, and the client left nothing open."""
    ping(node, aiomongo_server.uri())
    assert aiomongo_server.failed_handshakes == []
    assert {command.user for command in aiomongo_server.commands_named("ping")} == {
        aiomongo_server.certs.client("tester").subject
    }


def test_by_name(node: Node, aiomongo_server: MongoTestServer) -> None:
    """A server is verified by the name it was asked for, which Node also sends along."""
    ping(node, aiomongo_server.uri().replace("127.0.0.1", "localhost"))
    assert aiomongo_server.failed_handshakes == []


def test_unknown_authority(node: Node, aiomongo_server: MongoTestServer) -> None:
    """A client that trusts another authority goes away."""
    error = refused(node, aiomongo_server.uri(tlsCAFile=aiomongo_server.certs.stranger().ca_path))
    assert "unable to verify the first certificate" in error.story or "self-signed certificate" in error.story
    assert aiomongo_server.commands == []


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda certs: certs.server("other.example"), "does not match certificate's altnames"),
        (lambda certs: certs.server(expired=True), "certificate has expired"),
        (lambda certs: certs.server(not_yet_valid=True), "certificate is not yet valid"),
        (lambda certs: certs.server(self_signed=True), "self-signed certificate"),
        (lambda certs: certs.stranger().server(), "unable to verify the first certificate"),
        (lambda certs: certs.client("ada"), "unsuitable certificate purpose"),
    ],
    ids=["another host", "expired", "not yet valid", "self-signed", "another authority", "a client's"],
)
def test_server_certificates_that_are_refused(
    node: Node, aiomongo_server: MongoTestServer, certificate: Callable[[CertKit], Certificate], words: str
) -> None:
    """Node says what is wrong, and sends nothing that was meant for somebody else."""
    good = aiomongo_server.certificate
    made = certificate(aiomongo_server.certs)
    uri = aiomongo_server.uri()
    aiomongo_server.rotate(made)
    assert words in refused(node, uri).story
    assert aiomongo_server.commands == []
    # Nothing else was wrong.
    aiomongo_server.rotate(good)
    ping(node, uri)


def test_a_chain_over_an_intermediate_authority(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Both sides send the certificate between."""
    certs = aiomongo_server.certs
    ada = certs.client("ada", intermediate=True)
    aiomongo_server.add_user(ada)
    aiomongo_server.rotate(certs.server(intermediate=True))
    ping(node, aiomongo_server.uri(client=ada))


def test_an_encrypted_key(node: Node, aiomongo_server: MongoTestServer) -> None:
    """With its password, and not with another one."""
    ada = aiomongo_server.certs.client("ada", password="hush")
    aiomongo_server.add_user(ada)
    ping(node, aiomongo_server.uri(client=ada))
    with pytest.raises(NodeError):
        node.connect(aiomongo_server.uri(client=ada, tlsCertificateKeyFilePassword="loud"), IMPATIENT)


@pytest.mark.parametrize(
    ("client", "seen"),
    [
        (lambda certs: None, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (lambda certs: certs.stranger().client("ada"), "CERTIFICATE_VERIFY_FAILED"),
        (lambda certs: certs.client("ada", expired=True), "certificate has expired"),
        (lambda certs: certs.client("ada", not_yet_valid=True), "certificate is not yet valid"),
        (lambda certs: certs.client("ada", self_signed=True), "self-signed certificate"),
        (lambda certs: certs.server(), "unsuitable certificate purpose"),
    ],
    ids=["none", "another authority", "expired", "not yet valid", "self-signed", "a server's"],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_client_certificates_that_are_refused(
    node: Node,
    aiomongo_certs: CertKit,
    client: Callable[[CertKit], Certificate | None],
    seen: str,
    version: ssl.TLSVersion,
) -> None:
    """The handshake fails on the server's side, and the client hears the alert."""
    with MongoTestServer(ca=aiomongo_certs, maximum_version=version) as server:
        uri = server.uri(client=client(aiomongo_certs), authMechanism=None)
        error = refused(node, uri)
        assert server.commands == []
        assert any(seen in str(failure) for failure in server.failed_handshakes), server.failed_handshakes
        assert "alert" in error.story, error.story


def test_without_tls(node: Node, aiomongo_server: MongoTestServer) -> None:
    """A client that speaks no TLS is not understood; neither is TLS by a server without."""
    refused(node, f"mongodb://{aiomongo_server.address}/")
    assert aiomongo_server.commands == []
    with MongoTestServer(tls="off") as plain:
        refused(node, f"mongodb://{plain.address}/?tls=true&tlsCAFile={aiomongo_server.certs.ca_path}")
        assert plain.commands == []
        ping(node, plain.uri())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_versions(node: Node, aiomongo_certs: CertKit, version: ssl.TLSVersion) -> None:
    """Both that are in use; a client that speaks only the older one is refused by a server that wants the newer."""
    with MongoTestServer(ca=aiomongo_certs, minimum_version=version, maximum_version=version) as server:
        ping(node, server.uri())
        older = {"secureProtocol": "TLSv1_2_method", **IMPATIENT}
        if version is ssl.TLSVersion.TLSv1_2:
            node.connect(server.uri(), older).close().get()
            return
        with pytest.raises(NodeError) as caught:
            node.connect(server.uri(), older)
        assert "alert protocol version" in caught.value.story


@pytest.mark.parametrize(
    "options", [{"tlsInsecure": True}, {"tlsAllowInvalidCertificates": True, "tlsAllowInvalidHostnames": True}]
)
def test_verification_that_is_switched_off(
    node: Node, aiomongo_server: MongoTestServer, options: dict[str, Any]
) -> None:
    """Then a strange certificate is taken: what refused it before was the verification."""
    plain, lax = aiomongo_server.uri(), aiomongo_server.uri(**options)
    aiomongo_server.rotate(aiomongo_server.certs.stranger().server("other.example"))
    refused(node, plain)
    ping(node, lax)


def test_a_wrong_host_alone_is_allowed(node: Node, aiomongo_server: MongoTestServer) -> None:
    """By tlsAllowInvalidHostnames; an authority that nobody knows is not."""
    uri = aiomongo_server.uri(tlsAllowInvalidHostnames=True)
    aiomongo_server.rotate(aiomongo_server.certs.server("other.example"))
    ping(node, uri)
    aiomongo_server.rotate(aiomongo_server.certs.stranger().server())
    refused(node, uri)


def test_a_certificate_is_optional(node: Node, aiomongo_certs: CertKit) -> None:
    """Where the server only looks at one; a strange one it still refuses."""
    with MongoTestServer(ca=aiomongo_certs, tls="require", users=[]) as server:
        ping(node, server.uri(client=None))
        ping(node, server.uri(client=aiomongo_certs.client("ada"), authMechanism=None))
        refused(node, server.uri(client=aiomongo_certs.stranger().client("ada"), authMechanism=None))


def test_a_new_certificate_of_the_server(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Connections that are open go on; new ones see it, and are refused if it is from elsewhere."""
    uri = aiomongo_server.uri()
    options = {"maxPoolSize": 1, "minHeartbeatFrequencyMS": 10, "serverSelectionTimeoutMS": 3000}
    client = node.connect(uri, options, events=["connectionReady"])
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    number = aiomongo_server.commands_named("insert")[0].connection_id

    def change(certificate: Certificate) -> None:
        """The new certificate, seen by new connections only, of which there have to be some."""
        opened = len(client.events("connectionReady"))
        aiomongo_server.rotate(certificate)
        assert users.countDocuments().get() == 1
        assert len(client.events("connectionReady")) == opened
        aiomongo_server.drop_connections()
        # May find the old connection dead; nothing tells when an idle one is seen to be.
        users.findOne({}).begin().exception(PATIENCE)

    change(aiomongo_server.certs.server("127.0.0.1", subject="CN=new"))
    assert users.countDocuments().get() == 1
    assert aiomongo_server.commands_named("aggregate")[-1].connection_id > number
    change(aiomongo_server.certs.stranger().server())
    with pytest.raises(NodeError) as caught:
        users.find().toArray().get()
    assert "unable to verify" in caught.value.story
    aiomongo_server.rotate(aiomongo_server.certs.server())
    assert users.countDocuments().get() == 1
    client.close().get()


def test_big_messages_over_tls(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Documents near the limit cross in either direction, many TLS records long."""
    client = node.connect(aiomongo_server.uri())
    users = client.db("app").collection("users")
    text = "x" * (16 * 1024 * 1024 - 100)
    users.insertOne(Exactly({"_id": 1, "text": text})).get()
    stored = aiomongo_server.commands_named("insert")[0].document["documents"][0]["text"]
    assert len(stored) == len(text)
    assert len(users.findOne({"_id": 1}).get()["text"]) == len(text)
    client.close().get()
