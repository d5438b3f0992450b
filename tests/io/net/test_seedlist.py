"""The look-up with which a mongodb+srv client begins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from srv_zone import StubResolver

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import ConfigurationError, ConnectionFailure, InvalidOperation, NetworkTimeout, Phase
from aiomongo_tls.net.seedlist import Seeded, Seedlist

NAME = "_mongodb._tcp.c.example.net"


@pytest.fixture
def resolver() -> StubResolver:
    return StubResolver({NAME: ["a.example.net:5", "b.example.net:6"]}, {"c.example.net": [[b"replicaSet=rs0"]]})


def seedlist(resolver: StubResolver, query: str = "", **keywords: Any) -> Seedlist:
    options = resolve(f"mongodb+srv://c.example.net/?{query}", keywords)
    return Seedlist(options, resolver, sample=lambda seeds, count: list(seeds[:count]))


async def started(resolver: StubResolver, tasks: int, seeds: Seedlist) -> list[asyncio.Task[Seeded]]:
    """Tasks that all wait for a look-up that is held up."""
    resolver.goes_on.clear()
    waiting = [asyncio.create_task(seeds.look_up()) for _ in range(tasks)]
    await resolver.was_asked.wait()
    return waiting


async def test_complete_options(resolver: StubResolver) -> None:
    """SRV, then TXT; the options are complete, and the time of the next look-up is told."""
    seeds = seedlist(resolver)
    seeded = await seeds.look_up()
    assert seeded.options.seeds == (ServerAddress("a.example.net", 5), ServerAddress("b.example.net", 6))
    assert seeded.options.replica_set == "rs0"
    assert seeded.rescan_interval == resolver.ttl
    assert resolver.asked == [NAME, "c.example.net"]
    assert seeds.seeded is seeded is await seeds.look_up()
    assert len(resolver.asked) == 2


async def test_sample(resolver: StubResolver) -> None:
    """Of more hosts than srvMaxHosts some are chosen by the function given."""
    resolver.texts.clear()
    assert (await seedlist(resolver, "srvMaxHosts=1").look_up()).options.seeds == (ServerAddress("a.example.net", 5),)


async def test_many_ask_once(resolver: StubResolver) -> None:
    """A hundred that come at the same time make one look-up, and get one result."""
    waiting = await started(resolver, 100, seedlist(resolver))
    resolver.goes_on.set()
    results = await asyncio.gather(*waiting)
    assert resolver.asked == [NAME, "c.example.net"]
    assert len({id(seeded) for seeded in results}) == 1


async def test_giving_up_ends_nothing_but_the_waiting(resolver: StubResolver) -> None:
    """A caller that is cancelled, and even the only one, leaves the look-up going; the next caller joins it."""
    seeds = seedlist(resolver)
    (first,) = await started(resolver, 1, seeds)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(seeds.look_up())
    resolver.goes_on.set()
    assert (await second).options.replica_set == "rs0"
    assert resolver.asked == [NAME, "c.example.net"]


async def test_the_caller_s_deadline(resolver: StubResolver) -> None:
    """A caller waits until its own deadline, which the error names; the look-up goes on."""
    seeds = seedlist(resolver)
    (patient,) = await started(resolver, 1, seeds)
    deadline = Deadline.after(0.01, "timeoutMS=10", now=asyncio.get_running_loop().time())
    with pytest.raises(NetworkTimeout, match="timeoutMS=10 has passed while the SRV records of") as caught:
        await seeds.look_up(deadline)
    assert caught.value.phase is Phase.DNS
    resolver.goes_on.set()
    assert (await patient).options.replica_set == "rs0"


async def test_connect_timeout_bounds_the_look_up(resolver: StubResolver) -> None:
    """The resolver is told connectTimeoutMS, one limit for both questions, whatever the callers' deadlines."""
    before = asyncio.get_running_loop().time()
    await seedlist(resolver, connectTimeoutMS=1500).look_up()
    first, second = resolver.deadlines
    assert first == second
    assert first.option == "connectTimeoutMS=1500"
    assert 1.5 <= first.at - before < 2.5


async def test_a_failure_is_not_kept(resolver: StubResolver) -> None:
    """Each waiting caller gets an error of its own; whoever comes next asks again."""
    seeds = seedlist(resolver)
    resolver.failure = ConnectionFailure("no name server", phase=Phase.DNS)
    resolver.failure.__cause__ = OSError("x")
    waiting = await started(resolver, 3, seeds)
    resolver.goes_on.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(error) for error in errors} == {"no name server"}
    assert len({id(error) for error in errors}) == 3
    assert all(isinstance(error, ConnectionFailure) and isinstance(error.__cause__, OSError) for error in errors)
    resolver.failure = None
    assert (await seeds.look_up()).options.replica_set == "rs0"


async def test_answers_that_break_the_rules(resolver: StubResolver) -> None:
    """What the deciding half refuses reaches the caller."""
    resolver.hosts[NAME] = ["evil.example.org:1"]
    with pytest.raises(ConfigurationError, match=r"evil\.example\.org:1"):
        await seedlist(resolver).look_up()


async def test_a_mistake_reaches_everybody(resolver: StubResolver) -> None:
    """An exception of another kind is raised as it is."""
    resolver.failure = ZeroDivisionError()
    seeds = seedlist(resolver)
    waiting = await started(resolver, 2, seeds)
    resolver.goes_on.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, ZeroDivisionError) for error in errors)


async def test_stop(resolver: StubResolver) -> None:
    """Stopping ends the look-up and all waiting for it; nothing is left, and nothing begins again."""
    seeds = seedlist(resolver)
    waiting = await started(resolver, 2, seeds)
    seeds.stop()
    await seeds.wait_stopped()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, InvalidOperation) for error in errors)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(InvalidOperation, match="closed"):
        await seeds.look_up()
    seeds.stop()
    await seeds.wait_stopped()


def test_nothing_to_look_up(resolver: StubResolver) -> None:
    """Options of another scheme have nothing to look up."""
    with pytest.raises(ValueError, match="nothing to look up"):
        Seedlist(resolve("mongodb://h", {}), resolver)
