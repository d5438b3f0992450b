"""Attempts that fail and are made again, over topologies without a network."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from fake_topology import FAKE, FakeTopology, load_balanced, replica_set, sharded

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.client.timeout import timeout
from aiomongo_tls.core.commands.batches import Batches
from aiomongo_tls.core.commands.command import Command, Requirement
from aiomongo_tls.core.error_labels import RETRYABLE_WRITE
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.sessions import ImplicitSession
from aiomongo_tls.deadline import NEVER
from aiomongo_tls.errors import (
    AutoReconnect,
    ConfigurationError,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PoolClearedError,
    PoolClosedError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

OVERLOADED = {"ok": 0.0, "code": 462, "errmsg": "slow down", "errorLabels": ["SystemOverloadedError", "RetryableError"]}
OTHER = ServerAddress("other")


_made: list[Executor] = []


@pytest.fixture(autouse=True)
async def all_closed() -> AsyncIterator[None]:
    yield
    for one in _made:
        one.abort()
    _made.clear()


def lost() -> AutoReconnect:
    return AutoReconnect("lost", host=FAKE)


def executor(topology: FakeTopology, slept: list[float] | None = None, **options: Any) -> Executor:
    """Chance is always 1; the pauses are recorded, and what was checked out meanwhile."""
    numbers = count(1)

    async def sleep(seconds: float) -> None:
        assert topology.out == 0, "a pause holds a connection"
        if slept is not None:
            slept.append(seconds)

    made = Executor(
        ClientOptions(**options),
        topology,  # type: ignore[arg-type]
        lambda: next(numbers).to_bytes(16, "big"),
        chance=lambda: 1.0,
        sleep=sleep,
    )
    _made.append(made)
    return made


def find() -> Command:
    document = {"find": "users", "filter": {}}
    return Command(
        database="app", document=document, read_preference=ReadPreference.PRIMARY, retryability=Retryability.READ
    )


def insert(*numbers: int, **changed: Any) -> Command:
    values: dict[str, Any] = {
        "database": "app",
        "document": {"insert": "users", "ordered": True},
        "retryability": Retryability.WRITE,
    }
    command = Command(**(values | changed))
    command.batches = Batches("documents", [{"_id": number} for number in numbers or (1,)], command.codec_options)
    return command


def transactions(topology: FakeTopology) -> list[tuple[int, int | None]]:
    """The session and the number of each command that was sent."""
    return [
        (int.from_bytes(sent.document["lsid"]["id"], "big"), sent.document.get("txnNumber")) for sent in topology.sent
    ]


# Reads


@pytest.mark.parametrize(
    "failure",
    [lost(), {"ok": 0.0, "code": 10107, "errmsg": "no"}, {"ok": 0.0, "code": 134, "errmsg": "not yet"}],
    ids=["lost", "not primary", "no majority"],
)
async def test_a_read_is_made_again(failure: Any) -> None:
    """Once, at once, in the same session."""
    slept: list[float] = []
    topology = replica_set(failure, {"n": 5})
    assert (await executor(topology, slept).run(find()))["n"] == 5
    assert topology.names == ["find", "find"]
    assert transactions(topology) == [(1, None), (1, None)]
    assert slept == []
    assert topology.out == 0


async def test_not_if_the_client_says_so() -> None:
    """RetryReads=false, retryWrites=false."""
    topology = replica_set(lost(), lost())
    client = executor(topology, retry_reads=False, retry_writes=False)
    for command in (find(), insert()):
        with pytest.raises(AutoReconnect) as raised:
            await client.run(command)
        assert not raised.value.has_error_label(RETRYABLE_WRITE)
    assert topology.names == ["find", "insert"]
    assert "txnNumber" not in topology.sent[1].document


async def test_the_topology_is_told_once_per_failed_attempt() -> None:
    """Before the connection is back; of lost connections and of servers that change their state, of nothing else."""
    refused = {"ok": 0.0, "code": 13, "errmsg": "no"}
    topology = replica_set(lost(), {"ok": 0.0, "code": 91, "errmsg": "bye", "topologyVersion": {"counter": 1}})
    client = executor(topology)
    with pytest.raises(NotPrimaryError):
        await client.run(find())
    (first, lost_one), (second, bye) = topology.errors
    assert (first, second) == (FAKE, FAKE)
    assert type(lost_one) is AutoReconnect
    assert isinstance(bye, NotPrimaryError)
    assert bye.details is not None
    assert bye.details["topologyVersion"] == {"counter": 1}
    topology.errors.clear()
    topology.answers = [refused, {"ok": 0.0, "code": 6, "errmsg": "no"}]
    for _ in range(2):
        with pytest.raises(OperationFailure, match="no"):
            await client.run(insert())
    assert topology.errors == []


async def test_a_write_concern_can_tell_of_a_change_of_state() -> None:
    """With the topology version of the whole reply, although the reply is handed back."""
    concern = {"writeConcernError": {"code": 91, "errmsg": "bye"}, "topologyVersion": {"counter": 2}, "n": 1}
    topology = replica_set(concern)
    reply = await executor(topology).run(insert())
    assert reply["writeConcernError"]["code"] == 91
    ((_, error),) = topology.errors
    assert isinstance(error, NotPrimaryError)
    assert error.details is not None
    assert (error.code, error.details["topologyVersion"]) == (91, {"counter": 2})


async def test_what_is_allowed_or_unchecked_still_tells_the_topology() -> None:
    """The reply is the caller's, the news is not."""
    topology = replica_set({"ok": 0.0, "code": 10107, "errmsg": "no"}, {"ok": 0.0, "code": 10107, "errmsg": "no"})
    client = executor(topology)
    for changed in ({"check": False}, {"allowable_errors": [10107]}):
        reply = await client.run(Command(database="admin", document={"ping": 1}, **changed))  # type: ignore[arg-type]
        assert reply["code"] == 10107
    assert len(topology.errors) == 2


