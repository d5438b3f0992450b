"""Monitors, cancelled and stopped at every step: no task and no socket is left, and who goes on finds its server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bson import Int64, ObjectId
from peers import HELLO, Contexts, MongoPeer, mongo_peer, resolver_of
from srv_zone import StubResolver
from sweep import Cancels, World, in_every_way, sweep, turns

from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.options.srv_options import SRVOptions
from aiomongo_tls.core.sdam import schedule
from aiomongo_tls.core.sdam.server_description import ServerDescription
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.topology.announcer import Announcer
from aiomongo_tls.topology.monitor import Monitor, Watch
from aiomongo_tls.topology.srv_monitor import Polling, SRVMonitor

either_mode = pytest.mark.parametrize("mode", [ServerMonitoringMode.POLL, ServerMonitoringMode.STREAM])


class Watched:
    """A monitor and its server, which tells of three states and is silent then to those who wait for news."""

    def __init__(self, peer: MongoPeer, identity: Identity, mode: ServerMonitoringMode) -> None:
        self.peer = peer
        self.found: list[ServerDescription] = []
        self._mode = mode
        self._process = ObjectId()
        self._changes = 0
        peer.answers["hello"] = self._hello
        establisher = Establisher(
            address=peer.address, client={}, identity=identity, credential=None, resolver=resolver_of(), monitors=True
        )
        watch = Watch(
            establish=establisher.establish,
            frequency=0.0,
            connect_timeout=5.0,
            mode=mode,
            announcer=Announcer(EventPublisher()),
            is_faas=False,
        )
        self.monitor = Monitor(peer.address, watch, found=self._find, failed=lambda error: True)

    def _hello(self, command: dict[str, Any]) -> dict[str, Any] | None:
        if "topologyVersion" in command:
            if self._changes == 2:
                return None
            self._changes += 1
        return HELLO | {"topologyVersion": {"processId": self._process, "counter": Int64(self._changes)}}

    def _find(self, description: ServerDescription) -> None:
        self.found.append(description)
        self.peer.changed.set()

    @property
    def is_acquainted(self) -> bool:
        """Whether the server was described three times and, where it streams, its distance measured twice."""
        if len(self.found) < 3:
            return False
        sessions = self.peer.sessions
        return self._mode is ServerMonitoringMode.POLL or (len(sessions) > 1 and len(sessions[1].commands) > 1)

    async def get_acquainted(self) -> None:
        self.monitor.start()
        await self.peer.until(lambda: self.is_acquainted)


@asynccontextmanager
async def watched_by(contexts: Contexts, identity: Identity, mode: ServerMonitoringMode) -> AsyncIterator[Watched]:
    async with mongo_peer(contexts.server(client_certificate=True)) as peer:
        made = Watched(peer, identity, mode)
        try:
            yield made
        finally:
            made.monitor.stop()
            await made.monitor.wait_stopped()


@pytest.fixture(autouse=True)
def checks_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second between two checks is a long time in a sweep."""
    monkeypatch.setattr(schedule, "MIN_HEARTBEAT_FREQUENCY", 0.0)


@in_every_way
@either_mode
async def test_stopping(contexts: Contexts, identity: Identity, cancels: Cancels, mode: ServerMonitoringMode) -> None:
    """At every step of its work, the monitor of round trip times too, and while somebody waits for the end."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with watched_by(contexts, identity, mode) as watched:
            monitor = watched.monitor

            async def victim() -> None:
                await watched.get_acquainted()
                monitor.stop()
                await monitor.wait_stopped()

            async def check(was_cancelled: bool) -> None:
                for _ in range(1 if cancels == "scope" else cancels):
                    monitor.stop()
                    await turns(1)
                await monitor.wait_stopped()
                await watched.peer.until(lambda: not watched.peer.open_sessions)

            yield World(victim, check)

    assert await sweep(scenario, cancels=cancels) > 10


@either_mode
async def test_giving_up_a_check(contexts: Contexts, identity: Identity, mode: ServerMonitoringMode) -> None:
    """An operation has lost the server: whatever the monitor is doing, it finds it again on a new connection."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with watched_by(contexts, identity, mode) as watched:
            monitor, peer = watched.monitor, watched.peer

            async def check(was_cancelled: bool) -> None:
                monitor.start()
                monitor.cancel_check()
                count, opened = len(watched.found), len(peer.sessions)
                await peer.until(lambda: len(watched.found) > count + 1 or watched.is_acquainted)
                if was_cancelled and count:
                    await peer.until(lambda: len(peer.sessions) > opened)
                monitor.stop()
                await monitor.wait_stopped()
                await peer.until(lambda: not peer.open_sessions)

            yield World(watched.get_acquainted, check)

    assert await sweep(scenario, cancels=1) > 10


@in_every_way
async def test_a_monitor_that_somebody_else_cancels(contexts: Contexts, identity: Identity, cancels: Cancels) -> None:
    """Its work as a task of others: what it has opened is closed by stop()."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        async with watched_by(contexts, identity, ServerMonitoringMode.STREAM) as watched:
            monitor, peer = watched.monitor, watched.peer

            async def victim() -> None:
                working = asyncio.ensure_future(monitor._run())
                try:
                    await peer.until(lambda: watched.is_acquainted)
                finally:
                    working.cancel()

            async def check(was_cancelled: bool) -> None:
                monitor.stop()
                await monitor.wait_stopped()
                await peer.until(lambda: not peer.open_sessions)

            yield World(victim, check)

    assert await sweep(scenario, cancels=cancels) > 10


@in_every_way
async def test_stopping_to_poll_srv_records(cancels: Cancels) -> None:
    """At every step of its work, with a look-up under way and between two."""

    @asynccontextmanager
    async def scenario() -> AsyncIterator[World]:
        srv = SRVOptions(host="cluster.example.net")
        resolver = StubResolver({srv.query_name: ["a.example.net:27017"]})
        resolver.goes_on.clear()
        resolver.ttl = 0
        polling = Polling(srv=srv, resolver=resolver, frequency=0, connect_timeout=5, sleep=lambda _: turns(2))
        found = 0
        changed = asyncio.Event()

        def hosts_found(hosts: object) -> None:
            nonlocal found
            found += 1
            changed.set()

        monitor = SRVMonitor(polling, interval=0, topology_type=lambda: TopologyType.SHARDED, found=hosts_found)

        async def victim() -> None:
            monitor.start()
            await turns(4)
            resolver.goes_on.set()
            for _ in range(3):
                changed.clear()
                await changed.wait()
            monitor.stop()
            await monitor.wait_stopped()

        async def check(was_cancelled: bool) -> None:
            monitor.stop()
            await monitor.wait_stopped()
            count = found
            await turns(10)
            assert found == count

        yield World(victim, check)

    assert await sweep(scenario, cancels=cancels) > 10
