"""insert, update, delete and findAndModify answer as a server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64, ObjectId

Run = Callable[..., dict[str, Any]]
Fill = Callable[..., None]


def documents(run: Run) -> list[dict[str, Any]]:
    return run({"find": "users"})["cursor"]["firstBatch"]


def test_an_insert_puts_the_id_in_front(run: Run) -> None:
    """A missing `_id` is made; fields keep their order behind it."""
    run({"insert": "users", "documents": [{"b": 1, "_id": 1, "a": 2}, {"x": 1}]})
    first, second = documents(run)
    assert list(first.items()) == [("_id", 1), ("b", 1), ("a", 2)]
    assert isinstance(second["_id"], ObjectId)


def test_numeric_types_survive(run: Run) -> None:
    """An int64 stays one, a double too."""
    run({"insert": "users", "documents": [{"_id": 1, "l": Int64(1), "d": 1.0, "i": 1}]})
    run({"update": "users", "updates": [{"q": {}, "u": {"$inc": {"l": 1, "d": 1, "i": 1}}}]})
    (document,) = documents(run)
    assert [type(document[name]) for name in "ldi"] == [Int64, float, int]


@pytest.mark.parametrize(("ordered", "inserted"), [(True, 1), (False, 2)])
def test_a_duplicate_in_a_batch(run: Run, ordered: bool, inserted: int) -> None:
    """Ordered inserts stop there, others go on; the error has its index and details."""
    reply = run({"insert": "users", "ordered": ordered, "documents": [{"_id": 1}, {"_id": 1}, {"_id": 2}]})
    assert (reply["n"], reply["ok"]) == (inserted, 1.0)
    (error,) = reply["writeErrors"]
    assert (error["index"], error["code"], error["keyPattern"], error["keyValue"]) == (1, 11000, {"_id": 1}, {"_id": 1})


@pytest.mark.parametrize(
    ("entry", "reply"),
    [
        ({"q": {"_id": 1}, "u": {"$set": {"n": 5}}}, {"n": 1, "nModified": 1}),
        ({"q": {"_id": 1}, "u": {"$set": {"n": 1}}}, {"n": 1, "nModified": 0}),
        ({"q": {"_id": 1}, "u": {"$set": {"n": Int64(1)}}}, {"n": 1, "nModified": 1}),
        ({"q": {}, "u": {"$inc": {"n": 1}}}, {"n": 1, "nModified": 1}),
        ({"q": {}, "u": {"$inc": {"n": 1}}, "multi": True}, {"n": 3, "nModified": 3}),
        ({"q": {"_id": 9}, "u": {"$set": {"n": 1}}}, {"n": 0, "nModified": 0}),
        ({"q": {"_id": 9}, "u": {"$set": {"n": 1}}, "upsert": True},
         {"n": 1, "nModified": 0, "upserted": [{"index": 0, "_id": 9}]}),
        ({"q": {"_id": 1}, "u": {"z": 1}}, {"n": 1, "nModified": 1}),
        ({"q": {"_id": 1}, "u": [{"$set": {"z": "$n"}}]}, {"n": 1, "nModified": 1}),
        ({"q": {"_id": 1}, "u": {"$set": {"n": 2}}, "hint": "_id_"}, {"n": 1, "nModified": 1}),
    ],
    ids=str,
)  # fmt: skip
def test_updates(run: Run, fill: Fill, entry: dict[str, Any], reply: dict[str, Any]) -> None:
    """How many matched, how many changed, what was inserted."""
    fill({"_id": 1, "n": 1}, {"_id": 2, "n": 2}, {"_id": 3, "n": 3})
    assert run({"update": "users", "updates": [entry]}) == {**reply, "ok": 1.0}


def test_many_upserts_have_their_indexes(run: Run, fill: Fill) -> None:
    """`upserted` tells which entry inserted which `_id`."""
    fill({"_id": 2})
    entries = [{"q": {"_id": n}, "u": {"$set": {"x": 1}}, "upsert": True} for n in (1, 2, 3)]
    reply = run({"update": "users", "updates": entries})
    assert reply["upserted"] == [{"index": 0, "_id": 1}, {"index": 2, "_id": 3}]
    assert (reply["n"], reply["nModified"]) == (3, 1)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"q": {}, "u": {"$foo": {}}}, 9),
        ({"q": {}, "u": {"z": 1}, "multi": True}, 9),
        ({"q": {}, "u": {"$set": {"_id": 5}}}, 66),
        ({"q": {}, "u": {"$set": {"a": 1}}, "collation": {"locale": "de"}}, 238),
        ({"q": {}, "u": {"$set": {"a": 1}}, "hint": "nope"}, 2),
        ({"q": {}, "u": {"$set": {"a": 1}}, "nonsense": 1}, 40415),
        ({"q": {}, "u": {"$set": {"a": 1}}, "sort": {"a": 1}}, 40415),
        ({"q": {}}, 40414),
        ({"q": {}, "u": {"$set": {"u": 2}}}, 11000),
    ],
    ids=str,
)
def test_updates_that_fail(run: Run, fill: Fill, entry: dict[str, Any], code: int) -> None:
    """The error stands in `writeErrors`, and nothing has changed."""
    fill({"_id": 1, "u": 1}, {"_id": 2, "u": 2})
    run({"createIndexes": "users", "indexes": [{"key": {"u": 1}, "name": "u", "unique": True}]})
    before = documents(run)
    reply = run({"update": "users", "updates": [entry]})
    assert [error["code"] for error in reply["writeErrors"]] == [code]
    assert documents(run) == before


@pytest.mark.parametrize(("limit", "removed"), [(1, 1), (0, 2)])
def test_deletes(run: Run, fill: Fill, limit: int, removed: int) -> None:
    """One document or all that match."""
    fill({"_id": 1, "n": 1}, {"_id": 2, "n": 1}, {"_id": 3, "n": 2})
    assert run({"delete": "users", "deletes": [{"q": {"n": 1}, "limit": limit}]}) == {"n": removed, "ok": 1.0}
    assert len(documents(run)) == 3 - removed


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"insert": "users", "documents": []}, 16),
        ({"insert": "users"}, 40414),
        ({"insert": "users", "documents": [5]}, 14),
        ({"insert": "users", "documents": [{}], "nonsense": 1}, 40415),
        ({"insert": "users", "documents": [{}], "writeConcern": {"w": 2}}, 2),
        ({"insert": "sys$tem", "documents": [{}]}, 73),
        ({"update": "users", "updates": [], "ordered": True}, 16),
        ({"delete": "users", "deletes": [{"q": {}, "limit": 0}], "let": {"x": 1}}, 238),
    ],
    ids=str,
)
def test_commands_that_fail(run: Run, command: dict[str, Any], code: int) -> None:
    """What is wrong with the command as a whole is the command's error."""
    assert run(command)["code"] == code