# Writes and their numbers


async def test_a_write_keeps_its_number() -> None:
    """The session's id and the number are the same for each attempt; the next write has the next one."""
    topology = replica_set(lost(), {"n": 1}, {"n": 1})
    client = executor(topology)
    session = ImplicitSession(client.sessions)
    for _ in range(2):
        await client.execute(insert(), session, NEVER)
    assert transactions(topology) == [(1, 1), (1, 1), (1, 2)]
    assert type(topology.sent[0].document["txnNumber"]).__name__ == "Int64"
    session.end()


async def test_numbers_go_on_when_a_session_is_used_again() -> None:
    """The server remembers the last one of each session."""
    topology = replica_set()
    client = executor(topology)
    await client.run(insert())
    await client.run(find())
    await client.run(insert())
    assert transactions(topology) == [(1, 1), (1, None), (1, 2)]


@pytest.mark.parametrize(
    ("topology", "changed"),
    [
        (FakeTopology(lost()), {}),
        (replica_set(lost(), logical_session_timeout_minutes=None), {}),
        (replica_set(lost()), {"retryability": Retryability.WRITE_ONCE}),
    ],
    ids=["standalone", "no sessions", "several documents per statement"],
)
async def test_where_there_are_no_retryable_writes(topology: FakeTopology, changed: dict[str, Any]) -> None:
    """No number, no label, one attempt."""
    with pytest.raises(AutoReconnect) as raised:
        await executor(topology).run(insert(**changed))
    assert topology.names == ["insert"]
    assert "txnNumber" not in topology.sent[0].document
    assert not raised.value.has_error_label(RETRYABLE_WRITE)


async def test_an_unacknowledged_write_has_no_number() -> None:
    """Nobody would hear of its failure."""
    topology = replica_set()
    await executor(topology).run(insert(acknowledged=False, retryability=Retryability.WRITE_ONCE))
    assert "txnNumber" not in topology.sent[0].document


async def test_sessions_are_always_supported_behind_a_load_balancer() -> None:
    """Whatever hello says of them."""
    topology = load_balanced(lost(), {"n": 1})
    await executor(topology, load_balanced=True).run(insert())
    assert transactions(topology) == [(1, 1), (1, 1)]


async def test_the_client_labels_what_no_server_can() -> None:
    """And the error that is raised after the second attempt has it, too."""
    topology = replica_set(lost(), lost())
    with pytest.raises(AutoReconnect) as raised:
        await executor(topology).run(insert())
    assert raised.value.has_error_label(RETRYABLE_WRITE)
    assert topology.names == ["insert", "insert"]


