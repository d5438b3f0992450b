"""What a command is given: its document, the connection it came over, and what all commands share."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.cursors import Cursors
from aiomongo_tls.testing.data.collection import Collection
from aiomongo_tls.testing.deployment.node import Node, Standalone
from aiomongo_tls.testing.fail_points import FailPoints
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.sessions import RetryableWrite, SessionId, Sessions
from aiomongo_tls.testing.store import MemoryStore, Store
from aiomongo_tls.testing.users import EXTERNAL, Users
from aiomongo_tls.tls.subject import subject_rfc2253

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.failures import Failure
    from aiomongo_tls.testing.scram import ScramServer
    from aiomongo_tls.tls.engine import TLSInfo


def _utc_now() -> datetime.datetime:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    # BSON knows milliseconds.
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(slots=True, kw_only=True)
class ServerState:
    """What all connections of a server share; fresh after `reset()`.

    Args:
        users: who may log in.
        access_control: whether commands need a user who has logged in.
        store: the data.
        cursors: the open cursors.
        sessions: the sessions of clients and what their retryable writes have done; goes with the data.
        now: the present time, UTC without a zone, to the millisecond.
    """

    users: Users = field(default_factory=Users)
    access_control: bool = False
    store: Store = field(default_factory=MemoryStore)
    cursors: Cursors = field(default_factory=Cursors)
    sessions: Sessions = field(default_factory=Sessions)
    now: Callable[[], datetime.datetime] = _utc_now


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A login by SCRAM that has begun.

    Args:
        scram: what was said.
        database: the database that knows the user.
        skips_empty_exchange: whether the client wants to be done when both have proven themselves.
        is_proven: whether they have.
    """

    scram: ScramServer
    database: str
    skips_empty_exchange: bool
    is_proven: bool = False


@dataclass(slots=True, kw_only=True)
class ConnectionState:
    """What the server knows about one connection.

    Args:
        id: the server's number for it, `connectionId` in hello.
        tls: what was agreed in the TLS handshake; None without TLS.
        address: the client's host and port.
        client: the metadata of the client's first hello.
        greeted: whether there was a hello.
        user: who has logged in.
        user_database: the database that knows the user.
        roles: the user's roles, each with its database; None for somebody who may do everything.
        conversation: the login by SCRAM that is under way.
        writes: statements that changed data.
        is_ending: whether a fail point wants it closed in the place of an answer.
    """

    id: int
    tls: TLSInfo | None = None
    address: str = ""
    client: Document | None = None
    greeted: bool = False
    user: str | None = None
    user_database: str = EXTERNAL
    roles: tuple[tuple[str, str], ...] | None = None
    conversation: Conversation | None = field(default=None, repr=False)
    writes: int = 0
    is_ending: bool = False

    @property
    def certificate_subject(self) -> str | None:
        """The subject of the client's verified certificate as MongoDB spells it, None without one."""
        certificate = self.tls.peer_certificate if self.tls is not None else None
        return subject_rfc2253(certificate["subject"]) if certificate else None


@dataclass(slots=True, kw_only=True)
class Request:
    """One command to be answered.

    Args:
        name: the command's name, as it was sent.
        database: the database it is sent to.
        document: the command, document sequences merged into it as arrays.
        connection: the connection it came over.
        server: what all connections share.
        node: what the server that was asked is among others.
        exhaust_allowed: whether the client takes a stream of replies.
        fail_points: the fail points of the server that was asked.
        failure: what one of them does to the command.
        session: the session that the command belongs to.
        retryable_write: what is known of it if it is a retryable write.
        writes_before: the writes of the connection before it; None if it was not begun.
    """

    name: str
    database: str
    document: Document
    connection: ConnectionState
    server: ServerState
    node: Node = field(default_factory=Standalone)
    exhaust_allowed: bool = False
    fail_points: FailPoints = field(default_factory=FailPoints)
    failure: Failure | None = None
    session: SessionId | None = None
    retryable_write: RetryableWrite | None = None
    writes_before: int | None = None

    @property
    def argument(self) -> Any:
        """What stands behind the command's name."""
        return self.document[self.name]

    def open_cursor(
        self, namespace: str, documents: Iterable[bytes], *, batch_size: int | None, single_batch: bool = False
    ) -> Document:
        """The reply's `cursor` for a result; arguments as `Cursors.open()` has them. The session is the request's."""
        return self.server.cursors.open(
            namespace, documents, batch_size=batch_size, single_batch=single_batch, session=self.session
        )

    def collection_name(self) -> str:
        """The collection that the command is for.

        Raises:
            CommandError: 73, it does not name one.
        """
        name = self.argument
        if not isinstance(name, str):
            raise CommandError(ErrorCode.InvalidNamespace, f"collection name has invalid type {type(name).__name__}")
        if not name:
            raise CommandError(ErrorCode.InvalidNamespace, f"Invalid namespace specified '{self.database}.'")
        return name

    def collection(self) -> Collection:
        """The collection that the command is for; an empty one that is not kept if there is none."""
        name = self.collection_name()
        return self.server.store.find(self.database, name) or Collection(f"{self.database}.{name}")
