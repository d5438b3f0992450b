"""TLS without I/O: ciphertext in, plaintext out, and the other way round; client and server role.

How OpenSSL is driven here, and what can go wrong
--------------------------------------------------

`ssl.SSLObject` does TLS between two memory buffers (`ssl.MemoryBIO`). Whoever owns the socket feeds what arrived
(`receive_data`) and sends what came out (`data_to_send`). Seven facts shaped this file:

1. *A MemoryBIO never shrinks.* It keeps the largest size it ever had and a third more, so one write of 1 MB costs
   each connection 1.3 MB for good. All bytes pass in steps of `STEP`, and the outgoing buffer is emptied into a list
   before it holds much more than that. The one exception is a handshake flight, which OpenSSL writes in one go.
   Measured over 200 mTLS connections (Python 3.11 and 3.13, OpenSSL 3.0), resident memory of each when idle and after
   1 MB each way on one after another: 30 and 54 KB; with steps of 16 KB, the size of the largest TLS record, 30 and
   90 KB. Large messages pay 0.35 ms per MB received (a read that finds half a record has to be made, and raises) and
   0.15 ms per MB sent; what fits into one step pays nothing.
2. *Reading can produce output*: an alert, the refusal to renegotiate (TLS 1.2). The answer to a request for new keys
   (TLS 1.3's KeyUpdate) waits for the next write in OpenSSL 3.0, which is nothing to rely upon. The rule for the owner
   is therefore: after every call, even one that raised, send `data_to_send()`.
3. *A failed handshake leaves an alert behind.* OpenSSL has put it into the outgoing buffer when the exception
   arrives. Unless it is sent, the peer learns nothing but "connection closed".
4. *A TLS 1.3 client is ready before the server has looked at its certificate.* A refusal comes as an alert after the
   handshake, out of `receive_data` in state OPEN. Data queued by `send()` during the handshake leaves together with
   the client's last flight, so that the first request costs no extra packet, and the alert answers both.
5. *An empty buffer needs no question.* OpenSSL takes one record at a time from the incoming buffer, as much of it as
   there is, and a read of `_RECORD` always takes a whole record. So once that buffer is empty there is nothing left to
   decrypt, and the call that would only raise SSLWantReadError (which costs more than decrypting a small record) is
   left out.
6. *Reading `SSLObject.session` leaks* about 7 KB on several CPython releases (cpython#116810). `read_session()` is the
   only thing that does it, and `tickets.py` says when.
7. *The end comes in two kinds*: close_notify, or a plain end of the stream, which is what many servers do. Inside the
   handshake the second is an error. Afterwards both are state CLOSED: whether a message was cut short is known by
   the layer that knows messages. Our own close_notify is queued and the peer's is never waited for.

Once an SSL error was raised the engine is BROKEN and answers with that same error from then on.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

STEP = 6144
"""Bytes per step through OpenSSL, either way; see fact 1 for what it costs and saves."""

# The largest plaintext of one TLS record.
_RECORD = 16384
_FIRST_BYTES = 64
_DER = 2  # OpenSSL's X509_FILETYPE_ASN1


class EngineState(Enum):
    """Where a TLS connection is in its life."""

    HANDSHAKING = "handshaking"
    OPEN = "open"
    CLOSED = "closed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSInfo:
    """What was agreed in a TLS handshake.

    Args:
        version: `TLSv1.2` or `TLSv1.3`.
        cipher: OpenSSL's name of the cipher suite.
        resumed: whether an earlier session was resumed, so that no certificates were exchanged.
        peer_certificate: the peer's certificate as `SSLSocket.getpeercert()` tells it; None if it was not verified.
        peer_der: the peer's certificate in DER, None if it sent none.
        server_hostname: the name that was asked for (SNI) and checked; None on a server.
    """

    version: str
    cipher: str
    resumed: bool
    peer_certificate: dict[str, Any] | None
    peer_der: bytes | None
    server_hostname: str | None


# Looked at for every message; a look-up in an Enum class is slow on Python 3.11.
_OPEN = EngineState.OPEN


class TLSEngine:
    """One TLS connection between two buffers; see the head of this module.

    Args:
        context: the SSLContext, for the role.
        server_side: which role to play.
        server_hostname: the server's name or IP address, for SNI and for the check of its certificate.
        session: a session of the same context to resume.

    Attributes:
        state: where the connection is in its life.
        has_output: whether `receive_data()` may have left something for `data_to_send()`.
        handshake_done: whether the handshake was completed.
        first_bytes: the first bytes that came from the peer.
        server_hostname: the server's name or IP address.
        server_side: which role this is.

    Raises:
        ValueError: the context checks host names and there is none, or it is not one.
    """

    __slots__ = (
        "_closing",
        "_error",
        "_incoming",
        "_info",
        "_outgoing",
        "_pieces",
        "_queued",
        "_read",
        "_ssl",
        "_write",
        "first_bytes",
        "handshake_done",
        "has_output",
        "server_hostname",
        "server_side",
        "state",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        if context.check_hostname and not server_side and not server_hostname:
            # wrap_socket() refuses this too; wrap_bio() would go on and check no name at all.
            raise ValueError("the context checks host names, so a server_hostname is needed")
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname, session=session
        )
        self._read = self._ssl.read
        self._write = self._ssl.write
        # Ciphertext taken out of the outgoing BIO before the owner asked for it.
        self._pieces: list[bytes] = []
        # Plaintext that was sent before the handshake was done.
        self._queued: list[bytes] = []
        self._error: ssl.SSLError | None = None
        self._closing = False
        self._info: TLSInfo | None = None
        self.state = EngineState.HANDSHAKING
        self.has_output = False
        # What explain.py needs to tell a refused certificate from a server that never spoke TLS.
        self.handshake_done = False
        self.first_bytes = b""
        self.server_hostname = server_hostname
        self.server_side = server_side

    @property
    def heard_from_peer(self) -> bool:
        """Whether any byte came from the peer."""
        return bool(self.first_bytes)

    @property
    def cipher_agreed(self) -> bool:
        """Whether the handshake came as far as a common cipher suite: the server's first answer was accepted."""
        return self._ssl.cipher() is not None

    @property
    def info(self) -> TLSInfo | None:
        """What was agreed, None until the handshake is done, and if nobody asked before the connection was broken."""
        if self._info is None and self.handshake_done:
            cipher = self._ssl.cipher()
            try:
                certificate = self._ssl.getpeercert()
            except ValueError:
                # After a fatal alert OpenSSL says that the handshake is not done.
                return None
            self._info = TLSInfo(
                version=self._ssl.version() or "",
                cipher=cipher[0] if cipher else "",
                resumed=self.resumed,
                peer_certificate=certificate or None,
                peer_der=self._ssl.getpeercert(binary_form=True),
                server_hostname=self.server_hostname,
            )
        return self._info

    @property
    def resumed(self) -> bool:
        """Whether the server took the session it was offered; False until the handshake is done."""
        return self.handshake_done and bool(self._ssl.session_reused)

    def read_session(self) -> ssl.SSLSession | None:
        """The session as it is now; with TLS 1.3 there is nothing to resume in it before the server has sent something.

        Each call may leak; see fact 6.
        """
        return self._ssl.session

    def unverified_peer(self) -> tuple[dict[str, Any], bytes] | None:
        """What the peer's certificate says although it was not accepted, for explanations only, and its DER.

        Returns:
            As `getpeercert()` tells it, and in DER; None if none came, or this Python or OpenSSL does not tell.
        """
        # SSLObject.get_unverified_chain() is public from 3.13 on and gives DER only. The object beneath it has had this
        # since 3.10, with details that would otherwise need a parser. OpenSSL 1.1.1 forgets a chain that it refuses.
        beneath: Any = getattr(self._ssl, "_sslobj", None)
        try:
            leaf = beneath.get_unverified_chain()[0]
            return leaf.get_info(), leaf.public_bytes(_DER)
        except (AttributeError, TypeError, IndexError, ValueError, ssl.SSLError):
            return None

    def verified_chain(self) -> list[bytes]:
        """The peer's certificates in DER, from its own to the one that is trusted; none if they were not verified now.

        That is so with CERT_NONE, and where a session was resumed, which brings no certificates along.
        """
        if self._ssl.context.verify_mode is ssl.CERT_NONE:
            # OpenSSL has built a chain all the same.
            return []
        # Public from 3.13 on; the object beneath has had it since 3.10.
        beneath: Any = getattr(self._ssl, "_sslobj", None)
        try:
            return [certificate.public_bytes(_DER) for certificate in beneath.get_verified_chain() or ()]
        except (AttributeError, ValueError, ssl.SSLError):
            return []

    def start(self) -> None:
        """Begin the handshake: a client's first message is ready to be sent."""
        if self.state is EngineState.HANDSHAKING:
            self._handshake()

    def receive_data(self, data: bytes | bytearray | memoryview) -> bytes:
        """Take ciphertext that arrived; what it decrypts to is returned.

        The handshake is driven by this call too. Afterwards send `data_to_send()`, also if the call raised; where it
        did not raise and `has_output` is False there is nothing to send. Where plaintext came before an error it is
        returned, the state is BROKEN, and the next call (`receive_eof()` at the latest) raises.

        Args:
            data: bytes from the peer, in any chunking.

        Returns:
            Plaintext, `b""` if there is none yet.

        Raises:
            ssl.SSLError: the connection is broken; from then on each call raises the same error.
        """
        if self.state is not _OPEN or len(data) > STEP:
            return self._receive_in_steps(data)
        # The common case, one small message, in two calls; fact 5.
        self._incoming.write(data)
        try:
            plaintext = self._read(_RECORD)
        except ssl.SSLWantReadError:
            self.has_output = True
            return b""
        except ssl.SSLError as exc:
            self._break(exc)
            raise
        if self._outgoing.pending:
            self.has_output = True
        if plaintext and not self._incoming.pending:
            return plaintext
        pieces = [plaintext]
        self._read_rest(pieces)
        return b"".join(pieces)

    def receive_eof(self) -> None:
        """Take note that the peer's stream has ended.

        Raises:
            ssl.SSLError: the connection was broken already, or the handshake was not done (SSLEOFError).
        """
        if self.state is EngineState.HANDSHAKING:
            self._incoming.write_eof()
            self._handshake()
        elif self.state is EngineState.OPEN:
            self.state = EngineState.CLOSED
        elif self._error is not None:
            raise self._error

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt `data`, or keep it until the handshake is done; then it leaves with the last handshake message.

        After the end of the connection there is nobody to read it and it is dropped.

        Args:
            data: plaintext of any length. Its ciphertext piles up until `data_to_send()` takes it, so whoever can be
                slowed down passes it in steps of `STEP`.

        Raises:
            ssl.SSLError: the connection is broken.
        """
        if self.state is EngineState.OPEN:
            if 0 < len(data) <= STEP:
                try:
                    self._write(data)
                except ssl.SSLError as exc:
                    # Only a supplied context that allows renegotiation gets here, by SSLWantReadError amid one.
                    self._break(exc)
                    raise
                if self._outgoing.pending > STEP:
                    self._pieces.append(self._outgoing.read())
            else:
                self._send_in_steps(data)
        elif self.state is EngineState.HANDSHAKING:
            self._queued.append(bytes(data))
        elif self._error is not None:
            raise self._error

    def encrypt(self, data: bytes | bytearray | memoryview) -> bytes:
        """`send()` and `data_to_send()` in one, for what leaves at once.

        Args:
            data: plaintext of any length; see `send()`.

        Returns:
            All the ciphertext that there is for the peer.

        Raises:
            ssl.SSLError: the connection is broken.
        """
        if self.state is not _OPEN or self._pieces or not 0 < len(data) <= STEP:
            self.send(data)
            return self.data_to_send()
        # The common case, one small message, in two calls.
        try:
            self._write(data)
        except ssl.SSLError as exc:
            self._break(exc)
            raise
        self.has_output = False
        return self._outgoing.read()

    def data_to_send(self) -> bytes:
        """The ciphertext for the peer since the last call, an alert after an error included; often `b""`."""
        self.has_output = False
        if not self._pieces:
            return self._outgoing.read()
        self._pieces.append(self._outgoing.read())
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def close(self) -> None:
        """End the connection: close_notify is ready to be sent; what arrives from now on is not decrypted."""
        # There is no close_notify inside a handshake, and an alert has ended a broken connection already.
        if self.handshake_done and self.state is not EngineState.BROKEN and not self._closing:
            self._closing = True
            # SSLWantReadError: the peer's close_notify has not come yet, and is not awaited.
            with suppress(ssl.SSLError):
                self._ssl.unwrap()
        if self.state is not EngineState.BROKEN:
            self.state = EngineState.CLOSED
            self._queued.clear()

    def _handshake(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as exc:
            self._break(exc)
            raise
        self.handshake_done = True
        self.state = EngineState.OPEN
        queued, self._queued = self._queued, []
        for data in queued:
            self.send(data)

    def _break(self, exc: ssl.SSLError) -> None:
        self._error = exc
        self.state = EngineState.BROKEN
        self._queued.clear()

    def _receive_in_steps(self, data: bytes | bytearray | memoryview) -> bytes:
        """The handshake and large chunks."""
        self.has_output = True
        pieces: list[bytes] = []
        with memoryview(data) as view:
            for start in range(0, len(view), STEP):
                if self._error is not None or self.state is EngineState.CLOSED:
                    break
                step = view[start : start + STEP]
                self._incoming.write(step)
                if self.state is EngineState.HANDSHAKING:
                    self.first_bytes += bytes(step[: _FIRST_BYTES - len(self.first_bytes)])
                    self._handshake()
                self._read_rest(pieces)
        if self._error is not None and not pieces:
            raise self._error
        return b"".join(pieces)

    def _read_rest(self, pieces: list[bytes]) -> None:
        """Decrypt into `pieces` until the incoming BIO is empty or the connection ends."""
        self.has_output = True
        while self.state is EngineState.OPEN:
            if pieces and not pieces[-1]:
                # close_notify reads as no bytes.
                self.state = EngineState.CLOSED
                return
            if not self._incoming.pending:
                return
            try:
                pieces.append(self._read(_RECORD))
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError as exc:
                self._break(exc)
            if self._outgoing.pending > STEP:
                self._pieces.append(self._outgoing.read())

    def _send_in_steps(self, data: bytes | bytearray | memoryview) -> None:
        with memoryview(data) as view:
            for start in range(0, len(view), STEP):
                self.send(view[start : start + STEP])
