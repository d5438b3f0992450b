"""saslStart and saslContinue answer as mongod does: strictly, and every refusal with the same few words."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest

from aiomongo_tls.core.auth import scram_keys
from aiomongo_tls.testing import User
from aiomongo_tls.testing.commands.request import ConnectionState, ServerState
from aiomongo_tls.testing.users import Users

Run = Callable[..., dict[str, Any]]
ADA = User("ada", "secret")
OLD = User("old", "secret", database="app", mechanisms=("SCRAM-SHA-1",), iterations=5000)
NEW = User("a,b=c", "\u2168", mechanisms=("SCRAM-SHA-256",))
FAILED = (18, "Authentication failed.")
mechanisms = pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])


@pytest.fixture
def server() -> ServerState:
    return ServerState(users=Users([ADA, OLD, NEW, "CN=eve"]), access_control=True)


class Client:
    """A client's half, written out so that a test can spoil any part of it."""

    def __init__(self, run: Run, mechanism: str, password: str = "secret", name: str = "ada") -> None:
        self.run = run
        self.mechanism = mechanism
        self.password = password
        self.name = name
        self.header = "n,,"
        self.nonce = "client-nonce"
        self.options: dict[str, Any] = {"skipEmptyExchange": True}
        self.database = "admin"

    @property
    def bare(self) -> str:
        return f"n={self.name},r={self.nonce}"

    def start(self) -> dict[str, Any]:
        command = {"saslStart": 1, "mechanism": self.mechanism, "payload": (self.header + self.bare).encode()}
        return self.run({**command, "options": self.options}, self.database)

    def proof(self, first: bytes, *, binding: str | None = None, nonce: str | None = None) -> bytes:
        text = first.decode()
        fields = dict(part.split("=", 1) for part in text.split(","))
        binding = binding or b64encode(self.header.encode()).decode()
        message = f"c={binding},r={nonce or fields['r']}"
        password = scram_keys.prepared(self.mechanism, self.name, self.password)
        keys = scram_keys.keys(self.mechanism, password, b64decode(fields["s"]), int(fields["i"]))
        said = f"{self.bare},{text},{message}".encode()
        stored = scram_keys.stored_key(self.mechanism, keys.client_key)
        proof = scram_keys.masked(self.mechanism, keys.client_key, stored, said)
        self.signature = scram_keys.server_signature(self.mechanism, keys.server_key, said)
        return f"{message},p={b64encode(proof).decode()}".encode()

    def go_on(self, payload: bytes, conversation_id: Any = 1) -> dict[str, Any]:
        command = {"saslContinue": 1, "conversationId": conversation_id, "payload": payload}
        return self.run(command, self.database)


def refused(reply: dict[str, Any]) -> bool:
    return (reply.get("code"), reply.get("errmsg")) == FAILED


@mechanisms
def test_logging_in(run: Run, connection: ConnectionState, mechanism: str) -> None:
    """Two commands; the server proves itself, and the user is logged in with roles and database."""
    client = Client(run, mechanism)
    first = client.start()
    assert (first["done"], first["conversationId"]) == (False, 1)
    assert first["payload"].startswith(b"r=client-nonce")
    assert connection.user is None
    last = client.go_on(client.proof(first["payload"]))
    assert last == {"conversationId": 1, "done": True, "payload": b"v=" + b64encode(client.signature), "ok": 1.0}
    assert run({"connectionStatus": 1})["authInfo"] == {
        "authenticatedUsers": [{"user": "ada", "db": "admin"}],
        "authenticatedUserRoles": [{"role": "root", "db": "admin"}],
    }
    assert run({"find": "users"})["ok"] == 1.0


