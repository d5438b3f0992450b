"""Collections: identity, indexes, limits, with the errors of a real server."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Regex

from aiomongo_tls.testing.data.collection import MAX_DOCUMENT_SIZE, Collection
from aiomongo_tls.testing.failures import CommandError


def filled(*documents: dict[str, Any]) -> Collection:
    collection = Collection("app.users")
    for document in documents:
        collection.insert(document)
    return collection


def error(function: Any, *arguments: Any) -> CommandError:
    with pytest.raises(CommandError) as caught:
        function(*arguments)
    return caught.value


def ids(collection: Collection, query: dict[str, Any]) -> list[Any]:
    return [record.document["_id"] for record in collection.select(query)]


@pytest.mark.parametrize("other", [1, 1.0, Int64(1), Decimal128("1")], ids=repr)
def test_an_id_is_there_once(other: Any) -> None:
    """Numbers of any type are the same `_id` if they are equal."""
    collection = filled({"_id": 1})
    found = error(collection.insert, {"_id": other})
    assert found.code == 11000
    assert found.details == {"keyPattern": {"_id": 1}, "keyValue": {"_id": other}}
    assert found.message.startswith("E11000 duplicate key error collection: app.users index: _id_ dup key: { _id: ")


def test_true_is_not_one() -> None:
    """A boolean `_id` is another one than a number."""
    collection = filled({"_id": 1}, {"_id": True})
    assert ids(collection, {"_id": True}) == [True]
    assert len(collection) == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"_id": 2}, [2]),
        ({"_id": 2.0}, [2]),
        ({"_id": {"$eq": 2}}, [2]),
        ({"_id": 2, "a": "x"}, []),
        ({"_id": {"$gt": 1}}, [2, 3]),
        ({"_id": {"$in": [1, 3]}}, [1, 3]),
        ({"_id": 9}, []),
        ({"_id": None}, []),
        ({}, [1, 2, 3]),
    ],
    ids=str,
)
def test_looking_up(query: dict[str, Any], expected: list[int]) -> None:
    """By `_id` and otherwise, in the order of insertion."""
    assert ids(filled({"_id": 1}, {"_id": 2, "a": "y"}, {"_id": 3}), query) == expected


@pytest.mark.parametrize("identifier", [[1], Regex("x")], ids=repr)
def test_what_cannot_be_an_id(identifier: Any) -> None:
    """Arrays and regular expressions."""
    assert error(filled().insert, {"_id": identifier}).code == 53


@pytest.mark.parametrize("identifier", [{"$a": 1}, {"$id": 1}, {"a": {"$b": 1}}, {"a": [{"$b": 1}]}], ids=repr)
def test_dollars_in_an_id(identifier: Any) -> None:
    """No field of it begins with one, at any depth, though other fields' may; references are the exception."""
    found = error(filled().insert, {"_id": identifier})
    assert found.code == 52
    assert found.message.startswith("_id fields may not contain '$'-prefixed fields")
    assert len(filled({"_id": {"$ref": "things", "$id": 1}}, {"_id": {"a$": 1}}, {"_id": 3, "a": {"$b": 1}})) == 3


def test_a_document_has_a_largest_size() -> None:
    """16 MB are the limit, to the byte."""
    overhead = 4 + 1 + 4 + 4 + 1 + 2 + 4 + 1 + 1  # length, _id: int32, x: string, end
    fits = "x" * (MAX_DOCUMENT_SIZE - overhead)
    collection = filled({"_id": 1, "x": fits})
    assert collection.size == MAX_DOCUMENT_SIZE
    assert error(collection.insert, {"_id": 2, "x": fits + "x"}).code == 2
    assert error(collection.replace, {"_id": 1, "x": fits + "x"}).code == 17419
    assert len(collection) == 1


def test_a_unique_index() -> None:
    """The same key again is an error that names index, pattern and value; the document stays out."""
    collection = filled({"_id": 1, "email": "a", "n": 1})
    assert collection.create_index({"key": {"email": 1, "n": -1}, "name": "e", "unique": True})
    found = error(collection.insert, {"_id": 2, "email": "a", "n": 1.0})
    assert found.details == {"keyPattern": {"email": 1, "n": -1}, "keyValue": {"email": "a", "n": 1.0}}
    assert found.message.endswith('app.users index: e dup key: { email: "a", n: 1.0 }')
    collection.insert({"_id": 2, "email": "a", "n": 2})
    assert error(collection.replace, {"_id": 2, "email": "a", "n": 1}).code == 11000
    collection.replace({"_id": 1, "email": "b", "n": 1})
    collection.replace({"_id": 2, "email": "a", "n": 1})
    collection.remove(next(collection.select({"_id": 2})))
    collection.insert({"_id": 3, "email": "a", "n": 1})


