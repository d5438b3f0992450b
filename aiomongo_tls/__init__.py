"""An asyncio-native MongoDB client for people whose identity is a certificate.

    async with aiomongo_tls.AsyncClient.connect(uri) as client:
        print(await client["app"]["users"].find_one({"name": "Ada"}))

Every public name of the client is here, errors included; `aiomongo_tls.testing` has the embedded server.

The names are loaded when they are first used (PEP 562): pytest imports this package in every run of every project that
has it installed, because it brings a plugin along, and should not pay for a driver then. Type checkers read the
imports, everybody else the table; a test proves that both agree.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiomongo_tls import errors as errors
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.client.client import AsyncClient, AsyncCollection, AsyncDatabase, AsyncMongoClient
    from aiomongo_tls.client.command_cursor import AsyncCommandCursor
    from aiomongo_tls.client.cursor import AsyncCursor
    from aiomongo_tls.client.timeout import timeout
    from aiomongo_tls.core.commands.collation import (
        Collation,
        CollationAlternate,
        CollationCaseFirst,
        CollationMaxVariable,
        CollationStrength,
    )
    from aiomongo_tls.core.commands.find import CursorType
    from aiomongo_tls.core.commands.indexes import IndexModel
    from aiomongo_tls.core.commands.keys import ASCENDING, DESCENDING, GEO2D, GEOSPHERE, HASHED, TEXT
    from aiomongo_tls.core.commands.operations import (
        DeleteMany,
        DeleteOne,
        InsertOne,
        ReplaceOne,
        ReturnDocument,
        UpdateMany,
        UpdateOne,
    )
    from aiomongo_tls.core.commands.results import (
        BulkWriteResult,
        DeleteResult,
        InsertManyResult,
        InsertOneResult,
        UpdateResult,
    )
    from aiomongo_tls.core.events.listeners import (
        ConnectionPoolListener,
        ServerHeartbeatListener,
        ServerListener,
        TLSHandshakeListener,
        TopologyListener,
    )
    from aiomongo_tls.core.events.pool_events import (
        ConnectionCheckedInEvent,
        ConnectionCheckedOutEvent,
        ConnectionCheckOutFailedEvent,
        ConnectionCheckOutFailedReason,
        ConnectionCheckOutStartedEvent,
        ConnectionClosedEvent,
        ConnectionClosedReason,
        ConnectionCreatedEvent,
        ConnectionReadyEvent,
        PoolClearedEvent,
        PoolClosedEvent,
        PoolCreatedEvent,
        PoolReadyEvent,
    )
    from aiomongo_tls.core.events.tls_events import (
        TLSHandshakeFailedEvent,
        TLSHandshakeStartedEvent,
        TLSHandshakeSucceededEvent,
    )
    from aiomongo_tls.core.events.topology_events import (
        ServerClosedEvent,
        ServerDescriptionChangedEvent,
        ServerHeartbeatFailedEvent,
        ServerHeartbeatStartedEvent,
        ServerHeartbeatSucceededEvent,
        ServerOpeningEvent,
        TopologyClosedEvent,
        TopologyDescriptionChangedEvent,
        TopologyOpenedEvent,
    )
    from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
    from aiomongo_tls.core.options.driver_info import DriverInfo
    from aiomongo_tls.core.options.read_preference import (
        Nearest,
        Primary,
        PrimaryPreferred,
        ReadPreference,
        Secondary,
        SecondaryPreferred,
    )
    from aiomongo_tls.core.options.tls_identity import TLSIdentity, TLSIdentityProvider
    from aiomongo_tls.core.pool.status import PoolState, PoolStatus
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.core.sdam.topology_description import TopologyDescription
    from aiomongo_tls.core.sdam.topology_type import TopologyType
    from aiomongo_tls.core.server_type import ServerType
    from aiomongo_tls.core.uri.keywords import ConnectOptions, IdentityOptions
    from aiomongo_tls.doctor.examination import diagnose
    from aiomongo_tls.doctor.findings import Check, Diagnosis, Finding, Severity
    from aiomongo_tls.errors import (
        AuthenticationFailed,
        AutoReconnect,
        BulkWriteError,
        ClientCertificateRejected,
        CollectionInvalid,
        ConfigurationError,
        ConnectionFailure,
        CursorNotFound,
        DocumentTooLarge,
        DuplicateKeyError,
        ExecutionTimeout,
        InvalidName,
        InvalidOperation,
        InvalidURI,
        MongoError,
        NetworkTimeout,
        NotPrimaryError,
        OperationFailure,
        Phase,
        PoolClearedError,
        PoolClosedError,
        ProtocolError,
        PyMongoError,
        ServerCertificateError,
        ServerSelectionTimeoutError,
        TLSError,
        TLSHandshakeTimeout,
        TLSProtocolError,
        WaitQueueTimeoutError,
        WriteConcernError,
        WriteError,
        WTimeoutError,
    )
    from aiomongo_tls.tls.status import ServerTLSStatus, TLSStatus
    from aiomongo_tls.version import __version__

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "GEO2D",
    "GEOSPHERE",
    "HASHED",
    "TEXT",
    "AsyncClient",
    "AsyncCollection",
    "AsyncCommandCursor",
    "AsyncCursor",
    "AsyncDatabase",
    "AsyncMongoClient",
    "AuthenticationFailed",
    "AutoReconnect",
    "BulkWriteError",
    "BulkWriteResult",
    "Check",
    "ClientCertificateRejected",
    "Collation",
    "CollationAlternate",
    "CollationCaseFirst",
    "CollationMaxVariable",
    "CollationStrength",
    "CollectionInvalid",
    "ConfigurationError",
    "ConnectOptions",
    "ConnectionCheckOutFailedEvent",
    "ConnectionCheckOutFailedReason",
    "ConnectionCheckOutStartedEvent",
    "ConnectionCheckedInEvent",
    "ConnectionCheckedOutEvent",
    "ConnectionClosedEvent",
    "ConnectionClosedReason",
    "ConnectionCreatedEvent",
    "ConnectionFailure",
    "ConnectionPoolListener",
    "ConnectionReadyEvent",
    "CursorNotFound",
    "CursorType",
    "DeleteMany",
    "DeleteOne",
    "DeleteResult",
    "Diagnosis",
    "DocumentTooLarge",
    "DriverInfo",
    "DuplicateKeyError",
    "ExecutionTimeout",
    "Finding",
    "IdentityOptions",
    "IndexModel",
    "InsertManyResult",
    "InsertOne",
    "InsertOneResult",
    "InvalidName",
    "InvalidOperation",
    "InvalidURI",
    "MongoError",
    "Nearest",
    "NetworkTimeout",
    "NotPrimaryError",
    "OperationFailure",
    "Phase",
    "PoolClearedError",
    "PoolClearedEvent",
    "PoolClosedError",
    "PoolClosedEvent",
    "PoolCreatedEvent",
    "PoolReadyEvent",
    "PoolState",
    "PoolStatus",
    "Primary",
    "PrimaryPreferred",
    "ProtocolError",
    "PyMongoError",
    "ReadConcern",
    "ReadPreference",
    "ReplaceOne",
    "ReturnDocument",
    "Secondary",
    "SecondaryPreferred",
    "ServerAddress",
    "ServerCertificateError",
    "ServerClosedEvent",
    "ServerDescription",
    "ServerDescriptionChangedEvent",
    "ServerHeartbeatFailedEvent",
    "ServerHeartbeatListener",
    "ServerHeartbeatStartedEvent",
    "ServerHeartbeatSucceededEvent",
    "ServerListener",
    "ServerOpeningEvent",
    "ServerSelectionTimeoutError",
    "ServerTLSStatus",
    "ServerType",
    "Severity",
    "TLSError",
    "TLSHandshakeFailedEvent",
    "TLSHandshakeListener",
    "TLSHandshakeStartedEvent",
    "TLSHandshakeSucceededEvent",
    "TLSHandshakeTimeout",
    "TLSIdentity",
    "TLSIdentityProvider",
    "TLSProtocolError",
    "TLSStatus",
    "TopologyClosedEvent",
    "TopologyDescription",
    "TopologyDescriptionChangedEvent",
    "TopologyListener",
    "TopologyOpenedEvent",
    "TopologyType",
    "UpdateMany",
    "UpdateOne",
    "UpdateResult",
    "WTimeoutError",
    "WaitQueueTimeoutError",
    "WriteConcern",
    "WriteConcernError",
    "WriteError",
    "__version__",
    "diagnose",
    "timeout",
]

_HOMES = {
    "aiomongo_tls.address": ("ServerAddress",),
    "aiomongo_tls.client.client": (
        "AsyncClient",
        "AsyncCollection",
        "AsyncDatabase",
        "AsyncMongoClient",
    ),
    "aiomongo_tls.client.command_cursor": ("AsyncCommandCursor",),
    "aiomongo_tls.client.cursor": ("AsyncCursor",),
    "aiomongo_tls.client.timeout": ("timeout",),
    "aiomongo_tls.core.commands.collation": (
        "Collation",
        "CollationAlternate",
        "CollationCaseFirst",
        "CollationMaxVariable",
        "CollationStrength",
    ),
    "aiomongo_tls.core.commands.find": ("CursorType",),
    "aiomongo_tls.core.commands.indexes": ("IndexModel",),
    "aiomongo_tls.core.commands.keys": (
        "ASCENDING",
        "DESCENDING",
        "GEO2D",
        "GEOSPHERE",
        "HASHED",
        "TEXT",
    ),
    "aiomongo_tls.core.commands.operations": (
        "DeleteMany",
        "DeleteOne",
        "InsertOne",
        "ReplaceOne",
        "ReturnDocument",
        "UpdateMany",
        "UpdateOne",
    ),
    "aiomongo_tls.core.commands.results": (
        "BulkWriteResult",
        "DeleteResult",
        "InsertManyResult",
        "InsertOneResult",
        "UpdateResult",
    ),
    "aiomongo_tls.core.events.listeners": (
        "ConnectionPoolListener",
        "ServerHeartbeatListener",
        "ServerListener",
        "TLSHandshakeListener",
        "TopologyListener",
    ),
    "aiomongo_tls.core.events.pool_events": (
        "ConnectionCheckOutFailedEvent",
        "ConnectionCheckOutFailedReason",
        "ConnectionCheckOutStartedEvent",
        "ConnectionCheckedInEvent",
        "ConnectionCheckedOutEvent",
        "ConnectionClosedEvent",
        "ConnectionClosedReason",
        "ConnectionCreatedEvent",
        "ConnectionReadyEvent",
        "PoolClearedEvent",
        "PoolClosedEvent",
        "PoolCreatedEvent",
        "PoolReadyEvent",
    ),
    "aiomongo_tls.core.events.tls_events": (
        "TLSHandshakeFailedEvent",
        "TLSHandshakeStartedEvent",
        "TLSHandshakeSucceededEvent",
    ),
    "aiomongo_tls.core.events.topology_events": (
        "ServerClosedEvent",
        "ServerDescriptionChangedEvent",
        "ServerHeartbeatFailedEvent",
        "ServerHeartbeatStartedEvent",
        "ServerHeartbeatSucceededEvent",
        "ServerOpeningEvent",
        "TopologyClosedEvent",
        "TopologyDescriptionChangedEvent",
        "TopologyOpenedEvent",
    ),
    "aiomongo_tls.core.pool.status": (
        "PoolState",
        "PoolStatus",
    ),
    "aiomongo_tls.core.sdam.server_description": ("ServerDescription",),
    "aiomongo_tls.core.sdam.topology_description": ("TopologyDescription",),
    "aiomongo_tls.core.server_type": ("ServerType",),
    "aiomongo_tls.core.sdam.topology_type": ("TopologyType",),
    "aiomongo_tls.core.options.concerns": (
        "ReadConcern",
        "WriteConcern",
    ),
    "aiomongo_tls.core.options.driver_info": ("DriverInfo",),
    "aiomongo_tls.core.options.read_preference": (
        "Nearest",
        "Primary",
        "PrimaryPreferred",
        "ReadPreference",
        "Secondary",
        "SecondaryPreferred",
    ),
    "aiomongo_tls.core.options.tls_identity": (
        "TLSIdentity",
        "TLSIdentityProvider",
    ),
    "aiomongo_tls.core.uri.keywords": ("ConnectOptions", "IdentityOptions"),
    "aiomongo_tls.doctor.examination": ("diagnose",),
    "aiomongo_tls.doctor.findings": (
        "Check",
        "Diagnosis",
        "Finding",
        "Severity",
    ),
    "aiomongo_tls.errors": (
        "AuthenticationFailed",
        "AutoReconnect",
        "BulkWriteError",
        "ClientCertificateRejected",
        "CollectionInvalid",
        "ConfigurationError",
        "ConnectionFailure",
        "CursorNotFound",
        "DocumentTooLarge",
        "DuplicateKeyError",
        "ExecutionTimeout",
        "InvalidName",
        "InvalidOperation",
        "InvalidURI",
        "MongoError",
        "NetworkTimeout",
        "NotPrimaryError",
        "OperationFailure",
        "Phase",
        "PoolClearedError",
        "PoolClosedError",
        "ProtocolError",
        "PyMongoError",
        "ServerCertificateError",
        "ServerSelectionTimeoutError",
        "TLSError",
        "TLSHandshakeTimeout",
        "TLSProtocolError",
        "WTimeoutError",
        "WaitQueueTimeoutError",
        "WriteConcernError",
        "WriteError",
    ),
    "aiomongo_tls.tls.status": (
        "ServerTLSStatus",
        "TLSStatus",
    ),
    "aiomongo_tls.version": ("__version__",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "errors":
        # `import aiomongo_tls; ... except aiomongo_tls.errors.TLSError`, as one writes with PyMongo.
        return import_module("aiomongo_tls.errors")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