def test_a_delete_needs_its_limit(run: Run) -> None:
    """0 or 1, and always there."""
    for entry, code in (({"q": {}}, 40414), ({"q": {}, "limit": 2}, 9), ({"limit": 1}, 40414)):
        assert run({"delete": "users", "deletes": [entry]})["writeErrors"][0]["code"] == code


@pytest.mark.parametrize(
    ("command", "status", "value"),
    [
        ({"update": {"$inc": {"n": 1}}}, {"n": 1, "updatedExisting": True}, {"_id": 1, "n": 5}),
        ({"update": {"$inc": {"n": 1}}, "new": True}, {"n": 1, "updatedExisting": True}, {"_id": 1, "n": 6}),
        ({"update": {"z": 1}, "sort": {"n": 1}, "new": True}, {"n": 1, "updatedExisting": True}, {"_id": 2, "z": 1}),
        ({"update": {"$set": {"z": 1}}, "fields": {"n": 1, "_id": 0}}, {"n": 1, "updatedExisting": True}, {"n": 5}),
        ({"query": {"n": 99}, "update": {"$set": {"z": 1}}}, {"n": 0, "updatedExisting": False}, None),
        ({"query": {"_id": 9}, "update": {"$set": {"z": 1}}, "upsert": True},
         {"n": 1, "updatedExisting": False, "upserted": 9}, None),
        ({"query": {"_id": 9}, "update": {"$set": {"z": 1}}, "upsert": True, "new": True},
         {"n": 1, "updatedExisting": False, "upserted": 9}, {"_id": 9, "z": 1}),
        ({"remove": True}, {"n": 1}, {"_id": 1, "n": 5}),
        ({"remove": True, "query": {"n": 99}}, {"n": 0}, None),
    ],
    ids=str,
)  # fmt: skip
def test_find_and_modify(
    run: Run, fill: Fill, command: dict[str, Any], status: dict[str, Any], value: dict[str, Any] | None
) -> None:
    """The document before or after, and what happened to it."""
    fill({"_id": 1, "n": 5}, {"_id": 2, "n": 2})
    assert run({"findAndModify": "users", **command}) == {"lastErrorObject": status, "value": value, "ok": 1.0}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({}, 9),
        ({"remove": True, "update": {}}, 9),
        ({"remove": True, "new": True}, 9),
        ({"remove": True, "upsert": True}, 9),
        ({"update": {"_id": 2}, "query": {"_id": 1}}, 66),
        ({"update": {"$set": {"_id": 1}}, "upsert": True, "query": {"n": 9}}, 11000),
        ({"update": {"$set": {"a": 1}}, "nonsense": 1}, 40415),
        ({"update": {"$set": {"a": 1}}, "hint": "nope"}, 2),
    ],
    ids=str,
)
def test_find_and_modify_fails(run: Run, fill: Fill, command: dict[str, Any], code: int) -> None:
    """Its errors are the command's."""
    fill({"_id": 1})
    assert run({"findAndModify": "users", **command})["code"] == code
