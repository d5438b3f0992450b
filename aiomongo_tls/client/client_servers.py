"""What a client knows of its servers and of its connections to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from aiomongo_tls.client.namespace import Configured
from aiomongo_tls.core.sdam.server_description import WRITABLE
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import InvalidOperation

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.pool.status import PoolStatus
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription
    from aiomongo_tls.tls.status import TLSStatus

T = TypeVar("T")

Address: TypeAlias = tuple[str, int | None]
"""Host and port, as PyMongo has addresses."""


class Asked(Awaitable[T]):
    """The value of a property that has to be awaited: `await client.primary`.

    Nothing happens before, so that tools may read every property. It is neither true nor false: `if client.is_primary`
    would hold always.

    Args:
        ask: finds the value.
        name: what it is called.
    """

    __slots__ = ("_ask", "_name")

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]], name: str) -> None:
        self._ask = ask
        self._name = name

    def __await__(self) -> Generator[Any, Any, T]:
        return self._ask().__await__()

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self._name} has to be awaited: `await client.{self._name}`")

    def __repr__(self) -> str:
        return f"<{self._name}, to be awaited>"


class ClientServers(Configured):
    """The properties of a client that tell of its servers."""

    def pool_status(self) -> Mapping[ServerAddress, PoolStatus]:
        """What the connections to each server are doing now: idle, in use, parked, being opened, waited for.

        Plain, without I/O, and cheap enough for a metric or a health check. Empty before the client's first use.
        """
        return self._executor.topology.pool_status()

    def tls_status(self) -> TLSStatus:
        """The certificate that the client shows, what became of its last renewal, and what was agreed with each server.

        Plain, without I/O, and cheap enough for a metric or a health check: certificates were read when they were
        loaded. The details of one's own certificate need the extra `x509` (`cryptography`): without it, as with a ready
        `ssl_context` and before the client's first use, they are None.

            gauge.set(client.tls_status().not_after.timestamp())
        """
        return self._executor.topology.tls_status()

    async def reload_tls(self) -> bool:
        """Look for renewed TLS material now, instead of at the next `tlsReloadIntervalMS`.

        Files are read again, a `TLSIdentityProvider` is asked again. A new certificate serves a server once that has
        accepted it; until then, and if it cannot be used at all, the present one stays and the log says why.
        Operations that are under way are not disturbed.

        Returns:
            Whether any server is presented another identity than before.

        Raises:
            NetworkTimeout: `timeoutMS` or `serverSelectionTimeoutMS` has passed.
            MongoError: the client was not connected yet and cannot be.
        """
        return await self._executor.topology.reload_tls(self._executor.deadline())

    @property
    def topology_description(self) -> TopologyDescription:
        """What is known of the deployment; a value, to be read anew for news."""
        return self._executor.description

    @property
    def nodes(self) -> frozenset[Address]:
        """Host and port of the servers that were there when they were looked at last."""
        return frozenset(_addresses(self._executor.description.known_servers))

    @property
    def primary(self) -> Asked[Address | None]:
        """Host and port of the replica set's primary, to be awaited; None without a set, or while it has none."""
        return Asked(self._primary, "primary")

    @property
    def secondaries(self) -> Asked[set[Address]]:
        """Hosts and ports of the replica set's secondaries that are known, to be awaited."""
        return Asked(self._secondaries, "secondaries")

    @property
    def arbiters(self) -> Asked[set[Address]]:
        """Hosts and ports of the replica set's arbiters that are known, to be awaited."""
        return Asked(self._arbiters, "arbiters")

    @property
    def address(self) -> Asked[Address | None]:
        """Host and port of the server that takes writes, to be awaited: it waits for that server.

        Raises (when awaited):
            InvalidOperation: there are several mongos; `nodes` has them.
            MongoError: there was no such server in time.
        """
        return Asked(self._address, "address")

    @property
    def is_primary(self) -> Asked[bool]:
        """Whether the client is connected to a server that takes writes, to be awaited: it waits for a server.

        Raises (when awaited):
            MongoError: there was none in time.
        """
        return Asked(self._is_primary, "is_primary")

    @property
    def is_mongos(self) -> Asked[bool]:
        """Whether the client is connected to mongos, to be awaited: it waits for a server.

        Raises (when awaited):
            MongoError: there was none in time.
        """
        return Asked(self._is_mongos, "is_mongos")

    async def _primary(self) -> Address | None:
        primary = self._executor.description.primary
        return None if primary is None else (primary.address.host, primary.address.port)

    async def _secondaries(self) -> set[Address]:
        return self._members(ServerType.RS_SECONDARY)

    async def _arbiters(self) -> set[Address]:
        return self._members(ServerType.RS_ARBITER)

    def _members(self, server_type: ServerType) -> set[Address]:
        servers = self._executor.description.servers.values()
        return _addresses(server for server in servers if server.server_type is server_type)

    async def _address(self) -> Address | None:
        description = self._executor.description
        if description.topology_type is TopologyType.SHARDED and len(description.servers) > 1:
            raise InvalidOperation("there are several mongos, so there is no one address; client.nodes has them all")
        address, _ = await self._executor.find_writable()
        return address.host, address.port

    async def _is_primary(self) -> bool:
        _, server_type = await self._executor.find_writable()
        return server_type in WRITABLE

    async def _is_mongos(self) -> bool:
        _, server_type = await self._executor.find_writable()
        return server_type is ServerType.MONGOS


def _addresses(servers: Iterable[ServerDescription]) -> set[Address]:
    return {(server.address.host, server.address.port) for server in servers}
