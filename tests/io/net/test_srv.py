"""SRV and TXT records, asked of a DNS server on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
import pytest_asyncio
from dns.asyncresolver import Resolver
from dns.rcode import Rcode
from dns.resolver import NoResolverConfiguration
from dns_server import DNSServer, dns_server

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import ConfigurationError, ConnectionFailure, MongoError, NetworkTimeout, Phase
from aiomongo_tls.net.srv import DNSResolver, system_resolver

NAME = "_mongodb._tcp.c.example.net"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[DNSServer]:
    async with dns_server() as server:
        yield server


@pytest.fixture
def resolver(server: DNSServer) -> DNSResolver:
    return DNSResolver(server.resolver)


def soon(seconds: float) -> Deadline:
    return Deadline.after(seconds, "connectTimeoutMS=x", now=asyncio.get_running_loop().time())


async def fault(question: Coroutine[Any, Any, object]) -> MongoError:
    with pytest.raises(MongoError) as caught:
        await question
    return caught.value


async def test_srv_records(server: DNSServer, resolver: DNSResolver) -> None:
    """Targets in lower case, without the final dot, with ports and the time that they hold."""
    server.records[NAME, "SRV"] = ["0 5 27317 Mongo1.example.net.", "10 5 27017 mongo2.example.net."]
    records = await resolver.srv(NAME, NEVER)
    assert set(records.targets) == {ServerAddress("mongo1.example.net", 27317), ServerAddress("mongo2.example.net")}
    assert records.ttl == server.ttl
    assert server.questions == [(NAME, "SRV")]


async def test_txt_records(server: DNSServer, resolver: DNSResolver) -> None:
    """Records as the strings that they consist of; none is no error, with a name that exists and one that does not."""
    server.records["a", "TXT"] = ['"replicaS" "et=rs0"', '"authSource=x"']
    server.records["b", "SRV"] = ["0 0 1 a."]
    assert {tuple(record) for record in await resolver.txt("a", NEVER)} == {
        (b"replicaS", b"et=rs0"),
        (b"authSource=x",),
    }
    assert list(await resolver.txt("b", NEVER)) == []
    assert list(await resolver.txt("c", NEVER)) == []


async def test_a_long_answer(server: DNSServer, resolver: DNSResolver) -> None:
    """What does not fit into a datagram comes over TCP."""
    server.records[NAME, "SRV"] = [f"0 0 {port} a.example.net." for port in range(1, 200)]
    server.truncates = True
    assert len((await resolver.srv(NAME, NEVER)).targets) == 199
    assert len(server.questions) == 2


@pytest.mark.parametrize("known", [[], [(NAME, "TXT")]])
async def test_no_srv_records(server: DNSServer, resolver: DNSResolver, known: list[tuple[str, str]]) -> None:
    """No such name, or a name without them: an error that waiting does not mend, with name and advice."""
    server.records.update({key: ['"x"'] for key in known})
    error = await fault(resolver.srv(NAME, NEVER))
    assert isinstance(error, ConfigurationError)
    assert f"there are no SRV records of {NAME}" in str(error)
    assert is_permanent(error)


@pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.REFUSED])
async def test_servers_that_fail(server: DNSServer, resolver: DNSResolver, rcode: Rcode) -> None:
    """Nobody could say: an error that waiting may mend, with the phase and what the servers said."""
    server.rcode = rcode
    for question in (resolver.srv(NAME, NEVER), resolver.txt(NAME, NEVER)):
        error = await fault(question)
        assert isinstance(error, ConnectionFailure)
        assert error.phase is Phase.DNS
        assert NAME in str(error)
        assert rcode.name in str(error)
        assert not is_permanent(error)


async def test_no_server_there() -> None:
    """A name server that is not there says so at once, or not at all; either way it is a fault that may pass."""
    async with dns_server() as server:
        pass
    error = await fault(DNSResolver(server.resolver).srv(NAME, soon(0.2)))
    assert isinstance(error, ConnectionFailure)
    assert not is_permanent(error)


async def test_silence(server: DNSServer, resolver: DNSResolver) -> None:
    """A silent name server is given up at the deadline, and named with the option."""
    server.is_silent = True
    error = await fault(resolver.srv(NAME, soon(0.05)))
    assert isinstance(error, NetworkTimeout)
    assert error.phase is Phase.DNS
    assert "no name server (127.0.0.1) has answered in time (connectTimeoutMS=x)" in str(error)
    assert not is_permanent(error)


async def test_cancellation(server: DNSServer, resolver: DNSResolver) -> None:
    """A cancelled question ends at once and leaves no task."""
    server.is_silent = True
    task = asyncio.ensure_future(resolver.srv(NAME, NEVER))
    await server.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_configuration_that_blocks() -> None:
    """Reading the configuration happens off the loop, and its end is not waited for beyond the deadline."""
    go_on = threading.Event()

    def configure() -> Resolver:
        go_on.wait(10)
        return Resolver(configure=False)

    try:
        error = await fault(DNSResolver(configure).srv(NAME, soon(0.02)))
    finally:
        go_on.set()
    assert isinstance(error, NetworkTimeout)


def without_configuration() -> Resolver:
    raise NoResolverConfiguration("cannot open /etc/resolv.conf")


def broken() -> Resolver:
    raise ZeroDivisionError


async def test_no_configuration() -> None:
    """A machine without name servers is told of, not waited for."""
    error = await fault(DNSResolver(without_configuration).srv(NAME, NEVER))
    assert isinstance(error, ConfigurationError)
    assert "no DNS configuration (cannot open /etc/resolv.conf)" in str(error)


@pytest.mark.parametrize("name", [f"{'a' * 64}.example.net", ".".join(["a" * 60] * 5), "a..b"])
async def test_names_that_cannot_be(resolver: DNSResolver, name: str) -> None:
    """What is too long or empty for DNS is refused, not waited for."""
    error = await fault(resolver.srv(name, NEVER))
    assert isinstance(error, ConfigurationError)
    assert "DNS cannot have such a name" in str(error)


async def test_mistakes_are_not_hidden() -> None:
    """An exception that is neither DNS's nor the system's stays what it is."""
    with pytest.raises(ZeroDivisionError):
        await DNSResolver(broken).srv(NAME, NEVER)


def test_the_machine_s_resolver() -> None:
    """The default is made of the machine's configuration; a machine may have none."""
    try:
        assert system_resolver().nameservers
    except NoResolverConfiguration:
        pytest.skip("this machine has no DNS configuration")
