"""One operation's search for a server: what it wants, how long it waits, and what it says when the time is up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiomongo_tls.errors import ServerSelectionTimeoutError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.deadline import Deadline
    from aiomongo_tls.topology.access import Access
    from aiomongo_tls.topology.deployment import Deployment
    from aiomongo_tls.topology.principal import Principal

_log = logging.getLogger("aiomongo_tls.selection")


@dataclass(frozen=True, slots=True)
class Search:
    """What an operation looks for, and until when (server selection specification).

    Args:
        preference: which servers will do; None for a write.
        deprioritized: servers that are chosen only where no other will do.
        only: the one server that will do, whatever it is now; None for any.
        began: when the search began, on the loop's clock.
        since: the deployment's revision at that moment, 0 before there is one.
        deadline: when the operation gives up.
        limit: when the search gives up, the deadline at the latest.
    """

    preference: ReadPreference | None = None
    deprioritized: Collection[ServerAddress] = ()
    only: ServerAddress | None = None
    began: float = field(kw_only=True)
    since: int = field(kw_only=True)
    deadline: Deadline = field(kw_only=True)
    limit: Deadline = field(kw_only=True)

    def find(self, deployment: Deployment, principal: Principal) -> Access | None:
        """The way to a server that will do, None if there is none now. Plain.

        Args:
            deployment: the servers.
            principal: who looks for one; a server that is known to refuse it is taken only where no other will do.

        Raises:
            ConfigurationError: a server is too old or too new, or maxStalenessSeconds is too small.
            ServerSelectionTimeoutError: the one server that will do belongs to the deployment no longer.
        """
        if self.only is None:
            ways = self._ways(deployment, principal)
            return principal.choose(ways) if ways else None
        access = principal.accesses.get(self.only)
        if access is None:
            raise ServerSelectionTimeoutError(
                "this server belongs to the deployment no longer, and its cursors are gone with it", host=self.only
            )
        # A member that recovers is known, but takes no operations: if its pool was cleared, it stays paused.
        is_known = deployment.description.servers[self.only].is_server_type_known
        return access if is_known and access.pool.is_ready else None

    def is_refused(self, deployment: Deployment, principal: Principal) -> bool:
        """Whether every server that would do was found to refuse this principal. Plain."""
        ways = self._ways(deployment, principal)
        return bool(ways) and all(access.fault is not None for access in ways)

    def _ways(self, deployment: Deployment, principal: Principal) -> list[Access]:
        """The ways to the servers that will do; to those that refuse the principal only where there is no other."""
        refusing = {address for address, access in principal.accesses.items() if access.fault is not None}
        servers = deployment.choices(self.preference, refusing.union(self.deprioritized)) if refusing else []
        # Where nothing is left, a server that has failed comes before one that refuses.
        ways = principal.ways_to(servers or deployment.choices(self.preference, self.deprioritized))
        return [access for access in ways if access.fault is None] or ways

    async def wait(self, deployment: Deployment, principal: Principal) -> None:
        """Ask for checks and wait until a server is described anew.

        Raises:
            ServerSelectionTimeoutError: the time is up; the last fault is its cause.
            NetworkTimeout: the operation's own deadline has passed while the first connection was being opened.
            MongoError: every server has a fault that waiting does not mend.
        """
        hopeless = deployment.hopeless(self.since)
        if hopeless is not None:
            raise hopeless
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("Waiting for suitable server to become available: %s; %s", self._wanted, deployment.description)
        changed = deployment.changed
        deployment.request_checks()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self.limit.at if self.limit.is_finite else None):
                await changed.wait()
        if self.limit.has_passed(asyncio.get_running_loop().time()) and self.find(deployment, principal) is None:
            error = self._time_is_up(deployment)
            raise error from error.__cause__

    @property
    def _wanted(self) -> str:
        if self.only is not None:
            return str(self.only)
        if self.preference is None:
            return "a server that takes writes"
        is_plain = self.preference.document.keys() <= {"mode", "hedge"}
        return f"a server for {self.preference.name if is_plain else self.preference!r}"

    def _time_is_up(self, deployment: Deployment) -> Exception:
        faults = deployment.faults()
        for address, server in deployment.servers.items():
            if address in faults or deployment.description.servers[address].is_server_type_known:
                continue
            unfinished = server.time_is_up(self.limit.option or "the deadline")
            if unfinished is not None:
                faults[address] = unfinished
        servers = deployment.description.servers
        first = next(iter(faults.values()), None)
        if first is not None and len(servers) == 1 and self.limit is self.deadline and not deployment.faults():
            # The operation was in too much of a hurry: how far it had come says more than that nothing was found.
            return first
        error = ServerSelectionTimeoutError(
            f"{self._wanted} was not found until {self.limit.option or 'the deadline'} had passed; "
            f"{self._last_seen(deployment, faults)}",
            faults,
            host=next(iter(servers)) if len(servers) == 1 else None,
        )
        error.__cause__ = first
        return error

    def _last_seen(self, deployment: Deployment, faults: dict[ServerAddress, Exception]) -> str:
        servers = deployment.description.servers
        if len(servers) == 1 and faults and not deployment.refusals:
            return f"last fault: {next(iter(faults.values()))}"
        seen = [
            f"{address} is {server.server_type_name}" + (f" ({faults[address]})" if address in faults else "")
            for address, server in servers.items()
        ]
        seen += [str(refusal) for address, refusal in deployment.refusals.items() if address not in servers]
        if self.only is None and deployment.is_passed_over(self.preference):
            seen.append("server_selector has chosen none of them")
        return f"the topology is {deployment.description.topology_type_name}: {'; '.join(seen) or 'no servers'}"
