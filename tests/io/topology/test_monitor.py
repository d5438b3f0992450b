"""One monitor: when it checks, what it says, what it makes of the answers. On a clock that jumps."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import bson
import pytest
import virtual_time
from peers import HELLO, MongoPeer, mongo_peer

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.events.listeners import ServerHeartbeatListener
from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.events.topology_events import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.sdam.server_description import ServerDescription
from aiomongo_tls.core.wire.op_msg import Flags
from aiomongo_tls.errors import AutoReconnect, ConnectionFailure, NetworkTimeout, OperationFailure
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.topology.announcer import Announcer
from aiomongo_tls.topology.monitor import Monitor, Watch

VERSION = {"processId": bson.ObjectId(), "counter": bson.Int64(1)}
STREAMING = HELLO | {"topologyVersion": VERSION}


def on_a_clock_that_jumps(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def runs() -> None:
        virtual_time.run(test())

    # pytest-asyncio looks at the wrapped function.
    del runs.__wrapped__  # type: ignore[attr-defined]
    return runs


class AtOnce(Resolver):
    """Looks names up without a thread, for which the clock that jumps would not wait."""

    async def resolve(self, address: ServerAddress) -> list[Endpoint]:
        return [Endpoint(2, ("127.0.0.1", address.port))]


class Heartbeats(ServerHeartbeatListener):
    """The events, each with the time at which it came."""

    def __init__(self) -> None:
        self.events: list[tuple[float, Any]] = []

    def _note(self, event: Any) -> None:
        self.events.append((asyncio.get_running_loop().time(), event))

    started = succeeded = failed = _note

    def times(self, kind: type) -> list[float]:
        return [at for at, event in self.events if isinstance(event, kind)]


class Watched:
    """A monitor under test, and what it has told."""

    def __init__(self, address: ServerAddress, *, was_known: bool = True, **changed: Any) -> None:
        self.heartbeats = Heartbeats()
        self.found: list[ServerDescription] = []
        self.failed: list[Exception] = []
        self._was_known = was_known
        self._changed = asyncio.Event()
        establisher = Establisher(
            address=address,
            client={},
            identity=Identity(),
            credential=MongoCredential(username="ada", password="x", source="admin", mechanism="SCRAM-SHA-256"),
            resolver=AtOnce(),
            connect_timeout=changed.get("connect_timeout", 5.0),
            monitors=True,
        )
        self.monitor = Monitor(
            address,
            Watch(
                establish=establisher.establish,
                frequency=changed.get("frequency", 10.0),
                connect_timeout=changed.get("connect_timeout", 5.0),
                mode=changed.get("mode", ServerMonitoringMode.AUTO),
                announcer=Announcer(EventPublisher([self.heartbeats])),
                is_faas=changed.get("is_faas", False),
            ),
            found=self._find,
            failed=self._fail,
        )

    def _find(self, description: ServerDescription) -> None:
        self.found.append(description)
        self._changed.set()

    def _fail(self, error: Exception) -> bool:
        self.failed.append(error)
        self._changed.set()
        return self._was_known and len(self.failed) == 1

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(300):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def finds(self, count: int) -> None:
        await self.until(lambda: len(self.found) >= count)

    async def fails(self, count: int) -> None:
        await self.until(lambda: len(self.failed) >= count)


@asynccontextmanager
async def watching(peer: MongoPeer, **changed: Any) -> AsyncIterator[Watched]:
    watched = Watched(peer.address, **changed)
    watched.monitor.start()
    try:
        yield watched
    finally:
        watched.monitor.stop()
        await watched.monitor.wait_stopped()


def hellos(peer: MongoPeer) -> list[dict[str, Any]]:
    return [command for command in peer.commands if next(iter(command)).lower() in ("hello", "ismaster")]


@on_a_clock_that_jumps
async def test_an_old_server_is_asked_at_intervals() -> None:
    """Without a topologyVersion the server is polled on one connection, each heartbeatFrequencyMS."""
    async with mongo_peer() as peer, watching(peer, frequency=7.0) as watched:
        await watched.finds(3)
        starts = watched.heartbeats.times(ServerHeartbeatStartedEvent)
        assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([7.0, 7.0], abs=0.5)
        assert len(peer.sessions) == 1
        first, *later = hellos(peer)
        assert first["client"] == {}
        assert [set(command) - {"$db"} for command in later] == [{"hello"}] * len(later)
        assert [event.awaited for _, event in watched.heartbeats.events] == [False] * 6


@on_a_clock_that_jumps
async def test_monitors_never_authenticate() -> None:
    """Nothing of the credential is said on a monitor's connection."""
    async with mongo_peer() as peer, watching(peer) as watched:
        await watched.finds(2)
        assert not {"speculativeAuthenticate", "saslSupportedMechs"} & set(peer.commands[0])
        assert {next(iter(command)).lower() for command in peer.commands} <= {"hello", "ismaster"}


