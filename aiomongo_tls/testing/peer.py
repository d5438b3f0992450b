"""The server's end of one connection: bytes to commands, replies to bytes, and what the script says in between."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
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
from aiomongo_tls.testing.failures import STATE_CHANGES, CommandError, ErrorCode
from aiomongo_tls.testing.recording import RecordedCommand
from aiomongo_tls.testing.scenario import Answers, Garbles, HangsUp, Replies, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.testing.backend import Backend
    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.server_transport import ServerTransport

_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_NEWS_AFTER = 0.05
# Seconds from a scripted error that tells of a changed server to the hello that says so.
_HELLO = {"hello", "isMaster", "ismaster"}


@dataclass(slots=True, kw_only=True)
class _Pending:
    """A command that waits.

    Args:
        message: the message it came in.
        command: the command.
        then: what is done when it has waited.
        for_change: whether it is a hello that waits for something to tell.
        is_write: whether it is a write on a primary, which is broken off when the server is none any more.
        timer: calls the end of the waiting.
        is_due: whether it has waited, and the server is cut off.
    """

    message: Message
    command: RecordedCommand
    then: Callable[[], None]
    for_change: bool
    is_write: bool
    timer: asyncio.TimerHandle | None = None
    is_due: bool = False

    def cancel(self) -> None:
        """Wait no longer."""
        if self.timer is not None:
            self.timer.cancel()


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
        self.transport: ServerTransport | None = None
        self.spoke = False
        self._backend = backend
        self._on_lost = on_lost
        self._silent = silent
        self._wire = WireProtocol(Role.SERVER)
        self._waiting: deque[Message] = deque()
        self._pending: _Pending | None = None
        self._is_cut_off = False

    def __repr__(self) -> str:
        return f"<Peer {self.connection.id} {self.connection.address} user={self.connection.user}>"

    def attach(self, transport: ServerTransport) -> None:
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
        self._work()

    def server_changed(self) -> None:
        """Answer what waits for a change of the server, and break off what it cannot do any more."""
        pending = self._pending
        if pending is None or self._is_cut_off:
            return
        if pending.for_change:
            if self._backend.waiting_time(pending.command) is None:
                self._resume()
        elif pending.is_write and not self._backend.can_write(pending.command):
            interrupt = partial(self._backend.interrupt, pending.command, self.connection)
            pending.then = lambda: self._reply(pending.message, interrupt(), pending.command)
            self._resume()

    def cut_off(self) -> None:
        """Read and answer nothing until `reconnect()`."""
        self._is_cut_off = True
        if self.transport is not None:
            self.transport.hold()

    def reconnect(self) -> None:
        """Go on with what came meanwhile."""
        self._is_cut_off = False
        if self.transport is not None:
            self.transport.release()
        if self._pending is not None and self._pending.is_due:
            self._resume()
        else:
            self.server_changed()
            self._work()

    def stream_lost(self, error: Exception | None) -> None:
        """Take note that the stream has ended."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        self._waiting.clear()
        self._on_lost(self, error)

    def _work(self) -> None:
        """Deal with what has come, one message after the other."""
        while self._waiting and self._pending is None and not self._is_cut_off:
            self._begin(self._waiting.popleft())

    def _begin(self, message: Message) -> None:
        try:
            name, database, document = _read(message)
        except CommandError as error:
            self._reply(message, error.reply())
            return
        is_query = isinstance(message.content, OpQuery)
        command = RecordedCommand(
            name=name,
            database=database,
            document=document,
            connection_id=self.connection.id,
            client=self.connection.client or document.get("client"),
            user=self.connection.user,
            wants_reply=_wants_reply(message),
            op_query=is_query,
            exhaust_allowed=not is_query and bool(message.content.flags & Flags.EXHAUST_ALLOWED),
        )
        self._decide(message, command, self._backend.record)

    def _decide(
        self, message: Message, command: RecordedCommand, ask: Callable[[RecordedCommand], Rule | None]
    ) -> None:
        """Find out what is to happen to a command, and when."""
        try:
            rule = ask(command)
        except CommandError as error:
            self._reply(message, error.reply(), command)
            return
        if self._silent:
            return
        if rule is not None and rule.delay:
            self._wait(rule.delay, message, command, partial(self._act, message, command, rule))
        else:
            self._act(message, command, rule)

    def _wait(
        self,
        seconds: float,
        message: Message,
        command: RecordedCommand,
        then: Callable[[], None],
        *,
        for_change: bool = False,
    ) -> None:
        is_write = not for_change and self._backend.can_write(command)
        pending = _Pending(message=message, command=command, then=then, for_change=for_change, is_write=is_write)
        pending.timer = asyncio.get_running_loop().call_later(seconds, self._resume)
        self._pending = pending

    def _resume(self) -> None:
        pending = self._pending
        if pending is None:
            return
        pending.cancel()
        if self._is_cut_off:
            pending.is_due = True
            return
        self._pending = None
        pending.then()
        self._work()

    def _act(self, message: Message, command: RecordedCommand, rule: Rule | None) -> None:
        act = Answers() if rule is None else rule.act
        if isinstance(act, Answers):
            seconds = None
            if command.name in _HELLO and act.failure is None:
                seconds = self._backend.waiting_time(command)
            if seconds is None:
                self._answer(message, command, act)
            else:
                self._wait(seconds, message, command, partial(self._answer, message, command, act), for_change=True)
        elif isinstance(act, Replies):
            self._reply(message, dict(act.document), command)
            if act.document.get("code") in STATE_CHANGES:
                # A real server would have changed, and monitors that wait would hear of it. Here they do so a little
                # later: a client that hears of it first and has the error afterwards would wait for its next heartbeat.
                asyncio.get_running_loop().call_later(_NEWS_AFTER, self._backend.count_change)
        elif isinstance(act, HangsUp):
            if act.carried_out:
                self._backend.carry_out(command, self.connection)
            if self.transport is not None:
                self.transport.abort()
        elif isinstance(act, Garbles) and self.transport is not None:
            self.transport.write(act.data)

    def _answer(self, message: Message, command: RecordedCommand, act: Answers) -> None:
        reply = self._backend.carry_out(command, self.connection, act.failure)
        if self.connection.is_ending and self.transport is not None:
            # A fail point wants the answer lost.
            self.transport.abort()
            return
        # A hello that says what it knows and takes several replies is a subscription.
        streams = (
            command.exhaust_allowed
            and command.name in _HELLO
            and "topologyVersion" in command.document
            and reply["ok"] == 1.0
        )
        self._reply(message, reply, command, more=streams)
        if reply.get("code") == ErrorCode.LoadBalancerSupportMismatch:
            self._close()
        if streams:
            document = {**command.document, "topologyVersion": reply["topologyVersion"]}
            self._decide(message, replace(command, document=document), self._backend.rule)

    def _reply(
        self, message: Message, reply: Document, command: RecordedCommand | None = None, *, more: bool = False
    ) -> None:
        if self.transport is None or not _wants_reply(message):
            return
        flags = Flags.MORE_TO_COME if more else 0
        try:
            data = self._wire.send_reply(message, bson.encode(reply), flags=flags)
        except (DocumentTooLarge, BSONError, OverflowError) as exc:
            error = CommandError(ErrorCode.BSONObjectTooLarge, f"the reply cannot be sent: {exc}")
            data = self._wire.send_reply(message, bson.encode(error.reply()))
        if command is not None:
            # Before the client can know, so that a test that has the reply finds it said here.
            command.outcome.answered = True
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