@pytest.mark.parametrize(("wire_version", "attempts"), [(8, 2), (9, 1)])
async def test_codes_count_only_for_servers_that_do_not_label(wire_version: int, attempts: int) -> None:
    """Before MongoDB 4.4."""
    failure = {"ok": 0.0, "code": 189, "errmsg": "stepped down"}
    topology = replica_set(failure, failure, max_wire_version=wire_version)
    with pytest.raises(NotPrimaryError):
        await executor(topology).run(insert())
    assert len(topology.sent) == attempts


async def test_the_server_s_label_counts() -> None:
    """On an error and on a write concern's error."""
    for failure in (
        {"ok": 0.0, "code": 2, "errmsg": "again", "errorLabels": [RETRYABLE_WRITE]},
        {"n": 1, "writeConcernError": {"code": 91, "errmsg": "bye"}, "errorLabels": [RETRYABLE_WRITE]},
    ):
        topology = replica_set(failure, {"n": 1})
        assert await executor(topology).run(insert()) == {"ok": 1.0, "n": 1}
        assert transactions(topology) == [(1, 1), (1, 1)]


async def test_errors_of_single_statements_are_no_reason() -> None:
    """Whatever their code."""
    topology = replica_set({"n": 0, "writeErrors": [{"index": 0, "code": 91, "errmsg": "no"}]}, max_wire_version=8)
    assert "writeErrors" in await executor(topology).run(insert())
    assert len(topology.sent) == 1


async def test_a_server_without_transaction_numbers_is_explained() -> None:
    """Retryable writes, prose test 1."""
    topology = replica_set({"ok": 0.0, "code": 20, "errmsg": "Transaction numbers are only allowed on a replica set"})
    with pytest.raises(OperationFailure, match="retryWrites=false") as raised:
        await executor(topology).run(insert())
    assert raised.value.code == 20
    assert raised.value.details is not None
    assert "Transaction numbers" in raised.value.details["errmsg"]
    topology.answers = [{"ok": 0.0, "code": 20, "errmsg": "something else"}]
    with pytest.raises(OperationFailure, match="something else"):
        await executor(topology).run(insert())


async def test_the_first_error_is_raised_if_nothing_was_written_afterwards() -> None:
    """Retryable writes, prose test 3; the other one is in the notes."""
    topology = replica_set(
        {"n": 1, "writeConcernError": {"code": 91, "errmsg": "bye"}, "errorLabels": [RETRYABLE_WRITE]},
        {"ok": 0.0, "code": 10107, "errmsg": "no", "errorLabels": [RETRYABLE_WRITE, "NoWritesPerformed"]},
    )
    with pytest.raises(WriteConcernError) as raised:
        await executor(topology).run(insert(raises_write_concern=True))
    assert raised.value.code == 91
    assert ["in vain" in note for note in raised.value.__notes__] == [True]


async def test_who_collects_write_concern_errors_gets_the_reply() -> None:
    """Of the attempt that may have written, even if it was not the last."""
    concern = {"n": 1, "writeConcernError": {"code": 91, "errmsg": "bye"}, "errorLabels": [RETRYABLE_WRITE]}
    topology = replica_set(concern, concern)
    assert (await executor(topology).run(insert()))["writeConcernError"]["code"] == 91
    assert len(topology.sent) == 2
    topology = replica_set(concern)
    client = executor(topology)
    session = ImplicitSession(client.sessions)

    async def then_nobody(_: dict[str, Any]) -> dict[str, Any]:
        topology.check_out_errors.append(ServerSelectionTimeoutError("none"))
        return concern

    topology.answers = [then_nobody]
    reply, connection = await client.execute(insert(), session, NEVER)
    assert reply["writeConcernError"]["code"] == 91
    assert connection is topology.connections[0]
    session.end()


# The same statements


async def test_the_very_same_statements_are_sent_again() -> None:
    """A server that takes fewer would otherwise carry some of them out twice."""
    topology = replica_set(lost(), {"n": 2}, {"n": 1}, addresses=(FAKE, OTHER))
    topology.hello = topology._hello(FAKE)
    client = executor(topology)
    command = insert(1, 2, 3)
    session = ImplicitSession(client.sessions)
    topology.hellos[FAKE] = description(max_write_batch_size=2)

    await client.execute(command, session, NEVER)
    await client.execute(command, session, NEVER)
    sent = [[document["_id"] for document in sent.document["documents"]] for sent in topology.sent]
    assert sent == [[1, 2], [1, 2], [3]]
    assert transactions(topology) == [(1, 1), (1, 1), (1, 2)]
    session.end()


