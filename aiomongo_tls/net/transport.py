"""A byte stream with or without TLS, in both roles, over asyncio's plain transports.

What goes wrong at this border, and what is done about it
---------------------------------------------------------

The TLS engine (`tls/engine.py`) turns bytes into bytes; asyncio's transport, or uvloop's, moves them. Between them:

1. *A refusal may be lost to a reset.* With TLS 1.3 a client has sent its last flight and its first request before the
   server has looked at its certificate. The server sends an alert and closes; if it had not read everything, the
   kernel adds a reset. If our next write meets that reset, the loop declares the connection lost without reading the
   alert that still lies in the kernel. So the last flight and the first request leave in *one* write, and after an
   error what the kernel still holds is read, through a duplicate of the socket, before anything is declared lost.
2. *A server has the same problem from the other end.* After a failed handshake it sends the alert, half-closes, and
   then reads and discards until the client closes: a socket closed with unread bytes in it resets the connection and
   the client's kernel may drop the alert. A timer bounds this; no task is needed.
3. *Handshake steps are slow* (up to 2 ms). They take turns, see `turns`. While one waits, reading is paused, so that
   a peer cannot pile up bytes.
4. *A slow reader.* `write()` encrypts only as far as the loop's transport takes it (`pause_writing`); the rest waits
   here as plaintext, whose order is kept. `drain()` waits for it.
5. *Every call into the engine may produce bytes to send* (an alert, an answer to the peer's TLS), so each is followed
   by a flush.
6. *Reading costs memory, and time to get it.* A plain `asyncio.Protocol` on the stock loop is given a new object of
   256 KB for each read, however little there is. Whether that costs nothing or four system calls (20 us, more than all
   the rest of a small reply) depends on what the process happened to free before. So this is a `BufferedProtocol`, and
   all streams of a loop read into one buffer: it is emptied, into the engine or a copy, before anything else can run.
7. *The end is told once*: `Receiver.stream_lost()` is called exactly once, at the moment the end is known (the peer's
   end of stream, an error) and not one turn of the loop later, so that an idle connection leaves its pool at once.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from aiomongo_tls.errors import ConfigurationError, Phase
from aiomongo_tls.net import faults
from aiomongo_tls.net.buffers import buffer_of
from aiomongo_tls.net.dialing import STAGGER, connect_first
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.progress import Progress
from aiomongo_tls.net.turns import turns_of
from aiomongo_tls.tls.engine import STEP, EngineState, TLSEngine, TLSInfo
from aiomongo_tls.tls.explain import explain

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.tls.context import TLSSetup

LINGER = 1.0
"""Seconds for a closing stream to get rid of what it still has to send, or to wait for the peer to close."""

_OPEN = EngineState.OPEN
_NO_BUFFER = memoryview(bytearray())

# Ciphertext is handed over in pieces of this many bytes of plaintext: few system calls, little memory.
_BATCH = 65536


class Receiver(Protocol):
    """Whoever is told what a transport receives. All calls come from the loop."""

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the stream, decrypted."""

    def stream_lost(self, error: Exception | None) -> None:
        """Take note that the stream has ended; called exactly once.

        Args:
            error: what broke it; None if either side closed it in order.
        """


