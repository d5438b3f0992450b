"""The server's end of one connection: bytes to commands, replies to bytes, and what the script says in between."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import bson
from bson import DBRef
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from aiomongo_tls.core.wire.legacy import OpQuery
from aiomongo_tls.core.wire.op_msg import Flags
from aiomongo_tls.core.wire.protocol import Message, Role, WireProtocol
from aiomongo_tls.errors import DocumentTooLarge, ProtocolError
from aiomongo_tls.testing.commands.request import ConnectionState
from aiomongo_tls.testing.data.values import is_array, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.recording import RecordedCommand
from aiomongo_tls.testing.scenario import Answers, Garbles, HangsUp, Replies, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.net.transport import Transport
    from aiomongo_tls.testing.backend import Backend
    from aiomongo_tls.testing.data.values import Document

_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_HELLO = {"hello", "isMaster", "ismaster"}


class Peer:
    """One connection. It lives on the server's loop.

    Args:
        number: the server's number for it.
        backend: its server's memory.
        on_lost: told once when the connection has ended, with what broke it.
        silent: whether to read and never answer.
    """

    def __init__(
        self,
        number: int,
        backend: Backend,
        on_lost: Callable[[Peer, Exception | None], None],
        *,
        silent: bool = False,
    ) -> None:
        self.connection = ConnectionState(id=number)
        self.transport: Transport | None = None
        self.spoke = False
        self._backend = backend
        self._on_lost = on_lost
        self._silent = silent
        self._wire = WireProtocol(Role.SERVER)
        self._waiting: deque[Message] = deque()
        self._delayed: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Peer {self.connection.id} {self.connection.address} user={self.connection.user}>"

    def attach(self, transport: Transport) -> None:
        """Take the byte stream that this peer talks over."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes of the stream; a client that breaks the protocol is hung up on, as mongod does."""
        if not self.spoke and self.transport is not None:
            self.spoke = True
            host, port = (self.transport.peername or ("", 0))[:2]
            self.connection.address = f"{host}:{port}"
            self.connection.tls = self.transport.info
        try:
            self._waiting.extend(self._wire.receive_data(data))
        except ProtocolError:
            self._close()
            return
        if self._delayed is None:
            self._work()

    def stream_lost(self, error: Exception | None) -> None:
        """Take note that the stream has ended."""
        if self._delayed is not None:
            self._delayed.cancel()
        self._waiting.clear()
        self._on_lost(self, error)

    def _work(self) -> None:
        """Deal with what has come, one message after the other."""
        self._delayed = None
        while self._waiting and self._delayed is None:
            self._begin(self._waiting.popleft())

    def _begin(self, message: Message) -> None:
        try:
            name, database, document = _read(message)
        except CommandError as error:
            self._reply(message, error.reply())
            return
        command = RecordedCommand(
            name=name,
            database=database,
            document=document,
            connection_id=self.connection.id,
            client=self.connection.client or document.get("client"),
            user=self.connection.user,
            wants_reply=_wants_reply(message),
            op_query=isinstance(message.content, OpQuery),
        )
        try:
            rule = self._backend.record(command)
        except CommandError as error:
            self._reply(message, error.reply())
            return
        if self._silent:
            return
        if rule is not None and rule.delay:
            loop = asyncio.get_running_loop()
            self._delayed = loop.call_later(rule.delay, self._resume, message, command, rule)
        else:
            self._act(message, command, rule)

    def _resume(self, message: Message, command: RecordedCommand, rule: Rule) -> None:
        self._act(message, command, rule)
        self._work()

    def _act(self, message: Message, command: RecordedCommand, rule: Rule | None) -> None:
        act = Answers() if rule is None else rule.act
        if isinstance(act, Answers):
            self._reply(message, self._backend.carry_out(command, self.connection, act.failure))
        elif isinstance(act, Replies):
            self._reply(message, dict(act.document))
        elif isinstance(act, HangsUp):
            if self.transport is not None:
                self.transport.abort()
        elif isinstance(act, Garbles) and self.transport is not None:
            self.transport.write(act.data)

    def _reply(self, message: Message, reply: Document) -> None:
        if self.transport is None or not _wants_reply(message):
            return
        try:
            data = self._wire.send_reply(message, bson.encode(reply))
        except (DocumentTooLarge, BSONError, OverflowError) as exc:
            error = CommandError(ErrorCode.BSONObjectTooLarge, f"the reply cannot be sent: {exc}")
            data = self._wire.send_reply(message, bson.encode(error.reply()))
        self.transport.write(data)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()


def _wants_reply(message: Message) -> bool:
    return isinstance(message.content, OpQuery) or not message.content.flags & Flags.MORE_TO_COME


def _read(message: Message) -> tuple[str, str, Document]:
    """The command in a message: its name, its database, its document.

    Raises:
        CommandError: it cannot be understood.
    """
    content = message.content
    if isinstance(content, OpQuery):
        document = _decode(content.query)
        if "$query" in document:
            document = document["$query"]
        name = next(iter(document), "")
        if not content.collection.endswith(".$cmd") or name not in _HELLO:
            raise CommandError(
                ErrorCode.UnsupportedOpQueryCommand,
                f"Unsupported OP_QUERY command: {name}. The client driver may require an upgrade.",
            )
        return name, content.database, document
    document = _decode(content.body)
    for sequence in content.sequences:
        if sequence.identifier in document:
            raise CommandError(40436, f"Duplicate field between body and document sequence {sequence.identifier}")
        document[sequence.identifier] = [_decode(item) for item in sequence.documents]
    name = next(iter(document), "")
    database = document.get("$db")
    if not isinstance(database, str):
        raise CommandError(40571, "OP_MSG requests require a $db argument")
    return name, database, document


def _decode(data: bytes) -> Document:
    try:
        document = bson.decode(data, _CODEC)  # pyright: ignore[reportUnknownMemberType]
    except (BSONError, ValueError, OverflowError) as exc:
        raise CommandError(ErrorCode.InvalidBSON, f"invalid BSON: {exc}") from exc
    # To a server a DBRef is a document like any other, but bson makes an object of it.
    return _plain(document) if b"$ref\0" in data else document


def _plain(value: Any) -> Any:
    if isinstance(value, DBRef):
        value = value.as_doc()
    if is_document(value):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if is_array(value) else value
