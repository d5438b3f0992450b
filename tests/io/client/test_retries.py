"""Retries against the embedded server with its fail points: prose tests of retryable reads, writes and backpressure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aiomongo_tls import (
    AsyncClient,
    AutoReconnect,
    BulkWriteError,
    DeleteOne,
    InsertOne,
    NotPrimaryError,
    OperationFailure,
    UpdateMany,
    UpdateOne,
    WriteConcernError,
)
from aiomongo_tls.testing import MongoTestServer, RecordedCommand, ReplicaSet, ShardedCluster

OVERLOADED = ["SystemOverloadedError", "RetryableError"]


@pytest.fixture
def server() -> Iterator[MongoTestServer]:
    """The only member of a replica set."""
    with MongoTestServer(topology="replica_set", tls="off") as running:
        yield running


def sent(server: MongoTestServer, name: str) -> list[dict[str, Any]]:
    return [dict(command.document) for command in server.commands_named(name)]


async def connected(server: MongoTestServer, **options: Any) -> AsyncClient[dict[str, Any]]:
    client = await server.connect(**options)
    # Chance decides how long a pause is; here it decides that there is none.
    client._executor._chance = lambda: 0.0
    return client


async def test_a_write_whose_reply_was_lost_is_done_once(server: MongoTestServer) -> None:
    """The server tells by session and number that it has done it; the result is that of the first time."""
    async with await connected(server) as client:
        users = client.app.users
        await users.insert_one({"_id": 1, "n": 0})
        with server.fail_point("onPrimaryTransactionalWrite", {"times": 1}):
            result = await users.update_one({"_id": 1}, {"$inc": {"n": 1}})
        assert result.modified_count == 1
        assert await users.find_one(1) == {"_id": 1, "n": 1}
        first, second = sent(server, "update")
        assert (first["lsid"], first["txnNumber"]) == (second["lsid"], second["txnNumber"])


@pytest.mark.parametrize("name", ["insert", "update", "delete", "findAndModify"])
async def test_every_kind_of_retryable_write(server: MongoTestServer, name: str) -> None:
    """Single writes, bulks, find_one_and_...: sent again after a hang-up."""
    async with await connected(server) as client:
        users = client.app.users
        await users.insert_many([{"_id": number, "n": 0} for number in range(3)])
        with server.fail_point(mode={"times": 1}, failCommands=[name], closeConnection=True):
            await users.bulk_write([InsertOne({"_id": 7}), UpdateOne({"_id": 1}, {"$inc": {"n": 1}}), DeleteOne({})])
            await users.find_one_and_update({"_id": 2}, {"$inc": {"n": 1}})
        assert await users.count_documents({}) == 3
        numbers = [document["txnNumber"] for document in sent(server, name)]
        assert len(numbers) - len(set(numbers)) == 1


async def test_writes_of_several_documents_are_not_repeated(server: MongoTestServer) -> None:
    """`update_many`, `delete_many`, and a bulk with one of them."""
    async with await connected(server) as client:
        users = client.app.users
        for name, write in (
            ("update", lambda: users.update_many({}, {"$set": {"a": 1}})),
            ("delete", lambda: users.delete_many({})),
            (
                "update",
                lambda: users.bulk_write([UpdateOne({}, {"$set": {"a": 1}}), UpdateMany({}, {"$set": {"a": 1}})]),
            ),
        ):
            with (
                server.fail_point(mode={"times": 1}, failCommands=[name], closeConnection=True),
                pytest.raises(AutoReconnect) as raised,
            ):
                await write()
            assert not raised.value.has_error_label("RetryableWriteError")
            assert "txnNumber" not in sent(server, name)[-1]


@pytest.mark.parametrize("name", ["find", "aggregate", "distinct", "count", "listCollections", "listIndexes"])
async def test_every_kind_of_retryable_read(server: MongoTestServer, name: str) -> None:
    """Whatever reads and opens its own cursor."""
    async with await connected(server) as client:
        users = client.app.users
        await users.insert_one({"_id": 1})
        with server.fail_point(mode={"times": 1}, failCommands=[name], errorCode=6):
            await users.find_one()
            await users.find().to_list()
            await users.count_documents({})
            await users.distinct("a")
            await users.estimated_document_count()
            await client.app.list_collection_names()
            await users.index_information()
        assert server.commands_named(name)


async def test_get_more_and_run_command_are_not_repeated(server: MongoTestServer) -> None:
    """Nobody can know what the first attempt has done."""
    async with await connected(server) as client:
        users = client.app.users
        await users.insert_many([{"_id": number} for number in range(5)])
        cursor = users.find(batch_size=2)
        await cursor.next()
        with (
            server.fail_point(mode={"times": 1}, failCommands=["getMore"], closeConnection=True),
            pytest.raises(AutoReconnect),
        ):
            await cursor.to_list()
        with (
            server.fail_point(mode={"times": 1}, failCommands=["find"], closeConnection=True),
            pytest.raises(AutoReconnect),
        ):
            await client.app.command("find", "users")


async def test_a_pool_that_was_cleared(server: MongoTestServer) -> None:
    """Two operations, one connection: both succeed with three commands (reads, prose test 1; writes, prose test 2)."""
    async with await connected(server, maxPoolSize=1, heartbeatFrequencyMS=500) as client:
        users = client.app.users
        for name, labels in (("find", []), ("insert", ["RetryableWriteError"])):
            before = len(server.commands_named(name))
            with server.fail_point(
                mode={"times": 1},
                failCommands=[name],
                errorCode=91,
                errorLabels=labels,
                blockConnection=True,
                blockTimeMS=50,
            ):
                operation = users.find_one if name == "find" else lambda: users.insert_one({})
                await asyncio.gather(operation(), operation())
            assert len(server.commands_named(name)) - before == 3


@pytest.mark.parametrize("name", ["find", "insert"])
async def test_a_sharded_cluster(name: str) -> None:
    """The other mongos is tried, and the same one where there is no other (reads, prose test 2; writes, 4 and 5)."""
    for count in (2, 1):
        with ShardedCluster(mongos=count, tls="off") as cluster:
            async with cluster.connect() as client:
                while len(client.nodes) < count:
                    await client.app.users.find_one()
                points = [
                    server.fail_point(
                        mode={"times": 1}, failCommands=[name], errorCode=6, errorLabels=["RetryableWriteError"]
                    )
                    for server in cluster.servers
                ]
                before = [len(server.commands_named(name)) for server in cluster.servers]
                operation = client.app.users.find_one() if name == "find" else client.app.users.insert_one({})
                if count == 2:
                    with pytest.raises(OperationFailure):
                        await operation
                else:
                    await operation
                after = [len(server.commands_named(name)) for server in cluster.servers]
                assert [b - a for a, b in zip(before, after, strict=True)] == ([1, 1] if count == 2 else [2])
                for point in points:
                    point.off()


@pytest.mark.parametrize(
    ("labels", "retargets", "same"),
    [(OVERLOADED, True, False), (OVERLOADED[1:], True, True), (OVERLOADED, False, True)],
    ids=["3.1", "3.2", "3.3"],
)
async def test_retargeting(labels: list[str], retargets: bool, same: bool) -> None:
    """Retryable reads, prose tests 3.1, 3.2 and 3.3."""
    with ReplicaSet(members=2, tls="off") as members:
        options: Any = {"readPreference": "primaryPreferred", "enableOverloadRetargeting": retargets}
        async with members.connect(**options) as client:
            client._executor._chance = lambda: 0.0
            async with asyncio.timeout(5):
                while len(client.nodes) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            primary = members.wait_for_primary()
            with primary.fail_point(mode={"times": 1}, failCommands=["find"], errorCode=6, errorLabels=labels):
                await client.app.users.find_one()
            (secondary,) = members.secondaries
            counts = len(primary.commands_named("find")), len(secondary.commands_named("find"))
            assert counts == ((2, 0) if same else (1, 1))


@pytest.mark.parametrize("most", [2, 1])
async def test_overload(server: MongoTestServer, most: int) -> None:
    """MaxAdaptiveRetries, for any command (backpressure, prose tests 3 and 4)."""
    async with await connected(server, **({} if most == 2 else {"maxAdaptiveRetries": most})) as client:
        users = client.app.users
        await users.insert_many([{"_id": number} for number in range(5)])
        cursor = users.find(batch_size=2)
        await cursor.next()
        await cursor.next()
        for name, operation in (
            ("find", users.find_one),
            ("insert", lambda: users.insert_one({})),
            ("update", lambda: users.update_many({}, {"$set": {"a": 1}})),
            ("createIndexes", lambda: users.create_index("a")),
            ("ping", lambda: client.admin.command("ping")),
            ("getMore", cursor.next),
        ):
            before = len(server.commands_named(name))
            with (
                server.fail_point(failCommands=[name], errorCode=462, errorLabels=OVERLOADED),
                pytest.raises(OperationFailure) as raised,
            ):
                await operation()
            assert all(raised.value.has_error_label(label) for label in OVERLOADED)
            assert len(server.commands_named(name)) - before == most + 1


@pytest.mark.parametrize(
    ("options", "spared"),
    [({"retryReads": False}, ["find", "ping"]), ({"retryWrites": False}, ["insert", "drop", "ping"])],
)
async def test_overload_without_retries(server: MongoTestServer, options: dict[str, Any], spared: list[str]) -> None:
    """RetryReads=false, retryWrites=false; commands of the user's own need both."""
    async with await connected(server, **options) as client:
        operations: dict[str, Any] = {
            "find": client.app.users.find_one,
            "insert": lambda: client.app.users.insert_one({}),
            "drop": client.app.users.drop,
            "ping": lambda: client.admin.command("ping"),
        }
        for name, operation in operations.items():
            with server.fail_point(mode={"times": 2}, failCommands=[name], errorCode=462, errorLabels=OVERLOADED):
                if name in spared:
                    with pytest.raises(OperationFailure):
                        await operation()
                else:
                    await operation()


