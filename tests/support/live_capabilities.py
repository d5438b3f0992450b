"""What a live server can do, found out by PyMongo doing it there: what PyMongo cannot do either is not our fault.

A test names what it needs with `@pytest.mark.needs(...)`, one of the names in `ATTEMPTS`. Each is tried once in a run,
in a collection of its own. Where the server refuses PyMongo, or gives it something else back than what was stored, the
test is skipped, with the server's words. Nothing here looks at which server it is.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson
from bson import Binary, Code, CodecOptions, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import CursorType, ReturnDocument, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from pymongo.mongo_client import MongoClient

Document = dict[str, Any]
Attempt = Callable[[Collection[Document]], object]

# One value of each type of BSON, and the edges where implementations differ.
VALUES: Mapping[str, Any] = {
    "double": 1.5,
    "double, whole": 3.0,
    "double, negative zero": -0.0,
    "double, infinity": float("inf"),
    "string": "é\u4e2d\U0001f600",
    "string with a null character": "a\0b",
    "string, empty": "",
    "document": {"b": 1, "a": {"z": [], "y": {}}},
    "array": [1, "two", None, {"four": Int64(4)}],
    "array, empty": [],
    "array of arrays": [[1], [[2.5]]],
    "binary": b"\x00\xff\x80",
    "binary, empty": b"",
    "binary, UUID": Binary(uuid.UUID(int=5).bytes, 4),
    "binary, user-defined": Binary(b"user", 128),
    "ObjectId": ObjectId("0123456789abcdef01234567"),
    "boolean": True,
    "date": datetime.datetime(2026, 5, 6, 7, 8, 9, 123_000),
    "date before 1970": datetime.datetime(1901, 2, 3),
    "date after the year 9999": DatetimeMS(2**52),
    "null": None,
    "regular expression": Regex("^a.*z$", "im"),
    "int32": 2**31 - 1,
    "int32, negative": -(2**31),
    "int64": Int64(2**63 - 1),
    "int64, small": Int64(1),
    "timestamp": Timestamp(4_000_000_000, 5),
    "decimal128": Decimal128("1.10"),
    "JavaScript code": Code("function () {}"),
    "min key": MinKey(),
    "max key": MaxKey(),
    "database reference": bson.DBRef("things", 5),
}


def _survives(value: object) -> Attempt:
    def attempt(collection: Collection[Document]) -> None:
        document = {"_id": 1, "v": value}
        collection.insert_one(document)
        # Raw, because PyMongo cannot decode each of them by its default options.
        found = collection.with_options(CodecOptions(RawBSONDocument)).find_one()
        if found is None or found.raw != bson.encode(document):
            raise _OtherwiseError(f"stored {value!r}, PyMongo gets back {found and found.raw!r}")

    return attempt


class _OtherwiseError(Exception):
    """No refusal, but not what was asked for."""


def _gives(result: object, ask: Callable[[Collection[Document]], object]) -> Attempt:
    def attempt(collection: Collection[Document]) -> None:
        collection.insert_many([{"_id": 1, "n": 1, "a": [1, 2]}, {"_id": 2, "n": 2, "a": []}])
        found = ask(collection)
        if found != result:
            raise _OtherwiseError(f"PyMongo gets {found!r} instead of {result!r}")

    return attempt


def _transforms(stage: Document, result: Document) -> Attempt:
    return _gives([result], lambda collection: list(collection.aggregate([{"$match": {"_id": 1}}, stage])))


def _pipeline(*stages: Document) -> Attempt:
    def attempt(collection: Collection[Document]) -> None:
        collection.insert_one({"_id": 1, "n": 1, "a": [1, 2]})
        list(collection.aggregate(list(stages)))

    return attempt


def _refused(ask: Attempt, *, before: Attempt = lambda collection: None, code: int | None = None) -> Attempt:
    """What a server should refuse, with this code; some accept it. What comes before has to work."""

    def attempt(collection: Collection[Document]) -> None:
        before(collection)
        collection.insert_one({"_id": 1, "n": 9, "s": "text"})
        try:
            ask(collection)
        except OperationFailure as error:
            if code not in (None, error.code):
                raise _OtherwiseError(f"the code of the refusal is {error.code} instead of {code}: {error}") from error
            return
        raise _OtherwiseError("PyMongo is not refused either")

    return attempt


def _command(document: Document) -> Attempt:
    return lambda collection: collection.database.command(document)


def _admin(document: Document) -> Attempt:
    return lambda collection: collection.database.client.admin.command(document)


def _indexed(keys: Any, **options: Any) -> Attempt:
    def attempt(collection: Collection[Document]) -> None:
        name = collection.create_index(keys, **options)
        made = collection.index_information()[name]
        if {option: made.get(option) for option in options} != options:
            raise _OtherwiseError(f"the index is listed as {made}")

    return attempt


ATTEMPTS: Mapping[str, Attempt] = {
    **{f"value: {name}": _survives(value) for name, value in VALUES.items()},
    "$lookup": _pipeline({"$lookup": {"from": "x", "localField": "n", "foreignField": "n", "as": "x"}}),
    "$facet": _pipeline({"$facet": {"all": [{"$count": "n"}]}}),
    "$bucket": _pipeline({"$bucket": {"groupBy": "$n", "boundaries": [0, 5]}}),
    "$out": _pipeline({"$out": "capability_out"}),
    "$merge": _pipeline({"$merge": {"into": "capability_merge"}}),
    "$unwind": _pipeline({"$unwind": "$a"}),
    "$group": _pipeline({"$group": {"_id": "$n", "sum": {"$sum": "$n"}}}),
    "$group with $avg and $max": _pipeline({"$group": {"_id": "$n", "avg": {"$avg": "$n"}, "max": {"$max": "$n"}}}),
    "$project with expressions": _transforms({"$project": {"x": {"$multiply": ["$n", 2]}}}, {"_id": 1, "x": 2}),
    "$addFields": _transforms({"$addFields": {"x": "$n"}}, {"_id": 1, "n": 1, "a": [1, 2], "x": 1}),
    "$unset": _transforms({"$unset": "a"}, {"_id": 1, "n": 1}),
    "$sample": _pipeline({"$sample": {"size": 1}}),
    "$replaceRoot": _pipeline({"$replaceRoot": {"newRoot": {"x": "$n"}}}),
    "$collStats": _pipeline({"$collStats": {"count": {}}}),
    "aggregate on a database": lambda collection: list(collection.database.aggregate([{"$documents": [{"n": 1}]}])),
    "array filters": _gives(
        1,
        lambda c: c.update_one({"_id": 1}, {"$set": {"a.$[x]": 9}}, array_filters=[{"x": {"$gt": 1}}]).modified_count,
    ),
    "positional operator": _gives(1, lambda c: c.update_one({"_id": 1, "a": 2}, {"$set": {"a.$": 9}}).modified_count),
    "update by pipeline": _gives(1, lambda c: c.update_one({"_id": 1}, [{"$set": {"m": "$n"}}]).modified_count),
    "$push with modifiers": _gives(
        1, lambda c: c.update_one({"_id": 1}, {"$push": {"a": {"$each": [5, 6], "$slice": 3}}}).modified_count
    ),
    "collation": _gives(
        1,
        lambda c: (
            c.insert_one({"s": "Ada"}) and len(list(c.find({"s": "ada"}, collation={"locale": "en", "strength": 2})))
        ),
    ),
    "hint": _gives(1, lambda c: len(list(c.find({"_id": 1}, hint="_id_")))),
    "comment": _gives(1, lambda c: len(list(c.find({"_id": 1}, comment="why")))),
    "max_time_ms": _gives(1, lambda c: len(list(c.find({"_id": 1}, max_time_ms=5000)))),
    "text search": _gives(
        1, lambda c: (c.create_index([("t", "text")]), len(list(c.find({"$text": {"$search": "x"}}))) + 1)[1]
    ),
    "find_one_and_update with sort": _gives(
        2, lambda c: (c.find_one_and_update({}, {"$set": {"x": 1}}, sort=[("_id", -1)]) or {})["_id"]
    ),
    "find_one_and_update with projection": _gives(
        {"_id": 1}, lambda c: c.find_one_and_update({"_id": 1}, {"$set": {"x": 1}}, projection={"_id": 1})
    ),
    "find_one_and_update with upsert": _gives(
        {"_id": 9, "x": 1},
        lambda c: c.find_one_and_update(
            {"_id": 9}, {"$set": {"x": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        ),
    ),
    "projection of array slices": _gives(
        {"_id": 1, "a": [1]}, lambda c: c.find_one({"_id": 1}, {"a": {"$slice": 1}, "n": 0})
    ),
    "$elemMatch": _gives(1, lambda c: c.count_documents({"a": {"$elemMatch": {"$gt": 1}}})),
    "$expr": _gives(1, lambda c: c.count_documents({"$expr": {"$eq": ["$n", 1]}})),
    "$regex": _gives(0, lambda c: c.count_documents({"n": {"$regex": "^x"}})),
    "upserts told by their place in a bulk": _gives(
        {1: 7},
        lambda c: (
            c.bulk_write(
                [UpdateOne({"_id": 1}, {"$set": {"x": 1}}), UpdateOne({"_id": 7}, {"$set": {"x": 1}}, upsert=True)]
            ).upserted_ids
        ),
    ),
    "ordered bulks that stop": lambda c: _stop_at_the_first(c),
    "counts of failed bulks": _gives(1, lambda c: _inserted_by([{"_id": 1}, {"_id": 9}], c)),
    "refusal of documents that grow too large": _refused(
        lambda c: (
            c.insert_one({"_id": "large", "a": b"x" * 15_000_000}),
            c.update_one({"_id": "large"}, {"$set": {"b": b"x" * 3_000_000}}),
        )
    ),
    "replies of a limited size": lambda c: _read_much(c),
    "increases of several clients at the same time": lambda c: _count_together(c),
    "unacknowledged writes": lambda c: _without_replies(c),
    "unique index": _refused(
        lambda c: c.insert_one({"s": "text"}), before=lambda c: c.create_index("s", unique=True), code=11000
    ),
    "unique index, obeyed by updates": _refused(
        lambda c: (c.insert_one({"_id": 2, "s": "other"}), c.update_one({"_id": 2}, {"$set": {"s": "text"}})),
        before=lambda c: c.create_index("s", unique=True),
        code=11000,
    ),
    "compound index": _indexed([("a", 1), ("b", -1)]),
    "sparse index": _indexed("a", sparse=True),
    "partial index": _indexed("a", partialFilterExpression={"a": {"$gt": 1}}),
    "expiring index": _indexed("a", expireAfterSeconds=60),
    "hashed index": _indexed([("a", "hashed")]),
    "dropping an index by its keys": lambda c: _without_indexes(c, lambda: c.drop_index([("a", 1)])),
    "dropping all indexes": lambda c: _without_indexes(c, c.drop_indexes),
    "duplicate key details": lambda c: _with_key_value(c),
    "capped collection": lambda c: c.database.create_collection(c.name + "_capped", capped=True, size=100_000),
    "tailable cursor": lambda c: _tail(c),
    "view": _gives(
        2, lambda c: len(list(c.database.create_collection(c.name + "_view", viewOn=c.name, pipeline=[]).find()))
    ),
    "validator": _refused(
        lambda c: c.insert_one({"n": 1}),
        before=lambda c: c.database.create_collection(c.name, validator={"n": {"$gt": 5}}),
        code=121,
    ),
    "renameCollection": lambda c: (c.insert_one({}), c.rename(c.name + "_renamed")),
    "collStats": lambda c: (c.insert_one({}), c.database.command({"collStats": c.name})),
    "dbStats": _command({"dbStats": 1}),
    "explain": lambda c: (c.insert_one({}), c.find({}).explain()),
    "listCommands": _admin({"listCommands": 1}),
    "connectionStatus": _admin({"connectionStatus": 1}),
    "serverStatus": _admin({"serverStatus": 1}),
    "endSessions": _admin({"endSessions": [{"id": Binary(uuid.UUID(int=1).bytes, 4)}]}),
    "refusal of update operators": _refused(lambda c: c.update_one({"_id": 1}, {"$nonsense": {"a": 1}})),
    "refusal of query operators": _refused(lambda c: list(c.find({"n": {"$nonsense": 1}}))),
    "refusal of stages": _refused(lambda c: list(c.aggregate([{"$nonsense": {}}]))),
    "refusal of commands": _refused(lambda c: c.database.command({"nonsense": 1})),
    "refusal of numeric operators on text": _refused(lambda c: c.update_one({"_id": 1}, {"$inc": {"s": 1}})),
    "refusal of a changed _id": _refused(lambda c: c.update_one({"_id": 1}, {"$set": {"_id": 2}})),
    "refusal of the same name": _refused(
        lambda c: c.database.command({"create": c.name}),
    ),
    "refusal of killed cursors": _refused(lambda c: _read_on(c)),
    "refusal of unknown parameters": _refused(lambda c: c.database.command({"find": c.name, "nonsense": 1})),
}


def _inserted_by(documents: list[Document], collection: Collection[Document]) -> int:
    """How many documents of an unordered bulk that fails are inserted, as PyMongo is told."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return int(error.details["nInserted"])
    raise _OtherwiseError("PyMongo is not refused")


