"""find, getMore, killCursors, count, distinct answer as a server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64
from bson.binary import Binary

Run = Callable[..., dict[str, Any]]

SESSION = {"id": Binary(bytes(16), 4)}


@pytest.fixture(autouse=True)
def _ten(fill: Callable[..., None]) -> None:
    fill(*({"_id": n, "m": n % 3, "big": "x" * n} for n in range(10)))


def ids(batch: list[dict[str, Any]]) -> list[int]:
    return [document["_id"] for document in batch]


def test_a_find_in_one_batch(run: Run) -> None:
    """All fits: there is no cursor afterwards."""
    cursor = run({"find": "users", "filter": {"m": 1}, "projection": {"m": 1}})["cursor"]
    assert cursor == {"firstBatch": [{"_id": n, "m": 1} for n in (1, 4, 7)], "id": 0, "ns": "app.users"}


def test_batches(run: Run) -> None:
    """The cursor hands out the rest, batch by batch."""
    first = run({"find": "users", "batchSize": 4})["cursor"]
    second = run({"getMore": first["id"], "collection": "users", "batchSize": 4})["cursor"]
    third = run({"getMore": first["id"], "collection": "users"})["cursor"]
    assert [ids(first["firstBatch"]), ids(second["nextBatch"]), ids(third["nextBatch"])] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    assert first["id"] == second["id"] != 0
    assert third["id"] == 0
    assert run({"getMore": first["id"], "collection": "users"})["code"] == 43


def test_a_full_last_batch_leaves_the_cursor_open(run: Run) -> None:
    """Like a real server, it finds the end only by asking for more; so too where the limit is the batch."""
    for command in ({"batchSize": 10}, {"batchSize": 5, "limit": 5}):
        cursor = run({"find": "users", **command})["cursor"]
        assert cursor["id"] != 0
        rest = run({"getMore": cursor["id"], "collection": "users"})["cursor"]
        assert (rest["nextBatch"], rest["id"]) == ([], 0)
    assert run({"find": "users", "batchSize": 6, "limit": 5})["cursor"]["id"] == 0
    assert run({"find": "users", "batchSize": 5, "limit": 5, "singleBatch": True})["cursor"]["id"] == 0


def test_an_error_ends_the_cursor(run: Run) -> None:
    """A document that cannot be computed fails its batch, and the cursor is gone."""
    project = {"$project": {"v": {"$divide": [1, {"$subtract": ["$_id", 5]}]}}}
    cursor = run({"aggregate": "users", "pipeline": [project], "cursor": {"batchSize": 4}})["cursor"]
    assert run({"getMore": cursor["id"], "collection": "users"})["code"] == 2
    assert run({"getMore": cursor["id"], "collection": "users"})["code"] == 43


def test_an_empty_first_batch(run: Run) -> None:
    """`batchSize` 0 only opens the cursor."""
    cursor = run({"find": "users", "batchSize": 0})["cursor"]
    assert cursor["firstBatch"] == []
    assert len(run({"getMore": cursor["id"], "collection": "users"})["cursor"]["nextBatch"]) == 10


def test_the_default_first_batch(run: Run, fill: Callable[..., None]) -> None:
    """101 documents, then as many as fit."""
    fill(*({"_id": n} for n in range(100, 300)))
    cursor = run({"find": "users"})["cursor"]
    assert len(cursor["firstBatch"]) == 101
    assert len(run({"getMore": cursor["id"], "collection": "users"})["cursor"]["nextBatch"]) == 109


def test_batches_are_bounded_by_bytes(run: Run, fill: Callable[..., None]) -> None:
    """A reply holds 16 MB of documents at most."""
    for number in range(5):
        fill({"_id": 20 + number, "x": "x" * 7_000_000})
    cursor = run({"find": "users", "filter": {"_id": {"$gte": 20}}})["cursor"]
    assert ids(cursor["firstBatch"]) == [20, 21]
    assert ids(run({"getMore": cursor["id"], "collection": "users"})["cursor"]["nextBatch"]) == [22, 23]


def test_sort_skip_limit(run: Run) -> None:
    """In this order, whatever the order in the command."""
    command = {"find": "users", "limit": 3, "skip": 1, "sort": {"m": -1, "_id": 1}, "projection": {"_id": 1}}
    assert ids(run(command)["cursor"]["firstBatch"]) == [5, 8, 1]


def test_a_collection_that_is_not_there(run: Run) -> None:
    """It is empty."""
    assert run({"find": "nobody"})["cursor"] == {"firstBatch": [], "id": 0, "ns": "app.nobody"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"find": "users", "nonsense": 1}, 40415),
        ({"find": "users", "limit": -1}, 51024),
        ({"find": "users", "limit": "x"}, 14),
        ({"find": "users", "filter": []}, 14),
        ({"find": "users", "filter": {"$where": "1"}}, 238),
        ({"find": "users", "collation": {"locale": "de"}}, 238),
        ({"find": "users", "let": {"x": 1}}, 238),
        ({"find": "users", "hint": "nope"}, 2),
        ({"find": "users", "tailable": True}, 2),
        ({"find": "users", "min": {"_id": 1}}, 238),
        ({"find": "users", "readConcern": {"level": "snapshot"}}, 123),
        ({"find": 5}, 73),
        ({"find": ""}, 73),
        ({"find": "users", "lsid": SESSION, "txnNumber": Int64(1)}, 20),
        ({"find": "users", "lsid": {"x": 1}}, 40415),
        ({"find": "users", "apiVersion": "2"}, 322),
        ({"find": "users", "apiStrict": True}, 4886600),
        ({"find": "users", "apiVersion": "1", "apiStrict": True, "min": {"_id": 1}}, 323),
        ({"distinct": "users", "key": "m", "apiVersion": "1", "apiStrict": True}, 323),
        ({"aggregate": "users", "pipeline": [{"$indexStats": {}}], "apiVersion": "1", "apiStrict": True}, 323),
        ({"getMore": 5, "collection": "users"}, 43),
        ({"getMore": 5}, 40414),
        ({"getMore": 5, "collection": "users", "maxTimeMS": 5}, 2),
        ({"count": "users", "skip": -1}, 51024),
        ({"distinct": "users"}, 40414),
        ({"distinct": "users", "key": 5}, 14),
    ],
    ids=str,
)
def test_what_is_refused(run: Run, command: dict[str, Any], code: int) -> None:
    """The server's error code, or 238 for what is not here; never ignored."""
    reply = run(command)
    assert (reply["ok"], reply["code"]) == (0.0, code)
    assert reply["errmsg"]
    assert reply["codeName"]