class Sequel:
    """Turns the next fail point on when the first error is on its way, before the retry."""

    def __init__(self, server: MongoTestServer, client: AsyncClient[dict[str, Any]], **data: Any) -> None:
        self._active: list[Any] = []

        async def sleep_or_not(_: float) -> None:
            self.turn_on()

        self._turn_on = lambda: server.fail_point(failCommands=["insert"], **data)
        client._executor._sleep = sleep_or_not
        client._executor._chance = lambda: 1e-9

    def turn_on(self) -> None:
        if not self._active:
            self._active.append(self._turn_on())

    def off(self) -> None:
        for active in self._active:
            active.off()


NOTHING_WRITTEN = "NoWritesPerformed"


@pytest.mark.parametrize(
    ("first", "second", "code", "labelled"),
    [
        ((91, OVERLOADED), (10107, OVERLOADED), 10107, False),
        ((91, [*OVERLOADED, NOTHING_WRITTEN]), (10107, [*OVERLOADED, NOTHING_WRITTEN]), 91, True),
        ((91, OVERLOADED), (91, [*OVERLOADED, NOTHING_WRITTEN]), 91, False),
    ],
    ids=["case 1", "case 2", "case 3"],
)
async def test_which_error_is_raised(
    server: MongoTestServer, first: tuple[int, list[str]], second: tuple[int, list[str]], code: int, labelled: bool
) -> None:
    """Retryable writes, prose test 6, cases 1 to 3."""
    async with await connected(server, heartbeatFrequencyMS=500) as client:
        sequel = Sequel(server, client, errorCode=second[0], errorLabels=second[1])
        with (
            server.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=first[0], errorLabels=first[1]),
            pytest.raises(NotPrimaryError) as raised,
        ):
            await client.app.users.insert_one({"x": 1})
        assert raised.value.code == code
        assert raised.value.has_error_label(NOTHING_WRITTEN) is labelled
        assert len(server.commands_named("insert")) == 3
        sequel.off()


