"""A command made complete for its connection: `lsid`, `txnNumber`, `$readPreference`, `$db`, statements.

Each attempt completes its command anew: another server may be of another type or version. What makes a write the same
write is kept: its session's id, its number, and the bytes of its statements.

Tried: encoding what the caller asks for once, and putting `lsid` and `txnNumber` behind it as bytes that are ready. It
takes 1.1 times as long (1.2 on Python 3.13) as having bson encode all of it: each more call and object costs what it
saves.

Specifications: sessions, "Sending the session ID to the server on all commands"; retryable-writes, "Generating
Transaction IDs"; server-selection, "Passing read preference to mongos and load balancers".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import bson

from aiomongo_tls.core.commands.routing import read_preference_field
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.commands.command import Command
    from aiomongo_tls.core.retry import Attempts
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription
    from aiomongo_tls.core.sessions import ImplicitSession
    from aiomongo_tls.core.wire.op_msg import DocumentSequence


# Looked at for every command; a look-up in an Enum class is slow on Python 3.11.
_STANDALONE = ServerType.STANDALONE
_WRITE = Retryability.WRITE


class Topology(Protocol):
    """Knows what the deployment is."""

    @property
    def description(self) -> TopologyDescription:
        """What is known of the deployment."""
        ...


def complete(
    command: Command,
    session: ImplicitSession,
    description: StreamDescription | None,
    attempts: Attempts,
    retry_writes: bool,
    topology: Topology,
    now: float,
) -> tuple[bytes, Sequence[DocumentSequence]]:
    """Complete a command and encode it: the body, and the statements that go beside it.

    This is on the way of every operation, so that what few commands need is asked for only then.

    Args:
        command: the command; its document is changed.
        session: the session, from which an id is taken if the server has sessions.
        description: what the connection's hello told.
        attempts: the attempts before, of which this one is a repetition.
        retry_writes: `retryWrites`.
        topology: what the deployment is.
        now: the time in seconds.

    Raises:
        ConfigurationError: the server cannot do what the command asks for.
        DocumentTooLarge: a statement is larger than the server takes; none was taken.
    """
    assert description is not None, "the pool hands out connections that have said hello"  # noqa: S101
    requires = command.requires
    if requires is not None and description.max_wire_version < requires.wire_version:
        raise ConfigurationError(requires.message)
    document = command.document
    server_type = description.server_type
    # Behind a load balancer there are always sessions, and none of them grows old.
    is_load_balanced = description.service_id is not None
    minutes = None if is_load_balanced else description.logical_session_timeout_minutes
    has_session = (minutes is not None or is_load_balanced) and command.acknowledged and command.in_session
    if has_session:
        document["lsid"] = session.lsid(now, minutes)
    elif session.taken is not None and document.get("lsid") is session.taken.id:
        # It was put there for another server; this one has no sessions.
        del document["lsid"]
    if command.read_preference is not None and server_type is not _STANDALONE:
        is_single = topology.description.topology_type is TopologyType.SINGLE
        preference = read_preference_field(command.read_preference, server_type, is_single=is_single)
        if preference is not None:
            document["$readPreference"] = preference
        else:
            document.pop("$readPreference", None)
    elif attempts.count:
        document.pop("$readPreference", None)
    document["$db"] = command.database
    batches = command.batches
    if command.retryability is _WRITE and retry_writes:
        if not has_session or server_type is _STANDALONE:
            if "txnNumber" in document:
                _leave_number_out(document, attempts)
        elif not attempts.was_sent or ("txnNumber" not in document and (batches is None or batches.is_retryable)):
            document["txnNumber"] = session.next_transaction_number()
    body = bson.encode(document, codec_options=command.codec_options)
    if batches is None:
        return body, ()
    if attempts.was_sent and batches.taken is not None:
        return body, (batches.taken,)
    sequence = batches.take(len(body), description)
    if batches.multi and not batches.is_retryable and document.pop("txnNumber", None) is not None:
        # Only now it is known which statements go into this command.
        body = bson.encode(document, codec_options=command.codec_options)
    return body, (sequence,)


def _leave_number_out(document: dict[str, Any], attempts: Attempts) -> None:
    """This server has no retryable writes."""
    if attempts.was_sent:
        raise ConfigurationError("the server that is left for a retry does not support retryable writes")
    # It was left from the command before, of the same bulk.
    del document["txnNumber"]
