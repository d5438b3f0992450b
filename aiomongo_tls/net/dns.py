"""From a host name to addresses: look-ups that are shared, bounded, and never in the way.

Connections to the same host that are made at the same time share one look-up. A few look-ups run at once, on daemon
threads; the others wait in line. Giving up waiting ends only the waiting: `getaddrinfo` cannot be interrupted, so its
thread goes on and a later question for the same host joins it instead of starting a second one.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.net.threads import in_thread

LIMIT = 4
"""Look-ups that run at the same time."""


class Endpoint(NamedTuple):
    """Where a socket can be connected to."""

    family: int
    """The address family, for example `socket.AF_INET6`."""
    address: tuple[Any, ...] | str
    """The address as `socket.connect()` takes it; the path of a unix domain socket."""

    def __str__(self) -> str:
        if isinstance(self.address, str):
            return self.address
        return str(ServerAddress(*self.address[:2]))


Lookup = Callable[[str, int], Sequence[Endpoint]]
"""A blocking look-up: host and port to endpoints in order of preference; raises OSError."""


def system_lookup(host: str, port: int) -> list[Endpoint]:
    """Ask the system (`getaddrinfo`): /etc/hosts, DNS, whatever it is configured to use.

    Raises:
        OSError: it does not know.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:
        raise socket.gaierror(socket.EAI_NONAME, f"not a host name: {exc}") from exc
    return [Endpoint(family, address) for family, _, _, _, address in found]


class _Job:
    def __init__(self, address: ServerAddress, call: Callable[[], Sequence[Endpoint]]) -> None:
        self.address = address
        self.call = call
        self.is_running = False
        self.waiters: set[asyncio.Future[list[Endpoint]]] = set()


class Resolver:
    """The look-ups of one client, on one event loop.

    Args:
        lookup: the blocking look-up.
        limit: how many run at the same time.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, limit: int = LIMIT) -> None:
        self._lookup = lookup
        self._limit = limit
        self._jobs: dict[ServerAddress, _Job] = {}
        self._line: deque[_Job] = deque()
        self._running = 0

    async def resolve(self, address: ServerAddress) -> list[Endpoint]:
        """Look up where a server is. IP addresses and unix domain sockets are answered at once.

        Args:
            address: the server.

        Returns:
            Where it can be reached, in the system's order of preference; at least one endpoint.

        Raises:
            OSError: the name was not resolved, or the platform has no unix domain sockets.
        """
        if address.port is None:
            if not hasattr(socket, "AF_UNIX"):
                raise OSError("this platform has no unix domain sockets")
            return [Endpoint(socket.AF_UNIX, address.host)]
        if address.is_ip:
            return system_lookup(address.host, address.port)
        job = self._jobs.get(address)
        if job is None:
            job = self._jobs[address] = _Job(address, partial(self._lookup, address.host, address.port))
            self._line.append(job)
            self._start()
        waiter: asyncio.Future[list[Endpoint]] = asyncio.get_running_loop().create_future()
        job.waiters.add(waiter)
        try:
            return await waiter
        finally:
            job.waiters.discard(waiter)
            if not job.waiters and not job.is_running:
                self._forget(job)

    def _start(self) -> None:
        while self._line and self._running < self._limit:
            job = self._line.popleft()
            job.is_running = True
            self._running += 1
            found = in_thread(job.call, name=f"aiomongo_tls look-up of {job.address}")
            found.add_done_callback(partial(self._settle, job))

    def _settle(self, job: _Job, future: asyncio.Future[Sequence[Endpoint]]) -> None:
        self._running -= 1
        job.is_running = False
        del self._jobs[job.address]
        error = future.exception()
        endpoints = [] if error is not None else list(future.result())
        if error is None and not endpoints:
            error = socket.gaierror(socket.EAI_NONAME, "the name has no address")
        for waiter in job.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(endpoints)
            else:
                # Each its own, because raising adds to an exception's traceback.
                waiter.set_exception(copy(error))
        self._start()

    def _forget(self, job: _Job) -> None:
        if self._jobs.get(job.address) is job:
            del self._jobs[job.address]
            self._line.remove(job)