async def test_overload_caps_what_follows(server: MongoTestServer) -> None:
    """Retryable writes, prose test 6, case 4; retryable reads, prose test 4: three attempts."""
    async with await connected(server, heartbeatFrequencyMS=500) as client:
        sequel = Sequel(server, client, errorCode=91, errorLabels=["RetryableError", "RetryableWriteError"])
        with (
            server.fail_point(mode={"times": 1}, failCommands=["insert"], errorCode=91, errorLabels=OVERLOADED),
            pytest.raises(NotPrimaryError),
        ):
            await client.app.users.insert_one({"x": 1})
        assert len(server.commands_named("insert")) == 3
        sequel.off()


async def test_the_write_concern_s_error_comes_first(server: MongoTestServer) -> None:
    """If the retry has written nothing (retryable writes, prose test 3)."""
    async with await connected(server, heartbeatFrequencyMS=500) as client:

        def second(_: RecordedCommand) -> bool:
            return len(server.commands_named("insert")) > 1

        server.on("insert", where=second).replies(
            {"ok": 0.0, "code": 10107, "errmsg": "no", "errorLabels": ["RetryableWriteError", NOTHING_WRITTEN]}
        )
        with (
            server.fail_point(
                mode={"times": 1},
                failCommands=["insert"],
                writeConcernError={"code": 91, "errmsg": "bye"},
                errorLabels=["RetryableWriteError"],
            ),
            pytest.raises(WriteConcernError) as raised,
        ):
            await client.app.users.insert_one({"x": 1})
        assert raised.value.code == 91
        assert len(server.commands_named("insert")) == 2


