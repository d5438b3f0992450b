"""One server of a deployment: its pool and its monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.tls.status import ServerTLSStatus

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.credential import MongoCredential
    from aiomongo_tls.net.connection import Connection
    from aiomongo_tls.net.identity import Identity
    from aiomongo_tls.pool.pool import Pool
    from aiomongo_tls.tls.engine import TLSInfo
    from aiomongo_tls.topology.monitor import Monitor


class Server:
    """One server, for as long as it belongs to the deployment.

    Args:
        address: the server.
        identity: what the client presents to it.
        credential: who its connections are authenticated as; None for nobody.

    Attributes:
        pool: its connections; set by the deployment that makes it.
        monitor: what watches it; None behind a load balancer.
        newest: the connection that was opened last, by the pool or a monitor; None before.
        has_warned: whether the log was told that it is waited for; not again until it was there.
        checked_at: the revision of the deployment at its last check; 0 before, and if an operation knew better since.
    """

    __slots__ = ("_credential", "_tls", "address", "checked_at", "has_warned", "identity", "monitor", "newest", "pool")

    pool: Pool

    def __init__(self, address: ServerAddress, identity: Identity, credential: MongoCredential | None) -> None:
        self.address = address
        self.identity = identity
        self.monitor: Monitor | None = None
        self.newest: Connection | None = None
        self.has_warned = False
        self.checked_at = 0
        # What was last put into words, and the words.
        self._tls: tuple[TLSInfo, ServerTLSStatus] | None = None
        self._credential = credential

    @property
    def key(self) -> PoolKey:
        """What tells its connections from all others."""
        return PoolKey(self.address, self.identity.fingerprint, self._credential)

    @property
    def tls_status(self) -> ServerTLSStatus | None:
        """What was agreed on the newest connection that told; None before there was one, and without TLS."""
        info = self.newest.tls if self.newest is not None else None
        if info is not None and (self._tls is None or self._tls[0] is not info):
            self._tls = info, ServerTLSStatus.of(info)
        return self._tls[1] if self._tls is not None else None

    @property
    def doing(self) -> str:
        """What is being done to reach it, in words."""
        connection = self.monitor.connection if self.monitor is not None else None
        if connection is None or connection.description is not None:
            return "pausing before the next attempt"
        return f"now {connection.progress.phase.doing}"

    def time_is_up(self, option: str) -> Exception | None:
        """The error for a wait that ends while its first connection is being opened; None if none is."""
        connection = self.monitor.connection if self.monitor is not None else None
        if connection is None or connection.description is not None or not connection.is_usable:
            return None
        return connection.progress.time_is_up(option)

    # Plain

    def start(self) -> None:
        """Begin to watch it. Idempotent."""
        if self.monitor is not None:
            self.monitor.start()

    def adopt(self, identity: Identity) -> None:
        """Present another identity from now on; what is under way goes on."""
        self.identity = identity
        self.pool.renew(self.key)
        if self.monitor is not None:
            self.monitor.renew()

    def request_check(self) -> None:
        """Have it checked soon."""
        if self.monitor is not None:
            self.monitor.request_check()

    def cancel_check(self) -> None:
        """Give up the check that is under way."""
        if self.monitor is not None:
            self.monitor.cancel_check()

    def retire(self) -> None:
        """Stop watching it, because it has left the deployment; operations that are under way on it go on."""
        if self.monitor is not None:
            self.monitor.stop()
        self.pool.retire()

    def close(self) -> None:
        """Stop watching it and close its connections in order."""
        if self.monitor is not None:
            self.monitor.stop()
        self.pool.close()

    def abort(self) -> None:
        """The same at once, without a word to the server."""
        if self.monitor is not None:
            self.monitor.stop()
        self.pool.abort()

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left after `retire()`, `close()` or `abort()`: no task, no socket."""
        return self.pool.is_gone and (self.monitor is None or self.monitor.is_gone)

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `close()` or `abort()`: no task, no socket."""
        if self.monitor is not None:
            await self.monitor.wait_stopped()
        await self.pool.wait_closed()
