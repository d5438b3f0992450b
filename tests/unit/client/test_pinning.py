"""Cursors behind a load balancer, each with a connection of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
from itertools import count
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from fake_topology import FakeTopology, load_balanced, replica_set

from aiomongo_tls.client.batches import BatchCursor
from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.decoding import DocumentsIn, ReplyDecoder
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.errors import AutoReconnect, CursorNotFound, InvalidOperation, OperationFailure

Cursor = BatchCursor[dict[str, Any]]


def executor(topology: FakeTopology) -> Executor:
    numbers = count(1)
    return Executor(ClientOptions(), topology, lambda: next(numbers).to_bytes(16, "big"), chance=lambda: 0.0)  # type: ignore[arg-type]


def batch(name: str, cursor_id: int, *numbers: int) -> dict[str, Any]:
    return {"cursor": {"id": cursor_id, "ns": "app.users", name: [{"_id": number} for number in numbers]}}


def aggregate(**changed: Any) -> Command:
    values: dict[str, Any] = {
        "document": {"aggregate": "users", "pipeline": [], "cursor": {}},
        "documents_in": DocumentsIn.CURSOR,
        "read_preference": ReadPreference.PRIMARY,
        "retryability": Retryability.READ,
    }
    return Command(database="app", **(values | changed))


async def opened(client: Executor) -> Cursor:
    return await AsyncCommandCursor[dict[str, Any]].opened_by(client, aggregate(), None)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_cursor_keeps_its_connection_until_its_end() -> None:
    """One check-out, one check-in, every command over the same connection."""
    topology = load_balanced(batch("firstBatch", 7, 1), batch("nextBatch", 7, 2), batch("nextBatch", 0, 3))
    cursor = await opened(executor(topology))
    (connection,) = topology.connections
    assert (topology.out, connection.pinned) == (1, "cursor")
    assert [document["_id"] async for document in cursor] == [1, 2, 3]
    assert (topology.out, connection.pinned) == (0, None)
    assert topology.connections == [connection]
    assert topology.names == ["aggregate", "getMore", "getMore"]


async def test_a_single_batch_needs_none() -> None:
    """The connection is back with the first reply."""
    topology = load_balanced(batch("firstBatch", 0, 1))
    await opened(executor(topology))
    assert topology.out == 0


async def test_elsewhere_nothing_is_pinned() -> None:
    """Later commands go to the server, over any connection."""
    topology = replica_set(batch("firstBatch", 7, 1), batch("nextBatch", 0))
    cursor = await opened(executor(topology))
    assert topology.out == 0
    await cursor.to_list()
    assert len(topology.connections) == 2


async def test_closing_kills_it_over_its_connection_and_gives_that_back() -> None:
    """Whatever the server says."""
    for answer in ({}, {"ok": 0.0, "code": 13, "errmsg": "no"}):
        topology = load_balanced(batch("firstBatch", 7, 1), answer)
        cursor = await opened(executor(topology))
        await cursor.close()
        await cursor.close()
        assert topology.names == ["aggregate", "killCursors"]
        assert (topology.out, len(topology.connections)) == (0, 1)


async def test_a_lost_connection_stays_until_the_cursor_is_closed() -> None:
    """And then no killCursors goes anywhere."""
    topology = load_balanced(batch("firstBatch", 7, 1), AutoReconnect("lost"))
    cursor = await opened(executor(topology))
    with pytest.raises(AutoReconnect):
        await cursor.to_list()
    assert (topology.out, topology.connections[0].pinned) == (1, "cursor")
    with pytest.raises(CursorNotFound):
        await cursor.to_list()
    await cursor.close()
    assert topology.names == ["aggregate", "getMore"]
    assert (topology.out, len(topology.connections)) == (0, 1)


async def test_an_error_of_the_server_ends_it() -> None:
    """It is killed, over its connection, and that is given back."""
    topology = load_balanced(batch("firstBatch", 7, 1), {"ok": 0.0, "code": 13, "errmsg": "no"}, {})
    cursor = await opened(executor(topology))
    with pytest.raises(OperationFailure):
        await cursor.to_list()
    await settle()
    assert topology.names == ["aggregate", "getMore", "killCursors"]
    assert (topology.out, len(topology.connections)) == (0, 1)


async def test_a_cancelled_get_more_gives_up_the_connection() -> None:
    """Its reply is under way; the pool closes it."""

    async def never(_: dict[str, Any]) -> Any:
        await asyncio.Event().wait()

    topology = load_balanced(batch("firstBatch", 7, 1), never)
    client = executor(topology)
    cursor = await opened(client)
    await cursor.next()
    task = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    (connection,) = topology.connections
    assert (topology.out, connection.pinned, connection.is_dirty) == (0, None, True)
    assert topology.names == ["aggregate", "getMore"]


@pytest.mark.parametrize("in_a_thread", [False, True])
async def test_a_forgotten_cursor_gives_its_connection_back(in_a_thread: bool) -> None:
    """Without any other operation, which may be waiting for just that connection; on any thread."""
    topology = load_balanced(batch("firstBatch", 7, 1))
    client = executor(topology)
    holder = [await opened(client)]
    assert topology.out == 1
    if in_a_thread:
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
    else:
        holder.clear()
    gc.collect()
    await settle()
    assert topology.names == ["aggregate", "killCursors"]
    assert (topology.out, len(topology.connections)) == (0, 1)


async def test_overload_in_a_get_more_keeps_the_connection() -> None:
    """The command is tried again where the cursor is."""
    overloaded = {"ok": 0.0, "code": 462, "errmsg": "no", "errorLabels": ["SystemOverloadedError", "RetryableError"]}
    topology = load_balanced(batch("firstBatch", 7, 1), overloaded, overloaded, batch("nextBatch", 0, 2))
    cursor = await opened(executor(topology))
    assert len(await cursor.to_list()) == 2
    assert (topology.out, len(topology.connections)) == (0, 1)


async def test_a_reply_that_is_no_cursor_leaves_nothing_behind() -> None:
    """The connection is back although nothing could be read."""
    topology = load_balanced({"surprise": 1})
    with pytest.raises(Exception, match="cursor"):
        await opened(executor(topology))
    assert topology.out == 0


def test_a_cursor_belongs_to_its_loop() -> None:
    """Its connection cannot be used from another one; forgotten there, it is forgotten."""
    topology = load_balanced(batch("firstBatch", 7, 1))
    client = executor(topology)
    holder: list[Cursor] = []

    async def begin() -> None:
        holder.append(await opened(client))
        await holder[0].next()

    async def go_on() -> None:
        with pytest.raises(InvalidOperation, match="another event loop"):
            await holder[0].next()
        holder.clear()
        gc.collect()
        topology.answers = [batch("firstBatch", 0, 1)]
        await opened(client)
        await settle()

    asyncio.run(begin())
    asyncio.run(go_on())
    assert topology.names == ["aggregate", "aggregate"]


class Refusing(dict[str, Any]):
    """A document class that no document can be put into."""

    def __setitem__(self, name: str, value: Any) -> None:
        raise ValueError(name)


@pytest.mark.parametrize("topology_of", [replica_set, load_balanced])
async def test_documents_that_cannot_be_decoded_leave_no_cursor(topology_of: Any) -> None:
    """It is killed, over its own connection where there is a load balancer."""
    topology: FakeTopology = topology_of(batch("firstBatch", 7, 1))
    client = executor(topology)
    command = aggregate(decoder=ReplyDecoder(CodecOptions(document_class=Refusing)))
    with pytest.raises(ValueError, match="_id"):
        await AsyncCommandCursor[Any].opened_by(client, command, None)
    await settle()
    assert topology.names == ["aggregate", "killCursors"]
    assert topology.out == 0
    assert len(topology.connections) == (1 if topology_of is load_balanced else 2)
    assert len(client.sessions) == len({sent.document["lsid"]["id"] for sent in topology.sent})


# Several tasks


def waiting(go: asyncio.Event, answer: dict[str, Any]) -> Any:
    async def answered(_: dict[str, Any]) -> dict[str, Any]:
        await go.wait()
        return answer

    return answered


async def reading(cursor: Cursor) -> asyncio.Task[dict[str, Any]]:
    task = asyncio.create_task(cursor.next())
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("last", [0, 7])
@pytest.mark.parametrize("topology_of", [replica_set, load_balanced])
async def test_closing_a_cursor_that_another_task_reads(topology_of: Any, last: int) -> None:
    """The reader is told that there is no more; connection and session are given back once, when the reply has come."""
    go = asyncio.Event()
    topology: FakeTopology = topology_of(batch("firstBatch", 7), waiting(go, batch("nextBatch", last, 2)))
    client = executor(topology)
    cursor = await opened(client)
    task = await reading(cursor)
    await cursor.close()
    assert topology.out == 1
    # Its session is not at anybody's disposal as long as the server may be reading in it.
    used = topology.sent[1].document["lsid"]
    assert client.sessions.take(0.0, None).id != used
    go.set()
    with pytest.raises(StopAsyncIteration):
        await task
    await settle()
    assert (topology.out, cursor.alive, cursor.cursor_id) == (0, False, 0)
    assert topology.names[2:] == ([] if topology_of is load_balanced and not last else ["killCursors"])
    assert used in [client.sessions.take(0.0, None).id for _ in range(2)]
    with pytest.raises(StopAsyncIteration):
        await cursor.next()


@pytest.mark.parametrize("topology_of", [replica_set, load_balanced])
async def test_closing_a_cursor_that_another_task_opens(topology_of: Any) -> None:
    """What the server has opened by then is killed."""
    go = asyncio.Event()
    topology: FakeTopology = topology_of(waiting(go, batch("firstBatch", 7, 1)))
    client = executor(topology)
    cursor = AsyncCommandCursor[Any](client)
    task = asyncio.create_task(cursor._open(aggregate()))
    await asyncio.sleep(0)
    await cursor.close()
    go.set()
    await task
    assert not cursor.alive
    client._reaper.work()
    await settle()
    assert (topology.out, topology.names) == (0, ["aggregate", "killCursors"])


@pytest.mark.parametrize("failure", [AutoReconnect("lost"), {"ok": 0.0, "code": 237, "errmsg": "killed"}])
async def test_what_fails_on_a_closed_cursor_gives_its_connection_back(failure: Any) -> None:
    """Nobody closes it once more. That it was killed is no news."""
    go = asyncio.Event()
    topology = load_balanced(batch("firstBatch", 7), waiting(go, failure))
    cursor = await opened(executor(topology))
    task = await reading(cursor)
    await cursor.close()
    go.set()
    with pytest.raises((AutoReconnect, StopAsyncIteration)):
        await task
    await settle()
    assert topology.out == 0


async def test_one_task_reads_at_a_time() -> None:
    """Two would get the same batch, or two cursors; the one that reads is not disturbed."""
    go = asyncio.Event()
    topology = load_balanced(batch("firstBatch", 7), waiting(go, batch("nextBatch", 0, 1, 2)))
    cursor = await opened(executor(topology))
    task = await reading(cursor)
    with pytest.raises(InvalidOperation, match="another task"):
        await cursor.next()
    go.set()
    assert [await task, await cursor.next()] == [{"_id": 1}, {"_id": 2}]
    assert (topology.out, topology.names) == (0, ["aggregate", "getMore"])