def _without_indexes(collection: Collection[Document], drop: Callable[[], None]) -> None:
    collection.create_index("a")
    drop()
    if len(left := list(collection.index_information())) > 1:
        raise _OtherwiseError(f"what is left is {left}")


def _read_much(collection: Collection[Document]) -> None:
    collection.insert_many([{"x": "x" * 3_000_000} for _ in range(20)])
    try:
        list(collection.find())
    finally:
        collection.drop()


def _with_key_value(collection: Collection[Document]) -> None:
    collection.insert_one({"_id": 1})
    try:
        collection.insert_one({"_id": 1})
    except OperationFailure as error:
        if not (error.details or {}).get("keyValue"):
            raise _OtherwiseError(f"it says {error.details}") from error


def _tail(collection: Collection[Document]) -> None:
    capped = collection.database.create_collection(collection.name + "_tailed", capped=True, size=100_000)
    capped.insert_one({"n": 1})
    with capped.find(cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(50) as cursor:
        next(cursor)
        capped.insert_one({"n": 2})
        if next(cursor, None) is None:
            raise _OtherwiseError("PyMongo does not get what is inserted later")


def _stop_at_the_first(collection: Collection[Document]) -> None:
    collection.insert_one({"_id": 150})
    try:
        collection.insert_many([{"_id": n} for n in range(500)])
    except BulkWriteError as error:
        told = error.details["nInserted"]
        if (told, collection.count_documents({})) != (150, 151):
            raise _OtherwiseError(
                f"an ordered bulk of PyMongo that fails at 150 has inserted {collection.count_documents({}) - 1}, and "
                f"is told {told}"
            ) from error


def _without_replies(collection: Collection[Document]) -> None:
    careless = collection.with_options(write_concern=WriteConcern(w=0))
    for _ in range(3):
        careless.insert_one({})
    collection.insert_one({})


def _count_together(collection: Collection[Document]) -> None:
    collection.insert_one({"_id": 1, "n": 0})
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: collection.update_one({"_id": 1}, {"$inc": {"n": 1}}), range(80)))
    found = collection.find_one() or {}
    if found["n"] != 80:
        raise _OtherwiseError(f"80 increases by PyMongo in 8 threads come to {found['n']}")


