"""Query filters give MongoDB's answers, worked out by hand from its manual, and mongomock's where that is right."""

from __future__ import annotations

import datetime
from typing import Any

import mongomock
import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.testing.data.matching import matcher
from aiomongo_tls.testing.failures import CommandError

NAN = float("nan")
WHEN = datetime.datetime(2026, 5, 6, 7, 8, 9)


def matches(query: dict[str, Any], value: Any) -> bool:
    """Whether the filter finds a document whose field `a` has the value."""
    return matcher(query)({"_id": 1, "a": value})


@pytest.mark.parametrize(
    ("query", "yes", "no"),
    [
        # Equality: numbers by value, booleans are none, documents in order.
        ({"a": 1}, [1, 1.0, Int64(1), Decimal128("1.0"), [1], [2, 1.0]], [True, "1", 2, [[1]], {"x": 1}]),
        ({"a": True}, [True, [True]], [1, 1.0, "true"]),
        ({"a": 0}, [0, -0.0, Decimal128("-0")], [False, None]),
        (
            {"a": {"x": 1, "y": 2}},
            [{"x": 1.0, "y": 2}, [{"x": 1, "y": 2}]],
            [{"y": 2, "x": 1}, {"x": 1, "y": 2, "z": 3}],
        ),
        ({"a": [1, 2]}, [[1, 2], [[1, 2], 3]], [[2, 1], [1, 2, 3], 1]),
        ({"a": []}, [[], [[]]], [[1], None, {}]),
        ({"a": {}}, [{}, [{}]], [[], None]),
        ({"a": None}, [None, [1, None]], [0, [], {}, False, ""]),
        ({"a": "x"}, ["x", ["x"]], ["X", "xy", b"x"]),
        ({"a": b"x"}, [b"x"], ["x", Binary(b"x", 5)]),
        ({"a": WHEN}, [WHEN, [WHEN]], [Timestamp(int(WHEN.timestamp()), 1)]),
        ({"a": NAN}, [NAN, Decimal128("NaN")], [0, None]),
        ({"a": ObjectId("0" * 24)}, [ObjectId("0" * 24)], ["0" * 24, ["0" * 24]]),
        ({"a": {"$eq": Regex("x")}}, [Regex("x")], ["x"]),
        # Ranges: within one type.
        ({"a": {"$gt": 1}}, [2, 1.5, Int64(2), Decimal128("1.1"), [0, 5]], [1, "2", None, True, NAN, WHEN, [0]]),
        ({"a": {"$gte": 1}}, [1, 1.0], [0, NAN]),
        ({"a": {"$lt": 1}}, [0, -1.5, [5, 0]], [1, "0", None, False, NAN]),
        ({"a": {"$lte": None}}, [None], [0, MinKey()]),
        ({"a": {"$gt": None}}, [], [None, 0, "x"]),
        ({"a": {"$gt": "a"}}, ["b", "aa"], ["a", "A", 5]),
        ({"a": {"$gt": False}}, [True], [1, False]),
        ({"a": {"$gt": [1]}}, [[2], [1, 0]], [[1], 2, [0, 9]]),
        ({"a": {"$gt": {"x": 1}}}, [{"x": 2}, {"y": 0}], [{"x": 1}, 5]),
        ({"a": {"$gt": MinKey()}}, [1, None, "x", MaxKey()], [MinKey()]),
        ({"a": {"$lt": MaxKey()}}, [1, None, "x"], [MaxKey()]),
        ({"a": {"$gte": NAN}}, [NAN], [1]),
        ({"a": {"$gt": NAN}}, [], [NAN, 1]),
        # Elements of an array may meet the bounds one by one.
        ({"a": {"$gt": 1, "$lt": 3}}, [2, [0, 5]], [1, 3, [0, 1]]),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, [[2], [0, 2, 5]], [[0, 5], 2, [[2]]]),
        ({"a": {"$elemMatch": {"x": 1, "y": 2}}}, [[{"x": 1, "y": 2}]], [[{"x": 1}, {"y": 2}], {"x": 1, "y": 2}]),
        ({"a": {"$elemMatch": {"$or": [{"x": 1}, {"y": 1}]}}}, [[{"y": 1}]], [[{"z": 1}], [1]]),
        ({"a": {"$elemMatch": {"0": 1}}}, [[[1]]], [[[2]], [1]]),
        # Sets.
        ({"a": {"$in": [1, "x", None]}}, [1.0, "x", None, ["y", "x"]], [True, 2, []]),
        ({"a": {"$in": [Regex("^x")]}}, ["xy", ["z", "x"]], ["yx"]),
        ({"a": {"$in": [[1]]}}, [[1], [[1]]], [1]),
        ({"a": {"$in": []}}, [], [1, None]),
        ({"a": {"$nin": [1, None]}}, [2, [], True], [1, None, [1, 2]]),
        ({"a": {"$all": [1, 2]}}, [[2, 1], [1.0, 2, 3]], [[1], 1]),
        ({"a": {"$all": [1]}}, [1, [1]], [2]),
        ({"a": {"$all": [[1, 2]]}}, [[1, 2], [[1, 2]]], [[1], [[2, 1]]]),
        ({"a": {"$all": [{"$elemMatch": {"x": 1}}, {"$elemMatch": {"x": 2}}]}}, [[{"x": 1}, {"x": 2}]], [[{"x": 1}]]),
        ({"a": {"$all": []}}, [], [1, []]),
        # Negations include what has another type or is not there.
        ({"a": {"$ne": 1}}, [2, "1", None, [], True], [1, 1.0, [1, 2]]),
        ({"a": {"$not": {"$gt": 1}}}, [1, "x", None, [0]], [2, [0, 2]]),
        ({"a": {"$not": Regex("x")}}, ["y", 1], ["x"]),
        # Types and sizes.
        ({"a": {"$exists": True}}, [None, 0, []], []),
        ({"a": {"$exists": 0}}, [], [None]),
        ({"a": {"$type": "number"}}, [1, 1.0, Int64(1), Decimal128("1"), ["x", 1]], [True, "1"]),
        ({"a": {"$type": "int"}}, [1], [Int64(1), 1.0, True]),
        ({"a": {"$type": "long"}}, [Int64(1)], [1]),
        ({"a": {"$type": ["string", 10]}}, ["x", None, [None]], [1]),
        ({"a": {"$type": "array"}}, [[], [1], [[1]]], [1]),
        ({"a": {"$type": -1}}, [MinKey()], [MaxKey()]),
        ({"a": {"$size": 2}}, [[1, 2]], [[1], [[1, 2]], {"x": 1, "y": 2}, "ab"]),
        ({"a": {"$mod": [4, 1]}}, [5, 1.9, Int64(9), [2, 5]], [-5, 4, "5", NAN]),
        ({"a": {"$mod": [4, -1]}}, [-5], [5]),
        # Regular expressions.
        ({"a": Regex("^ab", "i")}, ["AB", ["x", "abc"], Regex("^ab", "i")], ["cab", 1, Regex("^ab")]),
        ({"a": {"$regex": "b$", "$options": "im"}}, ["aB\nc", "ab"], ["bc"]),
        ({"a": {"$regex": r"^\w$"}}, ["x"], ["é"]),
        # Bits.
        ({"a": {"$bitsAllSet": 5}}, [7, 5.0, b"\x05"], [4, 1.5, "x"]),
        ({"a": {"$bitsAnySet": [0, 1]}}, [1, 2], [4]),
        ({"a": {"$bitsAllClear": b"\x01"}}, [2], [3]),
        ({"a": {"$bitsAnyClear": 3}}, [1], [3]),
        # Whole documents.
        ({"$and": [{"a": 1}, {"_id": 1}]}, [1], [2]),
        ({"$or": [{"a": 1}, {"a": 2}]}, [1, 2], [3]),
        ({"$nor": [{"a": 1}, {"a": 2}]}, [3], [1]),
        ({"$expr": {"$gt": ["$a", "$_id"]}}, [2, "x"], [1, 0, None]),
        ({"a": 1, "$comment": "why"}, [1], [2]),
    ],
    ids=str,
)
def test_a_value(query: dict[str, Any], yes: list[Any], no: list[Any]) -> None:
    """What a filter finds, and what it does not find."""
    for value in yes:
        assert matches(query, value), f"{query} must find {value!r}"
    for value in no:
        assert not matches(query, value), f"{query} must not find {value!r}"


