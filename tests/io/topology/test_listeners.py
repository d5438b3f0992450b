"""Listeners are somebody else's code: whatever they do in the middle of an event, nothing is lost and nothing stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from peers import HELLO, mongo_peer, resolver_of
from sweep import descriptors, turns

from aiomongo_tls.core.events.listeners import LISTENERS
from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.monitoring_options import MonitoringOptions
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.sdam import schedule
from aiomongo_tls.errors import AutoReconnect, MongoError
from aiomongo_tls.topology.topology import Topology


class Meddling(*LISTENERS):  # type: ignore[misc]
    """Does something at one event, which is counted from 0."""

    def __init__(self, at: int, what: Any) -> None:
        self.at = at
        self.what = what
        self.count = 0
        self.errors: list[Exception] = []

    def told(self, event: object) -> None:
        self.count += 1
        if self.count - 1 == self.at:
            try:
                self.what()
            except Exception as exc:
                self.errors.append(exc)
                raise


for _kind in LISTENERS:
    for _name in vars(_kind):
        if not _name.startswith("_"):
            setattr(Meddling, _name, Meddling.told)


async def life_of(topology: Topology, others: Any) -> None:
    """A bit of everything: a server is found, used, lost, found again, replaced by another one; then the end."""
    connection = await topology.check_out()
    waiting = asyncio.create_task(topology.check_out())
    await turns(3)
    deployment = topology._life.deployment
    assert deployment is not None
    topology.handle_error(connection, AutoReconnect("lost", host=connection.address))
    topology.check_in(connection)
    topology.check_in(await waiting)
    deployment.set_hosts(others)
    topology.check_in(await topology.check_out())


async def meddled(at: int, how: str) -> Meddling:
    """Live that life with a listener that aborts the client, or raises, at one event."""
    before = descriptors()
    async with mongo_peer() as one, mongo_peer() as other:
        for peer in (one, other):
            peer.answers["hello"] = {**HELLO, "msg": "isdbgrid"}

        def act() -> None:
            if how == "abort":
                topology.abort()
            raise asyncio.CancelledError if how == "cancelled" else ValueError

        meddling = Meddling(at, act)
        topology = Topology(
            ClientOptions(
                seeds=(one.address,),
                event_listeners=(meddling,),
                pool=PoolOptions(max_pool_size=1, min_pool_size=1),
                monitoring=MonitoringOptions(heartbeat_frequency=0.5),
            ),
            resolver=resolver_of(),
        )
        async with asyncio.timeout(10):
            try:
                await life_of(topology, [other.address])
            except MongoError:
                assert how == "abort"
            await topology.close()
        left = [task.get_name() for task in asyncio.all_tasks() if "aiomongo_tls" in task.get_name()]
        assert not left, f"event {at}: {left}"
    await turns(3)
    assert not descriptors() - before, f"event {at}"
    return meddling


@pytest.mark.parametrize("how", ["abort", "raise", "cancelled"])
async def test_at_every_event(how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that aborts the client in the middle of any event, or raises, leaves nothing behind."""
    # The lost server is looked at again at once.
    monkeypatch.setattr(schedule, "MIN_HEARTBEAT_FREQUENCY", 0.001)
    at = 0
    while True:
        caplog.clear()
        meddling = await meddled(at, how)
        if meddling.count <= at:
            break
        assert all(isinstance(error, ValueError) for error in meddling.errors), meddling.errors
        assert [record.name for record in caplog.records] == ["aiomongo_tls"]
        at += 1
    assert at > 20
    assert not EventPublisher().is_telling
