"""From an address to a connection that can be used: DNS, TCP, TLS, hello, authentication, under one time limit.

`connectTimeoutMS` bounds the whole way, whatever the peer does: silence before, during or after the TLS handshake,
bytes that dribble in, a reply that never ends. The first command does not depend on the peer, so its bytes go out with
the last message of the TLS handshake, and with X.509 the reply to it already tells whether we are authenticated; with
SCRAM it spares the first of two further round trips.

Whether the server's certificate was revoked (`tlsRevocation`) is found out when the reply to hello has come and before
it is looked at, so that a revoked server is believed nothing and is sent nothing further; the connection is aborted.
It has then had the first command, which left with the last message of the TLS handshake: hello with the name of this
program, the name of the user and, with SCRAM, a nonce; no password and nothing made of one. To ask before that would
cost each connection a packet, and TLS 1.3 the alerts that only a joint write brings home. To ask after it costs
nothing: the time of a round trip is measured, and a refusal of our own certificate is told as that.

A TLS session of an earlier connection to the same server is offered to be resumed, by pools and monitors alike; when
the reply to hello has come the session is read, if `tls/tickets.py` wants it. Before that reply TLS 1.3 has none.

A server without TLS hangs up on a TLS handshake without a word, and so does a load balancer whose server is just being
restarted. The one is a mistake to be reported at once, the other mends itself. So a second connection asks, without
TLS: a bare hello, which tells nobody anything. If MongoDB answers it, that is the mistake; the answer itself is
dropped.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from aiomongo_tls.core.auth.conversation import CommandDocument, Computation, decode_reply
from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.opening import opening, reauthentication
from aiomongo_tls.core.events.publisher import NOBODY, EventPublisher
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import AutoReconnect, MongoError, Phase, ProtocolError, TLSError, TLSProtocolError
from aiomongo_tls.net.computations import Computations
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.faults import turned_away
from aiomongo_tls.net.handshake import ReportedProgress
from aiomongo_tls.net.identity import Identity
from aiomongo_tls.net.transport import default_server_name, open_connection
from aiomongo_tls.tls.explain import plain_server

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.auth.conversation import Conversation
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.options.credential import MongoCredential
    from aiomongo_tls.net.dns import Resolver
    from aiomongo_tls.tls.engine import TLSEngine
    from aiomongo_tls.tls.tickets import Resumption

T = TypeVar("T")


def new_nonce() -> str:
    """Text that nobody can foresee: 192 bits in 32 characters."""
    return b64encode(secrets.token_bytes(24)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Establisher:
    """Opens the connections to one server.

    Args:
        address: the server.
        client: the client document of the handshake, None to say nothing of this program.
        identity: what the client presents itself with.
        credential: who to authenticate as, None for nobody.
        resolver: what looks the host name up.
        connect_timeout: seconds for the whole way, None for no limit.
        database: a database that the user will want to work with, for advice.
        load_balanced: whether a load balancer is at the other end.
        monitors: whether the connections only ask the server what it is; they authenticate as nobody.
        resumes: whether TLS sessions are resumed; an examination looks at certificates each time.
        publisher: knows who wants to be told of TLS handshakes.
        computations: does the slow work of authentication, and remembers its results.
        new_nonce: makes the nonces of authentication.
        clock: the present moment, in seconds since the epoch.
    """

    address: ServerAddress
    client: Mapping[str, Any] | None
    identity: Identity
    credential: MongoCredential | None
    resolver: Resolver
    connect_timeout: float | None = 10.0
    database: str | None = None
    load_balanced: bool = False
    monitors: bool = False
    resumes: bool = True
    publisher: EventPublisher = NOBODY
    computations: Computations = field(default_factory=Computations)
    new_nonce: Callable[[], str] = new_nonce
    clock: Callable[[], float] = time.time

    async def establish(self, connection: Connection) -> None:
        """Open `connection`. Failing or cancelled, it leaves nothing open.

        Args:
            connection: a new connection to this server.

        Raises:
            NetworkTimeout: connectTimeoutMS has passed; names the phase and what the server did.
            TLSHandshakeTimeout: the same within the TLS handshake.
            ConnectionFailure: the server was not reached, or the connection was lost.
            TLSError: the TLS handshake failed, or the server refused our certificate right after it.
            AuthenticationFailed: the server refused the credential.
            ProtocolError: what came is not MongoDB's protocol.
            ConfigurationError: the server's version and this package have no wire version in common.
        """
        limit: asyncio.Timeout | None = None
        handshake = self._reported(connection)
        try:
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout_at(now + self.connect_timeout if self.connect_timeout else None) as limit:
                try:
                    await self._converse(connection, limit.when(), handshake)
                except TLSProtocolError as exc:
                    if self._was_turned_away(connection, exc) and await self._answers_without_tls():
                        raise plain_server(self.address) from exc.__cause__
                    raise
                except AutoReconnect as exc:
                    if self._may_want_tls(connection):
                        raise turned_away(exc.__cause__, self.address) from exc.__cause__
                    raise
        except BaseException as exc:
            connection.abort()
            error: BaseException = exc
            if limit is not None and limit.expired() and isinstance(exc, TimeoutError):
                error = connection.progress.time_is_up(f"connectTimeoutMS={(self.connect_timeout or 0) * 1000:g}")
            if handshake is not None:
                handshake.failed(error, connection.tls)
            if error is not exc:
                raise error from exc
            raise

    def _reported(self, connection: Connection) -> ReportedProgress | None:
        """What tells of the TLS handshake from now on; None if nobody wants to know, or there is none."""
        if not self.publisher.wants_tls or self.identity.setup is None:
            return None
        progress = connection.progress = ReportedProgress(
            self.address,
            server_name=self.identity.server_name(self.address) or default_server_name(self.address),
            connection_id=connection.id,
            monitors=self.monitors,
            publisher=self.publisher,
            now=asyncio.get_running_loop().time,
        )
        return progress

    def _was_turned_away(self, connection: Connection, error: TLSProtocolError) -> bool:
        """Whether the server hung up in answer to the first message of the TLS handshake."""
        progress = connection.progress
        return error.reason == "tls-closed" and progress.phase is Phase.TLS and progress.received == 0

    def _may_want_tls(self, connection: Connection) -> bool:
        """Whether the server hung up in answer to a hello without TLS. Of an alert in answer the error tells anyway."""
        progress = connection.progress
        return self.identity.setup is None and progress.phase is Phase.HELLO and progress.received == 0

    async def _answers_without_tls(self) -> bool:
        probe = replace(self, identity=Identity(), credential=None, client=None, load_balanced=False)
        connection = Connection(self.address, 0)
        try:
            await probe.establish(connection)
        except MongoError:
            return False
        connection.abort()
        await connection.wait_closed()
        return True

    async def _converse(self, connection: Connection, end: float | None, handshake: ReportedProgress | None) -> None:
        """Work off the opening conversation.

        Args:
            connection: the connection.
            end: when the time is up, by the loop's clock.
            handshake: is told when the TLS handshake has succeeded; None if nobody wants to know.
        """
        conversation = self._opening()
        command = next(conversation)
        assert isinstance(command, CommandDocument), "a conversation begins with hello"  # noqa: S101
        first = connection.begin(command.encode())
        resumption = self._resumption()
        try:
            body = await self._greet(connection, first, resumption, end)
        except TLSError as exc:
            if resumption is not None:
                resumption.failed(exc.__cause__, self.clock())
            raise
        if handshake is not None:
            handshake.succeeded(connection.tls)
        answer = self._decoded(body)
        description = await self._carry_on(connection, conversation, answer)
        again = None if self.monitors or self.credential is None else self._authenticate_again
        connection.opened(description, again)

    async def _greet(
        self, connection: Connection, first: bytes, resumption: Resumption | None, end: float | None
    ) -> bytes:
        """Open the stream, send hello and wait for the reply of a server that may be believed."""
        transport = await open_connection(
            self.address,
            receiver=connection,
            setup=self.identity.setup,
            server_hostname=self.identity.server_name(self.address),
            session=resumption.session if resumption is not None else None,
            first=first,
            resolver=self.resolver,
            progress=connection.progress,
        )
        connection.use(transport)
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        body = await connection.reply()
        connection.round_trip_time = loop.time() - sent_at
        await self._check_revocation(transport.engine, end)
        if resumption is not None and transport.engine is not None:
            resumption.succeeded(transport.engine, self.clock())
        return body

    def _resumption(self) -> Resumption | None:
        setup = self.identity.setup
        if setup is None or not self.resumes:
            return None
        return setup.tickets.resumption(
            setup.context, self.address, self.identity.server_name(self.address), self.clock()
        )

    async def _carry_on(self, connection: Connection, conversation: Conversation[T], answer: Any) -> T:
        """Work off a conversation that is waiting for `answer`; None if it has not begun."""
        while True:
            try:
                step = conversation.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, Computation):
                connection.progress.enter(Phase.AUTH)
                answer = await self.computations.result(step)
            else:
                connection.write(step.encode(), phase=step.phase)
                answer = await self._reply(connection)

    async def _reply(self, connection: Connection) -> dict[str, Any]:
        return self._decoded(await connection.reply())

    def _decoded(self, body: bytes) -> dict[str, Any]:
        try:
            return decode_reply(body)
        except ProtocolError as exc:
            raise ProtocolError(f"{self.address}: {exc}") from exc

    async def _check_revocation(self, engine: TLSEngine | None, end: float | None) -> None:
        """Find out whether the server's certificate was revoked, if that is wanted; half of the time left is for it."""
        checker = self.identity.revocation
        if checker is not None and engine is not None:
            seconds = (end - asyncio.get_running_loop().time()) / 2 if end is not None else math.inf
            await checker.check(engine, self.address, resolver=self.resolver, seconds=seconds)

    async def _authenticate_again(self, connection: Connection, deadline: Deadline) -> None:
        """Authenticate an open connection once more; failing or cancelled, it is closed."""
        credential, description = self.credential, connection.description
        assert credential is not None, "nobody authenticates again as nobody"  # noqa: S101
        assert description is not None, "it has authenticated before"  # noqa: S101
        now = asyncio.get_running_loop().time()
        option = f"connectTimeoutMS={(self.connect_timeout or 0) * 1000:g}"
        limit = deadline.tightened(Deadline.after(self.connect_timeout, option, now=now))
        timer: asyncio.Timeout | None = None
        try:
            conversation = reauthentication(credential, self._facts(), description, new_nonce=self.new_nonce)
            async with asyncio.timeout_at(limit.at if limit.is_finite else None) as timer:
                await self._carry_on(connection, conversation, None)
        except BaseException as exc:
            # Half authenticated, it is nobody's any more.
            connection.abort()
            if timer is not None and timer.expired() and isinstance(exc, TimeoutError):
                raise connection.progress.time_is_up(limit.option or "the deadline") from exc
            raise

    def _facts(self) -> ConnectionFacts:
        return ConnectionFacts(
            host=self.address,
            tls=self.identity.setup is not None,
            certificate=self.identity.has_certificate,
            subject=self.identity.subject,
            database=self.database,
        )

    def _opening(self) -> Conversation[StreamDescription]:
        return opening(
            self.client,
            None if self.monitors else self.credential,
            self._facts(),
            new_nonce=self.new_nonce,
            load_balanced=self.load_balanced,
            monitors=self.monitors,
        )
