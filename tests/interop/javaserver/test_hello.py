"""A server that knows hello by its legacy name only, has no sessions and counts its batches small."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import bson
import pymongo
import pytest
from events import Events
from live_javaserver import JavaServer
from relay import OP_MSG, Relay, relaying

from aiomongo_tls import (
    AsyncClient,
    AsyncCollection,
    ConfigurationError,
    DeleteOne,
    InsertOne,
    OperationFailure,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
    ServerSelectionTimeoutError,
    UpdateOne,
)
from aiomongo_tls.core.wire.legacy import decode_query, encode_reply

Document = dict[str, Any]
Servers = Callable[..., JavaServer]


def plain_port(server: JavaServer) -> int:
    port = urlsplit(server.plain_uri()).port
    assert port is not None
    return port


@pytest.fixture
async def relay(server: JavaServer) -> AsyncIterator[Relay]:
    """Between the client and the server's port without TLS."""
    async with relaying(plain_port(server)) as made:
        yield made


async def test_it_does_not_know_hello(client: AsyncClient[Document]) -> None:
    """What the rest of this module is about."""
    with pytest.raises(OperationFailure, match="no such command: 'hello'") as caught:
        await client.admin.command("hello")
    assert caught.value.code == 59


async def test_every_connection_begins_with_the_legacy_name(relay: Relay) -> None:
    """In OP_MSG, with `helloOk`, which this server ignores."""
    async with AsyncClient.connect(relay.uri) as client:
        await asyncio.gather(*(client.admin.command("ping") for _ in range(5)))
    first = {request.connection: request for request in reversed(relay.requests)}
    assert len(first) >= 2
    for request in first.values():
        assert (request.name, request.op_code, request.flags) == ("isMaster", OP_MSG, 0)
        assert request.body["helloOk"] is True
        assert request.body["$db"] == "admin"
        assert "driver" in request.body["client"]


async def test_later_checks_keep_the_legacy_name(relay: Relay) -> None:
    """Without `helloOk` in the reply there is no other, and each asks for it again."""
    async with AsyncClient.connect(relay.uri, heartbeatFrequencyMS=500):
        await relay.occurs("isMaster", 5)
    later = [request.body for request in relay.named("isMaster") if "client" not in request.body]
    assert len(later) >= 2
    for body in later:
        assert body == {"isMaster": 1, "helloOk": True, "$db": "admin"}
    assert relay.named("hello") == []


async def test_checks_do_not_stream(server: JavaServer) -> None:
    """It tells no topology version, so that nobody waits for a newer one."""
    events = Events()
    async with AsyncClient.connect(server.uri(), heartbeatFrequencyMS=500, event_listeners=[events]):
        await events.occurs(ServerHeartbeatSucceededEvent, 3)
    assert not any(event.awaited for event in events.of(ServerHeartbeatStartedEvent, ServerHeartbeatSucceededEvent))


async def test_what_it_is(client: AsyncClient[Document]) -> None:
    """A standalone server, from a reply of few fields."""
    description = client.topology_description
    (found,) = description.server_descriptions().values()
    assert (description.topology_type_name, found.server_type_name) == ("Single", "Standalone")
    assert (found.min_wire_version, found.max_wire_version) == (0, 21)
    assert found.logical_session_timeout_minutes is None
    assert found.topology_version is None
    assert found.reply is not None
    assert found.reply.keys().isdisjoint({"helloOk", "connectionId", "isWritablePrimary", "setName", "msg"})


@pytest.mark.parametrize("direct", [True, False])
async def test_connected_directly_or_not(server: JavaServer, direct: bool) -> None:
    """One server is one server."""
    async with AsyncClient.connect(server.uri(directConnection=direct)) as client:
        assert await client.admin.command("ping") == {"ok": 1.0}


@pytest.mark.parametrize("mode", ["primaryPreferred", "secondary", "secondaryPreferred", "nearest"])
async def test_a_standalone_server_answers_every_read_preference(server: JavaServer, mode: str, name: str) -> None:
    """There is no other server to read from."""
    async with AsyncClient.connect(server.uri(readPreference=mode)) as client:
        await client["javaserver"][name].insert_one({"_id": 1})
        assert await client["javaserver"][name].find_one() == {"_id": 1}


async def test_it_is_no_member_of_a_replica_set(server: JavaServer) -> None:
    """Told at once, and not after a time limit has passed."""
    with pytest.raises(ConfigurationError, match="is of type Standalone and no member of replica set 'rs0'"):
        async with AsyncClient.connect(server.uri(replicaSet="rs0")):
            pass