async def test_a_bulk_reports_what_was_done_before_it_broke_off(server: MongoTestServer) -> None:
    """The run that fails twice is told with those before it."""
    async with await connected(server, heartbeatFrequencyMS=500) as client:
        with (
            server.fail_point(mode={"times": 2}, failCommands=["update"], closeConnection=True),
            pytest.raises(AutoReconnect) as raised,
        ):
            await client.app.users.bulk_write([InsertOne({"_id": 1}), UpdateOne({}, {"$set": {"a": 1}})])
        assert raised.value.has_error_label("RetryableWriteError")
        assert any("1 inserted" in note for note in raised.value.__notes__)
        labels = ["RetryableWriteError"]
        with (
            server.fail_point(
                failCommands=["insert"], writeConcernError={"code": 91, "errmsg": "bye"}, errorLabels=labels
            ),
            pytest.raises(BulkWriteError) as collected,
        ):
            await client.app.users.insert_many([{"_id": 2}, {"_id": 3}])
        assert collected.value.details is not None
        assert collected.value.details["nInserted"] == 2
        assert [error["code"] for error in collected.value.details["writeConcernErrors"]] == [91]


async def test_a_failover_costs_no_operation() -> None:
    """The primary is killed in the middle: reads and writes go on at the next one, each write done once."""
    with ReplicaSet(members=3, tls="off") as members:
        async with members.connect(heartbeatFrequencyMS=500, timeoutMS=20_000) as client:
            users = client.app.users
            stop = threading.Event()

            async def work(worker: int) -> int:
                number = 0
                while not stop.is_set() or number < 3:
                    await users.insert_one({"_id": f"{worker}/{number}"})
                    await users.update_one({"_id": f"{worker}/{number}"}, {"$inc": {"n": 1}})
                    assert await users.find_one({"_id": f"{worker}/{number}", "n": 1})
                    number += 1
                return number

            async with asyncio.timeout(30):
                workers = [asyncio.create_task(work(worker)) for worker in range(5)]
                for _ in range(2):
                    primary = await asyncio.to_thread(members.wait_for_primary)
                    await asyncio.to_thread(members.kill, primary)
                    await asyncio.to_thread(members.wait_for_primary)
                    members.restart(primary)
                stop.set()
                counts = await asyncio.gather(*workers)
            assert await users.count_documents({"n": 1}) == await users.count_documents({}) == sum(counts)
