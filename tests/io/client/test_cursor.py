"""Cursors, end to end."""

from __future__ import annotations

import asyncio
import copy
import gc
import weakref
from typing import Any

import pytest

from aiomongo_tls import (
    ASCENDING,
    DESCENDING,
    AsyncClient,
    AsyncCollection,
    AsyncCommandCursor,
    AutoReconnect,
    Collation,
    CursorNotFound,
    CursorType,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    timeout,
)
from aiomongo_tls.testing import MongoTestServer

Users = AsyncCollection[dict[str, Any]]


@pytest.fixture
async def ten(users: Users) -> Users:
    await users.insert_many([{"_id": number, "name": f"name {number}"} for number in range(10)])
    return users


def sent(server: MongoTestServer, *names: str) -> list[dict[str, Any]]:
    return [command.document for command in server.commands_named(*names)]


def ids(documents: list[dict[str, Any]]) -> list[Any]:
    return [document["_id"] for document in documents]


# Batches


async def test_several_batches(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Nothing is sent before the first document is asked for; each getMore in the session of the find."""
    cursor = ten.find({}, batch_size=4, comment="why").sort("_id")
    assert cursor.alive
    assert cursor.cursor_id is None
    assert cursor.address is None
    assert not sent(aiomongo_server, "find")
    assert [document["_id"] async for document in cursor] == list(range(10))
    assert not cursor.alive
    assert cursor.cursor_id == 0
    assert cursor.retrieved == 10
    assert cursor.address == ("127.0.0.1", aiomongo_server.address.port)
    (find,) = sent(aiomongo_server, "find")
    more = sent(aiomongo_server, "getMore")
    assert [(each["batchSize"], each["comment"], each["lsid"]) for each in more] == [(4, "why", find["lsid"])] * 2
    assert not sent(aiomongo_server, "killCursors")


async def test_limits_and_batch_sizes(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """The last getMore asks for what is missing, and a cursor that stays open then is killed.

    A limit that is the batch size needs no second batch, and no killing.
    """
    assert ids(await ten.find(limit=7, batch_size=3, sort=[("_id", 1)]).to_list()) == list(range(7))
    assert [each["batchSize"] for each in sent(aiomongo_server, "getMore")] == [3, 1]
    assert ids(await ten.find(sort="_id").limit(4).batch_size(4).to_list()) == list(range(4))
    assert ids(await ten.find(sort="_id").limit(-4).to_list()) == list(range(4))
    assert ids(await ten.find(sort="_id").skip(8).to_list()) == [8, 9]
    assert len(sent(aiomongo_server, "getMore")) == 2
    assert len(sent(aiomongo_server, "killCursors")) == 1


async def test_a_cursor_that_stays_open_at_its_limit_is_killed(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """As servers since MongoDB 5.0 leave it."""
    batch = [{"_id": number} for number in range(3)]
    aiomongo_server.on("find").replies({"cursor": {"id": 77, "ns": "app.users", "firstBatch": batch}})
    assert ids(await ten.find(limit=3).to_list()) == [0, 1, 2]
    (killed,) = sent(aiomongo_server, "killCursors")
    assert (killed["killCursors"], killed["cursors"]) == ("users", [77])


async def test_an_empty_batch_is_not_the_end(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """A router answers so while its shards are slow."""
    aiomongo_server.on("find").replies({"cursor": {"id": 77, "ns": "app.users", "firstBatch": []}})
    aiomongo_server.on("getMore").replies({"cursor": {"id": 77, "ns": "app.users", "nextBatch": []}}).once()
    aiomongo_server.on("getMore").replies({"cursor": {"id": 0, "ns": "app.users", "nextBatch": [{"_id": 1}]}})
    assert ids([document async for document in ten.find()]) == [1]
    assert len(sent(aiomongo_server, "getMore")) == 2


async def test_to_list(ten: Users) -> None:
    """All, or at most so many, going on where the last call stopped."""
    cursor = ten.find(batch_size=3, sort="_id")
    assert ids(await cursor.to_list(4)) == [0, 1, 2, 3]
    assert ids(await cursor.to_list(length=1)) == [4]
    assert ids(await cursor.to_list(None)) == [5, 6, 7, 8, 9]
    assert await cursor.to_list() == []
    with pytest.raises(ValueError, match="at least 1"):
        await cursor.to_list(0)


async def test_next(ten: Users) -> None:
    """One at a time; `anext` and `next` are the same."""
    cursor = ten.find(sort="_id", limit=2)
    assert (await cursor.next())["_id"] == 0
    assert (await anext(cursor))["_id"] == 1
    with pytest.raises(StopAsyncIteration):
        await cursor.next()


# Options


async def test_options_by_method(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Each returns the cursor; the command has them under the server's names."""
    aiomongo_server.on("find").replies({"cursor": {"id": 0, "ns": "app.users", "firstBatch": []}})
    cursor = ten.find({"a": 1}, {"a": 1}, let={"v": 1})
    chained = (
        cursor.sort([("a", ASCENDING), ("b", DESCENDING)])
        .skip(1)
        .limit(2)
        .batch_size(5)
        .hint("a_1")
        .comment("why")
        .collation(Collation("fr"))
        .max([("a", 5)])
        .min([("a", 1)])
        .max_scan(9)
        .max_time_ms(100)
        .allow_disk_use(True)
        .where("true")
    )
    assert chained is cursor
    await cursor.to_list()
    (find,) = sent(aiomongo_server, "find")
    del find["lsid"], find["$db"]
    assert find == {
        "find": "users",
        "filter": {"a": 1, "$where": "true"},
        "projection": {"a": 1},
        "sort": {"a": 1, "b": -1},
        "skip": 1,
        "limit": 2,
        "batchSize": 5,
        "let": {"v": 1},
        "hint": "a_1",
        "comment": "why",
        "collation": {"locale": "fr"},
        "max": {"a": 5},
        "min": {"a": 1},
        "maxScan": 9,
        "maxTimeMS": 100,
        "allowDiskUse": True,
    }


async def test_options_are_set_before_the_first_batch(ten: Users) -> None:
    """Afterwards it would be too late, and silence a wrong answer."""
    cursor = ten.find()
    await cursor.next()
    for change in (
        lambda: cursor.sort("a"),
        lambda: cursor.limit(1),
        lambda: cursor.skip(1),
        lambda: cursor.batch_size(1),
        lambda: cursor.hint("x"),
        lambda: cursor.max_await_time_ms(1),
        lambda: cursor.where("true"),
    ):
        with pytest.raises(InvalidOperation, match="before"):
            change()
    await cursor.close()


async def test_wrong_options_are_refused(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """By the call that has them."""
    wrong: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"filter": 5}, TypeError),
        ({"filter": []}, TypeError),
        ({"projection": 5}, TypeError),
        ({"limit": "1"}, TypeError),
        ({"skip": -1}, ValueError),
        ({"batch_size": -1}, ValueError),
        ({"sort": 5}, TypeError),
        ({"cursor_type": 5}, ValueError),
        ({"cursor_type": CursorType.EXHAUST}, NotImplementedError),
        ({"max_time_ms": "1"}, TypeError),
    ]
    for options, error in wrong:
        with pytest.raises(error):
            ten.find(**options)
    with pytest.raises(ValueError, match="sort"):
        ten.find().sort([])
    assert not sent(aiomongo_server, "find")


