"""Decisions about an open cursor: what the next getMore asks for, and what a reply holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from bson.errors import BSONError
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

from aiomongo_tls.core.commands.arguments import DICT, LIST
from aiomongo_tls.core.commands.unread import UnreadDocuments
from aiomongo_tls.errors import ProtocolError

CURSOR_IS_GONE = frozenset({43, 96, 136, 175, 237, 17406, 28617})
"""Codes by which a server says that it has ended the cursor itself: there is nothing left to kill.

CursorNotFound, QueryPlanKilled, CursorKilled; the others: a capped collection has overtaken a tailable cursor.
"""


class Batch(NamedTuple):
    """What a reply to find, aggregate, list... or getMore holds."""

    cursor_id: int
    """0 when the server has nothing more."""
    database: str
    """Where to ask for more."""
    collection: str
    documents: list[Any] | UnreadDocuments
    """What it brought; a large batch is decoded when it is read."""


def read_batch(reply: Mapping[str, Any]) -> Batch:
    """The batch in a reply.

    Raises:
        ProtocolError: there is none.
    """
    found = reply.get("cursor")
    # Decoders make this a dict, and asking for an abstract Mapping takes ten times as long.
    if isinstance(found, dict):
        cursor = cast(dict[str, Any], found)
        documents = cursor.get("firstBatch", cursor.get("nextBatch"))
        if isinstance(documents, (list, UnreadDocuments)) and isinstance(cursor.get("id"), int):
            database, _, collection = str(cursor.get("ns", "")).partition(".")
            return Batch(cursor["id"], database, collection, documents)
    raise ProtocolError(f"the reply was expected to hold a cursor with a batch, it has {', '.join(reply) or 'nothing'}")


def first_document(reply: Mapping[str, Any]) -> Any:
    """The first document of a batch that nobody asks to go on after; None if there is none.

    Raises:
        ProtocolError: the reply holds no batch.
    """
    cursor: Any = reply.get("cursor")
    documents: Any = cursor.get("firstBatch") if type(cursor) is DICT else None
    if type(documents) is not LIST:
        batch = read_batch(reply).documents
        documents = batch.read_some() if isinstance(batch, UnreadDocuments) else batch
    return documents[0] if documents else None


def left_open(reply: bytes) -> Batch | None:
    """The cursor that a reply has opened and that nobody is going to read; None if it has opened none.

    Args:
        reply: a reply that came too late or cannot be decoded: its documents, which may be many, stay as they are.
    """
    try:
        found = RawBSONDocument(reply).get("cursor")
        if not isinstance(found, RawBSONDocument):
            return None
        cursor_id, namespace = found.get("id"), str(found.get("ns", ""))
    except BSONError:
        # Nobody is there who could be told, least of all the connection that has received it.
        return None
    if not isinstance(cursor_id, int) or not cursor_id:
        return None
    database, _, collection = namespace.partition(".")
    return Batch(cursor_id, database, collection, [])


def get_more_document(
    batch: Batch, *, batch_size: int = 0, max_time_ms: int | None = None, comment: Any = None
) -> dict[str, Any]:
    """The getMore command after a batch.

    Args:
        batch: the batch before.
        batch_size: documents wanted, 0 for the server's choice.
        max_time_ms: how long the server waits for data, for a tailable cursor that awaits it; None otherwise.
        comment: the comment of the command that opened the cursor.
    """
    document: dict[str, Any] = {"getMore": Int64(batch.cursor_id), "collection": batch.collection}
    if batch_size:
        document["batchSize"] = batch_size
    if max_time_ms is not None:
        document["maxTimeMS"] = max_time_ms
    if comment is not None:
        document["comment"] = comment
    return document


def kill_cursors_document(collection: str, cursor_ids: Sequence[int]) -> dict[str, Any]:
    """The killCursors command."""
    return {"killCursors": collection, "cursors": [Int64(cursor_id) for cursor_id in cursor_ids]}


def next_batch_size(batch_size: int, limit: int, retrieved: int) -> int:
    """How many documents the next getMore asks for; 0 for the server's choice.

    The last batch is cut to what is missing (command monitoring suite, "find event with a getmore"). Servers since
    MongoDB 5.0 leave a cursor open whose batch ends exactly there; then it is killed.
    """
    if limit <= 0:
        return batch_size
    missing = limit - retrieved
    return min(batch_size, missing) if batch_size else missing
