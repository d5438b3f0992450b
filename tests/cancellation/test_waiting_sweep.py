"""Operations that wait for a server or for their next attempt, and clients that are closed meanwhile, at every step.

Without TLS, which has no part in it and would take most of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bson import Int64, ObjectId
from peers import HELLO, MongoPeer, Session, mongo_peer, name_of
from sweep import Cancels, World, in_every_way, sweep, turns

from aiomongo_tls import AsyncClient, InvalidOperation, MongoError
from aiomongo_tls.core.sdam import schedule
from aiomongo_tls.core.wire.op_msg import Flags

Client = AsyncClient[dict[str, Any]]
OVERLOADED = {
    "ok": 0.0,
    "code": 462,
    "errmsg": "come back later",
    "errorLabels": ["SystemOverloadedError", "RetryableError"],
}


class Member:
    """The only member of a replica set, for a `MongoPeer`: it tells its monitors when it becomes something else."""

    def __init__(self, peer: MongoPeer) -> None:
        self.peer = peer
        self.is_primary = True
        self._process = ObjectId()
        self._changes = 0
        self._failures: list[dict[str, Any] | None] = []
        peer.answers |= {
            "hello": self._hello,
            "find": self._answer({"cursor": {"id": 0, "ns": "app.users", "firstBatch": [{"_id": 1}]}, "ok": 1.0}),
            "insert": self._answer({"n": 1, "ok": 1.0}),
        }

    def becomes(self, *, primary: bool) -> None:
        """Be something else from now on."""
        self.is_primary = primary
        self._changes += 1
        for session in self.peer.open_sessions:
            if session.commands and "topologyVersion" in session.commands[-1]:
                session.reply(self._description(), flags=Flags.MORE_TO_COME)

    def fails(self, *failures: dict[str, Any] | None) -> None:
        """Answer the next commands like this; None is to hang up."""
        self._failures = list(failures)

    def steps_down(self) -> dict[str, Any]:
        """The answer of one that is primary no longer; it is again a little later."""
        loop = asyncio.get_running_loop()
        self.becomes(primary=False)
        loop.call_soon(loop.call_soon, lambda: self.becomes(primary=True))
        version = self._description()["topologyVersion"]
        labels = ["RetryableWriteError"]
        return {"ok": 0.0, "code": 10107, "errmsg": "not primary", "errorLabels": labels, "topologyVersion": version}

    def _answer(self, document: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
        def answer(command: dict[str, Any]) -> dict[str, Any] | None:
            if not self._failures:
                return document
            failure = self._failures.pop(0)
            if failure is None:
                session = self._session_of(command)
                assert session.transport is not None
                session.transport.abort()
                return None
            return self.steps_down() if failure is STEPS_DOWN else failure

        return answer

    def _session_of(self, command: dict[str, Any]) -> Session:
        return next(session for session in self.peer.sessions if any(other is command for other in session.commands))

    def _hello(self, command: dict[str, Any]) -> dict[str, Any] | None:
        if "topologyVersion" in command:
            return None if command["topologyVersion"]["counter"] == self._changes else self._description()
        return self._description()

    def _description(self) -> dict[str, Any]:
        me = f"127.0.0.1:{self.peer.port}"
        return HELLO | {
            "isWritablePrimary": self.is_primary,
            "secondary": not self.is_primary,
            "setName": "rs0",
            "setVersion": 1,
            "hosts": [me],
            "me": me,
            "topologyVersion": {"processId": self._process, "counter": Int64(self._changes)},
        }


STEPS_DOWN: dict[str, Any] = {}
"""Stands for the answer of a member that steps down."""


@asynccontextmanager
async def member_of(**options: Any) -> AsyncIterator[tuple[Member, Client]]:
    """A replica set and its client, which knows it."""
    async with mongo_peer() as peer:
        member = Member(peer)
        client = Client("127.0.0.1", peer.port, **({"maxPoolSize": 1} | options))
        # The pauses before retries: some turns of the loop.
        client._executor._sleep = lambda seconds: turns(3)
        try:
            await client.aconnect()
            yield member, client
        finally:
            client.abort()
            await client.close()


def is_settled(client: Client) -> bool:
    return all(not pool.opening and not pool.parked for pool in client.pool_status().values())


async def check_whole(client: Client, member: Member, *, connections: int | None = None) -> None:
    """The next operation is served; nothing is in use, nobody waits, no session is lost."""
    await client["app"]["users"].find_one()
    assert is_settled(client)
    (pool,) = client.pool_status().values()
    assert (pool.idle, pool.in_use, pool.waiting) == (1, 0, 0)
    assert len(client._executor.sessions) == 1
    used = [
        session for session in member.peer.sessions if any(name_of(command) != "hello" for command in session.commands)
    ]
    assert connections is None or len(used) == connections
    await client.close()
    await member.peer.until(lambda: not member.peer.open_sessions)


async def has_primary(client: Client, *, primary: bool) -> None:
    """Wait until the client has heard of it."""
    async with asyncio.timeout(5):
        while client.topology_description.has_writable_server() is not primary:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def checks_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second between two checks is a long time in a sweep."""
    monkeypatch.setattr(schedule, "MIN_HEARTBEAT_FREQUENCY", 0.0)