@pytest.mark.parametrize(
    ("query", "document", "expected"),
    [
        ({"a": None}, {}, True),
        ({"a": {"$exists": False}}, {}, True),
        ({"a": {"$ne": 1}}, {}, True),
        ({"a": {"$nin": [None]}}, {}, False),
        ({"a": {"$not": {"$gt": 1}}}, {}, True),
        ({"a": {"$gte": None}}, {}, True),
        ({"a": {"$type": "null"}}, {}, False),
        ({"a.b": 1}, {"a": {"b": 1}}, True),
        ({"a.b": 1}, {"a": [{"b": 2}, {"b": 1}]}, True),
        ({"a.b": 1}, {"a": [[{"b": 1}]]}, False),
        ({"a.0": 1}, {"a": [1, 2]}, True),
        ({"a.1": 1}, {"a": [1, 2]}, False),
        ({"a.0": 1}, {"a": [{"0": 1}]}, True),
        ({"a.0.b": 1}, {"a": [{"b": 1}]}, True),
        ({"a.b": None}, {"a": 4}, True),
        ({"a.b": None}, {"a": {}}, True),
        ({"a.b": None}, {"a": [{"b": 1}, {}]}, True),
        ({"a.b": None}, {"a": []}, False),
        ({"a.b": None}, {"a": [1, 2]}, False),
        ({"a.b": {"$exists": False}}, {"a": [1]}, True),
        ({"a.b": {"$exists": False}}, {"a": [{"b": 1}, {}]}, False),
        ({"a.b": {"$ne": 1}}, {"a": [{"b": 1}, {"b": 2}]}, False),
        ({}, {"anything": 1}, True),
    ],
    ids=str,
)
def test_paths_and_missing_fields(query: dict[str, Any], document: dict[str, Any], expected: bool) -> None:
    """A path goes through documents and arrays; a missing field is like null in most comparisons."""
    assert matcher(query)(document) is expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"$foo": 1}, 2),
        ({"a": {"$foo": 1}}, 2),
        ({"a": {"$gt": 1, "b": 2}}, 2),
        ({"$and": []}, 2),
        ({"$or": [1]}, 2),
        ({"a": {"$in": 1}}, 2),
        ({"a": {"$in": [{"$gt": 1}]}}, 2),
        ({"a": {"$regex": "("}}, 51091),
        ({"a": {"$options": "i"}}, 2),
        ({"a": {"$regex": "[[:alpha:]]"}}, 238),
        ({"a": {"$type": "nonsense"}}, 2),
        ({"a": {"$mod": [0, 1]}}, 2),
        ({"a": {"$size": -1}}, 2),
        ({"a": {"$not": 1}}, 2),
        ({"a": {"$elemMatch": 1}}, 2),
        ({"a": {"$all": 1}}, 2),
        ({"$where": "true"}, 238),
        ({"$text": {"$search": "x"}}, 238),
        ({"$jsonSchema": {}}, 238),
        ({"a": {"$near": [0, 0]}}, 238),
        ({"$expr": {"$nonsense": 1}}, 168),
    ],
    ids=str,
)
def test_what_is_malformed_or_not_here(query: dict[str, Any], code: int) -> None:
    """It is an error with the server's code, or 238, before any document is looked at."""
    with pytest.raises(CommandError) as caught:
        matcher(query)
    assert caught.value.code == code


