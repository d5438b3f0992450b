"""A connection to one server: one request at a time, and its reply.

The hot path. `begin_request()` frames a request once, writes it once and returns the one future that is waited for,
which gets the reply from `data_received()`. No task, no `wait_for`, and no timer of its own: each connection has at
most one standing timer, which looks at the deadline of whatever request is under way when it fires, and is moved only
if a request needs it earlier. Under `timeoutMS=1000` it fires about once a second.

Dirty from the first byte to the last. What breaks off a request (a cancellation, a deadline) leaves its reply under
way, and whoever used the connection next would read it; a request without a reply may still be on its way out. The
wire protocol knows whether a reply is outstanding, the transport whether bytes wait; `core/pool/disposition` decides
what becomes of such a connection when it is given back. It may be parked: then the late reply is read by nobody but
`on_late_reply`, which learns of a cursor that was opened and of a session that is clean again.

A monitor's connection may have a stream of replies to one hello (`stream()`, `next_reply()`).

The end is told once, through `on_lost`: an idle connection that the server closes, or on which it speaks unasked,
leaves its pool in that moment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from math import inf
from typing import TYPE_CHECKING, Protocol

from aiomongo_tls.core.wire.op_msg import DocumentSequence, Flags, OpMsg
from aiomongo_tls.core.wire.protocol import Role, WireProtocol
from aiomongo_tls.core.wire.states import State
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import AutoReconnect, InvalidOperation, NetworkTimeout, Phase, PoolClosedError, ProtocolError
from aiomongo_tls.net import faults
from aiomongo_tls.net.progress import Progress

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.net.transport import Transport
    from aiomongo_tls.tls.engine import TLSInfo

_MORE_TO_COME = int(Flags.MORE_TO_COME)
_EXHAUST_ALLOWED = int(Flags.EXHAUST_ALLOWED)
# Looked at for every request; a look-up in an Enum class is slow on Python 3.11.
_IDLE = State.IDLE
_REPLY_DUE = State.REPLY_DUE
_REQUEST = Phase.REQUEST

LateReply = Callable[[bytes | None], None]
"""What is told of the reply to a request that was broken off: the reply, or None if it will never come."""


class Home(Protocol):
    """Where a connection goes back to: its pool."""

    def check_in(self, connection: Connection) -> None:
        """Take it back, in whatever state it is. Plain."""
        ...


class Connection:
    """One connection, from before it is opened until it is closed; made and opened by `establish`.

    Args:
        address: the server.
        connection_id: its number in its pool, from 1.

    Attributes:
        id: its number in its pool.
        address: the server.
        progress: how far opening it has come; afterwards, what the server did since the last request.
        description: what the server said of itself in its hello, None before.
        round_trip_time: seconds from the end of the TLS handshake, when hello had left, to its reply; None before.
        generation: the generation of its pool when it was made; one of an older generation is stale.
        home: where it goes back to, None for one of no pool.
        pinned: what holds it beyond one command in load balanced mode: `cursor` or `transaction`; None for nothing.
        on_lost: called once when the connection is lost or closed.
    """

    def __init__(self, address: ServerAddress, connection_id: int) -> None:
        self.id = connection_id
        self.address = address
        self.progress = Progress(address)
        self.description: StreamDescription | None = None
        self.round_trip_time: float | None = None
        self.generation = 0
        self.home: Home | None = None
        self.pinned: str | None = None
        self.on_lost: Callable[[Connection], None] | None = None
        self._protocol = WireProtocol(Role.CLIENT)
        self._transport: Transport | None = None
        # Where the next reply goes. None where nobody waits for one, and once it was given.
        self._reply: asyncio.Future[bytes] | None = None
        # The same, for `reply()`, which may ask for it later than it comes.
        self._begun: asyncio.Future[bytes] | None = None
        # Of the request that is under way, or of one before.
        self._deadline = NEVER
        self._timer: asyncio.Handle | None = None
        # For when it is set. Not asked of the timer: uvloop's has no `when()` if its time has come already.
        self._timer_at = 0.0
        # Proves the credential once more; None where there is none.
        self._again: Callable[[Connection, Deadline], Awaitable[None]] | None = None
        # Why the connection cannot be used any more.
        self._error: Exception | None = None
        # Replies of a stream that nobody has read yet; None where there is no stream.
        self._stream: deque[bytes] | None = None
        # The reply to a request that was broken off, if it came before anybody could be told.
        self._unread: bytes | None = None
        self._on_late_reply: LateReply | None = None
        # Set while parked: who is told that the connection is clean again, and how many bytes may come until then.
        self._drained: Callable[[Connection], None] | None = None
        self._drain_limit = 0

    def __repr__(self) -> str:
        if self._error is not None:
            state = "closed"
        elif self.description is None:
            state = f"pending ({self.progress.phase})"
        else:
            state = "dirty" if self.is_dirty else "idle"
        return f"<Connection {self.id} to {self.address} {state}>"

    # What its user asks and calls

    @property
    def tls(self) -> TLSInfo | None:
        """What was agreed in the TLS handshake, None without TLS."""
        return self._transport.info if self._transport is not None else None

    @property
    def fault(self) -> Exception | None:
        """Why it cannot be used any more, None as long as it can."""
        return self._error

    @property
    def is_usable(self) -> bool:
        """Whether it has not been lost or closed."""
        return self._error is None

    @property
    def is_dirty(self) -> bool:
        """Whether a reply is still to come, or a request still to leave, so that nobody else can use it."""
        # In the client's IDLE state no byte is taken, so that there is no half message either.
        return self._protocol.state is not _IDLE or (self._transport is not None and self._transport.has_backlog)

    @property
    def is_ready(self) -> bool:
        """Whether it can take a request at once: it is usable and not dirty."""
        transport = self._transport
        return (
            self._error is None
            and self._protocol.state is _IDLE
            and transport is not None
            and not transport.has_backlog
        )

    @property
    def service_id(self) -> ObjectId | None:
        """Which service behind a load balancer this is a connection to; None without one, and before hello."""
        return self.description.service_id if self.description is not None else None

    async def request(
        self, body: bytes, sequences: Sequence[DocumentSequence] = (), *, deadline: Deadline = NEVER
    ) -> bytes:
        """Send a command and wait for its reply.

        Whatever ends the waiting early, a cancellation too, leaves the connection dirty until the reply has come.

        Args:
            body: the command, a BSON document.
            sequences: document sequences that go beside it.
            deadline: when to stop waiting, on the loop's clock.

        Returns:
            The reply, a BSON document.

        Raises:
            NetworkTimeout: the deadline passed.
            AutoReconnect: the connection was lost.
            ProtocolError: what came was not a reply to this request.
            InvalidOperation: another request is under way.
            DocumentTooLarge: the message is larger than the server takes; nothing was sent.
        """
        now = 0.0 if deadline.at == inf else asyncio.get_running_loop().time()
        reply = self.begin_request(body, sequences, deadline, now)
        try:
            return await reply
        except asyncio.CancelledError:
            self.broken_off(reply)
            raise
        finally:
            # An error leads to this frame, and the future to the error.
            del reply

    def begin_request(
        self, body: bytes, sequences: Sequence[DocumentSequence], deadline: Deadline, now: float
    ) -> asyncio.Future[bytes]:
        """Send a command; `request()` without the waiting, for whoever awaits the reply in place.

        If the awaiting is cancelled, `broken_off()` has to be called before the connection is given back.

        Args:
            body: the command, a BSON document.
            sequences: document sequences that go beside it.
            deadline: when the future gets a NetworkTimeout, on the loop's clock.
            now: the time on the loop's clock; without a deadline it does not matter.

        Returns:
            What the reply, a BSON document, is given to.

        Raises:
            NetworkTimeout: the deadline passed already.
            AutoReconnect: the connection was lost.
            InvalidOperation: another request is under way.
            DocumentTooLarge: the message is larger than the server takes; nothing was sent.
        """
        if self._error is not None:
            raise copy(self._error)
        at = deadline.at
        if now >= at:
            option = deadline.option or "the deadline"
            raise NetworkTimeout(f"{option} passed before the request was sent", host=self.address, phase=_REQUEST)
        message = self._protocol.send_request(body, sequences)
        self._reply = reply = asyncio.get_running_loop().create_future()
        self._unread = self._stream = None
        self._deadline = deadline
        if at != inf and (self._timer is None or at < self._timer_at):
            self._watch(at)
        if self.progress.phase is not _REQUEST:
            self.progress.enter(_REQUEST)
        if self._transport is not None:
            self._transport.write(message)
        return reply

    def broken_off(self, reply: asyncio.Future[bytes]) -> None:
        """Take note that nobody waits any more for the reply to the request that was begun last. Plain.

        Args:
            reply: what `begin_request()` returned.
        """
        if reply.done() and not reply.cancelled() and reply.exception() is None:
            # It came in the same turn of the loop as the cancellation.
            self._unread = reply.result()

    def send(self, body: bytes, sequences: Sequence[DocumentSequence] = ()) -> None:
        """Send a command that gets no reply (an unacknowledged write).

        Args:
            body: the command, a BSON document.
            sequences: document sequences that go beside it.

        Raises:
            AutoReconnect: the connection was lost before.
            InvalidOperation: a request is under way.
            DocumentTooLarge: the message is larger than the server takes; nothing was sent.
        """
        self._check()
        message = self._protocol.send_request(body, sequences, flags=_MORE_TO_COME)
        if self._transport is not None:
            self._transport.write(message)

    async def drain(self) -> None:
        """Wait until what was sent has left, or nearly. For requests without a reply: nothing else slows them down.

        Whatever ends the waiting early leaves the connection dirty until the last byte has left.

        Raises:
            AutoReconnect: the connection was lost.
            PoolClosedError: it was closed by this client.
        """
        if self._transport is None:
            return
        try:
            await self._transport.drain()
        except OSError:
            # Why the connection ended says more than that its stream did.
            self._check()
            raise

    async def reauthenticate(self, deadline: Deadline = NEVER) -> bool:
        """Authenticate once more, as a server demands with error 391. Failing or cancelled, the connection is closed.

        Args:
            deadline: when to stop waiting, on the loop's clock; connectTimeoutMS bounds it too.

        Returns:
            False if there is no credential, so that nothing was done.

        Raises:
            AuthenticationFailed: the server refused the credential.
            NetworkTimeout: the time was up.
            AutoReconnect: the connection was lost.
            ProtocolError: what came was not a reply.
            OperationFailure: the server answered with another error.
        """
        if self._again is None:
            return False
        await self._again(self, deadline)
        return True

    # A request that was broken off

    @property
    def on_late_reply(self) -> LateReply | None:
        """What is told, once, of the reply to a request that was broken off: the reply, or None if the connection ends.

        To be set after `request()` has raised or `broken_off()` was called, and before the connection is given back. If
        the reply has come meanwhile, it is told at once.
        """
        return self._on_late_reply

    @on_late_reply.setter
    def on_late_reply(self, told: LateReply | None) -> None:
        self._on_late_reply = told
        if self._unread is not None or self._error is not None:
            self._tell_late(self._unread)

    @property
    def can_drain(self) -> bool:
        """Whether a late reply is all that stands between this connection and its next user."""
        return (
            self._error is None
            and self._stream is None
            and self._protocol.state is _REPLY_DUE
            and self._transport is not None
            and not self._transport.has_backlog
        )

    def drain_late(self, done: Callable[[Connection], None], max_bytes: int) -> None:
        """Swallow the late reply. If it is too long, the connection is aborted.

        Args:
            done: called when it has come and the connection is clean again.
            max_bytes: how many bytes of payload may come until then.
        """
        self._drained = done
        self._drain_limit = max_bytes

    # A stream of replies

    def stream(self, body: bytes) -> None:
        """Send a command that allows the server a stream of replies (exhaust), each read with `next_reply()`.

        Args:
            body: the command, a BSON document.

        Raises:
            AutoReconnect: the connection was lost before.
            InvalidOperation: a request is under way.
        """
        self._check()
        message = self._protocol.send_request(body, flags=_EXHAUST_ALLOWED)
        self._stream = deque()
        self.progress.enter(Phase.REQUEST)
        if self._transport is not None:
            self._transport.write(message)

    @property
    def more_to_come(self) -> bool:
        """Whether `next_reply()` has something to read or wait for."""
        return self._stream is not None and (bool(self._stream) or not self._protocol.is_idle)

    async def next_reply(self, deadline: Deadline = NEVER) -> bytes:
        """The next reply of a stream.

        Args:
            deadline: when to stop waiting, on the loop's clock.

        Raises:
            NetworkTimeout: the deadline passed.
            AutoReconnect: the connection was lost.
            ProtocolError: what came was not a reply to this request.
            InvalidOperation: there is no stream, or it has ended.
        """
        if self._stream:
            return self._stream.popleft()
        self._check()
        if not self.more_to_come:
            raise InvalidOperation("the stream of replies has ended")
        self.progress.enter(Phase.REQUEST)
        self._begun = self._reply = asyncio.get_running_loop().create_future()
        self._deadline = deadline
        if deadline.is_finite:
            self._watch(deadline.at)
        return await self.reply()

    def close(self) -> None:
        """End the connection in order, with close_notify. A request that is under way fails."""
        self._end(PoolClosedError("the connection was closed by this client", host=self.address))
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once. A request that is under way fails."""
        self._end(PoolClosedError("the connection was closed by this client", host=self.address))
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended and its socket is closed."""
        return self._error is not None and (self.progress.stream is None or self.progress.stream.is_gone)

    async def wait_closed(self) -> None:
        """Wait until the socket of a connection that has ended is closed."""
        if self.progress.stream is not None:
            await self.progress.stream.wait_closed()

    # What establish calls

    def begin(self, body: bytes, sequences: Sequence[DocumentSequence] = ()) -> bytes:
        """Frame a request whose bytes the caller sends; `reply()` waits for what the server says to it."""
        self._check()
        message = self._protocol.send_request(body, sequences)
        self._unread = None
        self._stream = None
        self._deadline = NEVER
        self._begun = self._reply = asyncio.get_running_loop().create_future()
        return message

    async def reply(self) -> bytes:
        """Wait for the reply to the request that was begun."""
        reply, self._begun = self._begun, None
        if reply is None:
            raise InvalidOperation("no request is under way")
        try:
            return await reply
        except asyncio.CancelledError:
            self.broken_off(reply)
            raise
        finally:
            # An error leads to this frame, and the future to the error.
            del reply

    def write(self, body: bytes, sequences: Sequence[DocumentSequence] = (), *, phase: Phase = Phase.REQUEST) -> None:
        """Send a request; `reply()` waits for what the server says to it.

        Args:
            body: the command, a BSON document.
            sequences: document sequences that go beside it.
            phase: what is waited for until the reply comes.
        """
        message = self.begin(body, sequences)
        self.progress.enter(phase)
        if self._transport is not None:
            self._transport.write(message)

    def use(self, transport: Transport) -> None:
        """Take over the byte stream over which the requests go."""
        self._transport = transport

    def opened(
        self, description: StreamDescription, again: Callable[[Connection, Deadline], Awaitable[None]] | None = None
    ) -> None:
        """Take note that the connection is ready, and of what the server said of itself.

        Args:
            description: what that was.
            again: authenticates this connection once more; None without a credential.

        Raises:
            AutoReconnect: it was lost right after.
        """
        self._check()
        self.description = description
        self._again = again
        self._protocol.max_message_size = description.max_message_size_bytes
        self.progress.enter(Phase.REQUEST)

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        """Read replies."""
        reply = self._reply
        if reply is not None and not reply.done():
            body = self._protocol.receive_reply(data)
            if body is not None:
                self._reply = None
                reply.set_result(body)
                return
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Read whatever is not one whole reply that somebody waits for."""
        try:
            messages = self._protocol.receive_data(data)
        except ProtocolError as exc:
            error = ProtocolError(f"{self.address}: {exc}")
            error.__cause__ = exc
            self._end(error)
            if self._transport is not None:
                self._transport.abort()
            return
        for message in messages:
            reply = message.content
            if isinstance(reply, OpMsg):
                self._replied(reply.body)
        if self._drained is not None:
            self._drain(len(data))

    def stream_lost(self, error: Exception | None) -> None:
        """End what is under way."""
        if error is None:
            end = EOFError("end of stream")
            error = faults.lost(end, self.address, self.progress.phase)
            error.__cause__ = end
            try:
                self._protocol.receive_eof()
            except ProtocolError as exc:
                error = AutoReconnect(str(exc), host=self.address, phase=self.progress.phase)
                error.__cause__ = exc
        self._end(error)

    def _replied(self, body: bytes) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_result(body)
        elif self._stream is not None:
            self._stream.append(body)
        elif self._on_late_reply is not None:
            self._tell_late(body)
        else:
            # The deadline passed in this very turn of the loop.
            self._unread = body

    def _tell_late(self, body: bytes | None) -> None:
        told, self._on_late_reply, self._unread = self._on_late_reply, None, None
        if told is not None:
            told(body)

    def _drain(self, size: int) -> None:
        """Look how far the late reply has come."""
        done = self._drained
        self._drain_limit -= size
        if self._protocol.is_idle:
            self._drained = None
            if done is not None:
                done(self)
        elif self._drain_limit < 0:
            self.abort()

    def _check(self) -> None:
        if self._error is not None:
            raise copy(self._error)

    def _end(self, error: Exception) -> None:
        if self._error is not None:
            return
        self._error = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_exception(copy(error))
            # Nobody may be waiting yet: while TLS is being established, its error is the one that is raised.
            reply.exception()
        self._drained = None
        self._tell_late(None)
        if self.on_lost is not None:
            self.on_lost(self)

    # The standing timer

    def _watch(self, at: float) -> None:
        """See to it that the timer fires at `at` or earlier."""
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._timer = None
        reply, deadline = self._reply, self._deadline
        if reply is None or reply.done() or not deadline.is_finite:
            return
        # A loop may fire a timer early by its clock's resolution.
        if asyncio.get_running_loop().time() < deadline.at - 0.001:
            self._watch(deadline.at)
        else:
            # What has come of this request is what waits for its rest: the one before was complete.
            self.progress.note_received(self._protocol.buffered)
            self._reply = None
            reply.set_exception(self.progress.time_is_up(deadline.option or "the deadline"))