def test_the_empty_exchange(run: Run, connection: ConnectionState) -> None:
    """A client that does not skip it is logged in by it, and not before; it has to be empty."""
    for last, ok in ((b"", True), (b"x", False)):
        connection.user = None
        client = Client(run, "SCRAM-SHA-256")
        client.options = {}
        reply = client.go_on(client.proof(client.start()["payload"]))
        assert (reply["done"], connection.user) == (False, None)
        assert client.go_on(last)["ok"] == float(ok)
        assert connection.user == ("ada" if ok else None)


@mechanisms
def test_nobody_gets_in_with_less(run: Run, connection: ConnectionState, mechanism: str) -> None:
    """A wrong password, an unknown user, another database: 18, without a word more."""
    wrong = Client(run, mechanism, password="wrong")
    assert refused(wrong.go_on(wrong.proof(wrong.start()["payload"])))
    assert refused(Client(run, mechanism, name="nobody").start())
    assert refused(Client(run, mechanism, name="CN=3Deve").start())
    elsewhere = Client(run, mechanism)
    elsewhere.database = "app"
    assert refused(elsewhere.start())
    assert connection.user is None
    assert run({"find": "users"})["code"] == 13


@pytest.mark.parametrize(
    "header",
    ["p=tls-unique,,", "x,,", "", "n,", "n,a=root,", ",,"],
    ids=["binding", "flag", "none", "one", "other", "empty"],
)
def test_headers(run: Run, header: str) -> None:
    """There is no channel binding and no authorization as somebody else."""
    client = Client(run, "SCRAM-SHA-256")
    client.header = header
    assert refused(client.start())


def test_a_client_that_could_bind(run: Run) -> None:
    """The flag y, for a client that thinks the server cannot, is right; it has to be repeated in the proof."""
    for binding, ok in ((None, True), ("biws", False)):
        client = Client(run, "SCRAM-SHA-256")
        client.header = "y,,"
        assert client.go_on(client.proof(client.start()["payload"], binding=binding))["ok"] == float(ok)


@pytest.mark.parametrize(
    "bare", ["r=x,n=ada", "n=ada", "n=ada,r=", "m=x,n=ada,r=x", "n=ada,r=x,y=z", "n=a=da,r=x", "n=ada=2c,r=x"]
)
def test_first_messages_that_are_none(run: Run, bare: str) -> None:
    """Order, completeness and escapes are checked."""
    reply = run({"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": f"n,,{bare}".encode()}, "admin")
    assert refused(reply)


@pytest.mark.parametrize("what", ["nonce", "client nonce", "binding", "proof", "length", "base64", "empty", "extra"])
def test_proofs_that_are_none(run: Run, connection: ConnectionState, what: str) -> None:
    """A wrong nonce, a wrong binding, a wrong proof; and the conversation is over."""
    client = Client(run, "SCRAM-SHA-256")
    first = client.start()["payload"]
    right = client.proof(first)
    sent = {
        "nonce": client.proof(first, nonce="client-nonce" + "x" * 32),
        "client nonce": client.proof(first, nonce="client-nonce"),
        "binding": client.proof(first, binding="eSws"),
        "proof": right.rpartition(b",p=")[0] + b",p=" + b64encode(b"x" * 32),
        "length": right.rpartition(b",p=")[0] + b",p=" + b64encode(b"x" * 20),
        "base64": right.rpartition(b",p=")[0] + b",p=!",
        "empty": b"",
        "extra": right + b",x=y",
    }[what]
    assert refused(client.go_on(sent))
    assert client.go_on(right)["code"] == 17
    assert connection.user is None


def test_conversations_are_told_apart(run: Run) -> None:
    """Without a first message, or with another number: 17."""
    client = Client(run, "SCRAM-SHA-256")
    assert client.go_on(b"")["code"] == 17
    assert client.go_on(client.proof(client.start()["payload"]), conversation_id=2)["code"] == 17


def test_a_mechanism_of_the_user(run: Run) -> None:
    """A user without credentials for it is nobody there; the others work, with the user's iterations."""
    old = Client(run, "SCRAM-SHA-256", name="old")
    old.database = "app"
    assert refused(old.start())
    old.mechanism = "SCRAM-SHA-1"
    first = old.start()["payload"]
    assert first.endswith(b",i=5000")
    assert old.go_on(old.proof(first))["done"] is True


