"""Look-ups: shared, bounded, and given up without harm."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.net.dns import Endpoint, Resolver, system_lookup


class Lookups:
    """Blocking look-ups that end when the test says so."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.running = 0
        self.most = 0
        self.release = threading.Event()
        self.failure: OSError | None = None
        self._lock = threading.Lock()

    def __call__(self, host: str, port: int) -> list[Endpoint]:
        with self._lock:
            self.asked[host] += 1
            self.running += 1
            self.most = max(self.most, self.running)
        self.release.wait(5)
        with self._lock:
            self.running -= 1
        if self.failure is not None:
            raise self.failure
        return [Endpoint(socket.AF_INET, (f"10.0.0.{len(host)}", port))]


@pytest.fixture
async def lookups() -> AsyncIterator[Lookups]:
    found = Lookups()
    yield found
    found.release.set()


async def test_questions_for_the_same_host_share_one_look_up(lookups: Lookups) -> None:
    """Ten connections that are made at once ask once; the next one asks again."""
    resolver = Resolver(lookups)
    tasks = [asyncio.create_task(resolver.resolve(ServerAddress("db"))) for _ in range(10)]
    await asyncio.sleep(0)
    lookups.release.set()
    assert await asyncio.gather(*tasks) == [[Endpoint(socket.AF_INET, ("10.0.0.2", 27017))]] * 10
    assert lookups.asked == {"db": 1}
    await resolver.resolve(ServerAddress("db"))
    assert lookups.asked == {"db": 2}


async def test_look_ups_are_bounded(lookups: Lookups) -> None:
    """Of ten hosts two are looked up at the same time, and all of them in the end."""
    resolver = Resolver(lookups, limit=2)
    tasks = [asyncio.create_task(resolver.resolve(ServerAddress("x" * number))) for number in range(1, 11)]
    await asyncio.sleep(0)
    lookups.release.set()
    found = await asyncio.gather(*tasks)
    assert [endpoints[0].address[0] for endpoints in found] == [f"10.0.0.{number}" for number in range(1, 11)]
    assert lookups.most <= 2


async def test_giving_up_ends_only_ones_own_waiting(lookups: Lookups) -> None:
    """The others get their answer."""
    resolver = Resolver(lookups)
    first = asyncio.create_task(resolver.resolve(ServerAddress("db")))
    second = asyncio.create_task(resolver.resolve(ServerAddress("db")))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    lookups.release.set()
    assert await second
    assert first.cancelled()


async def test_a_question_that_nobody_waits_for_is_not_asked(lookups: Lookups) -> None:
    """One that waits in line leaves it; one that runs is joined by the next."""
    resolver = Resolver(lookups, limit=1)
    running = asyncio.create_task(resolver.resolve(ServerAddress("running")))
    waiting = asyncio.create_task(resolver.resolve(ServerAddress("waiting")))
    await asyncio.sleep(0)
    for task in (running, waiting):
        task.cancel()
        await asyncio.wait([task])
    again = asyncio.create_task(resolver.resolve(ServerAddress("running")))
    await asyncio.sleep(0)
    lookups.release.set()
    await again
    assert lookups.asked == {"running": 1}


async def test_a_failure_is_told_to_each_separately(lookups: Lookups) -> None:
    """Each gets an exception of its own, equal to the original."""
    lookups.failure = socket.gaierror(socket.EAI_AGAIN, "try again")
    lookups.release.set()
    resolver = Resolver(lookups)
    errors = await asyncio.gather(*(resolver.resolve(ServerAddress("db")) for _ in range(2)), return_exceptions=True)
    assert [(type(error), error.args) for error in errors if isinstance(error, OSError)] == [
        (socket.gaierror, (socket.EAI_AGAIN, "try again"))
    ] * 2
    assert errors[0] is not errors[1]


async def test_addresses_are_not_looked_up(lookups: Lookups) -> None:
    """An IP address or a path is its own answer."""
    resolver = Resolver(lookups)
    assert await resolver.resolve(ServerAddress("127.0.0.1", 1)) == [Endpoint(socket.AF_INET, ("127.0.0.1", 1))]
    (six,) = await resolver.resolve(ServerAddress("::1", 1))
    assert (six.family, str(six)) == (socket.AF_INET6, "[::1]:1")
    assert await resolver.resolve(ServerAddress("/tmp/mongodb.sock", None)) == [
        Endpoint(socket.AF_UNIX, "/tmp/mongodb.sock")
    ]
    assert not lookups.asked


async def test_a_name_without_an_address_is_a_failure() -> None:
    """An empty answer is none."""
    with pytest.raises(socket.gaierror):
        await Resolver(lambda host, port: []).resolve(ServerAddress("db"))


def test_a_name_that_is_none_is_a_failure_like_any_other() -> None:
    """Python refuses some names with a UnicodeError before it asks anybody."""
    with pytest.raises(socket.gaierror):
        system_lookup("a" * 64 + ".example", 1)


def test_a_look_up_does_not_hold_up_the_end_of_the_loop() -> None:
    """The program may end while somebody's DNS is silent."""
    release = threading.Event()

    def never(host: str, port: int) -> list[Endpoint]:
        release.wait(5)
        return []

    async def main() -> None:
        async with asyncio.timeout(0.01):
            await Resolver(never).resolve(ServerAddress("db"))

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    release.set()
