"""Gives operations their connections: finds the server, waits for it where waiting may help, says why where not.

    select a server --(there is one)--> a connection of its pool --> the operation
          ^         --(none)----------> ask for checks, wait for the next description --+
          +-----------------------------------------------------------------------------+

Rules for waiting (`core/sdam/failures` is the table behind them):

- A fault that waiting may mend (refused, reset, timeout, unknown name) is waited out until the operation's deadline or
  `serverSelectionTimeoutMS`, whichever is earlier. After two seconds one WARNING per server says what for; there is no
  second one until the server was there again.
- When the last fault of *every* server is one that waiting does not mend (certificate, wrong protocol), a fresh check
  of each is awaited and then that fault is raised, instead of thirty seconds of silence. Recovery needs no help. One
  broken member of a healthy set is not even noticed.
- What the chosen server's pool says against the operation itself (a refused credential) is raised at once, and so is
  a fault that waiting does not mend if no server is left without one. A member that has just turned out to be broken, a
  pool that was cleared meanwhile, or a connection that broke before it was ready, sends the operation back to the
  selection: nothing was sent yet. Not so where the server is overloaded: the executor waits longer, see `core/retry`.
- Once a server is chosen only the operation's own deadline bounds the waiting for a connection:
  `serverSelectionTimeoutMS` limits the search for a server, not the queue at a busy one.

What is bound to an event loop is the `Life`, begun at the first use; see `net/loops` for what happens when the loop has
changed. Several clients may share one, each with a `Topology` of its own by which it acts as its principal.
"""

from __future__ import annotations

