"""SRV and TXT records without DNS: a resolver over two dictionaries, and the zone of the official SRV tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.uri.srv import SRVRecords
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import ConfigurationError

TTL = 86400.0


class StubResolver:
    """Answers from `hosts` and `texts`, or raises `failure`; waits before each answer while `holds` is set."""

    def __init__(
        self, hosts: dict[str, Sequence[str]], texts: dict[str, Sequence[Sequence[bytes]]] | None = None
    ) -> None:
        self.hosts = hosts
        self.texts = texts or {}
        self.ttl = TTL
        self.failure: Exception | None = None
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self.deadlines: list[Deadline] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def srv(self, name: str, deadline: Deadline) -> SRVRecords:
        await self._ask(name, deadline)
        if name not in self.hosts:
            raise ConfigurationError(f"there are no SRV records of {name}")
        return SRVRecords(targets=tuple(address(host) for host in self.hosts[name]), ttl=self.ttl)

    async def txt(self, name: str, deadline: Deadline) -> Sequence[Sequence[bytes]]:
        await self._ask(name, deadline)
        return self.texts.get(name, ())

    async def _ask(self, name: str, deadline: Deadline) -> None:
        self.asked.append(name)
        self.was_asked.set()
        self.deadlines.append(deadline)
        await self.goes_on.wait()
        if self.failure is not None:
            raise self.failure


class Clock:
    """Waiting that ends when the test says so."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._begins = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._begins.set()
        await self.goes_on.wait()
        self.goes_on.clear()

    async def asleep(self) -> float:
        """Wait until somebody sleeps; for how many seconds."""
        await self._begins.wait()
        return self.slept[-1]

    async def next(self) -> float:
        """Let the time pass, and wait until somebody sleeps again; for how many seconds."""
        await self._begins.wait()
        self._begins.clear()
        self.goes_on.set()
        return await self.asleep()


def address(text: str) -> ServerAddress:
    """The address of `host:port`."""
    host, _, port = text.rpartition(":")
    return ServerAddress(host, int(port))


ZONE = "test.build.10gen.cc"

_HOSTS = {
    1: ("localhost.test.build.10gen.cc:27017", "localhost.test.build.10gen.cc:27018"),
    2: ("localhost.test.build.10gen.cc:27018", "localhost.test.build.10gen.cc:27019"),
    **dict.fromkeys((3, 5, 6, 7, 8, 10, 11, 20, 21), ("localhost.test.build.10gen.cc:27017",)),
    12: ("localhost.build.10gen.cc:27017",),
    13: ("test.build.10gen.cc:27017",),
    14: ("localhost.not-test.build.10gen.cc:27017",),
    15: ("localhost.test.not-build.10gen.cc:27017",),
    16: ("localhost.test.build.not-10gen.cc:27017",),
    17: ("localhost.test.build.10gen.not-cc:27017",),
    18: ("localhost.sub.test.build.10gen.cc:27017",),
    19: ("localhost.evil.build.10gen.cc:27017", "localhost.test.build.10gen.cc:27017"),
    23: ("localhost.test.build.10gen.cc:8000",),
    24: ("localhost.test.build.10gen.cc:8000",),
}

_TEXTS: dict[int, Sequence[Sequence[bytes]]] = {
    5: ((b"replicaSet=repl0&authSource=thisDB",),),
    6: ((b"replicaSet=repl0",), (b"authSource=otherDB",)),
    7: ((b"ssl=false",),),
    8: ((b"authSource",),),
    10: ((b"socketTimeoutMS=500",),),
    11: ((b"replicaS", b"et=rep", b"l0"),),
    20: ((b"loadBalanced=true",),),
    21: ((b"loadBalanced=false",),),
    24: ((b"loadBalanced=true",),),
}


def official_zone() -> StubResolver:
    """The zone that the official SRV tests ask for (README of the specification tests, "DNS records")."""
    hosts: dict[str, Sequence[str]] = {f"_mongodb._tcp.test{number}.{ZONE}": found for number, found in _HOSTS.items()}
    hosts[f"_customname._tcp.test22.{ZONE}"] = ("localhost.test.build.10gen.cc:27017",)
    return StubResolver(hosts, {f"test{number}.{ZONE}": records for number, records in _TEXTS.items()})
