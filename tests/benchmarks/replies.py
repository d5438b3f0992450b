"""What the lean server says: every reply is encoded once.

A reply depends on the command, the collection and, for getMore, on the cursor id: nothing else is looked at. Names of
collections say what is in them:

- `one`, `small`: find answers with one document, of the usual kind or a small one.
- `batches_<count>_<size>`: find answers with the first of `count` batches of `size` documents (the very first has 101
  at most, as a server's has); the id of a cursor is the number of batches that are left.
- `barrier_<n>`: see `lean_server`.
- `megabyte`: find answers with one document of a million bytes.

The server is the primary of a replica set, so that sessions, retryable writes and cluster times are in use.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import bson
import corpus
from bson.int64 import Int64
from bson.timestamp import Timestamp

SET_NAME = "bench"
FIRST_BATCH = 101

_AT = Timestamp(1_700_000_000, 1)
# As every reply of a member of a replica set ends.
TIMES = {
    "ok": 1.0,
    "$clusterTime": {"clusterTime": _AT, "signature": {"hash": b"\0" * 20, "keyId": Int64(7_000_000_000_000_000_000)}},
    "operationTime": _AT,
}

# What every reply of a primary to a write has, too.
WRITTEN = {"electionId": bson.ObjectId(b"\x7f" * 12), "opTime": {"ts": _AT, "t": Int64(1)}}


def hello(hosts: list[str], me: str, subject: str) -> dict[str, Any]:
    """What a member says of itself; the first host is the primary. No topologyVersion: nobody streams."""
    return {
        "helloOk": True,
        "ismaster": me == hosts[0],
        "isWritablePrimary": me == hosts[0],
        "secondary": me != hosts[0],
        "hosts": hosts,
        "setName": SET_NAME,
        "setVersion": 1,
        "primary": hosts[0],
        "me": me,
        "electionId": bson.ObjectId(b"\x7f" * 12),
        "lastWrite": {"opTime": {"ts": _AT, "t": Int64(1)}, "lastWriteDate": datetime(2026, 1, 1, tzinfo=UTC)},
        "maxBsonObjectSize": 16_777_216,
        "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
        "localTime": datetime(2026, 1, 1, tzinfo=UTC),
        "logicalSessionTimeoutMinutes": 30,
        "connectionId": 1,
        "minWireVersion": 0,
        "maxWireVersion": 25,
        "readOnly": False,
        "speculativeAuthenticate": {"dbname": "$external", "user": subject},
        **TIMES,
    }


class Replies:
    """The replies of one member.

    Args:
        hosts: the members, the primary first.
        me: which one this is.
        subject: the user that everybody is.
    """

    def __init__(self, hosts: list[str], me: str, subject: str) -> None:
        self._hello = hello(hosts, me, subject)
        self._known: dict[tuple[bytes, bytes, int], bytes] = {}

    def to_query(self) -> bytes:
        """The reply to PyMongo's first hello, which is an OP_QUERY: an OP_REPLY without its header."""
        return struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(self._hello)

    def to(self, command: bytes, collection: bytes, cursor: int) -> bytes:
        """The reply to a command: an OP_MSG without its header."""
        key = (command, collection, cursor)
        reply = self._known.get(key)
        if reply is None:
            document = self._document(command.decode().lower(), collection.decode(), cursor)
            reply = self._known[key] = b"\0\0\0\0\0" + bson.encode(document)
        return reply

    def _document(self, command: str, collection: str, cursor: int) -> dict[str, Any]:
        if command in ("hello", "ismaster"):
            return self._hello
        if command == "find":
            return {"cursor": _first_batch(collection), **TIMES}
        if command == "getmore":
            size = int(collection.split("_")[2])
            rows = [{"_id": n, **corpus.tweet()} for n in range(size)]
            return {"cursor": {"nextBatch": rows, "id": Int64(cursor - 1), "ns": f"bench.{collection}"}, **TIMES}
        if command == "update":
            return {"n": 1, **WRITTEN, "nModified": 1, **TIMES}
        if command in ("insert", "delete"):
            return {"n": 1, **WRITTEN, **TIMES}
        return dict(TIMES)


def _first_batch(collection: str) -> dict[str, Any]:
    kind, *numbers = collection.split("_")
    rows: list[dict[str, Any]] = [{"_id": 1, **corpus.tweet()}]
    left = 0
    if kind == "batches":
        count, size = map(int, numbers)
        rows = [{"_id": n, **corpus.tweet()} for n in range(min(size, FIRST_BATCH))]
        left = count - 1
    elif kind == "small":
        rows = [{"_id": 1, **corpus.small()}]
    elif kind == "megabyte":
        rows = [{"_id": 1, "text": "x" * 1_000_000}]
    return {"firstBatch": rows, "id": Int64(left), "ns": f"bench.{collection}"}
