"""The servers that clients talk to from one event loop: what is known of them, who watches them, who uses them.

Everything that changes something here is a plain function: a new description, what becomes of pools and monitors
because of it, the events and the waking of those who wait are one step that nothing can come into. What is to be
done is decided in `core/sdam`; here it is carried out, in the specification's order: first the description, then the
pools. A server is known to all principals alike; what one of them alone is refused is its own affair.

Made with all that an event loop is needed for, and bound to the loop that is running then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from bson import ObjectId

from aiomongo_tls.core.sdam.application_errors import When, effect_of
from aiomongo_tls.core.sdam.changes import changes, closing, opening
from aiomongo_tls.core.sdam.check_failures import check_failure
from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.core.sdam.selection import in_latency_window, suitable_servers
from aiomongo_tls.core.sdam.server_description import ServerDescription, load_balancer
from aiomongo_tls.core.sdam.topology_description import NO_TOPOLOGY, TopologyDescription, initial
from aiomongo_tls.core.sdam.transitions import update, with_hosts
from aiomongo_tls.errors import Phase
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.topology.announcer import log
from aiomongo_tls.topology.monitor import Monitor, Watch
from aiomongo_tls.topology.server import Server

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.deadline import Deadline
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.topology.access import Access
    from aiomongo_tls.topology.announcer import Announcer
    from aiomongo_tls.topology.principal import Principal, Sample

# How far a connection had come when it failed; before, the server was not reached.
_HOW_FAR = {Phase.TLS: When.GREETING, Phase.HELLO: When.GREETING, Phase.AUTH: When.AUTHENTICATING}


class Deployment:
    """The servers of one topology on the running event loop.

    Args:
        options: the client options, with the seeds that a look-up has found.
        watcher: the principal whose identity the monitors present. They do not authenticate.
        sample: picks some of a sequence at random.
        announcer: told of all that happens.

    Attributes:
        id: stands for this deployment in events.
        description: what is known of the servers.
        changed: set, and replaced by another one, when a server was described anew.
        revision: how often that has happened.
    """

    def __init__(
        self, options: ClientOptions, watcher: Principal, *, sample: Sample[ServerAddress], announcer: Announcer
    ) -> None:
        self.id = ObjectId()
        self.options = options
        self.description: TopologyDescription = NO_TOPOLOGY
        self.changed = asyncio.Event()
        self.revision = 0
        self._watcher = watcher
        self._principals = [watcher]
        self._sample = sample
        self._announcer = announcer
        self._loop = asyncio.get_running_loop()
        self._servers: dict[ServerAddress, Server] = {}
        # What does not belong to it any more, until its last task has ended and its last socket is closed.
        self._leaving: list[Server | Pool] = []
        self._refusals: dict[ServerAddress, Exception] = {}

    def __repr__(self) -> str:
        return f"<Deployment {self.description}>"

    @property
    def refusals(self) -> Mapping[ServerAddress, Exception]:
        """Why servers do not belong to it that were taken for members."""
        return self._refusals

    @property
    def servers(self) -> Mapping[ServerAddress, Server]:
        """The servers that belong to it, by address."""
        return self._servers

    # Life

    def start(self) -> None:
        """Begin to watch the seeds. Plain."""
        options = self.options
        description = initial(
            options.seeds,
            direct_connection=options.direct_connection,
            replica_set=options.replica_set,
            load_balanced=options.load_balanced,
        )
        self._tell(partial(opening, self.id, description))
        self._become(description)
        self._settle()
        if options.load_balanced:
            for address in options.seeds:
                self.apply(load_balancer(address))

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `end()`: no task, no socket."""
        for leaving in list(self._leaving):
            await leaving.wait_closed()
        self._leaving.clear()

    def end(self, how: Callable[[Pool], None]) -> None:
        """Stop watching, close every connection. Plain and idempotent.

        Args:
            how: `Pool.close`, or `Pool.abort` without a word to the servers.
        """
        for leaving in self._leaving:
            if isinstance(leaving, Pool):
                how(leaving)
        if self.description is NO_TOPOLOGY:
            return
        old, self.description = self.description, NO_TOPOLOGY
        self._forget_ways()
        for address in list(self._servers):
            self._part(address, how)
        self._tell(partial(closing, self.id, old))
        self.wake()

    # Principals

    @property
    def is_shared(self) -> bool:
        """Whether several principals use it."""
        return sum(principal.is_in_use and not principal.is_closed for principal in self._principals) > 1

    def attach(self, principal: Principal) -> None:
        """Let a principal use the servers. Plain and idempotent."""
        if principal not in self._principals:
            self._principals.append(principal)
            for address in self._servers:
                principal.meet(address, self._establishing_failed)
        principal.is_in_use = True
        for address, access in principal.accesses.items():
            if self.description.takes_operations(address):
                access.pool.ready()

    def detach(self, principal: Principal, how: Callable[[Pool], None]) -> None:
        """Close the connections of a principal. Plain and idempotent.

        Args:
            principal: one of several; if it is the one whose identity the monitors present, they go on doing so.
            how: `Pool.close` or `Pool.abort`.
        """
        principal.close(how)
        if principal is not self._watcher and principal in self._principals:
            self._principals.remove(principal)
            self._forget_what_has_left()
            self._leaving.extend(access.pool for access in principal.accesses.values())
        self.wake()

    def renew_monitor(self, address: ServerAddress) -> None:
        """Have a server watched by a new connection, because another identity is presented to it. Plain."""
        if address in self._servers:
            # It may have left the deployment while the identity was tried there.
            self._servers[address].renew()

    def _forget_ways(self) -> None:
        for principal in self._principals:
            principal.ways.clear()

    def _accesses(self, address: ServerAddress) -> list[Access]:
        return [access for principal in self._principals if (access := principal.accesses.get(address)) is not None]

    # What is known

    def apply(self, server: ServerDescription) -> None:
        """Take in what was found out about a server. Plain.

        Args:
            server: the new description; of no effect if the server belongs to the deployment no longer, or if it is
                older than what is known.
        """
        found = update(self.description, server)
        if not found.applied:
            return
        self.revision += 1
        # Only a check looks at a server afresh.
        self._servers[server.address].checked_at = self.revision if server.last_update_time else 0
        for access in self._accesses(server.address):
            access.fault = None
        if found.refusal is not None:
            self._refusals[server.address] = found.refusal
        old = self.description
        self._become(found.topology)
        self._tell(partial(changes, self.id, old, found.topology))
        self._settle()
        for address in found.requests_check:
            self._servers[address].request_check()

    def set_hosts(self, hosts: Collection[ServerAddress]) -> None:
        """Take in the hosts that a later SRV look-up has found. Plain."""
        srv = self.options.srv
        limit = srv.max_hosts if srv is not None else 0
        old = self.description
        self._become(with_hosts(old, hosts, max_hosts=limit, sample=self._sample))
        self._tell(partial(changes, self.id, old, self.description))
        self._settle()

    def _become(self, description: TopologyDescription) -> None:
        """Replace what is known, and bring servers and pools into line with it."""
        self.description = description
        self._forget_ways()
        self._forget_what_has_left()
        for address in [address for address in self._servers if address not in description.servers]:
            # Operations that are under way on it go on.
            self._part(address, Pool.retire)
        for address in description.servers:
            if address not in self._servers:
                self._refusals.pop(address, None)
                for principal in self._principals:
                    principal.meet(address, self._establishing_failed)
                self._servers[address] = self._make_server(address)

    def _part(self, address: ServerAddress, how: Callable[[Pool], None]) -> None:
        """Use a server no more, and watch it no more."""
        server = self._servers.pop(address)
        server.stop()
        self._leaving.append(server)
        for principal in self._principals:
            pool = principal.accesses.pop(address).pool
            self._leaving.append(pool)
            how(pool)

    def _forget_what_has_left(self) -> None:
        self._leaving = [leaving for leaving in self._leaving if not leaving.is_gone]

    def _settle(self) -> None:
        """What follows from a new description, once everybody was told of it."""
        description = self.description
        for address, server in self._servers.items():
            if description.takes_operations(address):
                server.has_warned = False
                for principal in self._principals:
                    if principal.is_in_use:
                        principal.accesses[address].pool.ready()
            server.start()
        self.wake()

    def wake(self) -> None:
        """Have all who wait look again. Plain."""
        self.changed.set()
        self.changed = asyncio.Event()

    # Errors

    def handle_error(self, connection: Connection, error: Exception, when: When = When.IN_USE) -> None:
        """Draw the conclusions from an error on one of the connections of a pool. Plain.

        Args:
            connection: where it happened.
            error: what happened.
            when: how far the connection had come.
        """
        server, access = self._servers.get(connection.address), self._access_of(connection)
        if server is None or access is None:
            return
        effect = effect_of(
            error,
            topology=self.description,
            address=connection.address,
            connection_generation=connection.generation,
            pool_generation=access.pool.generation_of(connection.service_id),
            when=when,
            service_id=connection.service_id,
            is_shared=self.is_shared,
        )
        if effect.is_refusal:
            access.fault = error
            self._forget_ways()
            if effect.clears_pool:
                access.pool.clear(error, service_id=effect.service_id, pauses=False)
            if effect.requests_check:
                server.request_check()
            return
        if effect.description is not None:
            self.apply(effect.description)
        if effect.clears_pool:
            for each in self._accesses(connection.address):
                each.pool.clear(error, service_id=effect.service_id)
        if effect.cancels_check:
            server.cancel_check()
        if effect.requests_check:
            server.request_check()

    def _access_of(self, connection: Connection) -> Access | None:
        for access in self._accesses(connection.address):
            if access.pool is connection.home:
                return access
        return None

    def _establishing_failed(self, connection: Connection, error: Exception) -> None:
        self.handle_error(connection, error, _HOW_FAR.get(connection.progress.phase, When.ESTABLISHING))

    def _check_failed(self, address: ServerAddress, error: Exception) -> bool:
        """Draw the conclusions from a failed check; whether the next one begins without a pause."""
        server = self._servers.get(address)
        if server is None:
            return False
        failure = check_failure(error, self.description.servers[address], now=self._loop.time())
        self.apply(failure.description)
        for access in self._accesses(address):
            access.pool.clear(error, interrupt_in_use_connections=failure.interrupts)
        return failure.checks_again

    # Selection

    def choices(
        self, preference: ReadPreference | None, deprioritized: Collection[ServerAddress] = ()
    ) -> list[ServerDescription]:
        """The servers that an operation may go to; none if there is none now. Plain.

        Args:
            preference: which servers will do; None for a write.
            deprioritized: servers that are taken only where no other will do.

        Raises:
            ConfigurationError: a server is too old or too new, or maxStalenessSeconds is too small.
        """
        suitable = suitable_servers(
            self.description,
            preference,
            deprioritized=deprioritized,
            heartbeat_frequency=self.options.monitoring.heartbeat_frequency,
            server_selector=self.options.server_selector,
        )
        return in_latency_window(suitable, self.options.monitoring.local_threshold)

    def is_passed_over(self, preference: ReadPreference | None) -> bool:
        """Whether there are servers that would do, but `server_selector` chooses none of them."""
        if self.options.server_selector is None or self.choices(preference):
            return False
        heartbeat_frequency = self.options.monitoring.heartbeat_frequency
        return bool(suitable_servers(self.description, preference, heartbeat_frequency=heartbeat_frequency))

    def request_checks(self) -> None:
        """Have every server checked soon. Plain."""
        for server in self._servers.values():
            server.request_check()

    # What is wrong

    def hopeless(self, since: int = -1) -> Exception | None:
        """The fault that no waiting mends, if every server has one.

        Args:
            since: what `revision` was when the one who asks began; an older fault may have been mended and is looked at
                again first. Of any age by default. Not a time, because a clock that stands still for a moment, as
                uvloop's does within a turn, cannot tell what was first.
        """
        servers = self.description.servers.values()
        faults = [
            server.error
            for server in servers
            if server.error is not None
            and self._servers[server.address].checked_at > since
            and is_permanent(server.error, tls_fail_fast=self.options.tls_fail_fast)
        ]
        if not servers:
            # Nobody is left to be checked again.
            faults = list(self._refusals.values())
        if not faults or len(faults) < len(servers):
            return None
        first = _twin(faults[0])
        for other in faults[1:]:
            first.add_note(f"and {other}")
        return first

    def faults(self) -> dict[ServerAddress, Exception]:
        """The last fault of each server that has one."""
        return {
            address: server.error for address, server in self.description.servers.items() if server.error is not None
        }

    def warn(self, limit: Deadline, patience: float) -> None:
        """Say in the log what is waited for, once per server until it was there again. Plain."""
        for address, server in self._servers.items():
            known = self.description.servers[address]
            if server.has_warned or known.is_server_type_known:
                continue
            server.has_warned = True
            log.warning(
                "%s: no connection yet after %g s, trying on until %s has passed; %s; last fault: %s",
                address,
                patience,
                limit.option or "somebody gives up",
                server.doing,
                known.error or "none",
            )

    # Making

    def _make_server(self, address: ServerAddress) -> Server:
        options = self.options
        if options.load_balanced:
            return Server(address, None)
        watch = Watch(
            establish=partial(self._watcher.open, self._watcher.accesses[address], monitors=True),
            frequency=options.monitoring.heartbeat_frequency,
            connect_timeout=options.connect_timeout,
            mode=options.monitoring.server_monitoring_mode,
            announcer=self._announcer,
        )
        return Server(address, Monitor(address, watch, found=self.apply, failed=partial(self._check_failed, address)))

    def _tell(self, events: Callable[[], Iterable[object]]) -> None:
        """Tell of events, which are made only if anybody wants them."""
        if self._announcer.wants_changes:
            for event in events():
                self._announcer.tell(event)


def _twin(error: Exception) -> Exception:
    """An error for one of those who wait; each its own, because raising adds to an exception's traceback."""
    twin = copy(error)
    twin.__cause__ = error.__cause__
    return twin