def operations_of(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    users = client["app"]["users"]
    return {"find": users.find_one, "insert": lambda: users.insert_one({"_id": 1})}


# Waiting


@in_every_way
@pytest.mark.parametrize("name", ["find", "insert"])
async def test_waiting_for_a_primary(cancels: Cancels, name: str) -> None:
    """Others wait beside the victim: they are served when there is one."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with member_of() as (member, client):
            member.becomes(primary=False)
            await has_primary(client, primary=False)
            others = [asyncio.ensure_future(operations_of(client)[name]()) for _ in range(2)]

            async def election() -> None:
                await turns(6)
                member.becomes(primary=True)

            elected = asyncio.ensure_future(election())

            async def check(was_cancelled: bool) -> None:
                await asyncio.gather(elected, *others)
                await check_whole_but_for_sessions(client, member)

            yield World(operations_of(client)[name], check, settled=lambda: is_settled(client))

    assert await sweep(scenario, cancels=cancels) > 6


async def check_whole_but_for_sessions(client: Client, member: Member) -> None:
    """Where several operations ran there may be several sessions: as many as the server has heard of."""
    heard_of = {bytes(lsid["id"]) for command in member.peer.commands if (lsid := command.get("lsid"))}
    assert len(client._executor.sessions) == len(heard_of)
    (pool,) = client.pool_status().values()
    assert (pool.idle, pool.in_use, pool.waiting) == (1, 0, 0)
    await client["app"]["users"].find_one()
    await client.close()
    await member.peer.until(lambda: not member.peer.open_sessions)


@in_every_way
@pytest.mark.parametrize("name", ["find", "insert"])
async def test_pausing_before_the_next_attempt(cancels: Cancels, name: str) -> None:
    """The server is overloaded twice. Once cancelled, nothing more is sent, and no connection is lost."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with member_of() as (member, client):
            member.fails(OVERLOADED, OVERLOADED)

            async def check(was_cancelled: bool) -> None:
                sent = sum(name in command for command in member.peer.commands)
                assert sent == 3 or was_cancelled
                await turns(20)
                assert sum(name in command for command in member.peer.commands) == sent
                member.fails()
                await check_whole(client, member, connections=1)

            yield World(operations_of(client)[name], check, settled=lambda: is_settled(client))

    assert await sweep(scenario, cancels=cancels) > 6


@in_every_way
@pytest.mark.parametrize("failure", ["hangs up", "steps down"])
@pytest.mark.parametrize("name", ["find", "insert"])
async def test_trying_again(cancels: Cancels, name: str, failure: str) -> None:
    """The server is lost in the middle, or is primary no longer: found anew, and the operation repeated."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with member_of() as (member, client):
            member.fails(None if failure == "hangs up" else STEPS_DOWN)

            async def check(was_cancelled: bool) -> None:
                member.fails()
                await check_whole(client, member)

            yield World(operations_of(client)[name], check, settled=lambda: is_settled(client))

    assert await sweep(scenario, cancels=cancels) > 6


# Closing


@in_every_way
@pytest.mark.parametrize("under_way", ["selection", "opening", "parked", "cursor"])
async def test_closing_a_client(cancels: Cancels, under_way: str) -> None:
    """Whatever is under way ends with it: who waits for a primary or a connection, a late reply, a cursor."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with member_of(maxPoolSize=2) as (member, client):
            peer, users = member.peer, client["app"]["users"]
            operations: list[asyncio.Task[Any]] = []
            if under_way == "selection":
                member.becomes(primary=False)
                await has_primary(client, primary=False)
            elif under_way == "cursor":
                peer.answers["find"] = {"cursor": {"id": 7, "ns": "app.users", "firstBatch": [{"_id": 1}]}, "ok": 1.0}
                peer.answers["killCursors"] = None
                cursor = users.find()
                await cursor.next()
                del cursor
            else:
                peer.answers["find"] = None
                operations.append(asyncio.ensure_future(users.find_one()))
                await peer.until(lambda: "find" in peer.commands[-1])
                if under_way == "parked":
                    operations[0].cancel()
            operations += [asyncio.ensure_future(users.find_one()) for _ in range(2)]
            await turns(2)

            async def check(was_cancelled: bool) -> None:
                # Cancelled before its first step, nothing has happened to it.
                await client.close()
                await asyncio.wait(operations)
                for operation in operations:
                    assert operation.cancelled() or isinstance(operation.exception(), MongoError | None)
                with pytest.raises(InvalidOperation):
                    await users.find_one()
                assert client.pool_status() == {}
                await peer.until(lambda: not peer.open_sessions)

            yield World(client.close, check)

    assert await sweep(scenario, cancels=cancels) > 1


@in_every_way
async def test_tasks_that_somebody_else_cancels(cancels: Cancels) -> None:
    """A program that cancels every task it finds, ours too: close() leaves nothing nevertheless."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with member_of(maxPoolSize=3, minPoolSize=3) as (member, client):

            async def victim() -> None:
                member.fails(None)
                await client["app"]["users"].find_one()
                await client.close()

            async def check(was_cancelled: bool) -> None:
                for _ in range(2):
                    for task in asyncio.all_tasks():
                        if task.get_name().startswith("aiomongo_tls"):
                            task.cancel()
                    await turns(1)
                await client.close()
                await member.peer.until(lambda: not member.peer.open_sessions)

            yield World(victim, check)

    assert await sweep(scenario, cancels=cancels) > 6