@pytest.mark.parametrize(
    "command",
    [
        {"find": "users", "filter": {"_id": 1}, "apiVersion": "1", "apiStrict": True, "apiDeprecationErrors": True},
        {
            "aggregate": "users",
            "pipeline": [{"$match": {"_id": 1}}],
            "cursor": {},
            "apiVersion": "1",
            "apiStrict": True,
        },
        {"distinct": "users", "key": "m", "apiVersion": "1", "apiStrict": False},
        {"count": "users", "apiVersion": "1", "apiStrict": True},
    ],
    ids=str,
)
def test_the_stable_api(run: Run, command: dict[str, Any]) -> None:
    """What is in it is answered, strict or not; what is not in it if nobody is strict."""
    assert run(command)["ok"] == 1.0


@pytest.mark.parametrize("name", ["comment", "$readPreference", "$clusterTime"])
def test_what_any_command_may_have(run: Run, name: str) -> None:
    """Fields of all commands are taken."""
    assert run({"find": "users", name: {"x": 1}})["ok"] == 1.0


def test_a_cursor_belongs_to_its_collection(run: Run) -> None:
    """`getMore` has to name it."""
    number = run({"find": "users", "batchSize": 1})["cursor"]["id"]
    assert run({"getMore": number, "collection": "other"})["code"] == 13


def test_killing_cursors(run: Run) -> None:
    """The reply tells which were there."""
    number = run({"find": "users", "batchSize": 1})["cursor"]["id"]
    reply = run({"killCursors": "users", "cursors": [number, 5]})
    assert (reply["cursorsKilled"], reply["cursorsNotFound"]) == ([number], [5])
    assert run({"getMore": number, "collection": "users"})["code"] == 43


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({}, 10),
        ({"query": {"m": 1}}, 3),
        ({"query": {"m": 1}, "limit": 2}, 2),
        ({"limit": -2}, 2),
        ({"skip": 8}, 2),
    ],
    ids=str,
)
def test_counting(run: Run, command: dict[str, Any], expected: int) -> None:
    """`count` minds query, skip and limit."""
    assert run({"count": "users", **command}) == {"n": expected, "ok": 1.0}


def test_distinct_values(run: Run, fill: Callable[..., None]) -> None:
    """Each value once, elements of arrays one by one."""
    fill({"_id": "a", "m": [2, 7, [8]]}, {"_id": "b", "m": {"k": 1}}, {"_id": "c"})
    assert run({"distinct": "users", "key": "m"})["values"] == [0, 1, 2, 7, [8], {"k": 1}]
    assert run({"distinct": "users", "key": "m", "query": {"_id": {"$lt": 1}}})["values"] == [0]
