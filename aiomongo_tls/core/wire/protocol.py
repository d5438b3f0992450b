"""`WireProtocol`: bytes in, messages out; messages in, bytes out. No socket.

The straight way. Nearly always a client sends a body with or without statements, and one chunk is the whole reply: one
document, no flags. `send_request` writes that with one `pack`, and `receive_reply` compares all that can be wrong with
such a message in one condition. It changes nothing where the condition fails: `receive_data`, which can read anything,
finds out what is the matter and has the words for it. Whoever gets None from the one asks the other.

How bytes are kept. One chunk that is a whole message is decoded where it lies, and only its body is copied out.
Otherwise chunks are appended to one bytearray (amortised linear: a 48 MB message in 16 KB chunks is
3 000 appends) and nothing is looked at again until enough has come for the next decision: 16 bytes for a header, then
the length that the header gives. The buffer is never made larger than what was received, so a length field alone
costs no memory, and it is dropped with its message, so that an idle connection does not keep 48 MB.

When a message is refused. As early as it can be known: with the first byte while it is our turn (a server does not
speak unasked, a client waits for its reply); with the header's 16 bytes for a length, a format or a `responseTo` that
cannot be; otherwise when the message is complete.

Refused means: one `ProtocolError`, state BROKEN, and the same error again for whatever is asked afterwards. Messages
that arrived in the same chunk in front of the violation are not handed out; that peer is not trusted any more.
The caller's own mistakes (a second request before the reply, a reply to nobody) raise `InvalidOperation` and break
nothing, since nothing was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from enum import StrEnum
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from aiomongo_tls.core.wire import legacy, op_msg
from aiomongo_tls.core.wire.fields import MIN_DOCUMENT
from aiomongo_tls.core.wire.header import HEADER_SIZE, MessageHeader, OpCode, pack_header
from aiomongo_tls.core.wire.legacy import OpQuery
from aiomongo_tls.core.wire.op_msg import DocumentSequence, Flags, OpMsg
from aiomongo_tls.core.wire.states import TRANSITIONS, Event, State
from aiomongo_tls.errors import DocumentTooLarge, InvalidOperation, ProtocolError

if TYPE_CHECKING:
    from aiomongo_tls.core.wire.fields import Buffer

MAX_MESSAGE_SIZE = 48_000_000
"""Bytes of the largest message that servers take, unless their hello says otherwise."""

_MAX_REQUEST_ID = 2**31 - 1
_MORE_TO_COME = int(Flags.MORE_TO_COME)
# A message up to its body: header, flag bits, kind of the first section.
_START = Struct("<iiiiIB")
# The same, and the length that the body gives.
_START_OF_REPLY = Struct("<iiiiIBi")
# Looked at for every message; a look-up in an Enum class is slow on Python 3.11.
_MSG = int(OpCode.MSG)
_IDLE = State.IDLE
_REPLY_DUE = State.REPLY_DUE
_EXHAUST_ALLOWED = int(Flags.EXHAUST_ALLOWED)


class Role(StrEnum):
    """Which end of the conversation we are."""

    CLIENT = "client"
    SERVER = "server"


_CLIENT = Role.CLIENT
_SMALLEST_REPLY = _START.size + MIN_DOCUMENT

_READS = {
    Role.CLIENT: frozenset({OpCode.MSG}),
    Role.SERVER: frozenset({OpCode.MSG, OpCode.QUERY}),
}
_SENDS = {
    Role.CLIENT: frozenset({Event.REQUEST, Event.EXHAUST_REQUEST, Event.ONE_WAY}),
    Role.SERVER: frozenset({Event.REPLY, Event.REPLY_OF_STREAM}),
}
# The states in which the other end may speak.
_LISTENS = {
    role: frozenset(state for state, events in TRANSITIONS.items() if events.keys() - _SENDS[role] - {Event.END})
    for role in Role
}


class Message(NamedTuple):
    """One message as received."""

    header: MessageHeader
    """Its header."""
    content: OpMsg | OpQuery
    """What it says; `OpQuery` only in the server role."""


class WireProtocol:
    """One end of one connection, in either role.

    Args:
        role: which end this is.
        max_message_size: bytes of the largest message to receive and, for now, to send, header included.

    Attributes:
        state: where the conversation stands. To be read only.
        max_message_size: bytes of the largest message to send. May be changed when hello has told what the server
            takes. What we are ready to receive stays as it was: the peer's word does not raise it, and a server that
            takes little may still answer at length.
    """

    __slots__ = (
        "_answering",
        "_buffer",
        "_error",
        "_listens",
        "_max_received",
        "_needed",
        "_reads",
        "_replying_to",
        "_request_id",
        "_role",
        "_sends",
        "max_message_size",
        "state",
    )

    def __init__(self, role: Role, *, max_message_size: int = MAX_MESSAGE_SIZE) -> None:
        self.max_message_size = max_message_size
        self._max_received = max_message_size
        self._role = role
        self._reads = _READS[role]
        self._sends = _SENDS[role]
        self._listens = _LISTENS[role]
        self.state = State.IDLE
        # The number of our last message; each end counts its own.
        self._request_id = 0
        # What the next reply has to carry as responseTo. Has a meaning only while a reply is due.
        self._replying_to = 0
        # Server role: the request being answered.
        self._answering: Message | None = None
        # The beginning of a message, and how many bytes there must be before looking at it again pays.
        self._buffer = bytearray()
        self._needed = HEADER_SIZE
        self._error: ProtocolError | None = None

    def __repr__(self) -> str:
        return f"<WireProtocol {self._role} {self.state}>"

    @property
    def role(self) -> Role:
        """Which end this is."""
        return self._role

    @property
    def is_idle(self) -> bool:
        """Whether no reply is due and no half message was received."""
        return self.state is State.IDLE and not self._buffer

    @property
    def buffered(self) -> int:
        """How many bytes have come of a message that is not complete."""
        return len(self._buffer)

    def send_request(self, body: bytes, sequences: Sequence[DocumentSequence] = (), *, flags: int = 0) -> bytes:
        """Frame a request (client role).

        Args:
            body: the command, a BSON document.
            sequences: document sequences that go beside it.
            flags: `Flags.MORE_TO_COME` if no reply is wanted, `Flags.EXHAUST_ALLOWED` if several are.

        Returns:
            The whole message, to be sent.

        Raises:
            InvalidOperation: it is not the client's turn; nothing has changed.
            DocumentTooLarge: the message is larger than `max_message_size`; nothing has changed.
            ProtocolError: the connection is broken.
        """
        if self.state is _IDLE and not flags and self._role is _CLIENT:
            state = _REPLY_DUE
        elif flags & _MORE_TO_COME:
            state = self._next_state(Event.ONE_WAY)
        else:
            state = self._next_state(Event.EXHAUST_REQUEST if flags & _EXHAUST_ALLOWED else Event.REQUEST)
        message = self._frame(0, body, sequences, flags)
        self._replying_to = self._request_id
        self.state = state
        return message

    def send_reply(self, message: Message, body: bytes, *, flags: int = 0) -> bytes:
        """Frame a reply (server role), in the format of the request.

        Args:
            message: the request that is answered, as received.
            body: the reply, a BSON document.
            flags: `Flags.MORE_TO_COME` if another reply follows; the request must have allowed it.

        Returns:
            The whole message, to be sent.

        Raises:
            InvalidOperation: no reply to this request is due; nothing has changed.
            DocumentTooLarge: the message is larger than `max_message_size`; nothing has changed.
            ProtocolError: the connection is broken.
        """
        event = Event.REPLY_OF_STREAM if flags & _MORE_TO_COME else Event.REPLY
        state = self._next_state(event)
        if message is not self._answering:
            raise InvalidOperation("reply to a request that is not the one being answered")
        if isinstance(message.content, OpQuery):
            data = legacy.encode_reply(body)
            length = HEADER_SIZE + len(data)
            reply = pack_header(length, self._next_id(length), self._replying_to, OpCode.REPLY) + data
        else:
            reply = self._frame(self._replying_to, body, (), flags)
        self._replying_to = self._request_id
        if state is State.IDLE:
            self._answering = None
        self.state = state
        return reply

    def receive_reply(self, data: bytes) -> bytes | None:
        """Take bytes that are the whole reply and nothing else, as nearly all are (client role).

        Args:
            data: the next bytes of the stream.

        Returns:
            The reply's document. None if these bytes are anything else, or wrong; then nothing has changed, and
            `receive_data()` has to look at them.
        """
        size = len(data)
        if self.state is not _REPLY_DUE or self._buffer or not _SMALLEST_REPLY <= size <= self._max_received:
            return None
        length, _, response_to, op_code, flags, kind, document = _START_OF_REPLY.unpack_from(data)
        if (
            length != size
            or response_to != self._replying_to
            or op_code != _MSG
            or flags
            or kind
            or document != size - _START.size
            or data[-1]
        ):
            return None
        self.state = _IDLE
        return data[_START.size :]

    def receive_data(self, data: Buffer) -> list[Message]:
        """Take bytes as they come, in any chunking.

        Args:
            data: the next bytes of the stream.

        Returns:
            The messages that are complete now, oldest first; often none.

        Raises:
            ProtocolError: the peer broke the protocol, now or before.
        """
        if self._error is not None:
            raise copy(self._error)
        try:
            return self._receive(data)
        except ProtocolError as exc:
            self._break(exc)
            raise

    def receive_eof(self) -> None:
        """Take notice that the peer's stream has ended. Whether a reply was due then, `state` said before.

        Raises:
            ProtocolError: it ended in the middle of a message, or the peer broke the protocol before.
        """
        if self._error is not None:
            raise copy(self._error)
        if self._buffer:
            found = len(self._buffer)
            expected = f"of {self._needed} bytes" if self._needed > HEADER_SIZE else "of a header"
            error = ProtocolError(
                f"stream ended in the middle of a message: {found} {expected}{_hint(self._buffer, 0)}"
            )
            self._break(error)
            raise error
        self.state = TRANSITIONS[self.state][Event.END]

    def _next_state(self, event: Event) -> State:
        """What follows from a message of ours; raises if it may not be sent."""
        if self._error is not None:
            raise copy(self._error)
        if event not in self._sends:
            raise InvalidOperation(f"the {self._role} end cannot send {event}")
        try:
            return TRANSITIONS[self.state][event]
        except KeyError:
            raise InvalidOperation(f"cannot send {event} in state {self.state}") from None

    def _frame(self, response_to: int, body: bytes, sequences: Sequence[DocumentSequence], flags: int) -> bytes:
        """Write an OP_MSG."""
        length = _START.size + len(body)
        if not sequences:
            return _START.pack(length, self._next_id(length), response_to, _MSG, flags, 0) + body
        pieces, size = op_msg.sections(sequences)
        length += size
        return b"".join((_START.pack(length, self._next_id(length), response_to, _MSG, flags, 0), body, *pieces))

    def _next_id(self, length: int) -> int:
        """The number of our next message, which has so many bytes."""
        if length > self.max_message_size:
            raise DocumentTooLarge(f"message of {length} bytes, the limit is {self.max_message_size} bytes")
        # 0 is left out in going round: as a responseTo it means "answers nothing".
        self._request_id = self._request_id + 1 if self._request_id < _MAX_REQUEST_ID else 1
        return self._request_id

    def _receive(self, data: Buffer) -> list[Message]:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = memoryview(self._buffer)
        messages: list[Message] = []
        size = len(data)
        position = 0
        while position < size:
            if self.state not in self._listens:
                raise ProtocolError(f"the peer sent bytes out of turn, in state {self.state}{_hint(data, position)}")
            self._needed = HEADER_SIZE
            if size - position < HEADER_SIZE:
                break
            header = MessageHeader.unpack(data, position)
            self._check(header, data, position)
            end = position + header.length
            if size < end:
                self._needed = header.length
                break
            messages.append(self._accept(header, data, position + HEADER_SIZE, end))
            position = end
        # What is left moves to a new buffer even where the old one could be cut: a bytearray is slow to give memory
        # back. Untouched, the old one stays: it may hold megabytes of an unfinished message.
        if position < size:
            if position or not self._buffer:
                self._buffer = bytearray(data[position:])
        elif self._buffer:
            self._buffer = bytearray()
        return messages

    def _check(self, header: MessageHeader, data: Buffer, position: int) -> None:
        """Refuse what the header alone shows to be wrong."""
        if not HEADER_SIZE < header.length <= self._max_received:
            raise ProtocolError(
                f"message gives its length as {header.length} bytes, "
                f"expected {HEADER_SIZE + 1} to {self._max_received}{_hint(data, position)}"
            )
        if header.op_code not in self._reads:
            raise ProtocolError(
                f"message has opcode {header.op_code}, expected {_expected(self._reads)}{_hint(data, position)}"
            )
        if self._role is Role.CLIENT and header.response_to != self._replying_to:
            raise ProtocolError(f"reply to request {header.response_to}, expected one to request {self._replying_to}")

    def _accept(self, header: MessageHeader, data: Buffer, start: int, end: int) -> Message:
        """Decode a message and let it change the state."""
        if header.op_code == OpCode.QUERY:
            message = Message(header, legacy.decode_query(data, start, end))
            event = Event.REQUEST
        else:
            content = op_msg.decode(data, start, end)
            message = Message(header, content)
            event = self._event_of(content.flags)
        state = TRANSITIONS[self.state].get(event)
        if state is None:
            raise ProtocolError(f"the peer sent {event} in state {self.state}")
        self.state = state
        if state is not State.IDLE:
            self._replying_to = header.request_id
            if self._role is Role.SERVER:
                self._answering = message
        return message

    def _event_of(self, flags: int) -> Event:
        if self._role is Role.CLIENT:
            return Event.REPLY_OF_STREAM if flags & _MORE_TO_COME else Event.REPLY
        if flags & _MORE_TO_COME:
            return Event.ONE_WAY
        return Event.EXHAUST_REQUEST if flags & _EXHAUST_ALLOWED else Event.REQUEST

    def _break(self, error: ProtocolError) -> None:
        # A copy, because the one that is raised collects a traceback, which holds its frames and their bytes.
        self._error = copy(error)
        self.state = State.BROKEN
        self._buffer = bytearray()
        self._answering = None


def _expected(codes: frozenset[OpCode]) -> str:
    return " or ".join(str(int(code)) for code in sorted(codes))


def _hint(data: Buffer, position: int) -> str:
    """Name the language of a peer that does not speak MongoDB's, where its first bytes tell."""
    start = bytes(data[position : position + 5])
    if start.startswith((b"HTTP", b"GET ", b"POST", b"PUT ", b"HEAD")):
        return "; this looks like HTTP"
    if len(start) >= 3 and start[0] in (0x15, 0x16) and start[1] == 3:
        return "; this looks like TLS where none was expected"
    return ""