def description(**changed: Any) -> Any:
    return replica_set(**changed).hello


async def test_what_was_never_taken_is_taken_by_the_second_attempt() -> None:
    """The first one found no connection."""
    topology = replica_set({"n": 2}, {"n": 1}, max_write_batch_size=2)
    client = executor(topology)
    command = insert(1, 2, 3)
    session = ImplicitSession(client.sessions)
    topology.check_out_errors.append(lost())
    await client.execute(command, session, NEVER)
    topology.check_out_errors.append(lost())
    await client.execute(command, session, NEVER)
    sent = [[document["_id"] for document in sent.document["documents"]] for sent in topology.sent]
    assert sent == [[1, 2], [3]]
    assert transactions(topology) == [(1, 1), (1, 2)]
    session.end()


async def test_each_command_of_a_bulk_is_judged_by_its_own_statements() -> None:
    """One that touches several documents makes its command, and no other one, a write that is not repeated."""
    topology = replica_set({"n": 1}, {"n": 1}, lost(), max_write_batch_size=1)
    client = executor(topology)
    command = insert(document={"update": "users", "ordered": True})
    statements = [{"q": {}, "u": {"$set": {"a": n}}} for n in range(3)]
    command.batches = Batches("updates", statements, command.codec_options, multi=[1])
    session = ImplicitSession(client.sessions)
    await client.execute(command, session, NEVER)
    await client.execute(command, session, NEVER)
    await client.execute(command, session, NEVER)
    numbers = [number for _, number in transactions(topology)]
    assert numbers[1] is None
    assert numbers[0] is not None
    assert numbers[2] is not None
    assert numbers[2] == numbers[3] > numbers[0]
    session.end()


async def test_a_multi_statement_that_was_not_begun_is_sent_again() -> None:
    """After an overload, as it was: with a transaction number no server would take it."""
    command = insert()
    command.batches = Batches("updates", [{"q": {}, "u": {}, "multi": True}], command.codec_options, multi=(0,))
    topology = replica_set(OVERLOADED, {"n": 1})
    assert (await executor(topology).run(command))["n"] == 1
    assert transactions(topology) == [(1, None), (1, None)]


async def test_a_multi_statement_is_not_repeated() -> None:
    """Although its bulk would be."""
    topology = replica_set(lost())
    command = insert(document={"delete": "users", "ordered": True})
    command.batches = Batches("deletes", [{"q": {}, "limit": 0}], command.codec_options, multi=[0])
    with pytest.raises(AutoReconnect):
        await executor(topology).run(command)
    assert len(topology.sent) == 1


# Another server


async def test_the_retry_avoids_the_mongos_that_failed() -> None:
    """Retryable reads, prose test 2.1; writes, prose test 4."""
    for command in (find(), insert()):
        topology = sharded(lost(), {"n": 1}, addresses=(FAKE, OTHER))
        await executor(topology).run(command)
        assert [sent.address for sent in topology.sent] == [FAKE, OTHER]
        assert [out.deprioritized for out in topology.check_outs] == [(), (FAKE,)]


async def test_the_only_mongos_is_tried_again() -> None:
    """Retryable reads, prose test 2.2; writes, prose test 5."""
    for command in (find(), insert()):
        topology = sharded(lost(), {"n": 1})
        await executor(topology).run(command)
        assert [sent.address for sent in topology.sent] == [FAKE, FAKE]


@pytest.mark.parametrize(
    ("labels", "retargets", "second"),
    [
        (["RetryableError", "SystemOverloadedError"], True, OTHER),
        (["RetryableError"], True, FAKE),
        (["RetryableError", "SystemOverloadedError"], False, FAKE),
    ],
    ids=["3.1", "3.2", "3.3"],
)
async def test_an_overloaded_member_is_avoided_if_asked_for(
    labels: list[str], retargets: bool, second: ServerAddress
) -> None:
    """Retryable reads, prose tests 3.1, 3.2 and 3.3."""
    failure = {"ok": 0.0, "code": 6, "errmsg": "no", "errorLabels": labels}
    topology = replica_set(failure, {}, addresses=(FAKE, OTHER))
    await executor(topology, enable_overload_retargeting=retargets).run(find())
    assert [sent.address for sent in topology.sent] == [FAKE, second]


