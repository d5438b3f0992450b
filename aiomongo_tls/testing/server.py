"""`MongoTestServer`: a MongoDB server inside the test process, for any client.

It has a thread with an event loop of its own; see `listener` for what runs there. Every method here is plain, may be
called from any thread, and blocks for a moment at most, so that it fits synchronous tests and asyncio tests of any
plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing.backend import Backend
from aiomongo_tls.testing.deployment.access import DEFAULT, Access, Default
from aiomongo_tls.testing.deployment.alone import Topology, seat_alone
from aiomongo_tls.testing.deployment.seat import Seat, Shared
from aiomongo_tls.testing.fail_points import ActiveFailPoint
from aiomongo_tls.testing.failures import CommandError
from aiomongo_tls.testing.listener import Listener, Stall
from aiomongo_tls.testing.tls_context import TLSMode, server_context

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    import trustme

    from aiomongo_tls.client.client import AsyncClient
    from aiomongo_tls.client.connecting import Connecting
    from aiomongo_tls.core.uri.keywords import ConnectOptions
    from aiomongo_tls.testing.certs import Certificate, CertKit
    from aiomongo_tls.testing.commands.request import ConnectionState, ServerState
    from aiomongo_tls.testing.recording import RecordedCommand
    from aiomongo_tls.testing.scenario import Rule
    from aiomongo_tls.testing.users import User


class MongoTestServer:
    """A MongoDB server (wire version 21) for tests, with TLS, MONGODB-X509 and SCRAM as mongod has them.

        with MongoTestServer() as server, pymongo.MongoClient(server.uri()) as client: ...

        async with MongoTestServer(users=[ada]) as server:
            async with server.connect(client=ada) as client: ...

        with MongoTestServer(users=[User("ada", "secret")], tls="off") as server: ...

    Several servers that belong together are `ReplicaSet` and `ShardedCluster`.

    Args:
        ca: where certificates come from: a `CertKit`, a trustme authority, or None for a new one. Only clients with a
            certificate of this authority are let in.
        users: who may log in: certificates, subjects as MongoDB spells them, or a `User` with a password or roles.
            Without the argument there is one user, whose certificate `uri()` puts into the URI; with TLS off and
            nobody named, or with an empty list, there is no access control and commands need nobody to be logged in.
        tls: `require_client` demands a client certificate in the TLS handshake, `require` looks at one if there is
            one, `off` speaks no TLS.
        certificate: what the server presents; by default one for `localhost`, `127.0.0.1` and `::1`.
        host: the address to listen on.
        port: the port to listen on; 0 for a free one, which it keeps when it is stopped and started again.
        minimum_version: the oldest version of TLS to speak.
        maximum_version: the newest.
        topology: what it is: `standalone`, the only member of the replica set `rs0` (`replica_set`), a `mongos`, or a
            service behind a load balancer (`load_balanced`), which lets in only clients that say `loadBalanced=true`.
        seat: its place in a deployment, where `ReplicaSet` or `ShardedCluster` makes it. Then `ca`, `users`, `tls` and
            `topology` are those of the deployment.

    Raises:
        ValueError: `tls` or `topology` is none of those, or a user is not spelled as MongoDB spells it.
    """

    def __init__(
        self,
        *,
        ca: CertKit | trustme.CA | None = None,
        users: Iterable[Certificate | User | str] | None = None,
        tls: TLSMode = "require_client",
        certificate: Certificate | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        minimum_version: ssl.TLSVersion | None = None,
        maximum_version: ssl.TLSVersion | None = None,
        topology: Topology = "standalone",
        seat: Seat | None = None,
    ) -> None:
        self._seat = seat_alone(topology, Shared(Access(ca, users, tls))) if seat is None else seat
        self._access = self._seat.shared.access
        self._certificate = certificate
        self._versions = (minimum_version, maximum_version)
        self._backend = Backend(self._seat.shared.state, self._seat.node, self._seat.shared.lock)
        self._listener = Listener(host, port, self._backend)
        self._seat.node.on_change = self._listener.notify

    # Life

    def start(self) -> Self:
        """Begin to listen; `with` and `async with` do it too. Returns when clients can connect.

        Raises:
            OSError: the address is taken.
        """
        if not self._listener.is_running:
            if self.tls != "off":
                self._listener.context = self._context()
            self._listener.start()
            with self._seat.shared.lock:
                self._seat.node.started(self.address)
            if self._seat.elections is not None:
                self._seat.elections.begin()
        return self

    def stop(self) -> None:
        """End it: no thread, no socket, no connection and no fail point is left.

        The data stay, and so does the port for `start()`.
        """
        self._end(crash=False)
        self._listener.give_up_port()

    def kill(self) -> None:
        """End it as a crash does: connections are reset, what was being carried out is lost. `start()` brings it back.

        What a client has been told is kept, as by a server with a journal; cursors are gone.
        """
        self._end(crash=True)

    def _end(self, *, crash: bool) -> None:
        if not self._listener.is_running:
            return
        if self._seat.elections is not None:
            self._seat.elections.end()
        self._listener.stop(crash=crash)
        with self._seat.shared.lock:
            self._seat.node.stopped()
        self._backend.forget_cursors()
        # They belong to the process.
        self._backend.fail_points.turn_off()

    def partition(self) -> None:
        """Cut it off: it reads, answers and accepts nothing, and the other members of its set do not see it.

        Connections stay open and hang, those that clients open meanwhile too: the kernel completes them, as routers
        that drop packets would not, and there the server is silent. A primary becomes a secondary.
        """
        if self._listener.is_running:
            self._listener.call(self._listener.cut_off)
            with self._seat.shared.lock:
                self._seat.node.isolated()

    def heal(self) -> None:
        """End `partition()`. What was sent meanwhile arrives now, late as it is, and is answered."""
        if self._listener.is_running:
            with self._seat.shared.lock:
                self._seat.node.healed()
            self._listener.call(self._listener.reconnect)

    def adopt(self, connection: socket.socket) -> bool:
        """Serve a connection that was accepted elsewhere, as a load balancer does; False if it is not running.

        Args:
            connection: a connected socket, which is the server's from then on.
        """
        return self._listener.adopt(connection)

    def reset(self) -> None:
        """Begin afresh on the same port: data, users, fail points, script and log as made, and no connection open.

        Data and users of a deployment are the deployment's to reset.
        """
        if self._seat.is_alone:
            self._seat.shared.renew()
        self._listener.call(self._start_afresh)

    def _start_afresh(self) -> None:
        self._listener.drop_connections()
        self._listener.stall = None
        self._backend.reset()

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

    def __repr__(self) -> str:
        state = "running" if self._listener.is_running else "stopped"
        return f"<MongoTestServer {self.address} tls={self.tls} {state}>"

    # How to reach it

    @property
    def tls(self) -> TLSMode:
        """How TLS is spoken."""
        return self._access.tls

    @property
    def address(self) -> ServerAddress:
        """Where it listens. The port is 0 before the first start if it was not chosen."""
        return ServerAddress(self._seat.name or self._listener.host, self._listener.port)

    @property
    def addresses(self) -> list[ServerAddress]:
        """What `uri()` lists, as of a deployment of several servers."""
        return [self.address]

    def uri(
        self,
        *,
        client: Certificate | Default | None = DEFAULT,
        user: User | None = None,
        database: str = "",
        **options: Any,
    ) -> str:
        """A connection string for this server, for any client that runs on this machine.

        Without `client` and `user` it logs the first user in, whether that is a certificate or has a password.

        Args:
            client: the certificate to present, and to log in with if there is no `user`; None for a client without.
                By default the one of the first user; beside a user with a password, one that gets through the TLS
                handshake where the server demands that.
            user: the user to log in with a password; as `DEFAULT` of `client` has it if None.
            database: the default database in it.
            **options: URI options that are added or replace the ones it would have; None leaves one out.
        """
        return self._access.uri(
            [self.address],
            {**self._seat.uri_options, **options},
            client=client,
            user=user,
            database=database,
            ca_path="" if self.tls == "off" else self.certificate.ca_path,
        )

    def connect(
        self,
        *,
        client: Certificate | Default | None = DEFAULT,
        user: User | None = None,
        **options: Unpack[ConnectOptions],
    ) -> Connecting[AsyncClient[dict[str, Any]]]:
        """`AsyncClient.connect()` to this server: `async with server.connect() as client`.

        Args:
            client: as in `uri()`.
            user: as in `uri()`.
            **options: options of `AsyncClient.connect()`, which win over those of the URI.
        """
        from aiomongo_tls.client.client import AsyncClient

        return AsyncClient.connect(self.uri(client=client, user=user), **options)

    # Certificates and users

    @property
    def certs(self) -> CertKit:
        """The authority behind this server."""
        return self._access.certs

    @property
    def certificate(self) -> Certificate:
        """What the server presents to new connections."""
        if self._certificate is None:
            self._certificate = self.certs.server()
        return self._certificate

    @property
    def client_certificate(self) -> Certificate | None:
        """The certificate that `uri()` uses by default: the first user's; None if users are only known by name."""
        return self._access.client_certificate

    def rotate(self, certificate: Certificate) -> None:
        """Present another certificate from now on; open connections stay as they are, as after `rotateCertificates`.

        Args:
            certificate: the new one.
        """
        self._certificate = certificate
        if self._listener.is_running and self.tls != "off":
            context = self._context()
            self._listener.call(lambda: setattr(self._listener, "context", context))

    def add_user(self, user: Certificate | User | str) -> None:
        """Let somebody log in.

        Args:
            user: a certificate, its subject as MongoDB spells it, or a `User`, who replaces one of the same name.

        Raises:
            ValueError: MongoDB spells that subject another way.
        """

        def add(state: ServerState) -> None:
            state.users.add(user)
            state.access_control = True

        self._backend.with_state(add)

    def remove_user(self, user: Certificate | User | str) -> None:
        """Let somebody log in no longer; connections on which he is logged in stay."""
        self._backend.with_state(lambda state: state.users.remove(user))

    def _context(self) -> ssl.SSLContext:
        minimum, maximum = self._versions
        return server_context(self.certificate, self.certs.ca_pem, mode=self.tls, minimum=minimum, maximum=maximum)

    # What a test scripts and reads

    def on(self, *commands: str, where: Callable[[RecordedCommand], bool] | None = None) -> Rule:
        """Say what happens to commands: `server.on("find").fails(11600).times(1)`. See `Rule`.

        Args:
            commands: their names in any case; `hello` covers the legacy spellings, `*` is every command.
            where: tells which of them are meant; all if None. Called on the server's thread.
        """
        return self._backend.scenario.on(commands, where)

    def fail_point(
        self, name: str = "failCommand", mode: str | Mapping[str, int] = "alwaysOn", **data: Any
    ) -> ActiveFailPoint:
        """Turn a fail point on, as a client does with `configureFailPoint`; `with` turns it off again.

            with server.fail_point("failCommand", {"times": 1}, failCommands=["insert"], closeConnection=True): ...

        Args:
            name: `failCommand`, `onPrimaryTransactionalWrite` or `failGetMoreAfterCursorCheckout`.
            mode: `alwaysOn`, `{"times": n}` or `{"skip": n}`.
            **data: what it does, by MongoDB's names: `failCommands`, `errorCode`, `errorLabels`, `closeConnection`,
                `writeConcernError`, `blockConnection`, `blockTimeMS`, `appName`.

        Raises:
            ValueError: there is no such fail point or mode.
        """
        points = self._backend.fail_points
        try:
            before = points.configure({"configureFailPoint": name, "mode": mode, "data": data})
        except CommandError as error:
            raise ValueError(error.message) from error
        return ActiveFailPoint(points, name, before)

    def stalls(self, where: Stall | None) -> None:
        """Stop answering new connections: `accept` before TLS, `handshake` in the middle of it, `hello` after it.

        Args:
            where: at which point; None to answer again.
        """
        self._listener.call(lambda: setattr(self._listener, "stall", where))

    def drop_connections(self) -> None:
        """End every open connection at once."""
        self._listener.call(self._listener.drop_connections)

    @property
    def commands(self) -> list[RecordedCommand]:
        """The commands received so far, oldest first, hello and authentication included; the last 20 000 of them."""
        return self._backend.log.all()

    def commands_named(self, *names: str) -> list[RecordedCommand]:
        """The commands of these names received so far, oldest first."""
        return [command for command in self.commands if command.name in names]

    def wait_for(self, *names: str, count: int = 1, timeout: float = 5.0) -> list[RecordedCommand]:
        """Wait until commands of these names have come. It blocks; in asyncio use `asyncio.to_thread`.

        Args:
            names: their names.
            count: how many there have to be, counted from the start or the last `reset()`.
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: they have not come.
        """
        return self._backend.log.wait_for(lambda command: command.name in names, count, timeout)

    @property
    def connections(self) -> list[ConnectionState]:
        """The open connections."""
        return self._listener.call(lambda: [peer.connection for peer in self._listener.peers])

    @property
    def failed_handshakes(self) -> list[Exception]:
        """Why TLS handshakes failed, as the server saw it, oldest first."""
        return list(self._backend.failed_handshakes)
