"""An embedded MongoDB server for the tests of any client, and the certificates that it needs.

    with MongoTestServer() as server:           # verified TLS, client certificates demanded, MONGODB-X509
        with pymongo.MongoClient(server.uri()) as client: ...     # or AsyncClient.connect(server.uri()), or mongosh

    with ReplicaSet(members=3) as rs, pymongo.MongoClient(rs.uri()) as client:
        rs.kill(rs.primary)                                       # another member is primary at once

What lives where
----------------

- `certs`, `subjects`: `CertKit`, certificates of every kind on demand. `crl`, `ocsp`: lists of those that were revoked,
  and a responder that can be asked about them.
- `server`: `MongoTestServer`, the face to the user: a thread with an event loop of its own, plain thread-safe methods.
- `listener`, `peer`, `server_transport`, `stalling`, `tls_context`: the half of it that lives on that loop: sockets,
  TLS, connections, hellos that wait.
- `deployment/`: what a server is among others, and `ReplicaSet` and `ShardedCluster`: elections, crashes, partitions.
- `backend`: what stands behind all connections: state, script, log, and the lock around them.
- `scenario`, `recording`: what a test scripts beforehand and reads afterwards. `fail_points`: what a client scripts, by
  `configureFailPoint`.
- `sessions`: the sessions of clients, and what their retryable writes have done; kept with the data.
- `users`, `roles`: who may log in, by certificate or password, and do what. `scram`: the server's half of SCRAM.
- `commands/`, `cursors`: the answers. A command is a plain function from a request to a reply; it knows no sockets.
- `data/`, `store`: documents, behind a narrow interface. Why mongomock is only a part of it stands in `data/__init__`.
- `failures`: MongoDB's error codes.
- `pytest_plugin`: fixtures and a marker; imports nothing but pytest until a fixture is used.

Why it is as it is
------------------

Real sockets, because a test of TLS without them tests something else. A thread and a loop of its own, and
every method plain and blocking, because then one server serves synchronous PyMongo, asyncio under any plugin and any
scope of loops, and anyio. The wire protocol and the TLS engine are the client's own, in the server role: asyncio's TLS
server sends no alert when it refuses a certificate, so a client could not be tested for reading it. A mistake in both
halves would not show, which is why the tests run PyMongo against this server.

An answer that a real server would not give is worse than none. Where MongoDB can do something and this server
cannot, the answer is an error with a code (238 NotImplemented; 40324 for a stage, 40415 for a field nobody knows).

Imports: everything below, `bson`, and the extra `testing` (trustme, cryptography, mongomock). This module is a lazy
facade, so that importing it costs nothing and works without the extra.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiomongo_tls.testing.certs import Certificate, CertKit
    from aiomongo_tls.testing.deployment.replica_set import ReplicaSet
    from aiomongo_tls.testing.deployment.sharded_cluster import ShardedCluster
    from aiomongo_tls.testing.ocsp import OCSPResponder
    from aiomongo_tls.testing.recording import RecordedCommand
    from aiomongo_tls.testing.server import MongoTestServer
    from aiomongo_tls.testing.users import User

__all__ = [
    "CertKit",
    "Certificate",
    "MongoTestServer",
    "OCSPResponder",
    "RecordedCommand",
    "ReplicaSet",
    "ShardedCluster",
    "User",
]

_HOMES = {
    "CertKit": "aiomongo_tls.testing.certs",
    "Certificate": "aiomongo_tls.testing.certs",
    "MongoTestServer": "aiomongo_tls.testing.server",
    "OCSPResponder": "aiomongo_tls.testing.ocsp",
    "RecordedCommand": "aiomongo_tls.testing.recording",
    "ReplicaSet": "aiomongo_tls.testing.deployment.replica_set",
    "ShardedCluster": "aiomongo_tls.testing.deployment.sharded_cluster",
    "User": "aiomongo_tls.testing.users",
}
_EXTRA = {"trustme", "cryptography"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ImportError(f'{name} needs the extra "testing": pip install "aiomongo-tls[testing]"') from exc
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