def test_a_unique_index_over_arrays() -> None:
    """Each element is a key of its own, an empty array is one too, and a missing field is null."""
    collection = filled()
    collection.create_index({"key": {"tags": 1}, "name": "t", "unique": True})
    collection.insert({"_id": 1, "tags": ["x", "x", "y"]})
    assert error(collection.insert, {"_id": 2, "tags": "y"}).details["keyValue"] == {"tags": "y"}
    collection.insert({"_id": 3, "tags": []})
    collection.insert({"_id": 4})
    assert error(collection.insert, {"_id": 5, "tags": None}).code == 11000
    assert error(collection.insert, {"_id": 6, "tags": []}).code == 11000


def test_a_unique_index_into_documents_of_an_array() -> None:
    """Fields of one element belong together."""
    collection = filled()
    collection.create_index({"key": {"a.b": 1, "a.c": 1}, "name": "bc", "unique": True})
    collection.insert({"_id": 1, "a": [{"b": 1, "c": 2}, {"b": 3, "c": 4}]})
    collection.insert({"_id": 2, "a": [{"b": 1, "c": 4}]})
    assert error(collection.insert, {"_id": 3, "a": {"b": 3, "c": 4}}).code == 11000


def test_sparse_and_partial_indexes() -> None:
    """Documents that they leave out do not count."""
    collection = filled()
    collection.create_index({"key": {"a": 1}, "name": "a", "unique": True, "sparse": True})
    partial = {"n": {"$gt": 5}}
    collection.create_index({"key": {"b": 1}, "name": "b", "unique": True, "partialFilterExpression": partial})
    for number in range(3):
        collection.insert({"_id": number, "b": 1, "n": number})
    collection.insert({"_id": 10, "b": 1, "n": 10})
    assert error(collection.insert, {"_id": 11, "b": 1, "n": 11}).code == 11000


def test_two_arrays_cannot_be_indexed_together() -> None:
    """One index, two arrays: refused."""
    collection = filled()
    collection.create_index({"key": {"a": 1, "b": 1}, "name": "ab"})
    assert error(collection.insert, {"_id": 1, "a": [1], "b": [2]}).code == 171


def test_an_index_that_the_documents_contradict() -> None:
    """It is not made."""
    collection = filled({"_id": 1, "a": 1}, {"_id": 2, "a": 1})
    assert error(collection.create_index, {"key": {"a": 1}, "name": "a", "unique": True}).code == 11000
    assert [d["name"] for d in collection.indexes] == ["_id_"]


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ({"key": {"a": 1}, "name": "b_1"}, 85),
        ({"key": {"b": 1}, "name": "a_1"}, 86),
        ({"key": {"a": 1}, "name": "a_1", "unique": True}, 86),
        ({"key": {"a": "text"}, "name": "t"}, 238),
        ({"key": {"a": "2dsphere"}, "name": "t"}, 238),
        ({"key": {"b": 1}, "name": "b", "collation": {"locale": "de"}}, 238),
        ({"key": {"b": 1}, "name": "b", "nonsense": 1}, 197),
        ({"key": {"b": "hashed"}, "name": "b", "unique": True}, 16764),
        ({"key": {"b": 0}, "name": "b"}, 67),
        ({"key": {"b": "up"}, "name": "b"}, 67),
        ({"key": {}, "name": "b"}, 67),
        ({"key": {"b": 1}}, 67),
    ],
    ids=str,
)
def test_indexes_that_are_refused(definition: dict[str, Any], code: int) -> None:
    """The server's error code, or 238 for what is not here."""
    collection = filled()
    assert collection.create_index({"key": {"a": 1}, "name": "a_1"})
    assert not collection.create_index({"key": {"a": 1}, "name": "a_1"})
    assert error(collection.create_index, definition).code == code


def test_hints_name_an_index() -> None:
    """By name or by fields; another one is an error."""
    collection = filled()
    collection.create_index({"key": {"a": 1, "b": -1}, "name": "ab"})
    for hint in (None, {}, "_id_", {"_id": 1}, "ab", {"a": 1, "b": -1}, {"$natural": 1}):
        collection.check_hint(hint)
    for hint in ("x", {"b": -1, "a": 1}, {"a": 1}):
        assert error(collection.check_hint, hint).code == 2


def test_dropping_indexes() -> None:
    """By name, all at once, but not that of `_id`."""
    collection = filled()
    collection.create_index({"key": {"a": 1}, "name": "a"})
    assert error(collection.drop_index, "x").code == 27
    assert error(collection.drop_index, "_id_").code == 72
    collection.drop_index("*")
    assert collection.indexes == [{"v": 2, "key": {"_id": 1}, "name": "_id_"}]


def test_messages_show_values_as_the_shell_does() -> None:
    """The duplicate key in the message is readable."""
    identifier = {"o": ObjectId("0" * 24), "b": True, "n": None, "l": [1, "x"]}
    found = error(filled({"_id": identifier}).insert, {"_id": identifier})
    assert found.message.endswith(
        "{ _id: { o: ObjectId('000000000000000000000000'), b: true, n: null, l: [ 1, \"x\" ] } }"
    )
