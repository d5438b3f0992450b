"""MONGODB-X509 and SCRAM as the Node.js driver speaks them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from node_driver import PATIENCE, Kept, Node, NodeError

from aiomongo_tls.testing import CertKit, MongoTestServer, User

SHA_1, SHA_256 = "SCRAM-SHA-1", "SCRAM-SHA-256"
ONE = User("sha1", "sha1", mechanisms=(SHA_1,))
TWO = User("sha256", "sha256", mechanisms=(SHA_256,))
BOTH = User("both", "both")
ROMAN = User("IX", "IX", mechanisms=(SHA_256,))
SIGN = User("\u2168", "\u2163", mechanisms=(SHA_256,))
ESCAPED = User("a,b=c@d:e/f", "p%+w,=:@/", database="app")
READER = User("reader", "reader", roles=("read@app",))

with_passwords = pytest.mark.aiomongo(tls="require", users=[BOTH, ONE, TWO, ROMAN, SIGN, ESCAPED, READER])


def who(client: Kept) -> list[Any]:
    """Who is logged in."""
    status = client.db("admin").command({"connectionStatus": 1}).get()
    client.close().get()
    return list(status["authInfo"]["authenticatedUsers"])


def refused(node: Node, uri: str) -> NodeError:
    """The error of a login that fails."""
    with pytest.raises(NodeError) as caught:
        node.connect(uri)
    return caught.value


# By certificate


def test_a_certificate_is_a_user(node: Node, aiomongo_server: MongoTestServer) -> None:
    """The login is part of the first hello of the connection, and `authenticate` is not needed."""
    assert who(node.connect(aiomongo_server.uri())) == [
        {"user": aiomongo_server.certs.client("tester").subject, "db": "$external"}
    ]
    assert aiomongo_server.commands_named("authenticate") == []
    assert any("speculativeAuthenticate" in command.document for command in aiomongo_server.commands)


def test_a_certificate_that_is_no_user(node: Node, aiomongo_server: MongoTestServer) -> None:
    """It gets through TLS and no further; once it is a user it does."""
    ada = aiomongo_server.certs.client("ada")
    error = refused(node, aiomongo_server.uri(client=ada))
    assert (error.name, error.code) == ("MongoServerError", 18)
    assert aiomongo_server.failed_handshakes == []
    assert aiomongo_server.commands_named("authenticate")
    aiomongo_server.add_user(ada)
    assert who(node.connect(aiomongo_server.uri(client=ada))) == [{"user": ada.subject, "db": "$external"}]


def test_the_name_in_the_uri(node: Node, aiomongo_server: MongoTestServer) -> None:
    """It has to be the certificate's subject."""
    subject = aiomongo_server.certs.client("tester").subject
    uri = aiomongo_server.uri()
    named = uri.replace("mongodb://", f"mongodb://{quote(subject, safe='')}@")
    assert who(node.connect(named)) == [{"user": subject, "db": "$external"}]
    error = refused(node, uri.replace("mongodb://", f"mongodb://{quote('CN=somebody,OU=else', safe='')}@"))
    assert error.code == 18


