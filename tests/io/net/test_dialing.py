"""Happy Eyeballs: the first to answer wins, the others leave nothing open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from sweep import descriptors

from aiomongo_tls.net.dialing import NoneAnswered, connect_first, interleave
from aiomongo_tls.net.dns import Endpoint

SIX, FOUR = socket.AF_INET6, socket.AF_INET


def at(port: int) -> Endpoint:
    return Endpoint(FOUR, ("127.0.0.1", port))


@pytest.fixture
def listening() -> Iterator[Endpoint]:
    """An endpoint that answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield at(listener.getsockname()[1])


@pytest.fixture
def silent(silent_port: int) -> Endpoint:
    """An endpoint that never answers."""
    return at(silent_port)


def test_families_take_turns() -> None:
    """Beginning with the family of the first; the order within a family stays."""
    six = [Endpoint(SIX, (f"::{n}", 1, 0, 0)) for n in (1, 2, 3)]
    four = [Endpoint(FOUR, (f"10.0.0.{n}", 1)) for n in (1, 2)]
    assert interleave([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert interleave(four) == four


async def test_one_endpoint_is_connected_to(listening: Endpoint) -> None:
    """With the options that a connection to a database needs."""
    with await connect_first([listening]) as sock:
        assert sock.getpeername() == listening.address
        assert sock.getblocking() is False
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_silent_address_costs_the_stagger_only(silent: Endpoint, listening: Endpoint) -> None:
    """The second is tried while the first is still silent, and wins."""
    before = descriptors()
    with await connect_first([silent, listening], stagger=0.01) as sock:
        assert sock.getpeername() == listening.address
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(descriptors() - before) == 1


async def test_an_address_that_refuses_costs_nothing(listening: Endpoint, unused_tcp_port: int) -> None:
    """The next one is tried at once, whatever the stagger."""
    async with asyncio.timeout(5):
        with await connect_first([at(unused_tcp_port), listening], stagger=1000) as sock:
            assert sock.getpeername() == listening.address


async def test_two_that_answer_at_once_leave_one_socket(listening: Endpoint) -> None:
    """The second's socket is closed."""
    before = descriptors()
    for _ in range(10):
        with await connect_first([listening, listening, listening], stagger=0):
            pass
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert descriptors() == before


async def test_all_failures_are_told(unused_tcp_port_factory: object) -> None:
    """The first is the cause, and each has its address in the text."""
    ports = [unused_tcp_port_factory() for _ in range(3)]  # type: ignore[operator]
    with pytest.raises(NoneAnswered) as caught:
        await connect_first([at(port) for port in ports], stagger=1000)
    assert [endpoint for endpoint, _ in caught.value.failures] == [at(port) for port in ports]
    assert str(caught.value) == "; ".join(f"127.0.0.1:{port}: Connection refused" for port in ports)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("count", [1, 3])
async def test_giving_up_closes_every_socket(silent: Endpoint, turns: int, count: int) -> None:
    """Cancelled while nobody has answered yet."""
    before = descriptors()
    task = asyncio.create_task(connect_first([silent] * count, stagger=0))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(3):
        await asyncio.sleep(0)
    assert descriptors() == before
    assert len(asyncio.all_tasks()) == 1
