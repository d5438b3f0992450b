"""hello and its legacy spellings. Specification: mongodb-handshake, "Connection handshake"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.commands import authentication, sasl
from aiomongo_tls.testing.commands.awaiting import waiting_time
from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.collection import MAX_DOCUMENT_SIZE
from aiomongo_tls.testing.data.values import Document, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request

MAX_MESSAGE_SIZE = 48_000_000
"""Bytes of the largest message."""
MAX_WRITE_BATCH = 100_000
"""Writes in one command at most."""
WIRE_VERSION = 21
"""MongoDB 7.0's."""

_KNOWN = (
    *("helloOk", "client", "compression", "backpressure", "saslSupportedMechs", "speculativeAuthenticate"),
    *("loadBalanced", "topologyVersion", "maxAwaitTimeMS", "hostInfo", "internalClient"),
)


def hello(request: Request) -> Document:
    """Tell what kind of server this is, and authenticate on the way if asked to."""
    fields = Fields(request.name, request.document, _KNOWN)
    node = request.node
    # The peer has waited already; this is for what the client got wrong.
    waiting_time(request.document, node, allows_stream=request.exhaust_allowed)
    is_first = not request.connection.greeted
    _take_metadata(request, fields)
    reply: Document = {"helloOk": True} if fields.flag("helloOk") else {}
    reply |= {
        **node.hello("isWritablePrimary" if request.name == "hello" else "ismaster"),
        "topologyVersion": node.topology_version.document,
        "maxBsonObjectSize": MAX_DOCUMENT_SIZE,
        "maxMessageSizeBytes": MAX_MESSAGE_SIZE,
        "maxWriteBatchSize": MAX_WRITE_BATCH,
        "localTime": request.server.now(),
        "logicalSessionTimeoutMinutes": 30,
        "connectionId": request.connection.id,
        "minWireVersion": 0,
        "maxWireVersion": WIRE_VERSION,
        "readOnly": False,
    }
    if is_first:
        reply |= node.greets(load_balanced=fields.flag("loadBalanced"))
    user = fields.string("saslSupportedMechs")
    if user is not None and (mechanisms := sasl.supported_mechanisms(request, user)) is not None:
        reply["saslSupportedMechs"] = mechanisms
    speculative = fields.value("speculativeAuthenticate")
    if speculative is not None and (result := _speculate(request, speculative)) is not None:
        reply["speculativeAuthenticate"] = result
    return reply


def _take_metadata(request: Request, fields: Fields) -> None:
    """The client introduces itself once, in its first hello."""
    client = fields.value("client")
    if client is not None:
        if request.connection.greeted:
            raise CommandError(
                ErrorCode.ClientMetadataCannotBeMutated,
                "The client metadata document may only be sent in the first hello",
            )
        _check_metadata(client)
        request.connection.client = client
    request.connection.greeted = True


def _check_metadata(client: Any) -> None:
    if not is_document(client):
        raise CommandError(ErrorCode.TypeMismatch, "The client metadata document must be a document")
    driver, system = client.get("driver"), client.get("os")
    if not is_document(driver) or not all(isinstance(driver.get(name), str) for name in ("name", "version")):
        raise CommandError(ErrorCode.BadValue, "Missing required field 'driver' with 'name' and 'version'")
    if not is_document(system) or not isinstance(system.get("type"), str):
        raise CommandError(ErrorCode.BadValue, "Missing required sub-document 'os' with 'type'")


def _speculate(request: Request, command: Any) -> Document | None:
    """Authenticate ahead of being asked; a failure is not told, the client will ask in earnest and hear it then."""
    if not is_document(command):
        return None
    name = next(iter(command), "")
    try:
        if name == "saslStart":
            return sasl.speculate(request, command)
        if name == "authenticate":
            return authentication.log_in(request, str(command.get("db", "$external")), command)
        return None
    except CommandError:
        return None