def test_names_and_passwords_beyond_ascii(run: Run, connection: ConnectionState) -> None:
    """The name is unescaped, the password prepared."""
    client = Client(run, "SCRAM-SHA-256", name="a=2Cb=3Dc", password="IX")
    assert client.go_on(client.proof(client.start()["payload"]))["ok"] == 1.0
    assert connection.user == "a,b=c"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("admin.ada", ["SCRAM-SHA-1", "SCRAM-SHA-256"]),
        ("app.old", ["SCRAM-SHA-1"]),
        ("admin.a,b=c", ["SCRAM-SHA-256"]),
        ("$external.CN=eve", []),
        ("admin.nobody", None),
        ("ada", None),
    ],
)
def test_supported_mechanisms(run: Run, user: str, expected: list[str] | None) -> None:
    """Those of the user, in reply to hello."""
    assert run({"hello": 1, "saslSupportedMechs": user}, "admin").get("saslSupportedMechs") == expected


def test_speculation(run: Run, connection: ConnectionState) -> None:
    """The first message along with hello; a failure is left out."""
    client = Client(run, "SCRAM-SHA-256")
    start = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "options": client.options, "db": "admin"}
    for payload, ok in ((b"n,,n=nobody,r=x", False), (b"n,,n=ada,r=client-nonce", True)):
        reply = run({"hello": 1, "speculativeAuthenticate": {**start, "payload": payload}}, "admin")
        assert ("speculativeAuthenticate" in reply) is ok
    last = client.go_on(client.proof(reply["speculativeAuthenticate"]["payload"]))
    assert (last["done"], connection.user) == (True, "ada")


def test_a_user_who_is_removed_in_the_middle(run: Run, server: ServerState) -> None:
    """Does not get in."""
    client = Client(run, "SCRAM-SHA-256")
    first = client.start()["payload"]
    server.users.remove(ADA)
    assert refused(client.go_on(client.proof(first)))


# Roles


def logged_in(run: Run, connection: ConnectionState, server: ServerState, *roles: str, database: str = "app") -> None:
    user = User("role", "secret", roles=roles, database=database)
    server.users.add(user)
    client = Client(run, "SCRAM-SHA-256", name="role")
    client.database = database
    assert client.go_on(client.proof(client.start()["payload"]))["ok"] == 1.0
    assert connection.user == "role"


FIND, INSERT = {"find": "users"}, {"insert": "users", "documents": [{}]}
OUT = {"aggregate": "users", "pipeline": [{"$out": "copy"}], "cursor": {}}
MERGE = {"aggregate": "users", "pipeline": [{"$merge": {"into": {"db": "zoo", "coll": "copy"}}}], "cursor": {}}
DROP, NEW_USER = {"dropDatabase": 1}, {"createUser": "new", "pwd": "x", "roles": []}


@pytest.mark.parametrize(
    ("roles", "may", "may_not"),
    [
        ((), [], [FIND, INSERT, OUT, DROP, NEW_USER]),
        (("read",), [FIND], [INSERT, OUT, DROP, NEW_USER]),
        (("read@zoo",), [], [FIND, INSERT]),
        (("readWrite",), [FIND, INSERT, OUT], [MERGE, DROP, NEW_USER]),
        (("readWrite", "readWrite@zoo"), [MERGE], [DROP]),
        (("dbAdmin",), [DROP, {"listCollections": 1}, {"create": "x"}], [FIND, INSERT]),
        (("userAdmin",), [NEW_USER], [FIND, DROP]),
        (("dbOwner",), [FIND, INSERT, DROP, NEW_USER], [{"hostInfo": 1}]),
        (("readAnyDatabase",), [FIND], [INSERT]),
        (("clusterMonitor",), [{"hostInfo": 1}], [FIND]),
        (("root",), [FIND, INSERT, OUT, MERGE, DROP, NEW_USER, {"hostInfo": 1}], []),
    ],
    ids=str,
)
def test_roles(
    run: Run, connection: ConnectionState, server: ServerState, roles: Any, may: list[Any], may_not: list[Any]
) -> None:
    """What a role does not allow is 13; what needs no privilege everybody may do."""
    logged_in(run, connection, server, *roles)
    for command in (*may, {"ping": 1}, {"connectionStatus": 1}):
        assert run(command)["ok"] == 1.0, command
    for command in may_not:
        reply = run(command)
        assert (reply["code"], "not authorized on" in reply["errmsg"]) == (13, True), command