@on_a_clock_that_jumps
async def test_a_new_server_tells_of_changes_when_they_happen() -> None:
    """With a topologyVersion the next hello waits for news; each reply of the stream is a description."""
    async with mongo_peer() as peer:
        answers: list[Any] = [STREAMING]
        peer.answers["hello"] = lambda command: answers.pop() if answers else None
        async with watching(peer) as watched:
            await watched.finds(1)
            await peer.until(lambda: len(hellos(peer)) == 2)
            command = hellos(peer)[1]
            assert command["topologyVersion"] == VERSION
            assert command["maxAwaitTimeMS"] == 10_000
            session = peer.sessions[0]
            assert session.messages[-1].content.flags & Flags.EXHAUST_ALLOWED  # type: ignore[union-attr]
            news = VERSION | {"counter": bson.Int64(2)}
            session.reply(STREAMING | {"topologyVersion": news, "setName": "a"}, flags=Flags.MORE_TO_COME)
            await watched.finds(2)
            assert watched.found[1].replica_set_name == "a"
            session.reply(STREAMING | {"topologyVersion": news}, flags=0)
            await watched.finds(3)
            # The stream has ended: a new one begins at once, from the newest version.
            await peer.until(lambda: len(hellos(peer)) == 3)
            assert hellos(peer)[2]["topologyVersion"] == news
            awaited = [event.awaited for _, event in watched.heartbeats.events]
            assert awaited[:6] == [False, False, True, True, True, True]


@on_a_clock_that_jumps
async def test_the_round_trip_time_is_measured_beside_the_stream() -> None:
    """While the monitor waits for news, another connection says hello at intervals; it makes no events."""
    async with mongo_peer() as peer:

        def answer(command: dict[str, Any]) -> Any:
            return None if "topologyVersion" in command else STREAMING

        peer.answers["hello"] = answer
        async with watching(peer, connect_timeout=1000.0, frequency=1.0) as watched:
            await watched.finds(1)
            times = watched.monitor.round_trip_times
            assert times.minimum == 0.0
            await peer.until(lambda: len(peer.sessions) == 2 and len(peer.sessions[1].commands) >= 3)
            assert times.minimum > 0.0
            assert len(watched.heartbeats.times(ServerHeartbeatStartedEvent)) == 2


@pytest.mark.parametrize(
    ("mode", "is_faas", "streams"),
    [
        (ServerMonitoringMode.AUTO, False, True),
        (ServerMonitoringMode.AUTO, True, False),
        (ServerMonitoringMode.STREAM, True, True),
        (ServerMonitoringMode.POLL, False, False),
    ],
)
def test_who_is_asked_to_stream(mode: ServerMonitoringMode, is_faas: bool, streams: bool) -> None:
    """`poll` never streams, `auto` not where the program is frozen between its calls."""

    async def check() -> None:
        async with mongo_peer() as peer:
            peer.answers["hello"] = STREAMING
            async with watching(peer, mode=mode, is_faas=is_faas) as watched:
                await watched.finds(2)
                assert ("topologyVersion" in hellos(peer)[1]) is streams

    virtual_time.run(check())


@on_a_clock_that_jumps
async def test_a_lost_server_is_looked_at_again_at_once() -> None:
    """A network error of a known server is followed by one check without a pause, and then by one per interval."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = lambda command: None if "topologyVersion" in command else STREAMING
        async with watching(peer) as watched:
            await watched.finds(1)
            await peer.until(lambda: "topologyVersion" in peer.commands[-1])
            peer.answers["hello"] = b"\xff" * 16  # no MongoDB any more
            peer.sessions[0].transport.abort()  # type: ignore[union-attr]
            await watched.fails(3)
            assert isinstance(watched.failed[0], AutoReconnect)
            failures = watched.heartbeats.times(ServerHeartbeatFailedEvent)
            assert failures[1] - failures[0] < 0.4
            assert failures[2] - failures[1] == pytest.approx(10.0, abs=0.5)


@on_a_clock_that_jumps
async def test_a_connection_that_is_lost_between_two_checks_is_a_reason_to_look() -> None:
    """A polled server that hangs up is checked in half a second, not in ten; that alone is no failed check."""
    async with mongo_peer() as peer, watching(peer) as watched:
        await watched.finds(1)
        peer.sessions[0].transport.abort()  # type: ignore[union-attr]
        await watched.finds(2)
        starts = watched.heartbeats.times(ServerHeartbeatStartedEvent)
        assert starts[1] - starts[0] == pytest.approx(0.5, abs=0.3)
        assert watched.failed == []
        assert len(peer.sessions) == 2


@on_a_clock_that_jumps
async def test_a_connection_that_is_lost_soon_after_a_check_is_a_reason_to_look_at_once() -> None:
    """It is no new one: the server may be gone, and operations have no half second."""
    async with mongo_peer() as peer, watching(peer, frequency=2.0) as watched:
        await watched.finds(3)
        lost_at = asyncio.get_running_loop().time()
        peer.sessions[0].transport.abort()  # type: ignore[union-attr]
        await watched.finds(4)
        assert watched.heartbeats.times(ServerHeartbeatStartedEvent)[3] - lost_at < 0.3
        assert len(peer.sessions) == 2


@on_a_clock_that_jumps
async def test_whoever_waits_gets_a_check_each_half_second() -> None:
    """Requested checks come at once, but two of them are half a second apart."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = {"ok": 0, "errmsg": "not yet", "code": 1}
        async with watching(peer, was_known=False) as watched:
            for count in range(1, 5):
                await watched.fails(count)
                watched.monitor.request_check()
                watched.monitor.request_check()
            starts = watched.heartbeats.times(ServerHeartbeatStartedEvent)
            assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([0.5] * 3, abs=0.2)
            assert all(isinstance(error, OperationFailure) for error in watched.failed)