import asyncio
import random
from asyncio import get_running_loop
from collections.abc import Callable, Collection, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.error_labels import SYSTEM_OVERLOADED
from aiomongo_tls.core.events.publisher import EventPublisher
from aiomongo_tls.core.sdam.failures import is_of_one_server, is_permanent
from aiomongo_tls.core.sdam.schedule import Backoff
from aiomongo_tls.core.sdam.topology_description import NO_TOPOLOGY, TopologyDescription, initial
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import (
    ConnectionFailure,
    InvalidOperation,
    MongoError,
    NetworkTimeout,
    Phase,
    PoolClosedError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from aiomongo_tls.net.computations import Computations
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.loops import running_loop
from aiomongo_tls.net.srv import DNSResolver, SRVResolver
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.topology.announcer import Announcer, listener_failed
from aiomongo_tls.topology.beginning import FIRST_PAUSE, LONGEST_PAUSE
from aiomongo_tls.topology.life import Life
from aiomongo_tls.topology.principal import Connect, Means, Sample
from aiomongo_tls.topology.search import Search
from aiomongo_tls.topology.shared_life import SharedLife
from aiomongo_tls.topology.tls_status import tls_status

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.core.pool.status import PoolStatus
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.tls.status import TLSStatus
    from aiomongo_tls.topology.access import Access

PATIENCE = 2.0
"""Seconds of waiting after which a WARNING says what for."""

CLOSE_LIMIT = 1.0
"""Seconds that saying goodbye may take."""


class Topology:
    """One client's way to its deployment, from whichever event loop it is used. Made without I/O.

    Args:
        options: the client options.
        resolver: looks host names up.
        srv_resolver: asks for SRV and TXT records.
        connect: opens connections.
        chance: returns a number from 0 to 1, for the pauses between attempts.
        sample: picks some of a sequence at random, for the choice among servers.
        patience: seconds of waiting after which a WARNING says what for.

    Attributes:
        subject_changed: called when a renewed certificate is another user's.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        resolver: Resolver | None = None,
        srv_resolver: SRVResolver | None = None,
        connect: Connect = Establisher.establish,
        chance: Callable[[], float] = random.random,
        sample: Sample[Any] = random.sample,
        patience: float = PATIENCE,
    ) -> None:
        self._chance = chance
        self._patience = patience
        self._announcer = Announcer(EventPublisher(options.event_listeners, listener_failed))

        # Not of this object: the others must not keep it alive.
        announcer = self._announcer

        def begin_afresh() -> Life:
            means = Means(
                resolver=resolver or Resolver(),
                computations=Computations(),
                connect=connect,
                sample=sample,
                chance=chance,
                announcer=announcer,
            )
            return Life(options, means, srv_resolver or DNSResolver())

        self._join(SharedLife(begin_afresh), options)

    def with_identity(self, options: ClientOptions) -> Topology:
        """The same deployment, as another principal. Plain, no I/O.

        Args:
            options: those of the client that is to use it; of these only TLS and credential may be others.

        Raises:
            InvalidOperation: this one is closed.
        """
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        other = copy(self)
        other._join(self._shared, options)  # noqa: SLF001 - of the same class
        return other

    def _join(self, shared: SharedLife, options: ClientOptions) -> None:
        self._options = options
        self.subject_changed: Callable[[], None] | None = None
        self._is_closed = False
        # The loop on which it was used last.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shared = shared
        shared.clients.add(self)
        self._hold()

    def _hold(self) -> None:
        """Act as a principal of the present life: if there was one before, it belonged to a loop that is closed."""
        self._life = self._shared.life
        self._principal = self._life.hold(self._options, self)

    # What is known

    @property
    def options(self) -> ClientOptions:
        """The client's options; with mongodb+srv, from the first use on, what DNS says is in them."""
        return self._principal.options

    @property
    def description(self) -> TopologyDescription:
        """What is known of the servers; before the first use what the options say."""
        if self._is_closed:
            return NO_TOPOLOGY
        deployment = self._shared.life.deployment
        if deployment is not None:
            return deployment.description
        options = self._options
        if options.srv is not None:
            return NO_TOPOLOGY
        return initial(
            options.seeds,
            direct_connection=options.direct_connection,
            replica_set=options.replica_set,
            load_balanced=options.load_balanced,
        )

    def pool_status(self) -> Mapping[ServerAddress, PoolStatus]:
        """What the connections to each server are doing now. Plain, no I/O."""
        return {address: access.pool.status for address, access in self._principal.accesses.items()}

    def tls_status(self) -> TLSStatus:
        """The TLS identity in use, and what was agreed with each server. Plain, no I/O."""
        return tls_status(self._principal, self._life.rotation(self._principal), self._options.credential)

    async def reload_tls(self, deadline: Deadline = NEVER) -> bool:
        """Look for renewed TLS material now, and bring it into use at every server that accepts it.

        Args:
            deadline: when to give up, besides `serverSelectionTimeoutMS`; what was found is tried at the next look.

        Returns:
            Whether any server is presented another identity than before.

        Raises:
            NetworkTimeout: the time was up.
            MongoError: the client could not be begun.
            InvalidOperation: the client is closed, or belongs to another event loop.
        """
        loop = self._enter()
        limit = deadline.tightened(self._selection_limit(loop.time()))
        if not self._principal.is_in_use:
            await self._principal.beginning.wait(limit)
        rotation = self._life.rotation(self._principal)
        if rotation is None:
            return False
        try:
            async with asyncio.timeout_at(limit.at if limit.is_finite else None):
                return await rotation.look(force=True)
        except MongoError:
            raise
        except TimeoutError as exc:
            raise NetworkTimeout(
                f"{limit.option} has passed while the renewed TLS material was tried", phase=Phase.TLS
            ) from exc

    # Connections

    async def open(self, deadline: Deadline = NEVER, preference: ReadPreference | None = None) -> None:
        """See to it that there is a connection: opened, greeted, authenticated. Transient faults are waited out.

        Args:
            deadline: when to give up, besides `serverSelectionTimeoutMS`.
            preference: which servers will do; None for one that takes writes.

        Raises:
            ServerSelectionTimeoutError: the time is up; the last fault is its cause.
            MongoError: as `check_out()`.
        """
        loop = self._enter()
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, self._chance)
        limit = deadline.tightened(self._selection_limit(loop.time()))
        search = Search(preference, began=loop.time(), since=self._revision, deadline=limit, limit=limit)
        while True:
            try:
                self.check_in(await self._find(search))
            except MongoError as exc:
                if self._is_final(exc, search) or deadline.has_passed(loop.time()):
                    raise
                if limit.has_passed(loop.time()):
                    raise ServerSelectionTimeoutError(
                        f"no connection could be opened until {limit.option} had passed; last fault: {exc}"
                    ) from exc
                await self._principal.beginning.pause(backoff.pause(), limit)
            else:
                return

    def try_check_out(
        self, preference: ReadPreference | None = None, deprioritized: Collection[ServerAddress] = ()
    ) -> Connection | None:
        """An idle connection to a server that will do, if there is one and nobody waits.

        Args:
            preference: which servers will do; None for a write.
            deprioritized: servers that are chosen only where no other will do.

        Raises:
            InvalidOperation: the client is closed, or belongs to another event loop.
            ConfigurationError: a server is too old or too new, or maxStalenessSeconds is too small.
        """
        # On the way of every operation: `_enter()` is asked where its answer may be another one than before.
        try:
            is_here = get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if not is_here or self._is_closed or self._life is not self._shared.life:
            self._enter()
        ways = None if deprioritized else self._principal.ways.get(preference)
        if ways is None:
            ways = self._look_for_ways(preference, deprioritized)
        if len(ways) == 1:
            return ways[0].pool.try_check_out()
        return self._principal.choose(ways).pool.try_check_out() if ways else None

    async def check_out(
        self,
        deadline: Deadline = NEVER,
        preference: ReadPreference | None = None,
        deprioritized: Collection[ServerAddress] = (),
    ) -> Connection:
        """Get a connection, waiting for a server if need be.

        Args:
            deadline: when to give up; while a server is being looked for, `serverSelectionTimeoutMS` as well.
            preference: which servers will do; None for a write.
            deprioritized: servers that are chosen only where no other will do.

        Returns:
            A connection that is the caller's until it is given to `check_in()`.

        Raises:
            TLSError: a permanent fault of TLS, of every server or of the chosen one.
            AuthenticationFailed: the chosen server refused the credential.
            ConfigurationError: a file cannot be used, or a server is too old or too new.
            NetworkTimeout: the deadline passed while DNS was asked or the first connection was being opened.
            WaitQueueTimeoutError: all connections were in use until the time was up.
            ServerSelectionTimeoutError: no server was there until the time was up; the last fault is its cause.
            ConnectionFailure: the chosen server was too busy to take another connection.
            InvalidOperation: the client is closed, or belongs to another event loop.
        """
        return await self._find(self._search(deadline, preference, deprioritized))

    def try_check_out_from(self, address: ServerAddress) -> Connection | None:
        """An idle connection to one server, for the later commands of a cursor.

        Args:
            address: the server.

        Raises:
            InvalidOperation: the client is closed, or belongs to another event loop.
        """
        self._enter()
        access = self._principal.accesses.get(address)
        return access.pool.try_check_out() if access is not None else None

    async def check_out_from(self, address: ServerAddress, deadline: Deadline = NEVER) -> Connection:
        """Get a connection to one server, for the later commands of a cursor.

        Args:
            address: the server.
            deadline: when to give up; while the server is away, `serverSelectionTimeoutMS` as well.

        Returns:
            A connection that is the caller's until it is given to `check_in()`.

        Raises:
            ServerSelectionTimeoutError: the server was not there until the time was up, or belongs to the deployment
                no longer.
            MongoError: as `check_out()`.
        """
        return await self._find(self._search(deadline, only=address))

    def check_in(self, connection: Connection) -> None:
        """Give a connection back, in whatever state it is. Plain: nothing can get in between."""
        if connection.home is not None:
            connection.home.check_in(connection)

    def handle_error(self, connection: Connection, error: Exception) -> None:
        """Draw the conclusions from an error of an operation: what is known of the server, and its pool. Plain.

        Args:
            connection: where it happened.
            error: what happened; what says nothing about the server is of no effect.
        """
        if self._life.deployment is not None:
            self._life.deployment.handle_error(connection, error)

    # The end

    async def close(self) -> None:
        """Close every connection in order; takes `CLOSE_LIMIT` at most. Idempotent.

        A caller that is cancelled meanwhile finds everything closed nevertheless, at once instead of in order.

        Raises:
            InvalidOperation: the client belongs to another event loop, which is still in use.
        """
        if not self._end(Pool.close):
            return
        cancelled: asyncio.CancelledError | None = None
        limit: float | None = CLOSE_LIMIT
        while True:
            try:
                async with asyncio.timeout(limit):
                    await self._wait_ended()
                break
            except TimeoutError:
                pass
            except asyncio.CancelledError as exc:
                cancelled = exc
            limit = None
            self._end(Pool.abort)
        if cancelled is not None:
            raise cancelled

    def abort(self) -> None:
        """Close every connection at once, without a word to the servers. Idempotent.

        A listener that does so is in the middle of what it is told; then it happens when that has come to its end.
        """
        if self._announcer.publisher.is_telling:
            self._is_closed = True
            running_loop().call_soon(self._end, Pool.abort)
        else:
            self._end(Pool.abort)

    def _end(self, how: Callable[[Pool], None]) -> bool:
        """End everything that no other client needs; whether there was anything."""
        shared = self._shared
        is_alive = shared.binding.is_alive
        if is_alive:
            shared.binding.bind(running_loop())
        self._is_closed = True
        shared.clients.discard(self)
        if not is_alive:
            shared.begin_afresh()
        if self._life is not shared.life:
            # What it had went with another loop, or is the parent process's: nothing of it may be touched.
            self._hold()
        if is_alive and not shared.clients:
            self._life.end(how)
        else:
            self._life.release(self._principal, self, how)
        return is_alive

    async def _wait_ended(self) -> None:
        if not self._shared.clients:
            await self._life.wait_ended()
        elif self._principal.is_closed:
            await self._life.wait_released(self._principal)

    # Where we are

    def _enter(self) -> asyncio.AbstractEventLoop:
        """Check that this can be used here and now; begin afresh if the loop is another one and may be."""
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        loop = running_loop()
        shared = self._shared
        if not shared.binding.holds(loop):
            shared.move_to(loop)
        if self._life is not shared.life:
            self._hold()
        self._loop = loop
        return loop

    def _look_for_ways(
        self, preference: ReadPreference | None, deprioritized: Collection[ServerAddress]
    ) -> list[Access]:
        """Where an operation may go; none if nobody knows yet."""
        principal, deployment = self._principal, self._life.deployment
        if deployment is None or not principal.is_in_use:
            return []
        ways = principal.ways_to(deployment.choices(preference, deprioritized))
        ways = [access for access in ways if access.fault is None] or ways
        if not deprioritized and self._options.server_selector is None:
            principal.ways[preference] = ways
        return ways

    def _search(
        self,
        deadline: Deadline,
        preference: ReadPreference | None = None,
        deprioritized: Collection[ServerAddress] = (),
        only: ServerAddress | None = None,
    ) -> Search:
        now = self._enter().time()
        limit = deadline.tightened(self._selection_limit(now))
        since = self._revision
        return Search(preference, deprioritized, only, began=now, since=since, deadline=deadline, limit=limit)

    @property
    def _revision(self) -> int:
        return self._life.deployment.revision if self._life.deployment is not None else 0

    def _selection_limit(self, now: float) -> Deadline:
        seconds = self._options.server_selection_timeout
        return Deadline.after(seconds, f"serverSelectionTimeoutMS={(seconds or 0) * 1000:g}", now=now)

    # Finding

    async def _find(self, search: Search) -> Connection:
        """A connection to a server that will do: the server by the search's limit, the connection by its deadline."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, self._chance)
        warning: asyncio.TimerHandle | None = None
        try:
            while True:
                self._enter()
                principal, deployment = self._principal, self._life.deployment
                is_begun = deployment is not None and principal.is_in_use
                access = search.find(deployment, principal) if deployment is not None and is_begun else None
                if warning is None and access is None:
                    warning = loop.call_at(search.began + self._patience, self._warn, search.limit)
                if deployment is None or not is_begun:
                    await self._begin(search)
                    continue
                if access is None:
                    await search.wait(deployment, principal)
                    continue
                known = deployment.description
                try:
                    connection = await access.pool.check_out(search.deadline)
                    if self._is_closed:
                        # Others act as the same principal, so that its pools go on.
                        access.pool.check_in(connection)
                        continue
                    return connection
                except MongoError as exc:
                    is_over = search.limit.has_passed(loop.time()) or exc.has_error_label(SYSTEM_OVERLOADED)
                    if is_over or self._is_final(exc, search):
                        raise
                    has_another = access.fault is not None and not search.is_refused(deployment, principal)
                    if deployment.description is known and not has_another:
                        # Nothing was learned, as it is with a load balancer: it would be tried in the same way again.
                        seconds = backoff.pause()
                        was_last = search.deadline.has_passed(loop.time() + seconds)
                        await principal.beginning.pause(seconds, search.limit)
                        if was_last or search.deadline.has_passed(loop.time()):
                            raise
        finally:
            if warning is not None:
                warning.cancel()

    def _warn(self, limit: Deadline) -> None:
        if self._life.deployment is not None:
            self._life.deployment.warn(limit, self._patience)
        else:
            self._principal.beginning.warn(limit, self._patience)

    async def _begin(self, search: Search) -> None:
        try:
            await self._principal.beginning.wait(search.limit)
        except ConnectionFailure as exc:
            # Where the operation's own deadline was the limit, how far it had come says more. The clock is not asked: a
            # loop may end a wait early by its clock's resolution.
            if search.limit is search.deadline or is_permanent(exc):
                raise
            raise ServerSelectionTimeoutError(
                f"no server was known until {search.limit.option} had passed; last fault: {exc}"
            ) from exc

    def _is_final(self, error: MongoError, search: Search) -> bool:
        """Whether no other try can help against what a server's pool has raised."""
        if isinstance(error, PoolClosedError):
            # The server has left the deployment; others may be there.
            return self._is_closed
        if isinstance(error, (InvalidOperation, WaitQueueTimeoutError, ServerSelectionTimeoutError)):
            return True
        if not is_permanent(error, tls_fail_fast=self._options.tls_fail_fast):
            return False
        deployment = self._life.deployment
        if deployment is None or search.only is not None or self._options.load_balanced or not is_of_one_server(error):
            return True
        return search.is_refused(deployment, self._principal) or deployment.hopeless() is not None
