"""The servers that one client talks to from one event loop: what is known of them, who watches them, and their pools.

Everything that changes something here is a plain function: a new description, what becomes of pools and monitors
because of it, the events and the waking of those who wait are one step that nothing can come into. What is to be
done is decided in `core/sdam`; here it is carried out, in the specification's order: first the description, then the
pools.

Made with all that an event loop is needed for, and bound to the loop that is running then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bson import ObjectId

from aiomongo_tls.core.auth.metadata import client_document
from aiomongo_tls.core.sdam.application_errors import When, effect_of
from aiomongo_tls.core.sdam.changes import changes, closing, opening
from aiomongo_tls.core.sdam.check_failures import check_failure
from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.core.sdam.selection import choose, in_latency_window, suitable_servers
from aiomongo_tls.core.sdam.server_description import ServerDescription, load_balancer
from aiomongo_tls.core.sdam.topology_description import NO_TOPOLOGY, TopologyDescription, initial
from aiomongo_tls.core.sdam.transitions import update, with_hosts
from aiomongo_tls.errors import Phase
from aiomongo_tls.net.environment import client_environment
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.topology.announcer import Announcer, log
from aiomongo_tls.topology.monitor import Monitor, Watch
from aiomongo_tls.topology.server import Server

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.deadline import Deadline
    from aiomongo_tls.net.computations import Computations
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.net.dns import Resolver
    from aiomongo_tls.net.identity import Identity

T = TypeVar("T")

Sample = Callable[[Sequence[T], int], list[T]]
"""Picks some of a sequence at random, as `random.sample` does."""

Connect = Callable[[Establisher, "Connection"], Awaitable[None]]
"""Opens a connection in the way that the establisher says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a deployment works with; the loop's clock is the clock.

    Args:
        identity: what the client presents itself with.
        resolver: looks host names up.
        computations: does the slow work of authentication.
        connect: opens connections.
        sample: picks some of a sequence at random.
        announcer: told of all that happens.
    """

    identity: Identity
    resolver: Resolver
    computations: Computations
    connect: Connect
    sample: Sample[Any]
    announcer: Announcer


class Deployment:
    """The servers of one client on the running event loop.

    Args:
        options: the client's, with the seeds that a look-up has found.
        means: what to work with.

    Attributes:
        id: stands for this deployment in events.
        description: what is known of the servers.
        identity: what the client presents itself with, the newest that has proved itself at any server.
        changed: set, and replaced by another one, when a server was described anew.
        revision: how often that has happened.
    """

    def __init__(self, options: ClientOptions, means: Means) -> None:
        self.id = ObjectId()
        self.options = options
        self.description: TopologyDescription = NO_TOPOLOGY
        self.identity = means.identity
        self.changed = asyncio.Event()
        self.revision = 0
        self._means = means
        self._loop = asyncio.get_running_loop()
        self._servers: dict[ServerAddress, Server] = {}
        # Servers that do not belong to it any more, until their last task has ended and their last socket is closed.
        self._leaving: list[Server] = []
        self._refusals: dict[ServerAddress, Exception] = {}
        # The servers that an operation may go to, by its read preference; begun anew with each description.
        self._choices: dict[ReadPreference | None, list[ServerDescription]] = {}
        self._client = client_document(
            client_environment(),
            app_name=options.app_name,
            drivers=(options.driver,) if options.driver is not None else (),
        )

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

    def close(self) -> None:
        """Stop watching, close every connection in order. Plain and idempotent."""
        self._end(Server.close)

    def abort(self) -> None:
        """The same at once, without a word to the servers. Plain and idempotent."""
        self._end(Server.abort)

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `close()` or `abort()`: no task, no socket."""
        for server in list(self._leaving):
            await server.wait_closed()
        self._leaving.clear()

    def _end(self, how: Callable[[Server], None]) -> None:
        for server in (*self._servers.values(), *self._leaving):
            how(server)
        if self.description is NO_TOPOLOGY:
            return
        old, self.description = self.description, NO_TOPOLOGY
        self._choices.clear()
        self._leaving.extend(self._servers.values())
        self._servers.clear()
        self._tell(partial(closing, self.id, old))
        self._wake()

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
        self._become(with_hosts(old, hosts, max_hosts=limit, sample=self._means.sample))
        self._tell(partial(changes, self.id, old, self.description))
        self._settle()

    def _become(self, description: TopologyDescription) -> None:
        """Replace what is known, and bring servers and pools into line with it."""
        self.description = description
        self._choices.clear()
        self._leaving = [server for server in self._leaving if not server.is_gone]
        for address in [address for address in self._servers if address not in description.servers]:
            server = self._servers.pop(address)
            self._leaving.append(server)
            server.retire()
        for address in description.servers:
            if address not in self._servers:
                self._refusals.pop(address, None)
                self._servers[address] = self._make_server(address)

    def _settle(self) -> None:
        """What follows from a new description, once everybody was told of it."""
        description = self.description
        for address, server in self._servers.items():
            if description.takes_operations(address):
                server.has_warned = False
                server.pool.ready()
            server.start()
        self._wake()

    def _wake(self) -> None:
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
        server = self._servers.get(connection.address)
        if server is None or connection.home is not server.pool:
            return
        effect = effect_of(
            error,
            topology=self.description,
            address=connection.address,
            connection_generation=connection.generation,
            pool_generation=server.pool.generation_of(connection.service_id),
            when=when,
            service_id=connection.service_id,
        )
        if effect.description is not None:
            self.apply(effect.description)
        if effect.clears_pool:
            server.pool.clear(error, service_id=effect.service_id)
        if effect.cancels_check:
            server.cancel_check()
        if effect.requests_check:
            server.request_check()

    def _establishing_failed(self, connection: Connection, error: Exception) -> None:
        is_authenticating = connection.progress.phase is Phase.AUTH
        self.handle_error(connection, error, When.AUTHENTICATING if is_authenticating else When.ESTABLISHING)

    def _check_failed(self, address: ServerAddress, error: Exception) -> bool:
        """Draw the conclusions from a failed check; whether the next one begins without a pause."""
        server = self._servers.get(address)
        if server is None:
            return False
        failure = check_failure(error, self.description.servers[address], now=self._loop.time())
        self.apply(failure.description)
        server.pool.clear(error, interrupt_in_use_connections=failure.interrupts)
        return failure.checks_again

    # Selection

    def select(self, preference: ReadPreference | None, deprioritized: Collection[ServerAddress] = ()) -> Server | None:
        """A server that an operation may go to, None if there is none now. Plain.

        Args:
            preference: which servers will do; None for a write.
            deprioritized: servers that are chosen only where no other will do.

        Raises:
            ConfigurationError: a server is too old or too new, or maxStalenessSeconds is too small.
        """
        if deprioritized or self.options.server_selector is not None:
            servers = self._candidates(preference, deprioritized)
        else:
            known = self._choices.get(preference)
            if known is None:
                known = self._choices[preference] = self._candidates(preference)
            servers = known
        if not servers:
            return None
        return self._servers[choose(servers, self._operation_count, self._means.sample).address]

    def _candidates(
        self, preference: ReadPreference | None, deprioritized: Collection[ServerAddress] = ()
    ) -> list[ServerDescription]:
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
        if self.options.server_selector is None or self._candidates(preference):
            return False
        heartbeat_frequency = self.options.monitoring.heartbeat_frequency
        return bool(suitable_servers(self.description, preference, heartbeat_frequency=heartbeat_frequency))

    def _operation_count(self, address: ServerAddress) -> int:
        return self._servers[address].pool.operation_count

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
        options, means = self.options, self._means
        server = Server(address, self.identity, options.credential)
        server.pool = Pool(
            server.key,
            options.pool,
            partial(self._establish, server, monitors=False),
            publisher=means.announcer.publisher,
            on_fault=self._establishing_failed,
            load_balanced=options.load_balanced,
        )
        if not options.load_balanced:
            watch = Watch(
                establish=partial(self._establish, server, monitors=True),
                frequency=options.monitoring.heartbeat_frequency,
                connect_timeout=options.connect_timeout,
                mode=options.monitoring.server_monitoring_mode,
                announcer=means.announcer,
            )
            server.monitor = Monitor(address, watch, found=self.apply, failed=partial(self._check_failed, address))
        return server

    async def _establish(self, server: Server, connection: Connection, *, monitors: bool) -> None:
        """Open a connection with the identity that the server uses at that moment."""
        await self.establish(server.address, server.identity, connection, monitors=monitors)
        server.newest = connection

    async def establish(
        self, address: ServerAddress, identity: Identity, connection: Connection, *, monitors: bool = False
    ) -> None:
        """Open a connection. Failing or cancelled, it leaves nothing open.

        Args:
            address: the server.
            identity: what to present.
            connection: a new connection to this server.
            monitors: whether it only asks the server what it is.

        Raises:
            MongoError: as `Establisher.establish()`.
        """
        options, means = self.options, self._means
        establisher = Establisher(
            address=address,
            client=self._client,
            identity=identity,
            credential=options.credential,
            resolver=means.resolver,
            connect_timeout=options.connect_timeout,
            database=options.database,
            load_balanced=options.load_balanced,
            monitors=monitors,
            publisher=means.announcer.publisher,
            computations=means.computations,
        )
        await means.connect(establisher, connection)

    def _tell(self, events: Callable[[], Iterable[object]]) -> None:
        """Tell of events, which are made only if anybody wants them."""
        announcer = self._means.announcer
        if announcer.wants_changes:
            for event in events():
                announcer.tell(event)


def _twin(error: Exception) -> Exception:
    """An error for one of those who wait; each its own, because raising adds to an exception's traceback."""
    twin = copy(error)
    twin.__cause__ = error.__cause__
    return twin
