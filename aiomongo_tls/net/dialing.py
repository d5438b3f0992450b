"""From endpoints to a connected socket: Happy Eyeballs (RFC 8305), ours over `loop.sock_connect`.

A name often has an IPv6 and an IPv4 address of which one leads nowhere. Tried one after another, the bad one costs a
whole timeout. So the next address is tried when the one before has failed or has not answered for a short while, the
families taking turns; the first to answer wins.

Each try owns its socket and closes it if it fails, is cancelled or comes second, so that nothing here has to be awaited
in order to clean up.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.net.dns import Endpoint

STAGGER = 0.25
"""Seconds until the next address is tried while the one before is silent; RFC 8305 recommends this."""

# What MongoDB's drivers use: a dead peer is noticed after 120 s + 9 * 10 s instead of hours.
_KEEPALIVE = {"TCP_KEEPIDLE": 120, "TCP_KEEPALIVE": 120, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 9}


def interleave(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoints with their families taking turns, beginning with the family of the first (RFC 8305, section 4)."""
    families: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        families.setdefault(endpoint.family, []).append(endpoint)
    return [endpoint for turn in zip_longest(*families.values()) for endpoint in turn if endpoint is not None]


class NoneAnswered(OSError):
    """No endpoint could be connected to.

    Args:
        failures: what each said, in the order of the failures; the first is also the `__cause__`.
    """

    def __init__(self, failures: Sequence[tuple[Endpoint, OSError]]) -> None:
        super().__init__("; ".join(f"{endpoint}: {_said(error)}" for endpoint, error in failures))
        self.failures = failures
        self.__cause__ = failures[0][1]


def _said(error: OSError) -> str:
    # Not `strerror`: asyncio puts a sentence of its own into it, with the address once more.
    return os.strerror(error.errno) if error.errno else str(error)


async def connect_first(endpoints: Sequence[Endpoint], *, stagger: float = STAGGER) -> socket.socket:
    """Connect a socket to whichever endpoint answers first.

    Args:
        endpoints: at least one, in order of preference.
        stagger: seconds until the next is tried while the one before is silent.

    Returns:
        A connected, non-blocking socket; TCP sockets have TCP_NODELAY and keepalive set.

    Raises:
        NoneAnswered: all of them failed.
    """
    loop = asyncio.get_running_loop()
    waiting = interleave(endpoints)
    failures: list[tuple[Endpoint, OSError]] = []
    tries: dict[asyncio.Task[socket.socket], Endpoint] = {}
    winner: socket.socket | None = None
    try:
        while winner is None and (waiting or tries):
            if waiting:
                endpoint = waiting.pop(0)
                if not waiting and not tries:
                    # The last hope, nothing to race with: no task needed.
                    try:
                        winner = await _connect(endpoint)
                    except OSError as exc:
                        failures.append((endpoint, exc))
                    continue
                tries[loop.create_task(_connect(endpoint), name=f"aiomongo_tls try {endpoint}")] = endpoint
            done, _ = await asyncio.wait(
                tries, timeout=stagger if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None:
                    winner = winner or task.result()
                elif isinstance(error, OSError):
                    failures.append((tries.pop(task), error))
                else:
                    raise error
    finally:
        for task in tries:
            # A task that is cancelled before it is done closes its own socket.
            if not task.cancel() and not task.cancelled() and task.exception() is None and task.result() is not winner:
                task.result().close()
    if winner is None:
        raise NoneAnswered(failures)
    return winner


async def _connect(endpoint: Endpoint) -> socket.socket:
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if not isinstance(endpoint.address, str):
            _set_options(sock)
        await asyncio.get_running_loop().sock_connect(sock, endpoint.address)
    except BaseException:
        sock.close()
        raise
    return sock


def _set_options(sock: socket.socket) -> None:
    # OSError: the platform does not have it; the connection works without.
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
