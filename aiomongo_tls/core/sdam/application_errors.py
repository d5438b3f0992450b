"""What an error of an operation, or of a connection being opened for one, says about its server.

SDAM specification, "Application errors"; load balancer specification, "Error Handling". In the order of the rules:

| error                                                     | server  | pool    | monitor          |
|-----------------------------------------------------------|---------|---------|------------------|
| of a connection older than the pool's last clearing       | -       | -       | -                |
| with a topologyVersion that is not newer than the known   | -       | -       | -                |
| "not writable primary", "node is recovering"              | Unknown | -       | checks soon      |
| … of these: "node is shutting down"                       | Unknown | cleared | checks soon      |
| labelled SystemOverloadedError, while opening             | -       | -       | -                |
| any other one while opening                               | Unknown | cleared | check cancelled  |
| … from TLS on, while other principals use the server      | -       | own one | -                |
| … … and it may pass                                       | -       | own one | checks soon      |
| network timeout on an open connection                     | -       | -       | -                |
| other network error on an open connection                 | Unknown | cleared | check cancelled  |
| anything else                                             | -       | -       | -                |

Behind a load balancer no description changes, and of the pool only the service's part is cleared; before the service
is known there is nothing to clear.

The two rows of other principals are not the specification's, which knows one: a server that was reached and does not
let one of several in may well serve the others. Whether it is in order is then the monitor's to find out, and that
principal's pool is emptied without being paused.

A write concern error counts by its code as a failed command does. Errors of single writes never count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.error_labels import SYSTEM_OVERLOADED
from aiomongo_tls.core.reply import is_state_change, message_in
from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.core.sdam.server_description import ServerDescription, unknown
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.sdam.topology_version import TopologyVersion
from aiomongo_tls.errors import (
    BulkWriteError,
    ConnectionFailure,
    MongoError,
    NotPrimaryError,
    OperationFailure,
    PoolClearedError,
    PoolClosedError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteError,
)

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription


class When(Enum):
    """How far a connection had come."""

    ESTABLISHING = auto()
    """From DNS to the reply to hello."""
    GREETING = auto()
    """The later part of that: the server was reached, TLS or hello was under way."""
    AUTHENTICATING = auto()
    """After hello."""
    IN_USE = auto()
    """It was handed over to an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What to do about an error, all of it in one step in which nobody else can act.

    Args:
        description: the Unknown description to take over with `transitions.update()`, before the pool is cleared.
        clears_pool: whether to clear the server's pool.
        service_id: the only service whose connections are to be cleared.
        requests_check: whether to ask the monitor for a check soon.
        cancels_check: whether to break off the monitor's check and close its connection.
        is_refusal: whether it is this principal's own affair: of all pools only its own is cleared, and stays open.
    """

    description: ServerDescription | None = None
    clears_pool: bool = False
    service_id: ObjectId | None = None
    requests_check: bool = False
    cancels_check: bool = False
    is_refusal: bool = False


IGNORED = Effect()
"""The error says nothing about the server."""

# When the server has already been reached by the one who opens a connection.
_INSIDE = (When.GREETING, When.AUTHENTICATING)
# InterruptedAtShutdown, ShutdownInProgress: a part of core.reply.RECOVERING_CODES.
_SHUTDOWN_CODES = frozenset({11600, 91})
# They come from the pool and from selection, of which they speak.
_OURS = (PoolClearedError, PoolClosedError, WaitQueueTimeoutError, ServerSelectionTimeoutError)


def effect_of(
    error: Exception,
    *,
    topology: TopologyDescription,
    address: ServerAddress,
    connection_generation: int,
    pool_generation: int,
    when: When,
    service_id: ObjectId | None = None,
    is_shared: bool = False,
) -> Effect:
    """Decide what an error means for what is known.

    Args:
        error: the error.
        topology: what is known.
        address: the server concerned.
        connection_generation: the pool's generation when the connection was begun.
        pool_generation: the pool's generation now; behind a load balancer that of the service.
        when: how far the connection had come.
        service_id: which service behind a load balancer is at the other end, once it is known.
        is_shared: whether other principals use the deployment as well.
    """
    server = topology.servers.get(address)
    if server is None or isinstance(error, _OURS) or connection_generation < pool_generation:
        return IGNORED
    topology_version = TopologyVersion.of(_details(error).get("topologyVersion"))
    if topology_version is not None and not topology_version.is_newer_than(server.topology_version):
        return IGNORED
    changes_state, shuts_down = _state_change(error)
    if not changes_state and not _is_loss(error, when):
        return IGNORED
    clears_pool = shuts_down or not changes_state
    is_refusal = is_shared and not changes_state and when in _INSIDE
    if topology.topology_type is TopologyType.LOAD_BALANCED:
        known_service = service_id is not None and when not in (When.ESTABLISHING, When.GREETING)
        if not (clears_pool and known_service):
            return Effect(is_refusal=True) if is_refusal else IGNORED
        return Effect(clears_pool=True, service_id=service_id, is_refusal=is_refusal)
    if is_refusal:
        return Effect(clears_pool=True, is_refusal=True, requests_check=not is_permanent(error))
    return Effect(
        description=unknown(address, error=error, topology_version=topology_version),
        clears_pool=clears_pool,
        requests_check=changes_state,
        cancels_check=not changes_state,
    )


def _details(error: Exception) -> Mapping[str, Any]:
    return (error.details if isinstance(error, NotPrimaryError | OperationFailure) else None) or {}


def _state_change(error: Exception) -> tuple[bool, bool]:
    """Whether the server is not what we took it for, and whether it is shutting down."""
    if isinstance(error, NotPrimaryError):
        return True, error.code in _SHUTDOWN_CODES
    if not isinstance(error, OperationFailure) or isinstance(error, WriteError | BulkWriteError):
        return False, False
    return is_state_change(error.code, message_in(_details(error))), error.code in _SHUTDOWN_CODES


def _is_loss(error: Exception, when: When) -> bool:
    """Whether the server could not be reached, or did not let us in, or was lost."""
    if when is When.IN_USE:
        return isinstance(error, ConnectionFailure) and not isinstance(error, TimeoutError)
    return not (isinstance(error, MongoError) and error.has_error_label(SYSTEM_OVERLOADED))
