"""find, getMore, killCursors, count, distinct. Specification: find/getMore/killCursors commands; crud."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import bson

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.collection import MAX_DOCUMENT_SIZE, Record
from aiomongo_tls.testing.data.ordering import sorter
from aiomongo_tls.testing.data.paths import values_at
from aiomongo_tls.testing.data.projection import projector
from aiomongo_tls.testing.data.values import MISSING, Document, integer, is_array, truthy, unique
from aiomongo_tls.testing.fail_points import GET_MORE, concerns
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aiomongo_tls.testing.commands.request import Request

_FIND = (
    *("filter", "projection", "sort", "limit", "skip", "batchSize", "singleBatch", "hint", "collation", "let"),
    *("allowDiskUse", "noCursorTimeout", "allowPartialResults", "oplogReplay", "tailable", "awaitData", "min", "max"),
    *("returnKey", "showRecordId"),
)


def find(request: Request) -> Document:
    """Open a cursor over the documents that match a filter."""
    fields = Fields("find", request.document, _FIND)
    fields.simple_collation()
    fields.refuse("let", "min", "max", "returnKey", "showRecordId")
    if fields.flag("tailable") or fields.flag("awaitData"):
        raise CommandError(
            ErrorCode.BadValue,
            "error processing query: tailable cursor requested on non capped collection",
        )
    collection = request.collection()
    collection.check_hint(fields.value("hint"))
    records = in_order(collection.select(fields.document("filter")), fields.document("sort"))
    records = sliced(records, fields.whole("skip"), fields.whole("limit"))
    projection = fields.document("projection")
    return {
        "cursor": request.open_cursor(
            collection.namespace,
            _projected(records, projection),
            batch_size=fields.whole("batchSize"),
            single_batch=fields.flag("singleBatch"),
        )
    }


def in_order(records: Iterable[Record], sort: Mapping[str, Any]) -> Iterable[Record]:
    """Records in the order of a sort specification; as they come if it is empty."""
    if not sort:
        return records
    arrange = sorter(sort)
    by_document = {id(record.document): record for record in records}
    return [by_document[id(document)] for document in arrange(r.document for r in by_document.values())]


def sliced(records: Iterable[Record], skip: int | None, limit: int | None) -> Iterable[Record]:
    """Records without the first `skip`, at most `limit`; 0 and None mean all."""
    start = skip or 0
    return islice(records, start, start + limit if limit else None)


def _projected(records: Iterable[Record], projection: Mapping[str, Any]) -> Iterator[bytes]:
    if not projection:
        return (record.raw for record in records)
    project = projector(projection, in_find=True)
    return (bson.encode(project(record.document)) for record in records)


def get_more(request: Request) -> Document:
    """The next batch of a cursor."""
    fields = Fields("getMore", request.document, ("collection", "batchSize", "term", "lastKnownCommittedOpTime"))
    number = integer(request.argument)
    if number is None:
        raise CommandError(
            ErrorCode.TypeMismatch, "BSON field 'getMore.getMore' is the wrong type, expected type 'long'"
        )
    fields.required("collection")
    if "maxTimeMS" in fields:
        raise CommandError(ErrorCode.BadValue, "cannot set maxTimeMS on getMore command for a non-awaitData cursor")
    namespace = f"{request.database}.{fields.string('collection')}"
    size = fields.whole("batchSize")
    return {
        "cursor": request.server.cursors.more(
            number, namespace, size, request.session, lambda: _fail_point(request, namespace)
        )
    }


def _fail_point(request: Request, namespace: str) -> None:
    """Come to `failGetMoreAfterCursorCheckout`."""
    data = request.fail_points.enter(
        GET_MORE,
        lambda data: concerns(
            {"failCommands": ["getMore"], **data}, "getMore", namespace=namespace, client=request.connection.client
        ),
    )
    if data is None:
        return
    if truthy(data.get("closeConnection")):
        request.connection.is_ending = True
    code = integer(data.get("errorCode"))
    raise CommandError(ErrorCode.InternalError if code is None else code, f"Hit the '{GET_MORE}' failpoint")


def kill_cursors(request: Request) -> Document:
    """Close cursors."""
    fields = Fields("killCursors", request.document, ("cursors",))
    fields.required("cursors")
    numbers = [number for item in fields.array("cursors") if (number := integer(item)) is not None]
    killed, missing = request.server.cursors.kill(numbers)
    return {"cursorsKilled": killed, "cursorsNotFound": missing, "cursorsAlive": [], "cursorsUnknown": []}


def count(request: Request) -> Document:
    """How many documents match."""
    fields = Fields("count", request.document, ("query", "limit", "skip", "hint", "collation", "fields"))
    fields.simple_collation()
    collection = request.collection()
    collection.check_hint(fields.value("hint"))
    # A negative limit means the same as a positive one here.
    limit = abs(fields.whole("limit", least=None) or 0)
    found = sliced(collection.select(fields.document("query")), fields.whole("skip"), limit)
    return {"n": sum(1 for _ in found)}


def distinct(request: Request) -> Document:
    """The different values of a field."""
    fields = Fields("distinct", request.document, ("key", "query", "collation", "hint"))
    fields.simple_collation()
    key = fields.required("key")
    if not isinstance(key, str) or not key:
        raise CommandError(ErrorCode.TypeMismatch, "BSON field 'distinct.key' has to be a non-empty string")
    collection = request.collection()
    collection.check_hint(fields.value("hint"))
    parts = key.split(".")
    values: list[Any] = []
    for record in collection.select(fields.document("query")):
        for value in values_at(record.document, parts):
            values += value if is_array(value) else [value]
    found = unique(value for value in values if value is not MISSING)
    if len(bson.encode({"values": found})) > MAX_DOCUMENT_SIZE:
        raise CommandError(17217, "distinct too big, 16mb cap")
    return {"values": found}