def test_the_databases_of_a_user(run: Run, connection: ConnectionState, server: ServerState) -> None:
    """Only those that he may read are listed, and a collection does not leave them."""
    for database in ("app", "zoo"):
        server.access_control = False
        run(INSERT, database)
    server.access_control = True
    logged_in(run, connection, server, "readWrite@app")
    assert run({"listDatabases": 1, "nameOnly": True}, "admin")["databases"] == [{"name": "app"}]
    assert run({"renameCollection": "app.users", "to": "zoo.mine"}, "admin")["code"] == 13
    assert run({"renameCollection": "app.users", "to": "app.mine"}, "admin")["ok"] == 1.0


def test_making_users(run: Run, connection: ConnectionState, server: ServerState) -> None:
    """`createUser` and `dropUser` for users with passwords; who was made can log in, and do what the roles say."""
    connection.user = "somebody"
    roles = ["readWrite", {"role": "read", "db": "zoo"}]
    assert run({"createUser": "bob", "pwd": "hush", "roles": roles, "mechanisms": ["SCRAM-SHA-256"]})["ok"] == 1.0
    client = Client(run, "SCRAM-SHA-256", name="bob", password="hush")
    client.database = "app"
    assert client.go_on(client.proof(client.start()["payload"]))["ok"] == 1.0
    assert connection.roles == (("readWrite", "app"), ("read", "zoo"))
    connection.roles = None
    assert run({"createUser": "bob", "pwd": "hush", "roles": []})["code"] == 51003
    assert run({"dropUser": "bob"})["ok"] == 1.0
    assert run({"dropUser": "bob"})["code"] == 11
    assert refused(client.start())


@pytest.mark.parametrize(
    ("command", "database", "code"),
    [
        ({"createUser": "bob", "roles": []}, "app", 2),
        ({"createUser": "CN=bob", "pwd": "x", "roles": []}, "$external", 2),
        ({"createUser": "bob", "pwd": "x", "roles": ["king"]}, "app", 31),
        ({"createUser": "bob", "pwd": "x", "roles": [{"role": "root", "db": "app"}]}, "app", 31),
        ({"createUser": "bob", "pwd": "x", "roles": [5]}, "app", 2),
        ({"createUser": "bob", "pwd": "x", "roles": [], "mechanisms": ["PLAIN"]}, "app", 2),
        ({"createUser": "bob", "pwd": "hunter2\x07", "roles": []}, "app", 2),
        ({"createUser": "bob", "pwd": "x", "roles": [], "digestPassword": False}, "app", 2),
        ({"createUser": "bob", "pwd": "x"}, "app", 40414),
        ({"createUser": "", "pwd": "x", "roles": []}, "app", 14),
        ({"createUser": "bob", "pwd": 5, "roles": []}, "app", 14),
    ],
    ids=str,
)
def test_users_that_cannot_be(
    run: Run, connection: ConnectionState, command: dict[str, Any], database: str, code: int
) -> None:
    """Each with the server's code, and without the password."""
    connection.user = "somebody"
    reply = run(command, database)
    assert reply["code"] == code
    assert "hunter2" not in reply["errmsg"]
