"""One principal's way to one server: what it presents there, and its connections."""

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


class Access:
    """A principal at a server, for as long as both belong to the deployment.

    Args:
        address: the server.
        identity: what is presented to it.
        credential: who its connections are authenticated as; None for nobody.

    Attributes:
        pool: its connections; set by the principal that makes it.
        newest: the connection that was opened last, by the pool or a monitor; None before.
        fault: why the server let this principal in no more, while others had no trouble; None if it did, or if nobody
            knows since the server was last looked at.
    """

    __slots__ = ("_credential", "_tls", "address", "fault", "identity", "newest", "pool")

    pool: Pool

    def __init__(self, address: ServerAddress, identity: Identity, credential: MongoCredential | None) -> None:
        self.address = address
        self.identity = identity
        self.newest: Connection | None = None
        self.fault: Exception | None = None
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

    # Plain

    def adopt(self, identity: Identity) -> None:
        """Present another identity from now on; what is under way goes on."""
        self.identity = identity
        self.fault = None
        self.pool.renew(self.key)