async def test_the_command_is_completed_anew() -> None:
    """`$readPreference` belongs to the server that it is sent to."""
    topology = sharded(lost(), {}, addresses=(FAKE, OTHER))
    topology.hellos[OTHER] = FakeTopology(server_type=ServerType.STANDALONE, address=OTHER).hello
    command = find()
    command.read_preference = ReadPreference.NEAREST
    await executor(topology).run(command)
    assert [sent.document.get("$readPreference") for sent in topology.sent] == [{"mode": "nearest"}, None]


async def test_a_server_that_cannot_do_it_ends_the_retry() -> None:
    """With the error of the attempt before."""
    topology = sharded(lost(), addresses=(FAKE, OTHER))
    topology.hellos[OTHER] = FakeTopology(max_wire_version=8, address=OTHER).hello
    with pytest.raises(AutoReconnect, match="lost"):
        await executor(topology).run(insert(requires=Requirement(9, "needs MongoDB 4.4")))
    topology.answers = [lost()]
    with pytest.raises(AutoReconnect, match="lost") as raised:
        await executor(topology).run(insert())
    assert "does not support retryable writes" in raised.value.__notes__[0]
    assert len(topology.sent) == 2
    topology = sharded(max_wire_version=8)
    with pytest.raises(ConfigurationError):
        await executor(topology).run(insert(requires=Requirement(9, "needs MongoDB 4.4")))
    assert topology.out == 0


async def test_no_server_for_the_retry() -> None:
    """The caller must be able to conclude that there was an attempt; without one, that there was none."""
    topology = replica_set()

    async def then_nobody(_: dict[str, Any]) -> dict[str, Any]:
        topology.check_out_errors.append(ServerSelectionTimeoutError("none"))
        raise lost()

    topology.answers = [then_nobody]
    with pytest.raises(AutoReconnect, match="lost"):
        await executor(topology).run(insert())
    topology.check_out_errors.append(ServerSelectionTimeoutError("none"))
    with pytest.raises(ServerSelectionTimeoutError):
        await executor(topology).run(insert())


async def test_what_fails_before_it_is_sent_is_tried_again() -> None:
    """A pool that was cleared, a connection that could not be made."""
    for error in (PoolClearedError("cleared"), lost()):
        for command in (find(), insert()):
            topology = replica_set({"n": 1})
            topology.check_out_errors.append(error)
            await executor(topology).run(command)
            assert len(topology.sent) == 1
            assert topology.errors == []


# Overload


async def test_pauses_after_overload() -> None:
    """Backpressure, prose tests 1 and 3: 0.2 s and 0.4 s at most, three attempts; for whatever is sent."""
    others = Command(database="app", document={"drop": "users"}, retryability=Retryability.WRITE_ONCE)
    ping = Command(database="admin", document={"ping": 1})
    for command in (insert(), find(), others, ping):
        slept: list[float] = []
        topology = FakeTopology(*[OVERLOADED] * 5)
        with pytest.raises(OperationFailure) as raised:
            await executor(topology, slept).run(command)
        assert raised.value.has_error_label("SystemOverloadedError")
        assert raised.value.has_error_label("RetryableError")
        assert slept == pytest.approx([0.2, 0.4])
        assert len(topology.sent) == 3


async def test_max_adaptive_retries() -> None:
    """Backpressure, prose test 4."""
    topology = FakeTopology(*[OVERLOADED] * 5)
    with pytest.raises(OperationFailure):
        await executor(topology, max_adaptive_retries=1).run(find())
    assert len(topology.sent) == 2


async def test_the_server_s_own_base() -> None:
    """Backpressure, prose test 5."""
    slept: list[float] = []
    topology = FakeTopology(*[{**OVERLOADED, "baseBackoffMS": 50}] * 5)
    with pytest.raises(OperationFailure):
        await executor(topology, slept).run(insert())
    assert slept == pytest.approx([0.1, 0.2])


async def test_an_unchecked_reply_is_handed_back_after_the_retries() -> None:
    """`command(check=False)` wants the reply, and the server wants patience."""
    slept: list[float] = []
    topology = FakeTopology(*[OVERLOADED] * 5)
    reply = await executor(topology, slept).run(Command(database="admin", document={"ping": 1}, check=False))
    assert reply["code"] == 462
    assert len(slept) == 2