def _read_on(collection: Collection[Document]) -> None:
    database = collection.database
    collection.insert_many([{} for _ in range(5)])
    reply = database.command({"find": collection.name, "batchSize": 1})
    number = Int64(reply["cursor"]["id"])
    database.command({"killCursors": collection.name, "cursors": [number]})
    database.command({"getMore": number, "collection": collection.name})


class Capabilities:
    """What the server of a run can do.

    Args:
        client: a client of PyMongo, for that server.
        database: where to try things; the run drops it.
    """

    def __init__(self, client: MongoClient[Document], database: str) -> None:
        self._database = client[database]
        self._known: dict[str, str | None] = {}
        self._tried = 0

    def missing(self, name: str) -> str | None:
        """Why the server cannot do something, None if it can.

        Args:
            name: one of `ATTEMPTS`.
        """
        if name not in self._known:
            self._tried += 1
            collection = self._database[f"capability{self._tried}"]
            try:
                ATTEMPTS[name](collection)
            except (PyMongoError, _OtherwiseError) as error:
                self._known[name] = f"{name}: {_words(error)}"
            else:
                self._known[name] = None
        return self._known[name]


def _words(error: Exception) -> str:
    """What the server said."""
    if isinstance(error, BulkWriteError):
        return str(error.details["writeErrors"][0]["errmsg"]) if error.details["writeErrors"] else str(error)
    if isinstance(error, OperationFailure):
        return f"{(error.details or {}).get('errmsg') or error} ({error.code})"
    return str(error)