# Where Python's equality is MongoDB's, mongomock is a second opinion. Left out is what it gets wrong: booleans beside
# numbers, documents as values, null beside empty arrays on dotted paths.
scalars = st.one_of(st.integers(-3, 3), st.sampled_from(["", "a", "b"]), st.none())
values = st.one_of(scalars, st.lists(scalars, max_size=3))
documents = st.fixed_dictionaries({}, optional={"a": values, "b": st.fixed_dictionaries({}, optional={"c": scalars})})
numbers = st.integers(-3, 3)
conditions = st.one_of(
    scalars,
    st.builds(lambda v: {"$ne": v}, scalars),
    st.builds(lambda v: {"$in": v}, st.lists(scalars, max_size=3)),
    st.builds(lambda v: {"$nin": v}, st.lists(scalars, max_size=3)),
    st.builds(lambda v: {"$gt": v}, numbers),
    st.builds(lambda v: {"$lte": v}, numbers),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
)
queries = st.dictionaries(st.sampled_from(["a", "b.c"]), conditions, max_size=2)


@given(document=documents, query=st.one_of(queries, st.builds(lambda q: {"$or": q}, st.lists(queries, min_size=1))))
def test_mongomock_agrees(document: dict[str, Any], query: dict[str, Any]) -> None:
    """On plain values the filter finds what mongomock finds."""
    collection = mongomock.MongoClient().db.collection
    collection.insert_one({"_id": 1, **document})
    assert matcher(query)(document) == (collection.find_one(query) is not None)
