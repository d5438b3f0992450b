"""Our first messages and PyMongo's agree in every field that the specifications fix, as the server received them."""

from __future__ import annotations

from typing import Any

import bson
import pymongo
import pytest

from aiomongo_tls import AsyncClient, AuthenticationFailed
from aiomongo_tls.testing import CertKit, MongoTestServer, RecordedCommand

# What a connection that runs commands sends first: a monitor's hello has no speculativeAuthenticate.
HELLO = {"hello", "isMaster", "ismaster"}
# Fixed by mongodb-handshake: the rest (client metadata aside) depends on the server or the driver.
FIXED = {"helloOk", "backpressure", "compression", "speculativeAuthenticate", "$db"}


def opening(server: MongoTestServer) -> RecordedCommand:
    return next(c for c in server.commands if c.name in HELLO and "speculativeAuthenticate" in c.document)


async def opening_of_ours(server: MongoTestServer, uri: str) -> RecordedCommand:
    server.reset()
    async with AsyncClient.connect(uri, appName="app") as client:
        await client.ping()
    return opening(server)


def opening_of_pymongo(server: MongoTestServer, uri: str) -> RecordedCommand:
    server.reset()
    with pymongo.MongoClient[dict[str, Any]](uri, appName="app") as client:
        client.admin.command("ping")
    return opening(server)


async def opening_of_async_pymongo(server: MongoTestServer, uri: str) -> RecordedCommand:
    server.reset()
    async with pymongo.AsyncMongoClient[dict[str, Any]](uri, appName="app") as client:
        await client.admin.command("ping")
    return opening(server)


async def test_the_first_hello(aiomongo_server: MongoTestServer) -> None:
    """Command, fields and their values are the same, and so is the wire format."""
    uri = aiomongo_server.uri()
    ours = await opening_of_ours(aiomongo_server, uri)
    for theirs in (
        opening_of_pymongo(aiomongo_server, uri),
        await opening_of_async_pymongo(aiomongo_server, uri),
    ):
        assert ours.document.keys() - {ours.name} == theirs.document.keys() - {theirs.name}
        for field in FIXED:
            assert ours.document.get(field) == theirs.document.get(field), field
        # "ismaster" and "isMaster" are one command.
        assert ours.name.lower() == theirs.name.lower() == "ismaster"
        assert ours.document[ours.name] == theirs.document[theirs.name] == 1
        assert (ours.op_query, ours.wants_reply) == (theirs.op_query, theirs.wants_reply) == (False, True)


async def test_speculative_authentication(aiomongo_server: MongoTestServer) -> None:
    """It is the authenticate command itself, without a user, and both clients need no further command."""
    uri = aiomongo_server.uri()
    ours = await opening_of_ours(aiomongo_server, uri)
    assert aiomongo_server.commands_named("authenticate") == []
    theirs = opening_of_pymongo(aiomongo_server, uri)
    assert aiomongo_server.commands_named("authenticate") == []
    expected = [("authenticate", 1), ("mechanism", "MONGODB-X509")]
    assert list(ours.document["speculativeAuthenticate"].items()) == expected
    assert list(theirs.document["speculativeAuthenticate"].items()) == expected


async def test_a_user_that_was_given(aiomongo_certs: CertKit, aiomongo_server: MongoTestServer) -> None:
    """It is sent as it is."""
    me = aiomongo_certs.client("ada")
    aiomongo_server.add_user(me)
    uri = aiomongo_server.uri(client=me)
    server = aiomongo_server
    for opened in (await with_user(server, uri, me.subject), pymongo_with_user(server, uri, me.subject)):
        assert opened.document["speculativeAuthenticate"]["user"] == me.subject


async def with_user(server: MongoTestServer, uri: str, user: str) -> RecordedCommand:
    server.reset()
    server.add_user(user)
    async with AsyncClient.connect(uri, username=user):
        return opening(server)


def pymongo_with_user(server: MongoTestServer, uri: str, user: str) -> RecordedCommand:
    server.reset()
    server.add_user(user)
    with pymongo.MongoClient[dict[str, Any]](uri, username=user) as client:
        client.admin.command("ping")
        return opening(server)


async def test_authenticate_after_a_failed_speculation(
    aiomongo_certs: CertKit, aiomongo_server: MongoTestServer
) -> None:
    """Where hello's reply says nothing, both ask in earnest with the same command, and hear the refusal."""
    uri = aiomongo_server.uri(client=aiomongo_certs.client("nobody"))
    with pytest.raises(AuthenticationFailed):
        await AsyncClient.connect(uri)
    (ours,) = aiomongo_server.commands_named("authenticate")
    aiomongo_server.reset()
    with pymongo.MongoClient[dict[str, Any]](uri) as client, pytest.raises(pymongo.errors.OperationFailure):
        client.app.users.find_one()
    theirs = aiomongo_server.commands_named("authenticate")[0]
    assert ours.document == theirs.document == {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"}
    assert (ours.database, theirs.database) == ("$external", "$external")


async def test_the_client_document(aiomongo_server: MongoTestServer) -> None:
    """Required fields are there, the shape is the same, and it is within 512 bytes."""
    uri = aiomongo_server.uri()
    ours = (await opening_of_ours(aiomongo_server, uri)).document["client"]
    theirs = opening_of_pymongo(aiomongo_server, uri).document["client"]
    assert ours["application"] == theirs["application"] == {"name": "app"}
    # The operating system's name is for people, its type is fixed.
    assert ours["os"]["type"] == theirs["os"]["type"]
    assert ours.get("env") == theirs.get("env")
    assert ours["driver"].keys() == theirs["driver"].keys() == {"name", "version"}
    assert ours.keys() == theirs.keys()
    assert isinstance(ours["platform"], str)
    assert len(bson.encode(ours)) <= 512


async def test_later_hellos_are_bare(aiomongo_server: MongoTestServer) -> None:
    """What belongs to the first hello is not repeated on the same connection."""
    async with AsyncClient.connect(aiomongo_server.uri()) as client:
        await client.ping()
    first: set[int] = set()
    for command in aiomongo_server.commands:
        if command.name in HELLO:
            if command.connection_id in first:
                assert (
                    not {"client", "compression", "backpressure", "speculativeAuthenticate"} & command.document.keys()
                )
            first.add(command.connection_id)
    assert first
