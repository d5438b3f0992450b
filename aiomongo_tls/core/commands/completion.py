"""A command made complete for its connection: `lsid`, `txnNumber`, `$readPreference`, `$db`, statements.

Each attempt completes its command anew: another server may be of another type or version. What makes a write the same
write is kept: its session's id, its number, and the bytes of its statements.

Specifications: sessions, "Sending the session ID to the server on all commands"; retryable-writes, "Generating
Transaction IDs"; server-selection, "Passing read preference to mongos and load balancers".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from aiomongo_tls.core.sessions import ImplicitSession
    from aiomongo_tls.core.wire.op_msg import DocumentSequence


def complete(
    command: Command,
    session: ImplicitSession,
    description: StreamDescription,
    attempts: Attempts,
    *,
    topology_type: TopologyType,
    retry_writes: bool,
    now: float,
) -> tuple[bytes, Sequence[DocumentSequence]]:
    """Complete a command and encode it: the body, and the statements that go beside it.

    Args:
        command: the command; its document is changed.
        session: the session, from which an id is taken if the server has sessions.
        description: what the connection's hello told.
        attempts: the attempts before, of which this one is a repetition.
        topology_type: what the deployment is.
        retry_writes: `retryWrites`.
        now: the time in seconds.

    Raises:
        ConfigurationError: the server cannot do what the command asks for.
        DocumentTooLarge: a statement is larger than the server takes; none was taken.
    """
    requires = command.requires
    if requires is not None and description.max_wire_version < requires.wire_version:
        raise ConfigurationError(requires.message)
    document = command.document
    server_type = description.server_type
    # Behind a load balancer there are always sessions, and none of them grows old.
    minutes, has_session = None, topology_type is TopologyType.LOAD_BALANCED
    if not has_session:
        minutes = description.logical_session_timeout_minutes
        has_session = minutes is not None
    has_session = has_session and command.acknowledged and command.in_session
    if has_session:
        document["lsid"] = session.lsid(now, minutes)
    if command.read_preference is not None:
        is_single = topology_type is TopologyType.SINGLE
        preference = read_preference_field(command.read_preference, server_type, is_single=is_single)
        if preference is not None:
            document["$readPreference"] = preference
        elif attempts.count:
            document.pop("$readPreference", None)
    document["$db"] = command.database
    if retry_writes and command.retryability is Retryability.WRITE:
        is_supported = has_session and server_type is not ServerType.STANDALONE
        _number(document, session, is_again=attempts.was_sent, is_supported=is_supported)
    body = bson.encode(document, codec_options=command.codec_options)
    batches = command.batches
    if batches is None:
        return body, ()
    if attempts.was_sent and batches.taken is not None:
        return body, (batches.taken,)
    sequence = batches.take(len(body), description)
    if not batches.is_retryable and document.pop("txnNumber", None) is not None:
        # Only now it is known which statements go into this command.
        body = bson.encode(document, codec_options=command.codec_options)
    return body, (sequence,)


def _number(document: dict[str, Any], session: ImplicitSession, *, is_again: bool, is_supported: bool) -> None:
    """Gives a retryable write its number: one per command, the same for each of its attempts."""
    has_one = is_again and "txnNumber" in document
    if not is_supported:
        if has_one:
            raise ConfigurationError("the server that is left for a retry does not support retryable writes")
        # It may be left from the command before, of the same bulk.
        document.pop("txnNumber", None)
    elif not has_one:
        document["txnNumber"] = session.next_transaction_number()
