"""Looks at the SRV records again and again, so that the mongos servers of a sharded cluster can come and go.

    wait --(topology is Unknown or Sharded)--> look up --(hosts)----> tell them; wait as long as the records hold
                                                       --(no host)--> wait heartbeatFrequencyMS
         --(it is something else)--> end

Specification: polling SRV records for mongos discovery. Times are counted from the end of a look-up. Whatever DNS says
or does not say, and whatever goes wrong: nothing is raised, and the topology stays as it is until there is a host in
the answer that may be connected to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.uri.srv import rescan_interval, sort_hosts
from aiomongo_tls.deadline import Deadline

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.srv_options import SRVOptions
    from aiomongo_tls.net.srv import SRVResolver

_log = logging.getLogger("aiomongo_tls.topology")

POLLED: Final = frozenset({TopologyType.UNKNOWN, TopologyType.SHARDED})
"""Topologies whose servers are those that the records name; the members of others know each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """How SRV records are polled.

    Args:
        srv: the look-up.
        resolver: who is asked.
        frequency: seconds until the next try when there was no host (`heartbeatFrequencyMS`).
        connect_timeout: seconds for a look-up (`connectTimeoutMS`), None for no limit but the resolver's.
        sleep: waits for so many seconds.
    """

    srv: SRVOptions
    resolver: SRVResolver
    frequency: float
    connect_timeout: float | None
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class SRVMonitor:
    """Polls the SRV records of one client from `start()` to `stop()`, or until the topology needs it no more.

    Args:
        polling: how.
        interval: seconds until the first look-up, since the one that the client began with.
        topology_type: says what the topology is now.
        found: told of the hosts that may be connected to, at least one; a plain function.
    """

    def __init__(
        self,
        polling: Polling,
        *,
        interval: float,
        topology_type: Callable[[], TopologyType],
        found: Callable[[Collection[ServerAddress]], object],
    ) -> None:
        self._polling = polling
        self._interval = interval
        self._topology_type = topology_type
        self._found = found
        self._task: asyncio.Task[None] | None = None
        # What was last complained of; the same complaint is made once.
        self._complaint: str | None = None

    # Plain, from anywhere on the loop

    def start(self) -> None:
        """Begin to poll; does nothing if the topology is none that is polled."""
        if self._topology_type() in POLLED:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"aiomongo_tls SRV polling of {self._polling.srv.host}", context=Context()
            )

    def stop(self) -> None:
        """Poll no more: the client is closed, or the topology has become one that is not polled. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    async def wait_stopped(self) -> None:
        """Wait until nothing is left after `stop()`: no task, no socket."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    # The task

    async def _run(self) -> None:
        interval = self._interval
        while True:
            await self._polling.sleep(interval)
            if self._topology_type() not in POLLED:
                return
            interval = await self._rescan()

    async def _rescan(self) -> float:
        """One look-up; returns the seconds until the next."""
        polling = self._polling
        limit = Deadline.after(polling.connect_timeout, "connectTimeoutMS", now=asyncio.get_running_loop().time())
        try:
            records = await polling.resolver.srv(polling.srv.query_name, limit)
            hosts = sort_hosts(polling.srv, records.targets)
            problems = [f"{host} is not connected to: {problem}" for host, problem in hosts.refused.items()]
            # The topology may have become another one in the meantime.
            if hosts.accepted and self._topology_type() in POLLED:
                self._found(hosts.accepted)
        except Exception as exc:  # noqa: BLE001 - the specification: nothing that happens here is an error of the client
            self._complain(f"{exc}" if str(exc) else repr(exc))
            return polling.frequency
        self._complain("; ".join(problems) or None if hosts.accepted else "; ".join(["no host is left", *problems]))
        return rescan_interval(records) if hosts.accepted else polling.frequency

    def _complain(self, complaint: str | None) -> None:
        """One WARNING when something is wrong, or something else, and a word when it is well again."""
        if complaint == self._complaint:
            return
        self._complaint = complaint
        if complaint is None:
            _log.info("%s: the SRV records can be used again", self._polling.srv.query_name)
        else:
            _log.warning("%s: polling the SRV records: %s", self._polling.srv.query_name, complaint)
