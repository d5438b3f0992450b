"""The way of a command, over a topology without a network."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest
from fake_topology import FAKE, FakeTopology

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.client.reaper import OpenCursor
from aiomongo_tls.client.timeout import timeout
from aiomongo_tls.core.commands.batches import Batches
from aiomongo_tls.core.commands.command import Command, Requirement
from aiomongo_tls.core.commands.cursors import Batch
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.sessions import ImplicitSession
from aiomongo_tls.deadline import NEVER
from aiomongo_tls.errors import (
    AutoReconnect,
    ConfigurationError,
    DocumentTooLarge,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    WTimeoutError,
)


def executor(topology: FakeTopology, **options: Any) -> Executor:
    numbers = count(1)
    return Executor(ClientOptions(**options), topology, lambda: next(numbers).to_bytes(16, "big"))  # type: ignore[arg-type]


def ping(**changed: Any) -> Command:
    values: dict[str, Any] = {"database": "admin", "document": {"ping": 1}, "read_preference": ReadPreference.PRIMARY}
    return Command(**(values | changed))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def session_numbers(topology: FakeTopology) -> list[int | None]:
    ids = [sent.document.get("lsid") for sent in topology.sent]
    return [None if lsid is None else int.from_bytes(lsid["id"], "big") for lsid in ids]


async def test_a_command_is_completed_by_its_connection() -> None:
    """The name stays first; the session and the database come behind."""
    topology = FakeTopology({"x": 5})
    assert await executor(topology).run(ping()) == {"ok": 1.0, "x": 5}
    (sent,) = topology.sent
    assert list(sent.document) == ["ping", "lsid", "$db"]
    assert sent.document["$db"] == "admin"
    assert sent.deadline is NEVER
    assert topology.out == 0


async def test_a_member_of_a_replica_set_is_told_that_it_may_answer() -> None:
    """`$readPreference` depends on who is at the other end."""
    topology = FakeTopology(server_type=ServerType.RS_SECONDARY)
    await executor(topology).run(ping())
    await executor(topology).run(ping(read_preference=None))
    assert [sent.document.get("$readPreference") for sent in topology.sent] == [{"mode": "primaryPreferred"}, None]


async def test_without_sessions_on_the_server_none_is_sent() -> None:
    """An implicit session is dropped silently."""
    topology = FakeTopology(logical_session_timeout_minutes=None)
    client = executor(topology)
    await client.run(ping())
    assert session_numbers(topology) == [None]
    assert len(client.sessions) == 0


async def test_sessions_are_used_again() -> None:
    """One after the other needs one; at the same time needs as many."""
    topology = FakeTopology()
    client = executor(topology)
    await client.run(ping())
    await client.run(ping())
    assert session_numbers(topology) == [1, 1]
    go = asyncio.Event()

    async def waits(_: dict[str, Any]) -> dict[str, Any]:
        await go.wait()
        return {}

    topology.answers = [waits, waits]
    both = [asyncio.create_task(client.run(ping())) for _ in range(2)]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*both)
    assert sorted(session_numbers(topology)[2:], key=str) == [1, 2]
    assert len(client.sessions) == 2


async def test_a_session_is_dirty_after_a_lost_connection_and_clean_after_an_error() -> None:
    """What the server answered is over; what it did not answer may go on."""
    topology = FakeTopology({"ok": 0.0, "errmsg": "no", "code": 2}, AutoReconnect("gone"))
    client = executor(topology)
    with pytest.raises(OperationFailure):
        await client.run(ping())
    with pytest.raises(AutoReconnect):
        await client.run(ping())
    await client.run(ping())
    assert session_numbers(topology) == [1, 1, 2]
    assert topology.out == 0


async def test_a_cancelled_command_gives_its_connection_back_and_drops_its_session() -> None:
    """By plain calls, while it is dying."""
    topology = FakeTopology(lambda _: asyncio.Event().wait())
    client = executor(topology)
    task = asyncio.create_task(client.run(ping()))
    await asyncio.sleep(0)
    assert topology.out == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert topology.out == 0
    assert len(client.sessions) == 0


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"ok": 0.0, "errmsg": "x", "code": 59}, OperationFailure),
        ({"ok": 0, "errmsg": "x", "code": 10107}, NotPrimaryError),
        ({"ok": 1.0, "writeConcernError": {"code": 64, "errmsg": "late"}}, WTimeoutError),
    ],
)
async def test_errors_in_the_reply_are_raised(reply: dict[str, Any], error: type[Exception]) -> None:
    """With the host, and after the connection is back."""
    topology = FakeTopology(reply)
    with pytest.raises(error):
        await executor(topology).run(ping(raises_write_concern=True))
    assert topology.out == 0


async def test_what_is_allowed_is_returned() -> None:
    """By message or code; a concern's error only where it is asked for."""
    failed = {"ok": 0.0, "errmsg": "ns not found", "code": 26}
    for changed in ({"check": False}, {"allowable_errors": [26]}, {"allowable_errors": ("ns not found",)}):
        assert (await executor(FakeTopology(failed)).run(ping(**changed)))["code"] == 26
    with pytest.raises(OperationFailure):
        await executor(FakeTopology(failed)).run(ping(allowable_errors=[27, "other"]))
    unmet = {"ok": 1.0, "writeConcernError": {"code": 64, "errmsg": "late"}}
    assert "writeConcernError" in await executor(FakeTopology(unmet)).run(ping())