@pytest.mark.parametrize(("version", "wire"), [("MONGO_3_6", 6), ("MONGO_4_0", 7)])
async def test_a_server_that_is_too_old(servers: Servers, version: str, wire: int) -> None:
    """As it can be of itself: refused at once, as PyMongo does."""
    old = servers(java_options=[f"-DserverVersion={version}"])
    with pytest.raises(ConfigurationError, match=f"127.0.0.1.* reports wire version {wire}.*at least 8"):
        async with AsyncClient.connect(old.uri()):
            pass
    with (
        pymongo.MongoClient[Document](old.uri()) as theirs,
        pytest.raises(pymongo.errors.ConfigurationError, match=f"wire version {wire}"),
    ):
        theirs.admin.command("ping")


async def test_the_oldest_server_that_is_spoken_to(servers: Servers, name: str) -> None:
    """Wire version 8, where PyMongo begins at 9."""
    old = servers(java_options=["-DserverVersion=MONGO_5_0"])
    async with AsyncClient.connect(old.uri()) as client:
        (found,) = client.topology_description.server_descriptions().values()
        assert found.max_wire_version == 8
        things = client["javaserver"][name]
        await things.insert_many([{"_id": number} for number in range(2500)])
        await things.update_one({"_id": 7}, {"$set": {"x": 1}})
        assert await things.find_one({"x": 1}) == {"_id": 7, "x": 1}
        assert len(await things.find({}, batch_size=100).to_list()) == 2500


async def test_nothing_is_said_of_sessions(relay: Relay, name: str) -> None:
    """It has none: no session, no transaction number, no cluster time, in reads and writes and at the end."""
    async with AsyncClient.connect(relay.uri) as client:
        things = client["javaserver"][name]
        await things.insert_many([{"_id": number} for number in range(10)])
        await things.update_one({"_id": 1}, {"$set": {"x": 1}})
        await things.find_one_and_delete({"_id": 2})
        await things.bulk_write([DeleteOne({"_id": 3}), InsertOne({"_id": 11})])
        assert len(await things.find({}, batch_size=3).to_list()) == 9
        await (await things.aggregate([{"$match": {}}])).to_list()
    assert {"insert", "update", "delete", "findAndModify", "find", "getMore", "aggregate"} <= {
        request.name for request in relay.requests
    }
    for request in relay.requests:
        assert request.body.keys().isdisjoint({"lsid", "txnNumber", "$clusterTime", "startTransaction"})
    assert relay.named("endSessions") == []


@pytest.mark.parametrize(
    ("command", "field", "write"),
    [
        ("insert", "documents", lambda things: things.insert_many([{"_id": n} for n in range(10_000, 12_500)])),
        ("insert", "documents", lambda things: things.bulk_write([InsertOne({}) for _ in range(2500)])),
        (
            "update",
            "updates",
            lambda things: things.bulk_write([UpdateOne({"_id": n}, {"$set": {"x": n}}) for n in range(2500)]),
        ),
        ("delete", "deletes", lambda things: things.bulk_write([DeleteOne({"_id": n}) for n in range(2500)])),
    ],
)
async def test_batches_are_as_large_as_the_server_says(
    relay: Relay, name: str, command: str, field: str, write: Callable[[AsyncCollection[Document]], object]
) -> None:
    """It takes 1000 statements at a time, where MongoDB takes 100 000."""
    async with AsyncClient.connect(relay.uri) as client:
        result = write(client["javaserver"][name])
        assert asyncio.iscoroutine(result)
        await result
    assert [len(request.sequences[field]) for request in relay.named(command)] == [1000, 1000, 500]


def test_a_hello_by_op_query(server: JavaServer) -> None:
    """As older drivers send it: our reading of the question and our writing of the answer fit what a real one says."""
    hello = bson.encode({"isMaster": 1, "helloOk": True})
    query = struct.pack("<i", 4) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + hello
    assert decode_query(query).query == hello
    with socket.create_connection(("127.0.0.1", plain_port(server)), timeout=10) as connection:
        connection.sendall(struct.pack("<iiii", 16 + len(query), 7, 0, 2004) + query)
        with connection.makefile("rb") as stream:
            length, _, response_to, op_code = struct.unpack("<iiii", stream.read(16))
            payload = stream.read(length - 16)
    assert (response_to, op_code) == (7, 1)
    document = payload[20:]
    assert bson.decode(document)["ismaster"] is True
    theirs, ours = (struct.unpack_from("<iqii", data) for data in (payload, encode_reply(document)))
    # All but the flags: this server does not say that it can await.
    assert theirs[1:] == ours[1:] == (0, 0, 1)
    assert len(encode_reply(document)) == len(payload)


async def test_it_cannot_be_behind_a_load_balancer(server: JavaServer) -> None:
    """There hello has its new name (load balancers, "MongoClient Configuration"): the refusal is what is told."""
    with pytest.raises(ServerSelectionTimeoutError, match="no such command: 'hello'") as caught:
        async with AsyncClient.connect(server.uri(loadBalanced=True, serverSelectionTimeoutMS=500)):
            pass
    assert isinstance(caught.value.__cause__, OperationFailure)
