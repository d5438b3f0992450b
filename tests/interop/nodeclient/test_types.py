"""Values of every BSON type, to the last bit, between two implementations of BSON."""

from __future__ import annotations

import datetime
from typing import Any

import bson
import pytest
from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from node_driver import Calls, Exactly

from aiomongo_tls.testing import MongoTestServer

VALUES = {
    "double": 1.5,
    "whole double": 1.0,
    "minus zero": -0.0,
    "infinity": float("inf"),
    "NaN": float("nan"),
    "smallest double": 5e-324,
    "string": "Größe \U0001f600 \u0000 end",
    "empty string": "",
    "document": {"b": 1, "a": {"": None}},
    "array": [1, [2, []], {"x": []}],
    "binary": b"\x00\xff",
    "empty binary": b"",
    "binary of a user": Binary(b"x", 0x80),
    "old binary": Binary(b"x", 2),
    "UUID": Binary(bytes(range(16)), 4),
    "old UUID": Binary(bytes(range(16)), 3),
    "MD5": Binary(bytes(range(16)), 5),
    "vector": Binary(b"\x03\x00\x01\x02", 9),
    "ObjectId": ObjectId("0123456789abcdef01234567"),
    "true": True,
    "date": datetime.datetime(2026, 5, 6, 7, 8, 9, 10_000),
    "date before 1970": datetime.datetime(1815, 12, 10),
    "date after 9999": DatetimeMS(8_640_000_000_000_000),
    "date before 1": DatetimeMS(-8_640_000_000_000_000),
    "null": None,
    "regex": Regex("^x/[a-z]+$", "im"),
    "DBRef": DBRef("things", ObjectId("0123456789abcdef01234567"), "elsewhere"),
    "code": Code("function () { return 1; }"),
    "code with scope": Code("x", {"x": 1}),
    "int32": -(2**31),
    "int64": Int64(1),
    "largest int64": Int64(2**63 - 1),
    "Timestamp": Timestamp(4_294_967_295, 1),
    "decimal": Decimal128("-1.10E+3"),
    "decimal NaN": Decimal128("NaN"),
    "MinKey": MinKey(),
    "MaxKey": MaxKey(),
}


@pytest.fixture
def users(connect: Any, aiomongo_server: MongoTestServer) -> Calls:
    client = connect(aiomongo_server.uri())
    found: Calls = client.db("app").collection("users")
    return found


def raw(users: Calls) -> bytes:
    """The only document as it came over the wire."""
    (found,) = users.find({}, {"raw": True}).toArray().get()
    return bytes(found)


@pytest.mark.parametrize("name", VALUES)
def test_what_is_stored_comes_back(users: Calls, name: str) -> None:
    """The bytes that the driver reads are those of the document that was written."""
    document = {"_id": 1, "value": VALUES[name]}
    users.insertOne(Exactly(document)).get()
    assert raw(users) == bson.encode(document)


@pytest.mark.parametrize("name", sorted(set(VALUES) - {"NaN", "decimal NaN"}))
def test_what_is_stored_is_found(users: Calls, name: str) -> None:
    """A filter with the same value matches; one with another value does not."""
    users.insertMany([Exactly({"_id": 1, "value": VALUES[name]}), {"_id": 2, "value": "another"}]).get()
    filtered = {"value": {"$eq": VALUES[name]}}
    assert [found["_id"] for found in users.find(Exactly(filtered)).toArray().get()] == [1]


def test_a_type_of_every_kind_at_once(users: Calls) -> None:
    """One document with all of them, updated in place, keeps the others as they were."""
    document = {"_id": 1, **VALUES}
    users.insertOne(Exactly(document)).get()
    users.updateOne({"_id": 1}, {"$set": {"more": True}}).get()
    assert raw(users) == bson.encode({**document, "more": True})


def test_numbers_of_javascript(users: Calls, aiomongo_server: MongoTestServer) -> None:
    """A whole number is an int32 if it fits, a double if not; $inc keeps types as the server does."""
    users.insertOne({"_id": 1, "small": 1, "large": 2**40, "half": 0.5}).get()
    (insert,) = aiomongo_server.commands_named("insert")
    stored = insert.document["documents"][0]
    assert [type(stored[name]) for name in ("small", "large", "half")] == [int, float, float]
    users.updateOne({}, {"$inc": {"small": 2**31 - 1, "half": 1}}).get()
    assert raw(users) == bson.encode({"_id": 1, "small": Int64(2**31), "large": float(2**40), "half": 1.5})


def test_types_are_found_by_type(users: Calls) -> None:
    """$type by alias, for values that another implementation of BSON has encoded."""
    aliases = {
        "double": 1.5,
        "string": "x",
        "object": {},
        "binData": b"x",
        "objectId": ObjectId(),
        "bool": False,
        "date": DatetimeMS(0),
        "null": None,
        "regex": Regex("x"),
        "javascript": Code("x"),
        "int": 1,
        "long": Int64(1),
        "timestamp": Timestamp(1, 1),
        "decimal": Decimal128("1"),
        "minKey": MinKey(),
        "maxKey": MaxKey(),
    }
    users.insertMany([Exactly({"_id": alias, "value": value}) for alias, value in aliases.items()]).get()
    for alias in aliases:
        assert [found["_id"] for found in users.find({"value": {"$type": alias}}).toArray().get()] == [alias]


def test_the_order_of_types(users: Calls) -> None:
    """Sorted as MongoDB orders types: MinKey, null, numbers, strings, ..., MaxKey."""
    ordered = [
        *(MinKey(), None, -1.5, 0, Int64(1), Decimal128("1.5"), "a", "b", {"a": 1}, {"b": 0}, b"x"),
        *(ObjectId("0" * 24), False, True, DatetimeMS(0), Timestamp(1, 1), Regex("x"), MaxKey()),
    ]
    documents = [Exactly({"_id": n, "value": value}) for n, value in reversed(list(enumerate(ordered)))]
    users.insertMany(documents).get()
    assert [found["_id"] for found in users.find({}).sort({"value": 1}).toArray().get()] == list(range(len(ordered)))


@pytest.mark.parametrize("identity", [1.5, "x", {"a": 1, "b": [1]}, b"x", ObjectId("0" * 24), Int64(5), MinKey()])
def test_identities_of_every_type(users: Calls, identity: Any) -> None:
    """An _id may be anything but an array or a regular expression, and is unique."""
    users.insertOne(Exactly({"_id": identity})).get()
    assert raw(users) == bson.encode({"_id": identity})
    assert users.countDocuments(Exactly({"_id": identity})).get() == 1


def test_field_names(users: Calls) -> None:
    """Anything that the server allows: blanks, dots, dollars inside, digits, __proto__ and the order of writing."""
    document = {"_id": 1, "z": 1, "a.b": 2, "x$y": 3, "10": 4, "9": 5, " ": 6, "ü": 7, "constructor": 8}
    users.insertOne(Exactly(document)).get()
    assert bson.decode(raw(users)) == document


def test_deep_nesting(users: Calls) -> None:
    """A hundred levels."""
    document: dict[str, Any] = {"n": 0}
    for n in range(1, 99):
        document = {"n": n, "in": document if n % 2 else [document]}
    users.insertOne(Exactly({"_id": 1, **document})).get()
    assert raw(users) == bson.encode({"_id": 1, **document})