async def test_clone_copy_and_rewind(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """A clone begins anew and is changed alone; rewinding kills what is open."""
    cursor = ten.find({"_id": {"$lt": 6}}, batch_size=2, sort="_id")
    await cursor.to_list(3)
    for twin in (cursor.clone(), copy.copy(cursor), copy.deepcopy(cursor)):
        assert ids(await twin.limit(3).to_list()) == [0, 1, 2]
        assert twin.collection is ten
    cursor_id = cursor.cursor_id
    assert await cursor.rewind() is cursor
    assert cursor.cursor_id is None
    assert sent(aiomongo_server, "killCursors")[-1]["cursors"] == [cursor_id]
    assert ids(await cursor.sort("_id", DESCENDING).to_list()) == [5, 4, 3, 2, 1, 0]


async def test_explain(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """The find command, explained with everything."""
    aiomongo_server.on("explain").replies({"queryPlanner": {"x": 1}})
    assert (await ten.find({"a": 1}).sort("a").explain())["queryPlanner"] == {"x": 1}
    (explained,) = sent(aiomongo_server, "explain")
    assert explained["explain"] == {"find": "users", "filter": {"a": 1}, "sort": {"a": 1}}
    assert explained["verbosity"] == "allPlansExecution"


# The end


async def test_closing_kills_the_cursor_on_the_server(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Once, in its session, which goes back; what is left is not read any more."""
    cursor = ten.find(batch_size=2)
    await cursor.next()
    cursor_id = cursor.cursor_id
    await cursor.close()
    await cursor.close()
    assert not cursor.alive
    assert await cursor.to_list() == []
    (killed,) = sent(aiomongo_server, "killCursors")
    assert killed["cursors"] == [cursor_id]
    assert killed["lsid"] == sent(aiomongo_server, "find")[0]["lsid"]
    await ten.find_one()
    assert sent(aiomongo_server, "find")[-1]["lsid"] == killed["lsid"]


async def test_a_block_closes_the_cursor(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Also when it is left by an exception; a cursor that was read to its end needs no killing."""
    async with ten.find(batch_size=2) as cursor:
        async for _ in cursor:
            break
    assert len(sent(aiomongo_server, "killCursors")) == 1
    async with ten.find(batch_size=2) as cursor:
        assert len(await cursor.to_list()) == 10
    async with ten.find():
        pass
    assert len(sent(aiomongo_server, "killCursors")) == 1


async def test_a_cancelled_close_is_finished_by_the_next_operation(
    ten: Users, aiomongo_server: MongoTestServer
) -> None:
    """Whether the server has heard of it is not known; once more does no harm."""
    cursor = ten.find(batch_size=2)
    await cursor.next()
    aiomongo_server.on("killCursors").stays_silent().once()
    task = asyncio.create_task(cursor.close())
    await asyncio.to_thread(aiomongo_server.wait_for, "killCursors")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ten.find_one()
    first, second = await asyncio.to_thread(aiomongo_server.wait_for, "killCursors", count=2)
    assert first.document["cursors"] == second.document["cursors"]


@pytest.mark.parametrize("failure", ["fails", "hangs up"])
async def test_closing_does_not_mind_what_the_server_says(
    ten: Users, aiomongo_server: MongoTestServer, failure: str
) -> None:
    """It is a courtesy."""
    rule = aiomongo_server.on("killCursors").once()
    rule.fails(13) if failure == "fails" else rule.hangs_up()
    cursor = ten.find(batch_size=2)
    await cursor.next()
    await cursor.close()
    assert await ten.find_one() is not None


async def test_sessions_go_back_when_the_server_has_no_more(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Not when the last document has been read: the session of an exhausted cursor serves the next operation."""
    cursor = ten.find()
    await cursor.next()
    await ten.find_one()
    first, second = sent(aiomongo_server, "find")
    assert first["lsid"] == second["lsid"]
    open_cursor = ten.find(batch_size=2)
    await open_cursor.next()
    await ten.find_one()
    third, fourth = sent(aiomongo_server, "find")[2:]
    assert third["lsid"] != fourth["lsid"]
    await open_cursor.close()


async def test_a_forgotten_cursor_is_killed_by_the_next_operation(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Its session goes back at once; no warning, nothing awaited."""
    cursor = ten.find(batch_size=2)
    await cursor.next()
    cursor_id = cursor.cursor_id
    del cursor
    gc.collect()
    await ten.find_one()
    (killed,) = await asyncio.to_thread(aiomongo_server.wait_for, "killCursors")
    assert killed.document["cursors"] == [cursor_id]
    first, second = sent(aiomongo_server, "find")
    assert first["lsid"] == second["lsid"]


async def test_a_cursor_that_the_server_has_lost(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """CursorNotFound, again and again until it is rewound, and nothing is killed."""
    cursor = ten.find(batch_size=2, sort="_id")
    await cursor.next()
    aiomongo_server.on("getMore").fails(43, "cursor id 1 not found").once()
    with pytest.raises(CursorNotFound, match="not found") as raised:
        await cursor.to_list()
    assert not cursor.alive
    with pytest.raises(CursorNotFound, match="lost") as again:
        await cursor.next()
    assert isinstance(again.value.__cause__, CursorNotFound)
    assert raised.value.code == 43
    await ten.find_one()
    assert not sent(aiomongo_server, "killCursors")
    assert len(await (await cursor.rewind()).to_list()) == 10


@pytest.mark.parametrize(
    ("act", "error"),
    [("fails", OperationFailure), ("hangs up", AutoReconnect), ("stays silent", NetworkTimeout)],
)
async def test_after_a_failed_get_more_the_end_is_not_quiet(
    ten: Users, aiomongo_server: MongoTestServer, act: str, error: type[Exception]
) -> None:
    """A loop that goes on after an error must not take what it got for everything."""
    cursor = ten.find(batch_size=2)
    await cursor.to_list(2)
    rule = aiomongo_server.on("getMore").once()
    {"fails": lambda: rule.fails(8000), "hangs up": rule.hangs_up, "stays silent": rule.stays_silent}[act]()
    with pytest.raises(error), timeout(0.2):
        await cursor.next()
    assert not cursor.alive
    for _ in range(2):
        with pytest.raises(CursorNotFound) as raised:
            await cursor.next()
        assert isinstance(raised.value.__cause__, error)
    await ten.find_one()
    (killed,) = await asyncio.to_thread(aiomongo_server.wait_for, "killCursors")
    assert killed.document["killCursors"] == "users"


async def test_a_cancelled_get_more_ends_the_cursor(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Its reply may be lost, so the cursor is not usable; it is killed on the server when there is an occasion."""
    cursor = ten.find(batch_size=2)
    await cursor.to_list(2)
    aiomongo_server.on("getMore").stays_silent().once()
    task = asyncio.create_task(cursor.next())
    await asyncio.to_thread(aiomongo_server.wait_for, "getMore")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not cursor.alive
    with pytest.raises(CursorNotFound):
        await cursor.next()
    await ten.find_one()
    await asyncio.to_thread(aiomongo_server.wait_for, "killCursors")


async def test_a_cancelled_cursor_does_not_keep_itself_alive(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """What it remembers of the cancellation does not lead back to it: without its user it is gone at once."""
    cursor = ten.find(batch_size=2)
    await cursor.to_list(2)
    aiomongo_server.on("getMore").stays_silent().once()
    task = asyncio.create_task(cursor.next())
    await asyncio.to_thread(aiomongo_server.wait_for, "getMore")
    gone = weakref.ref(cursor)
    gc.disable()
    try:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        del cursor, task
        assert gone() is None
    finally:
        gc.enable()


async def test_a_find_that_fails_is_not_an_empty_one(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """Neither at first nor when asked again."""
    aiomongo_server.on("find").fails(13).once()
    cursor = ten.find()
    with pytest.raises(OperationFailure):
        await cursor.to_list()
    with pytest.raises(CursorNotFound):
        await cursor.to_list()
    await cursor.close()
    # Closed is closed: there is nothing left to complain of.
    assert await cursor.to_list() == []
    assert not sent(aiomongo_server, "killCursors")


# Tailable cursors


async def test_tailable_cursors_wait_at_the_end(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """An empty batch ends an iteration, not the cursor; only awaitData sends how long to wait."""
    first = {"cursor": {"id": 77, "ns": "app.users", "firstBatch": [{"_id": 1}]}}
    aiomongo_server.on("find").replies(first)
    aiomongo_server.on("getMore").replies({"cursor": {"id": 77, "ns": "app.users", "nextBatch": []}}).once()
    aiomongo_server.on("getMore").replies({"cursor": {"id": 77, "ns": "app.users", "nextBatch": [{"_id": 2}]}}).once()
    aiomongo_server.on("getMore").replies({"cursor": {"id": 77, "ns": "app.users", "nextBatch": []}}).times(2)
    aiomongo_server.on("getMore").fails(136, "CappedPositionLost")
    cursor = ten.find(cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(50)
    assert ids(await cursor.to_list()) == [1]
    assert cursor.alive
    assert ids([document async for document in cursor]) == [2]
    with pytest.raises(StopAsyncIteration):
        await cursor.next()
    assert cursor.alive
    # Overtaken by the capped collection: an end like any other, and `alive` tells.
    assert await cursor.to_list() == []
    assert not cursor.alive
    assert await cursor.to_list() == []
    (find,) = sent(aiomongo_server, "find")
    assert (find["tailable"], find["awaitData"]) == (True, True)
    assert [each["maxTimeMS"] for each in sent(aiomongo_server, "getMore")] == [50] * 5
    assert not sent(aiomongo_server, "killCursors")


async def test_a_cursor_that_does_not_await_data_says_nothing_of_the_time(
    ten: Users, aiomongo_server: MongoTestServer
) -> None:
    """Servers refuse maxTimeMS on its getMore."""
    aiomongo_server.on("find").replies({"cursor": {"id": 77, "ns": "app.users", "firstBatch": []}})
    aiomongo_server.on("getMore").replies({"cursor": {"id": 0, "ns": "app.users", "nextBatch": []}})
    cursor = ten.find(cursor_type=CursorType.TAILABLE).max_await_time_ms(50)
    assert await cursor.to_list() == []
    assert await cursor.to_list() == []
    (get_more,) = sent(aiomongo_server, "getMore")
    assert "maxTimeMS" not in get_more


# Command cursors


async def test_command_cursors(ten: Users, aiomongo_server: MongoTestServer) -> None:
    """The first batch is there; the rest as with any cursor."""
    async with await ten.aggregate([{"$sort": {"_id": 1}}], batchSize=3) as cursor:
        assert isinstance(cursor, AsyncCommandCursor)
        assert cursor.alive
        assert cursor.session is None
        assert (await cursor.next())["_id"] == 0
        assert ids(await cursor.to_list(3)) == [1, 2, 3]
        cursor.batch_size(5)
        found = await cursor.try_next()
        assert found == {"_id": 4, "name": "name 4"}
    assert len(sent(aiomongo_server, "killCursors")) == 1
    with pytest.raises(ValueError, match="batch_size"):
        cursor.batch_size(-1)


async def test_try_next_fetches_one_batch_at_most(client: AsyncClient[Any], aiomongo_server: MongoTestServer) -> None:
    """None means nothing now."""
    aiomongo_server.on("aggregate").replies({"cursor": {"id": 77, "ns": "app.c", "firstBatch": []}})
    aiomongo_server.on("getMore").replies({"cursor": {"id": 77, "ns": "app.c", "nextBatch": []}})
    cursor = await client["app"]["c"].aggregate([])
    assert await cursor.try_next() is None
    assert len(sent(aiomongo_server, "getMore")) == 1
    assert cursor.alive
    await cursor.close()
    assert await cursor.try_next() is None
