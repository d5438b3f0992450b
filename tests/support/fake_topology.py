"""A topology without a network: connections that answer from a list, and a record of what went through them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.hello import StreamDescription
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire.op_msg import DocumentSequence
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import InvalidOperation

Answer = Mapping[str, Any] | BaseException | Callable[[dict[str, Any]], Any]


def description(**changed: Any) -> StreamDescription:
    """A standalone server of today."""
    values: dict[str, Any] = {
        "server_type": ServerType.STANDALONE,
        "max_wire_version": 21,
        "logical_session_timeout_minutes": 30,
    }
    return StreamDescription(**(values | changed))


@dataclass
class Sent:
    """One request, as it left."""

    document: dict[str, Any]
    """The body, with the sequences as arrays."""
    deadline: Deadline
    wants_reply: bool


@dataclass
class FakeConnection:
    """Answers with the next of the topology's answers."""

    topology: FakeTopology
    description: StreamDescription
    address: ServerAddress = field(default_factory=lambda: ServerAddress("fake"))

    async def request(
        self, body: bytes, sequences: Sequence[DocumentSequence] = (), *, deadline: Deadline = NEVER
    ) -> bytes:
        sent = self.topology.record(body, sequences, deadline, wants_reply=True)
        answer = self.topology.answers.pop(0) if self.topology.answers else {"ok": 1.0}
        if callable(answer):
            answer = await answer(sent.document)
        if isinstance(answer, BaseException):
            raise answer
        return bson.encode({"ok": 1.0, **answer})

    def send(self, body: bytes, sequences: Sequence[DocumentSequence] = ()) -> None:
        self.topology.record(body, sequences, NEVER, wants_reply=False)

    async def drain(self) -> None:
        if self.topology.is_full:
            await asyncio.Event().wait()

    def abort(self) -> None:
        self.topology.aborted_connections += 1


class FakeTopology:
    """Hands out connections and counts them.

    Args:
        answers: what is answered to one request after the other; `{"ok": 1}` when they are used up.
        hello: what the servers said of themselves.
    """

    def __init__(self, *answers: Answer, **hello: Any) -> None:
        self.answers = list(answers)
        self.hello = description(**hello)
        self.sent: list[Sent] = []
        self.out = 0
        self.is_idle = True
        self.is_full = False
        self.aborted_connections = 0
        self.deadlines: list[Deadline] = []
        self.closed = 0
        self.aborted = 0

    @property
    def names(self) -> list[str]:
        return [next(iter(sent.document)) for sent in self.sent]

    def record(
        self, body: bytes, sequences: Sequence[DocumentSequence], deadline: Deadline, *, wants_reply: bool
    ) -> Sent:
        document = bson.decode(body)
        for sequence in sequences:
            document[sequence.identifier] = [bson.decode(data) for data in sequence.documents]
        sent = Sent(document, deadline, wants_reply)
        self.sent.append(sent)
        return sent

    async def open(self, deadline: Deadline = NEVER) -> None:
        self.check_in(await self.check_out(deadline))

    def try_check_out(self) -> Any:
        if self.closed or self.aborted:
            raise InvalidOperation("the client is closed")
        if not self.is_idle:
            return None
        self.out += 1
        return FakeConnection(self, self.hello)

    async def check_out(self, deadline: Deadline = NEVER) -> Any:
        self.deadlines.append(deadline)
        self.out += 1
        return FakeConnection(self, self.hello)

    def check_in(self, connection: Any) -> None:
        self.out -= 1

    async def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        self.aborted += 1
