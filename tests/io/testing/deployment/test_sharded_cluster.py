"""`ShardedCluster` in a test's hands, with and without a load balancer."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect

from aiomongo_tls.testing import MongoTestServer, ShardedCluster


def test_one_store_for_all() -> None:
    """What is written by one is read by the other; crashes and partitions are those of one."""
    with ShardedCluster(2, tls="off") as cluster:
        first, second = cluster.mongos
        assert repr(cluster) == f"<ShardedCluster {first.address}, {second.address}>"
        assert cluster.uri() == f"mongodb://{first.address},{second.address}/"
        with pymongo.MongoClient(first.uri()) as client:
            client.app.users.insert_one({"_id": 1})
            assert client.admin.command("hello")["msg"] == "isdbgrid"
        with pymongo.MongoClient[dict[str, Any]](second.uri()) as client:
            cluster.kill(first)
            assert client.app.users.find_one() == {"_id": 1}
        cluster.partition(second)
        cluster.reset()
        with pymongo.MongoClient[dict[str, Any]](cluster.uri()) as client:
            assert client.app.users.find_one() is None


async def test_async_with() -> None:
    """It is an asynchronous context manager too."""
    async with (
        ShardedCluster(2, tls="off", load_balancer=True) as cluster,
        pymongo.AsyncMongoClient[dict[str, Any]](cluster.uri()) as client,
    ):
        assert (await client.admin.command("ping"))["ok"] == 1.0


def test_a_load_balancer() -> None:
    """Connections go round, past those that are down; with none left they are closed."""
    with ShardedCluster(3, tls="off", load_balancer=True) as cluster:
        address = cluster.addresses[0]
        place = (address.host, address.port or 0)
        socks = [socket.create_connection(place, 5) for _ in range(6)]
        uri = cluster.uri(maxPoolSize=1)
        with pymongo.MongoClient(uri) as client:
            service = client.admin.command("ping")["ok"]
            assert service == 1.0
        assert [len(mongos.connections) for mongos in cluster.mongos] in ([2, 2, 2], [3, 2, 2])
        for mongos in cluster.mongos:
            cluster.kill(mongos)
        for sock in socks:
            with sock, pytest.raises(ConnectionResetError):
                sock.recv(1)
        with socket.create_connection(place, 5) as sock:
            assert sock.recv(1) == b""
        cluster.restart(cluster.mongos[2])
        with pymongo.MongoClient(uri) as client:
            client.admin.command("ping")
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("LoadBalancer")]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place)
    with cluster:
        assert cluster.addresses == [address]


def test_a_cursor_belongs_to_its_mongos() -> None:
    """A getMore that another one gets fails with 43, which is why drivers keep to the connection."""
    with ShardedCluster(2, tls="off", load_balancer=True) as cluster, pymongo.MongoClient(cluster.uri()) as client:
        client.app.users.insert_many([{} for _ in range(5)])
        cursor = client.app.users.find(batch_size=2)
        next(cursor)
        (mongos,) = [mongos for mongos in cluster.mongos if mongos.commands_named("find")]
        cluster.kill(mongos)
        next(cursor)
        with pytest.raises(AutoReconnect):
            next(cursor)


def test_nobody_adopts_for_a_server_that_is_down() -> None:
    """The connection stays the caller's."""
    left, right = socket.socketpair()
    with left, right:
        assert not MongoTestServer(tls="off").adopt(left)
        with MongoTestServer(tls="off") as server:
            assert server.adopt(left.dup())


@pytest.mark.parametrize("wrong", [{"mongos": 0}, {"hosts": ["127.0.0.1"]}, {"names": ["a", "b", "c"]}])
def test_what_is_no_cluster(wrong: dict[str, Any]) -> None:
    """It is refused where it is written."""
    with pytest.raises(ValueError, match=r"mongos"):
        ShardedCluster(**wrong)