def test_a_subject_with_everything(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Commas, plus signs, quotes, blanks and letters of other scripts."""
    subject = 'CN=Ada \\"the\\" First\\, Countess,OU=a\\+b,O=Größe Ω,C=GB'
    ada = aiomongo_server.certs.client(subject=subject)
    aiomongo_server.add_user(ada)
    assert who(node.connect(aiomongo_server.uri(client=ada))) == [{"user": ada.subject, "db": "$external"}]


def test_without_a_login(node: Node, aiomongo_server: MongoTestServer) -> None:
    """A certificate alone is not a login: hello and ping are answered, data are not."""
    client = node.connect(aiomongo_server.uri(authMechanism=None))
    assert client.db("admin").command({"ping": 1}).get()["ok"] == 1
    with pytest.raises(NodeError) as caught:
        client.db("app").collection("users").findOne({}).get()
    assert (caught.value.code, caught.value.details["codeName"]) == (13, "Unauthorized")
    client.close().get()


def test_a_user_who_was_removed(node: Node, aiomongo_server: MongoTestServer) -> None:
    """What is open stays open; new connections are refused."""
    client = node.connect(aiomongo_server.uri(), {"maxPoolSize": 1})
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1}).get()
    aiomongo_server.remove_user(aiomongo_server.certs.client("tester"))
    users.insertOne({"_id": 2}).get()
    aiomongo_server.drop_connections()
    # May find the old connection dead; nothing tells when an idle one is seen to be.
    users.findOne({}).begin().exception(PATIENCE)
    with pytest.raises(NodeError) as caught:
        users.insertOne({"_id": 3}).get()
    assert caught.value.code == 18
    client.close().get()


# By password


@with_passwords
@pytest.mark.parametrize(
    ("user", "mechanism", "used"),
    [
        (ONE, SHA_1, SHA_1),
        (ONE, None, SHA_1),
        (TWO, SHA_256, SHA_256),
        (TWO, None, SHA_256),
        (BOTH, SHA_1, SHA_1),
        (BOTH, SHA_256, SHA_256),
        (BOTH, None, SHA_256),
        (ROMAN, SHA_256, SHA_256),
        (SIGN, SHA_256, SHA_256),
        (ESCAPED, None, SHA_256),
    ],
    ids=lambda value: value.name if isinstance(value, User) else str(value),
)
def test_mechanisms(node: Node, aiomongo_server: MongoTestServer, user: User, mechanism: str | None, used: str) -> None:
    """By a mechanism that the user has, and by negotiation, which prefers SHA-256."""
    client = node.connect(aiomongo_server.uri(user=user, authMechanism=mechanism))
    assert who(client) == [{"user": user.name, "db": user.database}]
    hellos = [c for c in aiomongo_server.commands if "speculativeAuthenticate" in c.document]
    begun = [
        *(command.document["speculativeAuthenticate"] for command in hellos),
        *(command.document for command in aiomongo_server.commands_named("saslStart")),
    ]
    assert begun[-1]["mechanism"] == used


@with_passwords
def test_names_that_are_escaped(node: Node, aiomongo_server: MongoTestServer) -> None:
    """By SHA-1 the driver hashes a name with commas as it is escaped, which is another password: no mongod lets it in.

    mongodb 7.9.0, scram.js: `passwordDigest` is given what `cleanUsername` made of the name. By SHA-256 see above.
    """
    assert refused(node, aiomongo_server.uri(user=ESCAPED, authMechanism=SHA_1)).code == 18


@with_passwords
@pytest.mark.parametrize(
    "user",
    [User("both", "wrong"), User("nobody", "both"), User("both", "both", database="app"), User("BOTH", "both")],
    ids=["password", "user", "database", "case"],
)
@pytest.mark.parametrize("mechanism", [SHA_1, SHA_256, None])
def test_wrong_credentials(node: Node, aiomongo_server: MongoTestServer, user: User, mechanism: str | None) -> None:
    """The twins: all are refused in the same words."""
    error = refused(node, aiomongo_server.uri(user=user, authMechanism=mechanism))
    assert (error.name, error.code, error.details["codeName"]) == ("MongoServerError", 18, "AuthenticationFailed")
    assert error.message == "Authentication failed."


@with_passwords
@pytest.mark.parametrize(("user", "mechanism"), [(ONE, SHA_256), (TWO, SHA_1)], ids=["no SHA-256", "no SHA-1"])
def test_a_mechanism_that_the_user_does_not_have(
    node: Node, aiomongo_server: MongoTestServer, user: User, mechanism: str
) -> None:
    """It fails, and nothing else is tried."""
    assert refused(node, aiomongo_server.uri(user=user, authMechanism=mechanism)).code == 18
    assert {c.document["mechanism"] for c in aiomongo_server.commands_named("saslStart")} == {mechanism}


def test_too_few_iterations(node: Node, aiomongo_certs: CertKit) -> None:
    """A server with fewer than 4096 is not told the proof."""
    few = User("few", "secret", iterations=4095)
    with MongoTestServer(ca=aiomongo_certs, tls="require", users=[few]) as server:
        assert "iteration" in refused(node, server.uri()).story
        assert server.commands_named("saslContinue") == []


@pytest.mark.aiomongo(users=[BOTH])
def test_a_certificate_and_a_password(node: Node, aiomongo_server: MongoTestServer) -> None:
    """The certificate is for TLS, the password for the user."""
    assert who(node.connect(aiomongo_server.uri())) == [{"user": "both", "db": "admin"}]
    with pytest.raises(NodeError) as caught:
        node.connect(aiomongo_server.uri(client=None, user=BOTH), {"serverSelectionTimeoutMS": 500})
    assert caught.value.name == "MongoServerSelectionError"


@with_passwords
def test_roles(node: Node, aiomongo_server: MongoTestServer) -> None:
    """A user who may read may not write."""
    client = node.connect(aiomongo_server.uri(user=READER))
    users = client.db("app").collection("users")
    assert users.find().toArray().get() == []
    with pytest.raises(NodeError) as caught:
        users.insertOne({"_id": 1}).get()
    assert (caught.value.code, caught.value.details["codeName"]) == (13, "Unauthorized")
    with pytest.raises(NodeError):
        client.db("other").collection("users").findOne({}).get()
    client.close().get()


@with_passwords
def test_users_that_the_driver_makes(node: Node, aiomongo_server: MongoTestServer) -> None:
    """By createUser; gone after dropUser and removeUser."""
    root = node.connect(aiomongo_server.uri())
    root.db("app").command({"createUser": "ada", "pwd": "secret", "roles": ["readWrite"]}).get()
    ada = User("ada", "secret", database="app")
    client = node.connect(aiomongo_server.uri(user=ada))
    client.db("app").collection("users").insertOne({"_id": 1}).get()
    client.close().get()
    assert root.db("app").removeUser("ada").get() is True
    assert refused(node, aiomongo_server.uri(user=ada)).code == 18
    root.close().get()


@with_passwords
def test_many_connections_log_in(node: Node, aiomongo_server: MongoTestServer) -> None:
    """Every connection of a pool is somebody."""
    client = node.connect(aiomongo_server.uri(minPoolSize=10), events=["connectionReady"])
    client.wait_for("connectionReady", when=lambda events: len(events) >= 10)
    users = [connection.user for connection in aiomongo_server.connections if connection.user]
    assert len(users) >= 10
    client.close().get()


@with_passwords
def test_compression_is_not_agreed_upon(node: Node, aiomongo_server: MongoTestServer) -> None:
    """The client offers zlib, the server has none, and both go on without."""
    client = node.connect(aiomongo_server.uri(compressors="zlib"))
    users = client.db("app").collection("users")
    users.insertOne({"_id": 1, "text": "x" * 100_000}).get()
    assert len(users.findOne({}).get()["text"]) == 100_000
    offers = [c.document["compression"] for c in aiomongo_server.commands if "compression" in c.document]
    assert offers
    assert all("zlib" in offer for offer in offers)
    client.close().get()
