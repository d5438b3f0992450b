"""Who operations act as: a TLS identity and a credential, and a pool of its own at every server.

Several clients can use one topology as different principals (`AsyncClient.with_identity()`): they share what is known
of the servers and nothing else. Clients whose options are the same act as one principal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

from aiomongo_tls.core.auth.metadata import client_document
from aiomongo_tls.core.sdam.selection import choose
from aiomongo_tls.errors import InvalidOperation
from aiomongo_tls.net.environment import client_environment
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity, IdentityLoader
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.topology.access import Access
from aiomongo_tls.topology.beginning import Beginning, Step
from aiomongo_tls.topology.expiry import ExpiryWarning, Said

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.net.computations import Computations
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.net.dns import Resolver
    from aiomongo_tls.topology.announcer import Announcer

T = TypeVar("T")

Sample = Callable[[Sequence[T], int], list[T]]
"""Picks some of a sequence at random, as `random.sample` does."""

Connect = Callable[[Establisher, "Connection"], Awaitable[None]]
"""Opens a connection in the way that the establisher says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the connections of a topology are opened with, and servers chosen with.

    Args:
        resolver: looks host names up.
        computations: does the slow work of authentication.
        connect: opens connections.
        sample: picks some of a sequence at random.
        chance: returns a number from 0 to 1, for the pauses between attempts.
        announcer: told of all that happens.
        said_of_expiry: which certificates were warned of.
    """

    resolver: Resolver
    computations: Computations
    connect: Connect
    sample: Sample[Any]
    chance: Callable[[], float]
    announcer: Announcer
    said_of_expiry: Said = field(default_factory=Said)


class Holder(Protocol):
    """A client that acts as a principal.

    Attributes:
        subject_changed: called when a renewed certificate is another user's.
    """

    subject_changed: Callable[[], None] | None


class Principal:
    """One principal on one event loop. Made without I/O, and without a loop.

    Args:
        options: those of the clients that act as it.
        means: what to work with.
        begin: loads its identity and brings it into the deployment.
        step: what beginning is busy with.

    Attributes:
        options: the same, with what DNS says once that is known.
        asked: the options as they were given, by which it is found again.
        identities: loads its identity.
        expiry: warns of its certificate.
        accesses: its way to each server; none before its first use.
        ways: where an operation may go, by its read preference, as it was found since the servers were last described.
        holders: the clients that act as it.
        is_in_use: whether any client has used it, so that its pools are filled.
        is_closed: whether it opens connections for operations no more.
    """

    def __init__(
        self, options: ClientOptions, means: Means, begin: Callable[[Principal], Awaitable[None]], step: Step
    ) -> None:
        self.asked = options
        self.options = options
        self.identities = IdentityLoader(options.tls)
        self.expiry = ExpiryWarning(options.tls.expiry_warning, means.said_of_expiry)
        self.accesses: dict[ServerAddress, Access] = {}
        self.holders: WeakSet[Holder] = WeakSet()
        self.is_in_use = False
        self.is_closed = False
        self.ways: dict[ReadPreference | None, list[Access]] = {}
        self.beginning = Beginning(partial(begin, self), step, origin=options.origin, chance=means.chance)
        self._means = means
        self._client: Mapping[str, Any] | None = None

    @property
    def identity(self) -> Identity:
        """What it presents itself with, the newest that has proved itself at any server. Loaded before its use."""
        identity = self.identities.identity
        if identity is None:
            raise InvalidOperation("the TLS identity has not been loaded yet")
        return identity

    @property
    def is_at_rest(self) -> bool:
        """Whether there are connections, and nobody uses them or waits for one."""
        pools = [access.pool for access in self.accesses.values()]
        has_connections = any(pool.status.idle or pool.status.parked for pool in pools)
        return has_connections and not any(pool.operation_count for pool in pools)

    # Servers

    def meet(self, address: ServerAddress, on_fault: Callable[[Connection, Exception], None]) -> None:
        """Take in a server that belongs to the deployment from now on. Plain.

        Args:
            address: the server.
            on_fault: told of connections that could not be opened.
        """
        options = self.options
        access = Access(address, self.identity, options.credential)
        access.pool = Pool(
            access.key,
            options.pool,
            partial(self.open, access),
            publisher=self._means.announcer.publisher,
            on_fault=on_fault,
            load_balanced=options.load_balanced,
        )
        if self.is_closed:
            access.pool.close()
        self.accesses[address] = access

    def ways_to(self, servers: list[ServerDescription]) -> list[Access]:
        """The ways to these servers. Plain."""
        return [self.accesses[server.address] for server in servers]

    def choose(self, ways: list[Access]) -> Access:
        """One of these ways: the less busy of two by chance. Plain.

        Args:
            ways: at least one.
        """
        return choose(ways, _operation_count, self._means.sample)

    # Connections

    async def open(self, access: Access, connection: Connection, *, monitors: bool = False) -> None:
        """Open a connection with the identity that is presented to the server at that moment.

        Args:
            access: the way to the server.
            connection: a new connection to it.
            monitors: whether it only asks the server what it is.

        Raises:
            MongoError: as `Establisher.establish()`.
        """
        await self.establish(access.address, access.identity, connection, monitors=monitors)
        access.newest = connection
        if not monitors and access.fault is not None:
            access.fault = None
            self.ways.clear()

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
        if self._client is None:
            self._client = client_document(
                client_environment(),
                app_name=options.app_name,
                drivers=(options.driver,) if options.driver is not None else (),
            )
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

    # News

    def tell_new_subject(self) -> None:
        """Tell the clients that they are another user from now on. Plain."""
        for holder in list(self.holders):
            if holder.subject_changed is not None:
                holder.subject_changed()

    # The end

    def close(self, how: Callable[[Pool], None]) -> None:
        """Open no more connections for operations, and close those that are there. Plain and idempotent.

        Args:
            how: `Pool.close` or `Pool.abort`.
        """
        self.is_closed = True
        self.beginning.end()
        for access in self.accesses.values():
            how(access.pool)

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `close()`: no task, no socket."""
        await self.beginning.wait_ended()
        for access in list(self.accesses.values()):
            await access.pool.wait_closed()


def _operation_count(access: Access) -> int:
    return access.pool.operation_count
