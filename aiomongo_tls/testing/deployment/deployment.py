"""`Deployment`: several servers that belong together, as a test holds them. Every method is plain and thread-safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from aiomongo_tls.testing.deployment.access import DEFAULT, Access, Default

if TYPE_CHECKING:
    from types import TracebackType

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.client.client import AsyncClient
    from aiomongo_tls.client.connecting import Connecting
    from aiomongo_tls.core.uri.keywords import ConnectOptions
    from aiomongo_tls.testing.certs import Certificate, CertKit
    from aiomongo_tls.testing.deployment.seat import Shared
    from aiomongo_tls.testing.server import MongoTestServer
    from aiomongo_tls.testing.tls_context import TLSMode
    from aiomongo_tls.testing.users import User


class Deployment:
    """What replica sets and sharded clusters have in common.

    Args:
        shared: what the servers share.
        uri_options: what a connection string for the whole has to say.

    Attributes:
        servers: the servers, in the order of the configuration.
    """

    def __init__(self, shared: Shared, uri_options: dict[str, Any]) -> None:
        self.servers: list[MongoTestServer] = []
        self._shared = shared
        self._uri_options = uri_options

    # Life

    def start(self) -> Self:
        """Start every server; `with` and `async with` do it too. Returns when clients can connect.

        Raises:
            OSError: an address is taken.
        """
        try:
            for server in self.servers:
                server.start()
        except OSError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop every server. Data and ports stay for `start()`."""
        for server in self.servers:
            server.stop()

    def reset(self) -> None:
        """Begin afresh on the same ports: everything up and connected, data, users, scripts and logs as made."""
        self._shared.renew()
        for server in self.servers:
            self.heal(server)
            server.reset()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # What happens to servers

    def kill(self, server: MongoTestServer) -> None:
        """End a server as a crash does: connections are reset, the port is closed, and nothing is said before.

        A write that its client has not heard of may have been carried out or not; `server.commands` tells by
        `outcome` which.

        Args:
            server: one of `servers`.
        """
        self._own(server).kill()

    def restart(self, server: MongoTestServer) -> None:
        """Start a server again on its port after `kill()`.

        Args:
            server: one of `servers`.
        """
        self._own(server).start()

    def partition(self, server: MongoTestServer) -> None:
        """Cut a server off from clients and from the others: it reads, answers and accepts nothing any more.

        Connections stay open and hang. So do those that clients open meanwhile: a kernel completes connections on
        loopback by itself, and then the server is silent, in the TLS handshake or in hello.

        Args:
            server: one of `servers`.
        """
        self._own(server).partition()

    def heal(self, server: MongoTestServer) -> None:
        """End `partition()`; what clients sent meanwhile arrives now, late as it is, and is answered.

        Args:
            server: one of `servers`.
        """
        self._own(server).heal()

    def _own(self, server: MongoTestServer) -> MongoTestServer:
        if server not in self.servers:
            raise ValueError(f"{server!r} does not belong to {self!r}")
        return server

    # How to reach it

    @property
    def addresses(self) -> list[ServerAddress]:
        """What `uri()` lists."""
        return [server.address for server in self.servers]

    def uri(
        self,
        *,
        client: Certificate | Default | None = DEFAULT,
        user: User | None = None,
        database: str = "",
        **options: Any,
    ) -> str:
        """A connection string for all of it.

        Args:
            client: the certificate to present, as in `MongoTestServer.uri()`.
            user: the user to log in with a password, as there.
            database: the default database in it.
            **options: URI options that are added or replace the ones it would have; None leaves one out.
        """
        return self._access.uri(
            self.addresses,
            {**self._uri_options, **options},
            client=client,
            user=user,
            database=database,
            ca_path="" if self.tls == "off" else self.certs.ca_path,
        )

    def connect(
        self,
        *,
        client: Certificate | Default | None = DEFAULT,
        user: User | None = None,
        **options: Unpack[ConnectOptions],
    ) -> Connecting[AsyncClient[dict[str, Any]]]:
        """`AsyncClient.connect()` to the deployment: `async with deployment.connect() as client`.

        Args:
            client: as in `uri()`.
            user: as in `uri()`.
            **options: options of `AsyncClient.connect()`, which win over those of the URI.
        """
        from aiomongo_tls.client.client import AsyncClient

        return AsyncClient.connect(self.uri(client=client, user=user), **options)

    @property
    def _access(self) -> Access:
        return self._shared.access

    @property
    def tls(self) -> TLSMode:
        """How TLS is spoken."""
        return self._access.tls

    @property
    def certs(self) -> CertKit:
        """The authority behind the certificates of all servers."""
        return self._access.certs

    @property
    def client_certificate(self) -> Certificate | None:
        """The certificate that `uri()` uses by default: the first user's; None if users are only known by name."""
        return self._access.client_certificate

    def certificate_for(self, subject: str, host: str, name: str | None) -> Certificate | None:
        """A certificate for one server, with a subject of its own and every name it is reached by; None without TLS.

        Args:
            subject: its common name, if it has no name of its own.
            host: the address it listens on.
            name: what clients call it, if not that.
        """
        if self.tls == "off":
            return None
        names = [name] if name else ["localhost", "127.0.0.1", "::1"]
        if host not in names:
            names.append(host)
        from aiomongo_tls.testing.certs import ORGANIZATION, SERVER_UNIT

        # X.509 allows a CN of 64 characters.
        return self.certs.server(*names, subject={"CN": (name or subject)[:64], "OU": SERVER_UNIT, "O": ORGANIZATION})

    def add_user(self, user: Certificate | User | str) -> None:
        """Let somebody log in everywhere, as `MongoTestServer.add_user()`."""
        for server in self.servers:
            server.add_user(user)

    def remove_user(self, user: Certificate | User | str) -> None:
        """Let somebody log in no longer, as `MongoTestServer.remove_user()`."""
        for server in self.servers:
            server.remove_user(user)