class Transport(asyncio.BufferedProtocol):
    """One connection to a peer: the protocol object for `create_connection`, `create_server` and their unix twins.

    Args:
        receiver: who is told what arrives and when the stream ends.
        engine: the TLS engine in the role to be played; None for a stream without TLS.
        explain: translates what breaks the stream (ssl.SSLError, OSError) into the error that is reported; the original
            becomes its `__cause__`. It is also given an EOFError for a stream that ends in order, but before any
            payload: a server that does not like our certificate may do just that. None reports the originals.

    Attributes:
        engine: the TLS engine; explanations ask it what was agreed.
        bytes_received: bytes that came from the peer, before decryption.
        payload_received: bytes that were passed on to the receiver.
        has_backlog: whether what was written still waits because the peer does not take it; `drain()` waits for that to
            end.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        engine: TLSEngine | None = None,
        explain: Callable[[BaseException], Exception] | None = None,
    ) -> None:
        self.engine = engine
        self.bytes_received = 0
        self.payload_received = 0
        self.has_backlog = False
        self._receiver = receiver
        self._explain = explain
        self._stream: asyncio.Transport | None = None
        # The `write` of the loop's transport as long as nothing stands between it and ours: the stream is open for
        # payload and neither side has ended it, and nothing waits. None otherwise.
        self._straight: Callable[[bytes], None] | None = None
        # What the loop reads into; shared with all streams of the loop.
        self._buffer = _NO_BUFFER
        self._open = False
        # Closed or aborted by our side; then what arrives is nobody's business any more.
        self._closing = False
        self._aborted = False
        # `stream_lost` was called. Nothing is delivered or sent afterwards.
        self._told = False
        # The loop's transport is done with the socket.
        self._gone = False
        self._error: Exception | None = None
        # Ciphertext that waits for its turn in the handshake.
        self._arrived: list[bytes] = []
        self._in_line = False
        # Plaintext that waits until the loop's transport takes more.
        self._outbound: deque[memoryview] = deque()
        self._paused = False
        self._handshake_waiter: asyncio.Future[None] | None = None
        self._drain_waiters: list[asyncio.Future[None]] = []
        self._close_waiters: list[asyncio.Future[None]] = []
        self._bound: asyncio.TimerHandle | None = None

    # What a user of the stream calls

    @property
    def info(self) -> TLSInfo | None:
        """What was agreed in the TLS handshake; None before it is done and without TLS."""
        return self.engine.info if self.engine is not None else None

    @property
    def peername(self) -> Any:
        """The peer's address as the socket tells it, None before there is one."""
        return self._stream.get_extra_info("peername") if self._stream is not None else None

    @property
    def is_aborted(self) -> bool:
        """Whether our side has ended the stream at once."""
        return self._aborted

    @property
    def is_gone(self) -> bool:
        """Whether the socket is closed, or about to be in this turn of the loop."""
        return self._gone

    async def handshake(self) -> None:
        """Wait until the stream can be used. One caller at a time.

        Raises:
            Exception: what broke the stream, explained; ConnectionAbortedError if our side closed it.
        """
        # A peer may have answered and ended the stream in order before anybody asks here: the receiver has its answer.
        if self._closing or self._error is not None or (self._told and not self._open):
            raise self._reason()
        if not self._open:
            self._handshake_waiter = waiter = asyncio.get_running_loop().create_future()
            await waiter

    def write(self, data: bytes) -> None:
        """Send `data`, now or as soon as the handshake is done and the peer takes it; dropped after the end."""
        straight, engine = self._straight, self.engine
        if straight is None or len(data) > STEP:
            self._write_or_keep(data)
        elif engine is None:
            straight(data)
        else:
            try:
                ciphertext = engine.encrypt(data)
            except ssl.SSLError as exc:
                self._break(exc)
            else:
                straight(ciphertext)

    async def drain(self) -> None:
        """Wait until what was written has left, or nearly (the loop's transport is below its low-water mark).

        Raises:
            Exception: what broke the stream, explained; ConnectionAbortedError if our side closed it.
        """
        while True:
            if self._told or self._closing:
                raise self._reason()
            if not self.has_backlog:
                return
            waiter = asyncio.get_running_loop().create_future()
            self._drain_waiters.append(waiter)
            await waiter

    def close(self) -> None:
        """End the stream in order: send what is left and close_notify, then close. Bounded by `LINGER`; no waiting."""
        if self._closing or self._told:
            return
        self._closing = True
        self._straight = None
        if self._outbound and self._open:
            self._set_bound()
        else:
            self._say_goodbye()

    def abort(self) -> None:
        """End the stream at once. What was not sent is dropped."""
        self._closing = self._aborted = True
        self._straight = None
        self._outbound.clear()
        self.has_backlog = self._paused
        if self._stream is not None and not self._gone:
            self._stream.abort()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed, after `close()`, `abort()` or the end of the stream."""
        if not self._gone:
            waiter = asyncio.get_running_loop().create_future()
            self._close_waiters.append(waiter)
            await waiter

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or without TLS send what was written so far."""
        self._stream = cast(asyncio.Transport, transport)
        self._buffer = buffer_of(asyncio.get_running_loop())
        if self._aborted:
            # A server that was stopped while it accepted this connection.
            self._stream.abort()
        elif self.engine is None:
            self._opened()
        else:
            self._advance_in_turn()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the loop is to put what it reads."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what arrived, decrypted."""
        self._take(self._buffer[:nbytes])

    def eof_received(self) -> bool:
        """Tell the receiver that the peer has ended its stream; ours ends with it."""
        self._end_of_input(None)
        return False

    def pause_writing(self) -> None:
        """Keep what is written from now on as plaintext."""
        self._paused = self.has_backlog = True
        self._straight = None

    def resume_writing(self) -> None:
        """Send more of what waits."""
        self._paused = False
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """Read what the kernel still holds, then tell the receiver; the socket is closed right after this call."""
        if not self._told and not self._closing:
            if exc is not None:
                data = self._left_in_kernel()
                if data:
                    self._take(memoryview(data))
            self._end_of_input(exc)
        self._gone = True
        if self._bound is not None:
            self._bound.cancel()
            self._bound = None
        self._tell(None)
        self._wake(self._close_waiters)
        self._stream = None

    # Handshake and payload

    def _take(self, data: memoryview) -> None:
        """Take what arrived. `data` is only lent."""
        self.bytes_received += len(data)
        if self._told or self._closing:
            return
        if self.engine is None:
            self.payload_received += len(data)
            self._receiver.data_received(bytes(data))
        elif self._open:
            self._decrypt(self.engine, data)
        else:
            self._arrived.append(bytes(data))
            self._advance_in_turn()

    def _advance_in_turn(self) -> None:
        """Take a step of the handshake when it is our turn."""
        if self._in_line:
            return
        self._in_line = not turns_of(asyncio.get_running_loop()).run(self._advance)
        if self._in_line and self._stream is not None and not self._stream.is_closing():
            self._stream.pause_reading()

    def _advance(self) -> None:
        """Take a step of the handshake with what has arrived."""
        if self._in_line:
            self._in_line = False
            if self._stream is not None and not self._stream.is_closing():
                self._stream.resume_reading()
        data = b"".join(self._arrived)
        self._arrived.clear()
        if self._told or self._closing or self.engine is None:
            return
        if self._open:
            self._decrypt(self.engine, data)
            return
        try:
            if not data:
                self.engine.start()
            plaintext = self.engine.receive_data(data)
        except ssl.SSLError as exc:
            self._break(exc)
            return
        if self.engine.handshake_done:
            # The flush in here puts the last flight and the first request into one write (1).
            self._opened()
        else:
            self._flush()
        if plaintext:
            self.payload_received += len(plaintext)
            self._receiver.data_received(plaintext)
        if self.engine.state is EngineState.CLOSED or self.engine.state is EngineState.BROKEN:
            self._end_of_input(None)

    def _opened(self) -> None:
        self._open = True
        self._flush()
        if self._handshake_waiter is not None and not self._handshake_waiter.done():
            self._handshake_waiter.set_result(None)
        self._pump()

    def _decrypt(self, engine: TLSEngine, data: bytes | memoryview) -> None:
        try:
            plaintext = engine.receive_data(data)
        except ssl.SSLError as exc:
            self._break(exc)
            return
        if engine.has_output:
            self._flush()
        if plaintext:
            self.payload_received += len(plaintext)
            self._receiver.data_received(plaintext)
        if engine.state is not _OPEN:
            self._end_of_input(None)

    def _write_or_keep(self, data: bytes) -> None:
        """What cannot leave straight away and in one step."""
        if self._told or self._closing:
            return
        if self.engine is not None and not self._open and not self.has_backlog and len(data) <= STEP:
            # The engine keeps it, so that it leaves with the last message of the handshake.
            self.engine.send(data)
            return
        self._outbound.append(memoryview(data))
        self.has_backlog = True
        if self._open:
            self._pump()

    def _encrypt_in_steps(self, engine: TLSEngine, stream: asyncio.Transport, view: memoryview) -> None:
        """Encrypt what may be many records; the engine's buffer is emptied after each, because it never shrinks."""
        try:
            pieces = [engine.encrypt(view[start : start + STEP]) for start in range(0, len(view), STEP)]
        except ssl.SSLError as exc:
            self._break(exc)
        else:
            stream.write(b"".join(pieces))

    def _pump(self) -> None:
        """Encrypt and hand over what waits, as long as it is taken."""
        while self._outbound and not self._paused and not self._told and self._stream is not None:
            view = self._outbound.popleft()
            if len(view) > _BATCH:
                self._outbound.appendleft(view[_BATCH:])
            if self.engine is None:
                self._stream.write(view[:_BATCH])
            else:
                self._encrypt_in_steps(self.engine, self._stream, view[:_BATCH])
        if not self._outbound and not self._paused:
            self.has_backlog = False
            self._wake(self._drain_waiters)
            if self._closing:
                self._say_goodbye()
            elif self._open and not self._told and self._stream is not None:
                self._straight = self._stream.write

    def _flush(self) -> None:
        if self.engine is not None and self._stream is not None:
            data = self.engine.data_to_send()
            # After the loss of the connection the loop's transport would only log a warning.
            if data and not self._stream.is_closing():
                self._stream.write(data)

    # The end

    def _end_of_input(self, exc: BaseException | None) -> None:
        """Nothing more comes from the peer: its stream ended, or `exc` broke the connection."""
        if self._told or self._closing:
            return
        engine = self.engine
        if engine is not None and self._arrived:
            self._advance()
        if engine is not None and not self._told:
            try:
                engine.receive_eof()
            except ssl.SSLError as end:
                # An end inside the handshake that came with an error of the socket is explained by that error.
                self._break(exc if exc is not None and isinstance(end, ssl.SSLEOFError) else end)
                return
        if exc is None and self._explain is not None and not self.payload_received:
            exc = EOFError("end of stream before any payload")
        self._tell(exc)
        # Whoever ends its own direction says so (RFC 8446, section 6.1), also in answer to the peer's close_notify.
        self._say_goodbye()

    def _break(self, exc: BaseException) -> None:
        """Our side ends the stream because of `exc`; the alert that the engine may have made is sent first."""
        self._flush()
        self._tell(exc)
        if self.engine is not None and self.engine.server_side and self._stream is not None:
            # (2) Then the client can read the alert before the connection goes.
            self._end_our_direction(self._stream)
        else:
            self._hang_up()

    def _tell(self, exc: BaseException | None) -> None:
        """Report the end, once."""
        if self._told:
            return
        self._told = True
        self._straight = None
        self._outbound.clear()
        self.has_backlog = self._paused
        error: Exception | None = None
        if exc is not None:
            error = self._error = self._explained(exc)
        if self._handshake_waiter is not None and not self._handshake_waiter.done():
            self._handshake_waiter.set_exception(self._reason())
        # Why it ended they ask for themselves, each in turn.
        self._wake(self._drain_waiters)
        self._receiver.stream_lost(error)

    def _explained(self, exc: BaseException) -> Exception:
        if self._explain is not None:
            error = self._explain(exc)
            if error is not exc:
                error.__cause__ = exc
            return error
        return exc if isinstance(exc, Exception) else ConnectionError(str(exc))

    def _reason(self) -> Exception:
        return self._error or ConnectionAbortedError("the stream was closed")

    def _say_goodbye(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self._flush()
        if self._closing and not self._told and self._stream is not None and self._stream.get_write_buffer_size():
            self._end_our_direction(self._stream)
        else:
            self._hang_up()

    def _end_our_direction(self, stream: asyncio.Transport) -> None:
        """Send what is left, and read on until the peer ends its direction too, or the time is up.

        A socket that is closed with unread bytes in it (session tickets are enough) is reset by the system, and the
        peer loses what it has not read yet.
        """
        with suppress(OSError, RuntimeError):
            if stream.can_write_eof() and not stream.is_closing():
                stream.write_eof()
                self._set_bound()
                return
        self._hang_up()

    def _hang_up(self) -> None:
        """Close the loop's transport; it sends what it still has, for a bounded time."""
        if self._stream is not None and not self._gone:
            self._stream.close()
            if self._stream.get_write_buffer_size():
                self._set_bound()

    def _set_bound(self) -> None:
        if self._bound is None and self._stream is not None and not self._gone:
            self._bound = asyncio.get_running_loop().call_later(LINGER, self._stream.abort)

    def _left_in_kernel(self) -> bytes:
        """What had arrived when a write failed; the loop's transport would drop it (1)."""
        pieces: list[bytes] = []
        sock = self._stream.get_extra_info("socket") if self._stream is not None else None
        # OSError: nothing left (BlockingIOError), or the reset itself.
        with suppress(OSError):
            if sock is not None:
                with sock.dup() as twin:
                    twin.setblocking(False)
                    while piece := twin.recv(_BATCH):
                        pieces.append(piece)
        return b"".join(pieces)

    @staticmethod
    def _wake(waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        waiters.clear()


async def open_connection(
    address: ServerAddress,
    *,
    receiver: Receiver,
    setup: TLSSetup | None = None,
    server_hostname: str | None = None,
    session: ssl.SSLSession | None = None,
    first: bytes = b"",
    resolver: Resolver | None = None,
    progress: Progress | None = None,
    stagger: float = STAGGER,
) -> Transport:
    """Open a byte stream to a server: over TCP (IPv4, IPv6, whichever answers first) or a unix domain socket.

    There is no time limit here; put `asyncio.timeout_at()` around it. Whatever ends it early leaves nothing open.

    Args:
        address: the server.
        receiver: who is told what arrives and when the stream ends.
        setup: how to speak TLS; None for a stream without.
        server_hostname: the name for SNI and for the check of the certificate, by default the host of `address`, and
            `localhost` for a unix domain socket.
        session: a TLS session of the same context and server to resume.
        first: bytes to send first. They leave with the last message of the TLS handshake.
        resolver: what looks the host name up.
        progress: is told how far this has come.
        stagger: seconds until the next address is tried while the one before is silent.

    Returns:
        The stream, ready for use, with `first` under way.

    Raises:
        ConnectionFailure: the name was not found or the server not reached.
        TLSError: the TLS handshake failed.
        ConfigurationError: the host cannot be a server name in TLS.
    """
    progress = progress or Progress(address)
    server_hostname = server_hostname or default_server_name(address)
    if setup is not None:
        check_server_name(server_hostname, address)

    def translated(exc: BaseException) -> Exception:
        # Right after the handshake a refusal of our certificate may still come, in any dress.
        if (
            setup is not None
            and engine is not None
            and (isinstance(exc, ssl.SSLError) or not transport.payload_received)
        ):
            return explain(exc, host=address, engine=engine, setup=setup)
        return faults.lost(exc, address, progress.phase)

    try:
        progress.enter(Phase.DNS)
        endpoints = await (resolver or Resolver()).resolve(address)
    except OSError as exc:
        raise faults.not_resolved(exc, address) from exc
    try:
        progress.enter(Phase.TCP)
        sock = await connect_first(endpoints, stagger=stagger)
    except OSError as exc:
        raise faults.not_reached(exc, address) from (exc.__cause__ or exc)
    engine: TLSEngine | None = None
    progress.enter(Phase.TLS if setup is not None else Phase.HELLO)
    if setup is not None:
        context = setup.context
        try:
            engine = await turns_of(asyncio.get_running_loop()).take(
                lambda: TLSEngine(context, server_hostname=server_hostname, session=session)
            )
        except BaseException:
            sock.close()
            raise
    transport = Transport(receiver, engine=engine, explain=translated)
    if first:
        transport.write(first)
    progress.stream = transport
    try:
        await _adopt(sock, transport)
        await transport.handshake()
    except asyncio.CancelledError:
        transport.abort()
        raise
    progress.enter(Phase.HELLO)
    return transport


def default_server_name(address: ServerAddress) -> str:
    """The name by which a server is asked for and verified unless `tlsServerNames` has another one."""
    if address.is_unix_socket:
        return "localhost"
    # A zone ("fe80::1%eth0") belongs to this machine. The dot behind a complete name ("db.example.net.") is for DNS
    # only: neither SNI (RFC 6066, section 3) nor certificates have it.
    return address.host.partition("%")[0].removesuffix(".")


def check_server_name(name: str, address: ServerAddress) -> None:
    """See to it that TLS can ask for a server by this name, before anything is sent.

    Args:
        name: the name.
        address: the server, for the message.

    Raises:
        ConfigurationError: it cannot be one.
    """
    try:
        if not name or name.startswith(".") or "\0" in name:
            raise ValueError("it is empty, begins with a dot or holds a null character")
        name.encode("idna")
    except ValueError as exc:
        raise ConfigurationError(f"{address}: the host cannot be a server name in TLS: {exc}") from exc


async def _adopt(sock: socket.socket, transport: Transport) -> None:
    """Make `transport` the protocol of a connected socket.

    That takes one or two turns of the loop, in which the socket changes hands. Loops differ in what a cancellation then
    leaves open (uvloop closes the descriptor and leaves the socket object to close it again), so a task of its own
    does it, and a cancellation is carried out when it is done.
    """
    loop = asyncio.get_running_loop()
    unix = hasattr(socket, "AF_UNIX") and sock.family == socket.AF_UNIX
    create = loop.create_unix_connection if unix else loop.create_connection
    adoption = loop.create_task(create(lambda: transport, sock=sock), name="aiomongo_tls adopt a socket")
    adoption.add_done_callback(partial(_adopted, sock, transport))
    # What goes wrong is told to the transport, whose `handshake()` raises it.
    with suppress(Exception):
        await asyncio.shield(adoption)


def _adopted(sock: socket.socket, transport: Transport, adoption: asyncio.Task[Any]) -> None:
    if transport.is_gone:
        # uvloop had lost the connection before it took note of the socket object: its descriptor is closed, and perhaps
        # already somebody else's. asyncio has closed the object.
        sock.detach()
    elif adoption.cancelled():
        sock.close()
        transport.connection_lost(None)
    elif (error := adoption.exception()) is not None:
        sock.close()
        transport.connection_lost(error if isinstance(error, Exception) else None)
    elif transport.is_aborted:
        transport.abort()