async def test_cancelled_while_it_pauses() -> None:
    """Nothing is held, nothing more is sent."""
    topology = FakeTopology(OVERLOADED)
    client = executor(topology)
    sleeping = asyncio.Event()

    async def sleep(_: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    client._sleep = sleep
    task = asyncio.create_task(client.run(find()))
    await sleeping.wait()
    assert topology.out == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(topology.sent) == 1
    assert len(client.sessions) == 1


async def test_closed_while_it_pauses() -> None:
    """The error is that of the attempt."""
    topology = FakeTopology(OVERLOADED)
    client = executor(topology)

    async def sleep(_: float) -> None:
        client.abort()

    client._sleep = sleep
    with pytest.raises(OperationFailure, match="slow down"):
        await client.run(find())
    with pytest.raises(InvalidOperation, match="closed"):
        await client.run(find())


async def test_a_server_that_leaves_the_deployment_costs_no_operation() -> None:
    """Its connections are closed under the operations; if the client was closed, that is what they are told."""
    for is_closed in (False, True):
        topology = sharded()
        client = executor(topology)

        async def closes(_: dict[str, Any], client: Executor = client, is_closed: bool = is_closed) -> dict[str, Any]:
            if is_closed:
                client.abort()
            raise PoolClosedError("closed", host=FAKE)

        topology.answers = [closes, {"n": 5}]
        if is_closed:
            with pytest.raises(PoolClosedError) as raised:
                await client.run(find())
            assert not hasattr(raised.value, "__notes__")
        else:
            assert (await client.run(find()))["n"] == 5


# Time


async def test_within_a_deadline_retries_are_not_counted() -> None:
    """Each has the time that is left."""
    topology = replica_set(*[lost() for _ in range(5)], {"n": 1})
    with timeout(60):
        await executor(topology).run(insert())
    assert len(topology.sent) == 6
    assert len({sent.deadline for sent in topology.sent}) == 1
    assert {number for _, number in transactions(topology)} == {1}


async def test_when_the_time_is_up_there_is_no_other_attempt() -> None:
    """A timeout is the last word."""
    topology = replica_set()

    async def until_the_end(_: dict[str, Any]) -> dict[str, Any]:
        deadline = topology.sent[-1].deadline
        loop, is_up = asyncio.get_running_loop(), asyncio.Event()
        loop.call_at(deadline.at, is_up.set)
        await is_up.wait()
        raise NetworkTimeout("late", host=FAKE)

    topology.answers = [until_the_end]
    with pytest.raises(NetworkTimeout), timeout(0.01):
        await executor(topology).run(find())
    assert len(topology.sent) == 1


async def test_a_silence_that_is_too_long_is_a_lost_connection() -> None:
    """SocketTimeoutMS has always been retried."""
    topology = replica_set(NetworkTimeout("socketTimeoutMS", host=FAKE), {"n": 1})
    await executor(topology, socket_timeout=1.0).run(insert())
    assert transactions(topology) == [(1, 1), (1, 1)]


# What is left behind


async def test_an_error_does_not_keep_what_it_met_alive() -> None:
    """Its traceback leads into the executor, and no way leads back: a cursor would wait for the garbage collector."""
    topology = replica_set(lost(), lost())
    client = executor(topology)
    session = ImplicitSession(client.sessions)
    gc.collect()
    gc.disable()
    try:
        with suppress(AutoReconnect):
            await client.execute(find(), session, NEVER)
        gone = [weakref.ref(connection) for connection in topology.connections]
        topology.connections.clear()
        topology.errors.clear()
        assert [connection() for connection in gone] == [None, None]
    finally:
        gc.enable()


async def test_an_error_that_was_overcome_is_gone() -> None:
    """And with it the reply that came in the end, which may be large."""
    errors: list[weakref.ref[BaseException]] = []

    async def lose(_: dict[str, Any]) -> AutoReconnect:
        error = lost()
        errors.append(weakref.ref(error))
        return error

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"n": 5}

    topology = replica_set(lose, lose, answer)
    gc.disable()
    try:
        with timeout(60):
            assert (await executor(topology).run(find()))["n"] == 5
        topology.errors.clear()
        assert [error() for error in errors] == [None, None]
    finally:
        gc.enable()