async def test_an_unacknowledged_write_is_sent_without_a_session() -> None:
    """And nobody waits for a reply."""
    topology = FakeTopology()
    reply = await executor(topology).run(ping(acknowledged=False))
    assert reply == {"ok": 1}
    (sent,) = topology.sent
    assert not sent.wants_reply
    assert "lsid" not in sent.document


async def test_an_unacknowledged_write_waits_until_it_has_left() -> None:
    """A server that does not read must not fill the memory; the deadline holds."""
    topology = FakeTopology()
    topology.is_full = True
    client = executor(topology)
    waiting = asyncio.create_task(client.run(ping(acknowledged=False)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(NetworkTimeout, match=r"timeout\(0.01\) has passed while a write"), timeout(0.01):
        await client.run(ping(acknowledged=False))
    assert topology.out == 0
    assert topology.aborted_connections == 1


async def test_the_deadline_comes_from_the_block_then_from_the_client() -> None:
    """And goes to the check-out and the request alike; `timeout(None)` lifts the client's."""
    topology = FakeTopology()
    topology.is_idle = False
    client = executor(topology, timeout=5.0)
    now = asyncio.get_running_loop().time()
    await client.run(ping())
    with timeout(2):
        await client.run(ping())
    with timeout(None):
        await client.run(ping())
    assert [sent.deadline.option for sent in topology.sent] == ["timeoutMS=5000", "timeout(2)", ""]
    assert topology.deadlines == [sent.deadline for sent in topology.sent]
    assert topology.deadlines[0].at == pytest.approx(now + 5, abs=1)
    client.abort()


async def test_socket_timeout_counts_only_without_a_deadline() -> None:
    """TimeoutMS replaces it (client-side operations timeout specification)."""
    topology = FakeTopology()
    await executor(topology, socket_timeout=3.0).run(ping())
    await executor(topology, socket_timeout=3.0, timeout=5.0).run(ping())
    assert [sent.deadline.option for sent in topology.sent] == ["socketTimeoutMS=3000", "timeoutMS=5000"]


async def test_what_an_older_server_would_ignore_is_refused() -> None:
    """Before it is sent; the connection is back."""
    topology = FakeTopology(max_wire_version=8)
    requires = Requirement(9, "needs MongoDB 4.4")
    with pytest.raises(ConfigurationError, match=r"needs MongoDB 4\.4"):
        await executor(topology).run(ping(requires=requires))
    assert topology.sent == []
    assert topology.out == 0
    await executor(FakeTopology(max_wire_version=9)).run(ping(requires=requires))


async def test_batches_are_cut_by_the_connection_s_limits() -> None:
    """A document over the limit is refused before it is sent, and spoils neither session nor connection."""
    topology = FakeTopology(max_bson_object_size=100, max_write_batch_size=2)
    client = executor(topology)
    command = ping(document={"insert": "c"})
    command.batches = Batches("documents", [{"_id": number} for number in range(3)], command.codec_options)
    await client.run(command)
    await client.run(command)
    assert [len(sent.document["documents"]) for sent in topology.sent] == [2, 1]
    command.batches = Batches("documents", [{"x": "x" * 100}], command.codec_options)
    with pytest.raises(DocumentTooLarge):
        await client.run(command)
    assert topology.out == 0
    assert len(client.sessions) == 1


async def test_closing_ends_the_sessions_and_then_the_topology() -> None:
    """Idempotent, and nothing works afterwards."""
    topology = FakeTopology()
    client = executor(topology)
    await client.run(ping())
    await client.close()
    await client.close()
    assert topology.names == ["ping", "endSessions"]
    ended = topology.sent[1].document
    assert [int.from_bytes(session["id"], "big") for session in ended["endSessions"]] == [1]
    assert "lsid" not in ended
    assert topology.closed == 1
    assert topology.out == 0
    with pytest.raises(InvalidOperation, match="closed"):
        await client.run(ping())


@pytest.mark.parametrize("failure", [AutoReconnect("gone"), {"ok": 0.0, "code": 13, "errmsg": "not allowed"}])
async def test_closing_does_not_mind_what_the_server_says(failure: Any) -> None:
    """EndSessions is a courtesy."""
    topology = FakeTopology({}, failure)
    client = executor(topology)
    await client.run(ping())
    await client.close()
    assert topology.closed == 1
    assert topology.out == 0


async def test_closing_opens_no_connection_to_say_goodbye() -> None:
    """Where none is idle, the sessions time out by themselves."""
    topology = FakeTopology()
    client = executor(topology)
    await client.run(ping())
    topology.is_idle = False
    await client.close()
    assert topology.names == ["ping"]


async def test_a_cancelled_close_goes_through() -> None:
    """However often; the caller is told afterwards."""
    go = asyncio.Event()

    async def slow(_: dict[str, Any]) -> dict[str, Any]:
        await go.wait()
        return {}

    topology = FakeTopology({}, slow)
    client = executor(topology)
    await client.run(ping())
    closing = asyncio.create_task(client.close())
    for _ in range(3):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.sleep(0)
    assert topology.closed == 0
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert topology.closed == 1


async def test_aborting_closes_at_once() -> None:
    """A plain call."""
    topology = FakeTopology()
    client = executor(topology)
    await client.run(ping())
    client.abort()
    assert topology.aborted == 1
    assert topology.names == ["ping"]


async def test_abandoned_cursors_are_killed_by_the_next_operation() -> None:
    """In a task of its own, outside of that operation's deadline."""
    killed_both = asyncio.Event()

    async def last(_: dict[str, Any]) -> dict[str, Any]:
        killed_both.set()
        return {}

    topology = FakeTopology({}, {}, last)
    client = executor(topology)
    for number in (7, 8):
        client.abandon(OpenCursor(Batch(number, "app", "users", []), FAKE), ImplicitSession(client.sessions))
    assert topology.sent == []
    with timeout(60):
        await client.run(ping())
    async with asyncio.timeout(5):
        await killed_both.wait()
    killed = [sent for sent in topology.sent if "killCursors" in sent.document]
    assert [sent.document["cursors"] for sent in killed] == [[7], [8]]
    assert {sent.deadline.option for sent in killed} == {"closing a cursor"}
    await client.close()
    assert topology.out == 0


async def test_killing_a_cursor_keeps_to_the_operation_s_time() -> None:
    """Closing one waits no longer than any other operation may; what has no time left is done by the next one."""
    topology = FakeTopology(NetworkTimeout("late"))
    client = executor(topology, timeout=2.0)
    cursor = OpenCursor(Batch(7, "app", "users", []), FAKE)
    with timeout(0.5):
        await client.kill_cursor(cursor, ImplicitSession(client.sessions))
    assert topology.sent[0].deadline.option == "timeout(0.5)"
    topology.connections[0].reply_late({})
    await client.run(ping())
    await settle()
    assert topology.names == ["killCursors", "ping", "killCursors"]
    assert topology.sent[2].deadline.option == "timeoutMS=2000"
    await client.kill_cursor(cursor, ImplicitSession(client.sessions))
    assert topology.names[3:] == ["killCursors"]


def test_abandoned_cursors_are_not_lost_on_another_loop() -> None:
    """Where the client cannot be used, they wait for the loop where it can."""
    topology = FakeTopology()
    client = executor(topology)
    client.abandon(OpenCursor(Batch(7, "app", "users", []), FAKE), ImplicitSession(client.sessions))
    usual = topology.try_check_out_from

    def elsewhere(address: ServerAddress) -> Any:
        raise InvalidOperation("another loop")

    async def ping_there() -> None:
        await client.run(ping())
        await settle()

    topology.try_check_out_from = elsewhere  # type: ignore[method-assign]
    asyncio.run(ping_there())
    topology.try_check_out_from = usual  # type: ignore[method-assign]
    asyncio.run(ping_there())
    assert topology.names == ["ping", "ping", "killCursors"]
    client.abort()


async def test_whatever_the_goodbye_meets_everything_is_closed() -> None:
    """An answer that nobody can read, for example."""
    topology = FakeTopology()
    client = executor(topology)
    await client.run(ping())
    topology.answers = [ValueError("not to be read")]
    await client.close()
    assert (topology.names, topology.out, topology.closed) == (["ping", "endSessions"], 0, 1)


async def test_forgetting_to_close_is_reported() -> None:
    """But only if there was something to close."""
    topology = FakeTopology()
    topology.is_idle = False
    clients = [executor(topology)]
    await clients[0].run(ping())
    with pytest.warns(ResourceWarning, match="not closed"):
        clients.clear()
    clients.append(executor(FakeTopology()))
    await clients[0].open()
    with pytest.warns(ResourceWarning, match="not closed"):
        clients.clear()
    clients.append(executor(FakeTopology()))
    clients.clear()
