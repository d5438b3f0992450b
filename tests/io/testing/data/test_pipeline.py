"""Aggregation stages give MongoDB's documents."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64

from aiomongo_tls.testing.data.pipeline import pipeline, split_output
from aiomongo_tls.testing.data.values import identical
from aiomongo_tls.testing.failures import CommandError

SALES: list[dict[str, Any]] = [
    {"_id": 1, "item": "a", "n": 2, "tags": ["x", "y"]},
    {"_id": 2, "item": "b", "n": Int64(5), "tags": []},
    {"_id": 3, "item": "a", "n": 1, "tags": ["x"]},
    {"_id": 4, "item": "c"},
]
ITEMS = [{"_id": "a", "name": "Apple"}, {"_id": "b", "name": "Bread"}]


def run(*stages: dict[str, Any]) -> list[dict[str, Any]]:
    """What comes out of a pipeline over the sales."""
    return list(pipeline(stages, lambda name: {"items": ITEMS}.get(name, []))(SALES))


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([{"$match": {"item": "a"}}, {"$project": {"n": 1}}], [{"_id": 1, "n": 2}, {"_id": 3, "n": 1}]),
        ([{"$sort": {"n": -1}}, {"$project": {"_id": 1}}], [{"_id": 2}, {"_id": 1}, {"_id": 3}, {"_id": 4}]),
        (
            [{"$sort": {"item": 1, "_id": -1}}, {"$skip": 1}, {"$limit": 2}, {"$project": {"_id": 1}}],
            [{"_id": 1}, {"_id": 2}],
        ),
        ([{"$match": {"item": "a"}}, {"$count": "total"}], [{"total": 2}]),
        ([{"$match": {"item": "z"}}, {"$count": "total"}], []),
        ([{"$match": {}}, {"$group": {"_id": 1, "n": {"$sum": 1}}}], [{"_id": 1, "n": 4}]),
        (
            [{"$group": {"_id": "$item", "n": {"$sum": "$n"}, "least": {"$min": "$n"}, "all": {"$push": "$n"}}}],
            [
                {"_id": "a", "n": 3, "least": 1, "all": [2, 1]},
                {"_id": "b", "n": Int64(5), "least": Int64(5), "all": [Int64(5)]},
                {"_id": "c", "n": 0, "least": None, "all": []},
            ],
        ),
        (
            [{"$group": {"_id": None, "f": {"$first": "$tags"}, "l": {"$last": "$n"}, "c": {"$count": {}}}}],
            [{"_id": None, "f": ["x", "y"], "l": None, "c": 4}],
        ),
        (
            [{"$group": {"_id": None, "set": {"$addToSet": "$n"}, "avg": {"$avg": "$n"}}}],
            [{"_id": None, "set": [2, Int64(5), 1], "avg": 8 / 3}],
        ),
        ([{"$sortByCount": "$item"}, {"$limit": 1}], [{"_id": "a", "count": 2}]),
        (
            [{"$unwind": "$tags"}, {"$project": {"tags": 1}}],
            [{"_id": 1, "tags": "x"}, {"_id": 1, "tags": "y"}, {"_id": 3, "tags": "x"}],
        ),
        (
            [
                {"$unwind": {"path": "$tags", "preserveNullAndEmptyArrays": True, "includeArrayIndex": "i"}},
                {"$project": {"tags": 1, "i": 1}},
            ],
            [
                {"_id": 1, "tags": "x", "i": Int64(0)},
                {"_id": 1, "tags": "y", "i": Int64(1)},
                {"_id": 2, "i": None},
                {"_id": 3, "tags": "x", "i": Int64(0)},
                {"_id": 4, "i": None},
            ],
        ),
        (
            [{"$match": {"_id": 1}}, {"$set": {"m.k": "$n", "item": "$$REMOVE"}}, {"$unset": ["tags", "n"]}],
            [{"_id": 1, "m": {"k": 2}}],
        ),
        (
            [{"$match": {"_id": 1}}, {"$addFields": {"tags": {"z": 1}}}, {"$project": {"tags": 1}}],
            [{"_id": 1, "tags": [{"z": 1}, {"z": 1}]}],
        ),
        ([{"$match": {"_id": 1}}, {"$replaceRoot": {"newRoot": {"i": "$item"}}}], [{"i": "a"}]),
        (
            [{"$match": {"_id": 1}}, {"$replaceWith": {"$mergeObjects": [{"z": 1}, {"i": "$item"}]}}],
            [{"z": 1, "i": "a"}],
        ),
        (
            [
                {"$match": {"_id": {"$gte": 3}}},
                {"$lookup": {"from": "items", "localField": "item", "foreignField": "_id", "as": "d"}},
                {"$project": {"d": 1}},
            ],
            [{"_id": 3, "d": [ITEMS[0]]}, {"_id": 4, "d": []}],
        ),
        (
            [{"$facet": {"count": [{"$count": "n"}], "first": [{"$limit": 1}, {"$project": {"_id": 1}}]}}],
            [{"count": [{"n": 4}], "first": [{"_id": 1}]}],
        ),
        (
            [{"$match": {"_id": 4}}, {"$unionWith": {"coll": "items", "pipeline": [{"$match": {"_id": "a"}}]}}],
            [SALES[3], ITEMS[0]],
        ),
    ],
    ids=str,
)
def test_stages(stages: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """What comes out, to the last bit."""
    result = run(*stages)
    assert identical(result, expected), f"{result} instead of {expected}"


def test_sums_keep_the_wider_type() -> None:
    """`decimal` wins over double, double over int64."""
    documents = [{"n": 1}, {"n": 2.5}, {"n": Decimal128("1")}]
    total = {"$group": {"_id": None, "n": {"$sum": "$n"}}}
    assert list(pipeline([total])(documents[:2])) == [{"_id": None, "n": 3.5}]
    assert list(pipeline([total])(documents)) == [{"_id": None, "n": Decimal128("4.5")}]


def test_groups_tell_true_from_one() -> None:
    """Keys are equal as MongoDB has it."""
    documents = [{"k": True}, {"k": 1}, {"k": 1.0}, {"k": {"x": 1, "y": 2}}, {"k": {"y": 2, "x": 1}}, {}]
    assert [g["n"] for g in pipeline([{"$group": {"_id": "$k", "n": {"$sum": 1}}}])(documents)] == [1, 2, 1, 1, 1]


def test_a_sample() -> None:
    """Some of the documents, each at most once."""
    found = run({"$sample": {"size": 3}})
    assert len({document["_id"] for document in found}) == 3


def test_the_documents_stay_as_they_are() -> None:
    """Stages never change what they are given."""
    before = repr(SALES)
    run({"$set": {"tags": 1, "new.field": 2}}, {"$unset": "n"}, {"$unwind": "$item"})
    assert repr(SALES) == before


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ({"$foo": 1}, 40324),
        ({"$graphLookup": {}}, 238),
        ({"$bucket": {}}, 238),
        ({"$changeStream": {}}, 238),
        ({"$match": 1}, 15959),
        ({"$sort": {}}, 15976),
        ({"$sort": {"a": 2}}, 2),
        ({"$sort": {"a": {"$meta": "x"}}}, 238),
        ({"$limit": 0}, 15958),
        ({"$skip": -1}, 5107200),
        ({"$count": "$a"}, 40156),
        ({"$project": {}}, 51272),
        ({"$group": {"n": {"$sum": 1}}}, 15955),
        ({"$group": {"_id": 1, "n": 5}}, 40234),
        ({"$group": {"_id": 1, "n": {"$foo": 1}}}, 15952),
        ({"$group": {"_id": 1, "n": {"$stdDevPop": "$n"}}}, 238),
        ({"$unwind": "tags"}, 28818),
        ({"$replaceWith": "$item"}, 40228),
        ({"$set": {"a": "$item", "a.b": 1}}, 40176),
        ({"$addFields": {"a": {"b": 1}, "a.b": 1}}, 40176),
        ({"$lookup": {"from": "items", "pipeline": [], "as": "d"}}, 238),
        ({"$match": {}, "$limit": 1}, 40323),
        (5, 14),
    ],
    ids=str,
)
def test_what_is_refused(stage: Any, code: int) -> None:
    """The server's error code, or 238 for what is not here."""
    with pytest.raises(CommandError) as caught:
        run(stage)
    assert caught.value.code == code


def test_writing_stages_stand_last() -> None:
    """`$out` is taken off the end, and refused elsewhere."""
    assert split_output([{"$match": {}}, {"$out": "x"}]) == ([{"$match": {}}], "$out", "x")
    with pytest.raises(CommandError) as caught:
        split_output([{"$out": "x"}, {"$match": {}}])
    assert caught.value.code == 40601