@on_a_clock_that_jumps
async def test_a_check_that_is_given_up_changes_nothing() -> None:
    """Whoever cancels a check knows why; the next one begins on a new connection half a second later."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = lambda command: None if "topologyVersion" in command else STREAMING
        async with watching(peer, connect_timeout=1000.0) as watched:
            await watched.finds(1)
            await peer.until(lambda: len(hellos(peer)) == 2)
            watched.monitor.cancel_check()
            await watched.finds(2)
            assert watched.failed == []
            assert len(watched.heartbeats.times(ServerHeartbeatFailedEvent)) == 1
            assert "client" in hellos(peer)[2]


@on_a_clock_that_jumps
async def test_giving_up_a_check_that_has_just_succeeded_says_nothing_about_the_next() -> None:
    """The reply and the cancellation come in one turn of the loop; that the server is gone then is news."""
    async with mongo_peer() as peer, watching(peer, frequency=1.0) as watched:
        await watched.finds(1)
        connection = watched.monitor.connection
        assert connection is not None
        replied = connection._replied

        def reply_and_cancel(body: bytes) -> None:
            replied(body)
            watched.monitor.cancel_check()

        connection._replied = reply_and_cancel  # type: ignore[method-assign]
        await peer.until(lambda: len(hellos(peer)) == 2)
        peer.answers["hello"] = {"ok": 0, "errmsg": "gone", "code": 1}
        await watched.finds(2)
        await watched.fails(1)
        assert len(watched.heartbeats.times(ServerHeartbeatFailedEvent)) == 1


@on_a_clock_that_jumps
async def test_a_silent_server_is_given_up() -> None:
    """A stream may be silent for connectTimeoutMS and the interval together, a poll for connectTimeoutMS."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = lambda command: None if "topologyVersion" in command else STREAMING
        async with watching(peer, connect_timeout=5.0, frequency=10.0) as watched:
            await watched.fails(1)
            (_, event) = next(
                item for item in watched.heartbeats.events if isinstance(item[1], ServerHeartbeatFailedEvent)
            )
            assert event.duration == pytest.approx(15.0, abs=0.5)
            assert isinstance(event.reply, NetworkTimeout)
            assert "connectTimeoutMS=5000 + heartbeatFrequencyMS=10000" in str(event.reply)


@on_a_clock_that_jumps
async def test_the_start_is_told_before_the_connection_is_opened() -> None:
    """A heartbeat starts before its socket: a server that refuses connections has had its event."""
    async with mongo_peer() as peer:
        address = peer.address
    watched = Watched(address, was_known=False)
    watched.monitor.start()
    await watched.fails(1)
    assert [type(event) for _, event in watched.heartbeats.events[:2]] == [
        ServerHeartbeatStartedEvent,
        ServerHeartbeatFailedEvent,
    ]
    assert isinstance(watched.failed[0], ConnectionFailure)
    watched.monitor.stop()
    await watched.monitor.wait_stopped()


@on_a_clock_that_jumps
async def test_nothing_is_left_of_a_monitor() -> None:
    """After `stop()` there is no task, and the server sees all connections closed."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = lambda command: None if "topologyVersion" in command else STREAMING
        async with watching(peer, connect_timeout=1000.0, frequency=1.0) as watched:
            await peer.until(lambda: len(peer.sessions) == 2)
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert {f"aiomongo_tls monitor {peer.address}", f"aiomongo_tls RTT monitor {peer.address}"} <= names
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await peer.until(lambda: not peer.open_sessions)
        assert watched.heartbeats.times(ServerHeartbeatSucceededEvent)


@on_a_clock_that_jumps
async def test_a_reply_that_is_none_is_a_failed_check() -> None:
    """A field of a wrong type makes the server unknown, and the monitor goes on."""
    async with mongo_peer() as peer:
        peer.answers["hello"] = HELLO | {"setName": 3}
        async with watching(peer) as watched:
            await watched.fails(1)
            peer.answers["hello"] = HELLO
            watched.monitor.request_check()
            await watched.finds(1)
