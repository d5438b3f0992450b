"""hello and MONGODB-X509 answer as mongod does, each refusal with its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aiomongo_tls.testing.commands.request import ConnectionState, ServerState
from aiomongo_tls.testing.users import Users
from aiomongo_tls.tls.engine import TLSInfo

Run = Callable[..., dict[str, Any]]
ADA = "CN=ada,O=Example"
AUTHENTICATE = {"authenticate": 1, "mechanism": "MONGODB-X509"}
CLIENT = {"driver": {"name": "d", "version": "1"}, "os": {"type": "Linux"}}


def tls(subject: str | None) -> TLSInfo:
    """What the server knows of a TLS connection with a certificate of this subject."""
    names = [[tuple(part.split("="))] for part in reversed(subject.split(","))] if subject else []
    return TLSInfo(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        resumed=False,
        peer_certificate={"subject": names} if subject else None,
        peer_der=None,
        server_hostname=None,
    )


@pytest.fixture
def server() -> ServerState:
    return ServerState(users=Users([ADA]), access_control=True)


@pytest.fixture
def connection() -> ConnectionState:
    """A TLS connection of somebody with Ada's certificate."""
    return ConnectionState(id=42, tls=tls(ADA))


@pytest.mark.parametrize(
    ("name", "flag"), [("hello", "isWritablePrimary"), ("isMaster", "ismaster"), ("ismaster", "ismaster")]
)
def test_hello(run: Run, name: str, flag: str) -> None:
    """A standalone server of wire version 21, with the limits that drivers read."""
    reply = run({name: 1, "helloOk": True}, "admin")
    assert reply.pop("localTime") is not None
    assert reply.pop("topologyVersion")["counter"] == 0
    assert reply == {
        "helloOk": True,
        flag: True,
        "maxBsonObjectSize": 16777216,
        "maxMessageSizeBytes": 48000000,
        "maxWriteBatchSize": 100000,
        "logicalSessionTimeoutMinutes": 30,
        "connectionId": 42,
        "minWireVersion": 0,
        "maxWireVersion": 21,
        "readOnly": False,
        "ok": 1.0,
    }
    assert "helloOk" not in run({name: 1}, "admin")


def test_a_client_introduces_itself_once(run: Run, connection: ConnectionState) -> None:
    """Its metadata come in the first hello only."""
    assert run({"hello": 1, "client": CLIENT}, "admin")["ok"] == 1.0
    assert connection.client == CLIENT
    assert run({"hello": 1}, "admin")["ok"] == 1.0
    assert run({"hello": 1, "client": CLIENT}, "admin")["code"] == 186


@pytest.mark.parametrize(
    "client", [5, {}, {"driver": {"name": "d", "version": "1"}}, {"driver": 1, "os": {"type": "x"}}]
)
def test_metadata_that_lack_something(run: Run, client: Any) -> None:
    """Driver and operating system have to be named."""
    assert run({"hello": 1, "client": client}, "admin")["ok"] == 0.0


def test_unknown_fields_of_hello(run: Run) -> None:
    """Are refused."""
    assert run({"hello": 1, "nonsense": 1}, "admin")["code"] == 40415


def test_logging_in(run: Run, connection: ConnectionState) -> None:
    """The certificate's subject becomes the user, with or without naming it."""
    assert run({"find": "users"})["code"] == 13
    for command in (AUTHENTICATE, {**AUTHENTICATE, "user": ADA}):
        connection.user = None
        assert run(command, "$external") == {"dbname": "$external", "user": ADA, "ok": 1.0}
        assert run({"find": "users"})["ok"] == 1.0
        status = run({"connectionStatus": 1})["authInfo"]["authenticatedUsers"]
        assert status == [{"user": ADA, "db": "$external"}]
    run({"logout": 1})
    assert run({"find": "users"})["code"] == 13


def test_speculative_login(run: Run, connection: ConnectionState) -> None:
    """It saves a round trip: hello's reply says who is logged in."""
    reply = run({"hello": 1, "speculativeAuthenticate": {**AUTHENTICATE, "db": "$external"}}, "admin")
    assert reply["speculativeAuthenticate"] == {"dbname": "$external", "user": ADA}
    assert connection.user == ADA


@pytest.mark.parametrize(
    "speculative",
    [
        {**AUTHENTICATE, "user": "CN=bob"},
        {"saslStart": 1, "mechanism": "SCRAM-SHA-256"},
        {**AUTHENTICATE, "mechanism": "X"},
        5,
    ],
    ids=str,
)
def test_a_failed_speculation_is_not_told(run: Run, connection: ConnectionState, speculative: Any) -> None:
    """`hello` succeeds without it, and nobody is logged in."""
    reply = run({"hello": 1, "speculativeAuthenticate": speculative}, "admin")
    assert reply["ok"] == 1.0
    assert "speculativeAuthenticate" not in reply
    assert connection.user is None


@pytest.mark.parametrize(
    ("state", "command", "database", "code"),
    [
        ({"tls": tls(None)}, AUTHENTICATE, "$external", 18),
        ({"tls": tls("CN=bob")}, AUTHENTICATE, "$external", 18),
        ({}, {**AUTHENTICATE, "user": "CN=bob"}, "$external", 18),
        ({"tls": tls("CN=bob")}, {**AUTHENTICATE, "user": ADA}, "$external", 18),
        ({"tls": None}, AUTHENTICATE, "$external", 17),
        ({}, AUTHENTICATE, "admin", 17),
        ({}, {"authenticate": 1, "mechanism": "PLAIN"}, "$external", 334),
        ({}, {"authenticate": 1}, "$external", 334),
        ({}, {"saslStart": 1, "mechanism": "PLAIN", "payload": b""}, "admin", 334),
        ({}, {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b""}, "admin", 18),
        ({}, {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "n,,n=ada,r=x"}, "admin", 14),
        ({}, {"saslContinue": 1, "conversationId": 1, "payload": b""}, "admin", 17),
    ],
    ids=[
        "no certificate",
        "no user",
        "other user",
        "other certificate",
        "no TLS",
        "wrong database",
        "mechanism",
        "none",
        "PLAIN",
        "SCRAM",
        "SCRAM text",
        "sasl",
    ],
)
def test_every_way_not_to_get_in(
    run: Run, connection: ConnectionState, state: dict[str, Any], command: dict[str, Any], database: str, code: int
) -> None:
    """18 for what an intruder should not tell apart, 17 for what cannot work."""
    for name, value in state.items():
        setattr(connection, name, value)
    assert run(command, database)["code"] == code
    assert connection.user is None
    assert run({"find": "users"})["code"] == 13


@pytest.mark.parametrize("name", ["hello", "ping", "buildInfo", "connectionStatus"])
def test_what_strangers_may_ask(run: Run, name: str) -> None:
    """Nobody has to be logged in for these."""
    assert run({name: 1}, "admin")["ok"] == 1.0


def test_making_users(run: Run, connection: ConnectionState, server: ServerState) -> None:
    """`createUser` on $external makes a subject a user, dropUser undoes it."""
    connection.user = ADA
    assert run({"createUser": "CN=bob", "roles": []}, "$external")["ok"] == 1.0
    assert "CN=bob" in server.users
    assert run({"createUser": "CN=bob", "roles": []}, "$external")["code"] == 51003
    assert run({"createUser": "CN=x, O=y", "roles": []}, "$external")["code"] == 2
    assert run({"dropUser": "CN=bob"}, "$external")["ok"] == 1.0
    assert run({"dropUser": "CN=bob"}, "$external")["code"] == 11
