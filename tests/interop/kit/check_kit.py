"""One test file for the pytest plugin, run unchanged under every plugin and mode by test_plugins.py."""

from __future__ import annotations

import os
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from aiomongo_tls.testing import CertKit, MongoTestServer, ReplicaSet

PORTS: list[int | None] = []


def asynchronous(test: Any) -> Any:
    """Mark a coroutine for whoever runs it; plain tests need no mark."""
    match os.environ["KIT_ASYNC"]:
        case "asyncio":
            return pytest.mark.asyncio(test)
        case "asyncio-session":
            return pytest.mark.asyncio(loop_scope="session")(test)
        case "anyio":
            return pytest.mark.anyio(test)
        case "plain":
            return pytest.mark.skip(reason="no plugin runs coroutines here")(test)
        case _:
            return test


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynchronous
@pytest.mark.parametrize("turn", [1, 2])
async def test_our_client(aiomongo_server: MongoTestServer, turn: int) -> None:
    async with aiomongo_server.connect() as client:
        users = client["app"]["users"]
        assert await users.find_one() is None, "the data are those of another test"
        await users.insert_one({"_id": turn})
    PORTS.append(aiomongo_server.address.port)


@asynchronous
async def test_pymongo_async(aiomongo_server: MongoTestServer) -> None:
    async with pymongo.AsyncMongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        assert await client.app.users.find_one() is None
        await client.app.users.insert_one({"_id": 1})


@pytest.mark.parametrize("turn", [1, 2])
def test_pymongo(aiomongo_certs: CertKit, aiomongo_server: MongoTestServer, turn: int) -> None:
    assert aiomongo_server.commands == [], "the log is that of another test"
    ada = aiomongo_certs.client("ada")
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri(client=ada)) as client:
        with pytest.raises(OperationFailure) as caught:
            client.app.users.find_one()
        assert caught.value.code == 18, "the users are those of another test"
    aiomongo_server.add_user(ada)
    aiomongo_server.on("ping").fails(1)
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri(client=ada)) as client:
        assert client.app.users.find_one() is None
        client.app.users.insert_one({"_id": turn})
    PORTS.append(aiomongo_server.address.port)


def test_a_stopped_server_is_started_again(aiomongo_server: MongoTestServer) -> None:
    aiomongo_server.stop()
    aiomongo_server.rotate(aiomongo_server.certs.server("other.example"))


def test_after_that(aiomongo_server: MongoTestServer) -> None:
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        assert client.admin.command("ping")["ok"] == 1.0
    PORTS.append(aiomongo_server.address.port)
    assert len(set(PORTS)) == 1, "tests with equal markers share one listener"


@pytest.mark.aiomongo(tls="off")
def test_without_tls(aiomongo_server: MongoTestServer) -> None:
    assert aiomongo_server.address.port not in PORTS
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        assert client.app.users.find_one() is None


@pytest.mark.aiomongo(tls="require", users=["CN=only,O=Example"])
class TestAMarkedClass:
    """A marker on a class is for its tests."""

    def test_a_user_by_name(self, aiomongo_certs: CertKit, aiomongo_server: MongoTestServer) -> None:
        only = aiomongo_certs.client(subject="CN=only,O=Example")
        with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri(client=only)) as client:
            assert client.app.users.find_one() is None

    @pytest.mark.aiomongo(tls="require_client")
    def test_its_own_marker_wins(self, aiomongo_server: MongoTestServer) -> None:
        uri = aiomongo_server.uri(client=None)
        with (
            pymongo.MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=50) as client,
            pytest.raises(ServerSelectionTimeoutError),
        ):
            client.admin.command("ping")


@pytest.mark.aiomongo(topology="replica_set")
def test_a_set_of_one(aiomongo_server: MongoTestServer) -> None:
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        assert client.admin.command("hello")["setName"] == "rs0"


@asynchronous
async def test_a_replica_set(aiomongo_replica_set: ReplicaSet) -> None:
    async with pymongo.AsyncMongoClient[dict[str, Any]](aiomongo_replica_set.uri()) as client:
        await client.app.users.insert_one({"_id": 1})
        aiomongo_replica_set.step_down()
        assert await client.app.users.find_one() == {"_id": 1}
