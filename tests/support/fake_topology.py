"""A topology without a network: connections that answer from a list, and a record of what went through them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bson

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.hello import StreamDescription
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.sdam.server_description import ServerDescription
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire.op_msg import DocumentSequence
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import ConnectionFailure, InvalidOperation, NetworkTimeout

Answer = Mapping[str, Any] | BaseException | Callable[[dict[str, Any]], Any]

FAKE = ServerAddress("fake")


def description(**changed: Any) -> StreamDescription:
    """A standalone server of today."""
    values: dict[str, Any] = {
        "address": FAKE,
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
    address: ServerAddress = FAKE


@dataclass(frozen=True)
class CheckOut:
    """What a connection was asked for with."""

    preference: ReadPreference | None
    deprioritized: tuple[ServerAddress, ...]


@dataclass
class FakeConnection:
    """Answers with the next of the topology's answers.

    An answer that raises a ConnectionFailure ends it, unless it is a NetworkTimeout; what else breaks a request off
    leaves its reply to come: `reply_late()`.
    """

    topology: FakeTopology
    description: StreamDescription
    address: ServerAddress = FAKE
    pinned: str | None = None
    is_usable: bool = True
    is_dirty: bool = False
    on_late_reply: Callable[[bytes | None], None] | None = None

    @property
    def service_id(self) -> Any:
        return self.description.service_id

    def begin_request(
        self, body: bytes, sequences: Sequence[DocumentSequence], deadline: Deadline, now: float
    ) -> asyncio.Future[bytes]:
        if not self.is_usable:
            raise self.topology.lost
        sent = self.topology.record(self, body, sequences, deadline, wants_reply=True)
        self.is_dirty = True
        answer = self.topology.answers.pop(0) if self.topology.answers else {"ok": 1.0}
        if callable(answer):
            return asyncio.ensure_future(self._answer_later(answer, sent.document))
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if isinstance(answer, BaseException):
            self._break_off(answer)
            if isinstance(answer, asyncio.CancelledError):
                reply.cancel()
            else:
                reply.set_exception(answer)
        else:
            reply.set_result(self._answer(answer))
        return reply

    async def request(
        self, body: bytes, sequences: Sequence[DocumentSequence] = (), *, deadline: Deadline = NEVER
    ) -> bytes:
        return await self.begin_request(body, sequences, deadline, 0.0)

    def broken_off(self, reply: asyncio.Future[bytes]) -> None:
        pass

    async def _answer_later(self, answer: Callable[[dict[str, Any]], Any], command: dict[str, Any]) -> bytes:
        found = await answer(command)
        if isinstance(found, BaseException):
            self._break_off(found)
            try:
                raise found
            finally:
                # As the real one: the error does not lead back to itself.
                del found
        return self._answer(found)

    def _answer(self, answer: Mapping[str, Any]) -> bytes:
        self.is_dirty = False
        return bson.encode({**answer, "ok": answer.get("ok", 1.0)})

    def _break_off(self, error: BaseException) -> None:
        self.is_usable = isinstance(error, NetworkTimeout) or not isinstance(error, ConnectionFailure)

    async def reauthenticate(self, deadline: Deadline = NEVER) -> bool:
        return False

    def reply_late(self, reply: Mapping[str, Any] | None) -> None:
        """The reply to the request that was broken off comes, or None: the connection is lost."""
        told, self.on_late_reply = self.on_late_reply, None
        assert told is not None
        self.is_dirty = False
        told(None if reply is None else bson.encode({"ok": 1.0, **reply}))

    def send(self, body: bytes, sequences: Sequence[DocumentSequence] = ()) -> None:
        self.topology.record(self, body, sequences, NEVER, wants_reply=False)

    async def drain(self) -> None:
        if self.topology.is_full:
            await asyncio.Event().wait()

    def abort(self) -> None:
        self.topology.aborted_connections += 1


class FakeTopology:
    """Hands out connections and counts them.

    Args:
        answers: what is answered to one request after the other; `{"ok": 1}` when they are used up.
        addresses: the servers; the first that is not deprioritized is chosen.
        topology_type: what the deployment is; follows from the servers' type if None.
        hello: what the servers said of themselves.
    """

    def __init__(
        self,
        *answers: Answer,
        addresses: Sequence[ServerAddress] = (FAKE,),
        topology_type: TopologyType | None = None,
        **hello: Any,
    ) -> None:
        self.answers = list(answers)
        self.addresses = tuple(addresses)
        self.hello = description(**hello)
        self.hellos: dict[ServerAddress, StreamDescription] = {}
        self.topology_type = topology_type or TopologyType.SINGLE
        self.check_out_errors: list[Exception] = []
        self.lost = ConnectionFailure("lost")
        self.sent: list[Sent] = []
        self.check_outs: list[CheckOut] = []
        self.connections: list[FakeConnection] = []
        self.errors: list[tuple[ServerAddress, Exception]] = []
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

    @property
    def description(self) -> TopologyDescription:
        servers = {
            address: ServerDescription(
                address=address,
                server_type=self._hello(address).server_type,
                max_wire_version=self._hello(address).max_wire_version,
            )
            for address in self.addresses
        }
        return TopologyDescription(topology_type=self.topology_type, servers=servers)

    def record(
        self,
        connection: FakeConnection,
        body: bytes,
        sequences: Sequence[DocumentSequence],
        deadline: Deadline,
        *,
        wants_reply: bool,
    ) -> Sent:
        document = bson.decode(body)
        for sequence in sequences:
            document[sequence.identifier] = [bson.decode(data) for data in sequence.documents]
        sent = Sent(document, deadline, wants_reply, connection.address)
        self.sent.append(sent)
        return sent

    async def open(self, deadline: Deadline = NEVER, preference: ReadPreference | None = None) -> None:
        self.check_in(await self.check_out(deadline, preference))

    def try_check_out(
        self, preference: ReadPreference | None = None, deprioritized: Collection[ServerAddress] = ()
    ) -> Any:
        if self.closed or self.aborted:
            raise InvalidOperation("the client is closed")
        if not self.is_idle or self.check_out_errors:
            return None
        return self._connection(preference, deprioritized)

    async def check_out(
        self,
        deadline: Deadline = NEVER,
        preference: ReadPreference | None = None,
        deprioritized: Collection[ServerAddress] = (),
    ) -> Any:
        self.deadlines.append(deadline)
        if self.check_out_errors:
            self.check_outs.append(CheckOut(preference, tuple(deprioritized)))
            raise self.check_out_errors.pop(0)
        return self._connection(preference, deprioritized)

    def try_check_out_from(self, address: ServerAddress) -> Any:
        if self.closed or self.aborted:
            raise InvalidOperation("the client is closed")
        return self._connection_to(address) if self.is_idle and not self.check_out_errors else None

    async def check_out_from(self, address: ServerAddress, deadline: Deadline = NEVER) -> Any:
        self.deadlines.append(deadline)
        if self.check_out_errors:
            raise self.check_out_errors.pop(0)
        return self._connection_to(address)

    def check_in(self, connection: Any) -> None:
        self.out -= 1

    def handle_error(self, connection: Any, error: Exception) -> None:
        assert self.out, "the topology is told before the connection is back"
        self.errors.append((connection.address, error))

    async def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        self.aborted += 1

    def _hello(self, address: ServerAddress) -> StreamDescription:
        return self.hellos.get(address, self.hello)

    def _connection(self, preference: ReadPreference | None, deprioritized: Collection[ServerAddress]) -> Any:
        self.check_outs.append(CheckOut(preference, tuple(deprioritized)))
        preferred = [address for address in self.addresses if address not in deprioritized]
        return self._connection_to((preferred or self.addresses)[0])

    def _connection_to(self, address: ServerAddress) -> Any:
        self.out += 1
        connection = FakeConnection(self, self._hello(address), address)
        self.connections.append(connection)
        return connection


def replica_set(*answers: Answer, addresses: Sequence[ServerAddress] = (FAKE,), **hello: Any) -> FakeTopology:
    """A replica set, whose first address is the primary."""
    hello = {"server_type": ServerType.RS_PRIMARY, **hello}
    return FakeTopology(*answers, addresses=addresses, topology_type=TopologyType.REPLICA_SET_WITH_PRIMARY, **hello)


def sharded(*answers: Answer, addresses: Sequence[ServerAddress] = (FAKE,), **hello: Any) -> FakeTopology:
    """Several mongos."""
    hello = {"server_type": ServerType.MONGOS, **hello}
    return FakeTopology(*answers, addresses=addresses, topology_type=TopologyType.SHARDED, **hello)


def load_balanced(*answers: Answer, **hello: Any) -> FakeTopology:
    """Services behind a load balancer."""
    hello = {
        "server_type": ServerType.MONGOS,
        "logical_session_timeout_minutes": None,
        "service_id": bson.ObjectId(),
        **hello,
    }
    return FakeTopology(*answers, topology_type=TopologyType.LOAD_BALANCED, **hello)
