"""Operations that were broken off: what becomes of session, connection and cursor when the reply comes late."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import bson
import pytest
from fake_topology import FakeConnection, FakeTopology, load_balanced

from aiomongo_tls.client.executor import Executor
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.cursors import left_open
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.errors import AutoReconnect, NetworkTimeout

CURSOR = {"cursor": {"id": 7, "ns": "app.users", "firstBatch": [{"_id": 1}]}}


def executor(topology: FakeTopology, **options: Any) -> Executor:
    numbers = count(1)
    return Executor(ClientOptions(**options), topology, lambda: next(numbers).to_bytes(16, "big"))  # type: ignore[arg-type]


def command(name: str = "find", **changed: Any) -> Command:
    values: dict[str, Any] = {
        "document": {name: "users"},
        "documents_in": DocumentsIn.CURSOR,
        "retryability": Retryability.READ_ONCE,
    }
    return Command(database="app", **(values | changed))


async def never(_: dict[str, Any]) -> Any:
    await asyncio.Event().wait()


async def cut_off(client: Executor, topology: FakeTopology, sent: Command) -> FakeConnection:
    """An operation, cancelled while its reply is waited for."""
    topology.answers.insert(0, never)
    task = asyncio.create_task(client.run(sent))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert topology.out == 0
    return topology.connections[-1]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_session_waits_for_the_late_reply() -> None:
    """Nobody has it until then; afterwards it is as clean as any."""
    topology = FakeTopology()
    client = executor(topology)
    connection = await cut_off(client, topology, command())
    assert len(client.sessions) == 0
    await client.run(command("ping"))
    connection.reply_late({"n": 1})
    assert len(client.sessions) == 2
    ids = {bytes(sent.document["lsid"]["id"]) for sent in topology.sent}
    assert len(ids) == 2


async def test_a_session_whose_reply_never_comes_is_dropped() -> None:
    """What it was for may still be running."""
    topology = FakeTopology()
    client = executor(topology)
    connection = await cut_off(client, topology, command())
    connection.reply_late(None)
    assert len(client.sessions) == 0


async def test_a_lost_connection_tells_at_once() -> None:
    """There is nothing to wait for."""
    topology = FakeTopology(AutoReconnect("lost"))
    client = executor(topology)
    with pytest.raises(AutoReconnect):
        await client.run(command())
    assert len(client.sessions) == 0
    assert topology.connections[0].on_late_reply is None


async def test_a_timeout_parks_as_a_cancellation_does() -> None:
    """The connection is fine; only the reply is late."""
    topology = FakeTopology(NetworkTimeout("late"))
    client = executor(topology)
    with pytest.raises(NetworkTimeout):
        await client.run(command())
    topology.connections[0].reply_late({})
    assert len(client.sessions) == 1


async def test_what_was_not_sent_leaves_nothing() -> None:
    """A deadline that had passed before: connection and session are clean."""

    class TooLate(FakeConnection):
        def begin_request(self, *_: Any) -> asyncio.Future[bytes]:
            raise NetworkTimeout("before it was sent")

    topology = FakeTopology()
    client = executor(topology)
    connection = TooLate(topology, topology.hello)
    topology._connection = lambda *_: connection  # type: ignore[method-assign]
    topology.out = 1
    with pytest.raises(NetworkTimeout):
        await client.run(command())
    assert connection.on_late_reply is None
    assert len(client.sessions) == 1


async def test_a_session_is_given_back_once_all_its_replies_have_come() -> None:
    """A retry in the same session may be broken off, too."""
    topology = FakeTopology(NetworkTimeout("late"), NetworkTimeout("late"))
    client = executor(topology)
    with pytest.raises(NetworkTimeout):
        await client.run(command(retryability=Retryability.READ))
    first, second = topology.connections
    second.reply_late({})
    assert len(client.sessions) == 0
    first.reply_late({})
    assert len(client.sessions) == 1


async def test_a_cursor_that_opens_too_late_is_killed() -> None:
    """At once, on its server; nobody knows of it but us."""
    topology = FakeTopology()
    client = executor(topology)
    connection = await cut_off(client, topology, command())
    connection.reply_late(CURSOR)
    await settle()
    assert topology.names == ["find", "killCursors"]
    assert topology.sent[1].document["cursors"] == [7]
    assert topology.sent[1].document["$db"] == "app"
    assert topology.out == 0


async def test_also_one_of_a_command_of_the_user_s_own() -> None:
    """`database.command("find", ...)` opens cursors as well."""
    topology = FakeTopology()
    client = executor(topology)
    connection = await cut_off(client, topology, command(documents_in=DocumentsIn.NOWHERE))
    connection.reply_late(CURSOR)
    await settle()
    assert topology.names == ["find", "killCursors"]


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("find", {"cursor": {"id": 0, "ns": "app.users", "firstBatch": []}}),
        ("find", {"ok": 0.0, "code": 13}),
        # Its cursor has noted itself.
        ("getMore", {"cursor": {"id": 7, "ns": "app.users", "nextBatch": []}}),
        ("insert", {"n": 1}),
    ],
)
async def test_other_late_replies_need_nothing(name: str, reply: dict[str, Any]) -> None:
    """No cursor, no killCursors."""
    topology = FakeTopology()
    client = executor(topology)
    connection = await cut_off(client, topology, command(name))
    connection.reply_late(reply)
    await settle()
    assert topology.names == [name]


async def test_a_reply_later_than_the_end_of_the_client() -> None:
    """Nothing is begun any more."""
    topology = FakeTopology()
    client = executor(topology)
    connection = await cut_off(client, topology, command())
    client.abort()
    connection.reply_late(CURSOR)
    await settle()
    assert topology.names == ["find"]


async def test_behind_a_load_balancer_a_cursor_s_connection_is_given_up() -> None:
    """Only over it the cursor could be ended, and by then it belongs to somebody else."""
    topology = load_balanced()
    client = executor(topology, load_balanced=True)
    connection = await cut_off(client, topology, command())
    assert connection.on_late_reply is None
    assert connection.is_dirty
    assert len(client.sessions) == 0
    connection = await cut_off(client, topology, command("insert", documents_in=DocumentsIn.NOWHERE))
    assert connection.on_late_reply is not None


def test_reading_a_late_reply_leaves_its_documents_alone() -> None:
    """Only the cursor's id and name are looked at; what is none is not taken for one."""
    batch = left_open(bson.encode(CURSOR))
    assert batch is not None
    assert (batch.cursor_id, batch.database, batch.collection) == (7, "app", "users")
    for reply in ({}, {"cursor": 7}, {"cursor": {"id": "7"}}, {"cursor": {}}, {"cursor": {"id": 0}}):
        assert left_open(bson.encode(reply)) is None
