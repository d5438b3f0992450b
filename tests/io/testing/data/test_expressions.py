"""Aggregation expressions give MongoDB's values and numeric types."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bson import Decimal128, Int64

from aiomongo_tls.testing.data.expressions import evaluator
from aiomongo_tls.testing.data.values import MISSING, identical
from aiomongo_tls.testing.failures import CommandError

WHEN = datetime.datetime(2026, 5, 6, 7, 8, 9, 10_000)
DOCUMENT: dict[str, Any] = {
    "_id": 1,
    "n": 7,
    "f": 2.5,
    "l": Int64(9),
    "s": "Straße",
    "t": True,
    "z": None,
    "a": [3, 1, 2],
    "d": {"x": 1, "y": {"w": 5}},
    "e": [{"x": 1}, {"x": 2}, {}],
    "when": WHEN,
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$n", 7),
        ("$d.y.w", 5),
        ("$e.x", [1, 2]),
        ("$$ROOT.n", 7),
        ("$$CURRENT.n", 7),
        ({"$literal": "$n"}, "$n"),
        ({"k": "$n", "gone": "$missing"}, {"k": 7}),
        (["$n", "$missing"], [7, None]),
        ({"$add": ["$n", 1]}, 8),
        ({"$add": ["$n", "$l"]}, Int64(16)),
        ({"$add": ["$n", "$f"]}, 9.5),
        ({"$add": ["$n", Decimal128("0.1")]}, Decimal128("7.1")),
        ({"$add": [2**31 - 1, 1]}, Int64(2**31)),
        ({"$add": ["$n", None]}, None),
        ({"$add": ["$when", 1000]}, WHEN + datetime.timedelta(seconds=1)),
        ({"$subtract": ["$n", 10]}, -3),
        ({"$subtract": ["$when", datetime.datetime(2026, 5, 6, 7, 8, 9)]}, Int64(10)),
        ({"$multiply": ["$n", 2, "$f"]}, 35.0),
        ({"$divide": ["$n", 2]}, 3.5),
        ({"$divide": [6, 2]}, 3.0),
        ({"$mod": ["$n", 4]}, 3),
        ({"$mod": [-7, 4]}, -3),
        ({"$mod": [7.5, 2]}, 1.5),
        ({"$abs": -4}, 4),
        ({"$sqrt": 9}, 3.0),
        ({"$eq": ["$t", 1]}, False),
        ({"$eq": ["$n", 7.0]}, True),
        ({"$eq": ["$missing", None]}, False),
        ({"$gt": ["$s", "$n"]}, True),
        ({"$cmp": ["$n", 8]}, -1),
        ({"$and": ["$n", "$t"]}, True),
        ({"$and": ["$n", 0]}, False),
        ({"$or": ["$z", "$missing"]}, False),
        ({"$not": ["$missing"]}, True),
        ({"$cond": [{"$gt": ["$n", 5]}, "big", "small"]}, "big"),
        ({"$cond": {"if": "$z", "then": 1, "else": 2}}, 2),
        ({"$ifNull": ["$z", "$missing", "x"]}, "x"),
        ({"$switch": {"branches": [{"case": "$z", "then": 1}], "default": 2}}, 2),
        ({"$let": {"vars": {"v": "$n"}, "in": {"$add": ["$$v", 1]}}}, 8),
        ({"$filter": {"input": "$a", "cond": {"$gt": ["$$this", 1]}}}, [3, 2]),
        ({"$filter": {"input": ["", 0, 0.0, "x"], "as": "i", "cond": "$$i"}}, ["", "x"]),
        ({"$map": {"input": "$a", "as": "i", "in": {"$multiply": ["$$i", 2]}}}, [6, 2, 4]),
        ({"$reduce": {"input": "$a", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 6),
        ({"$arrayElemAt": ["$a", -1]}, 2),
        ({"$first": "$a"}, 3),
        ({"$last": "$a"}, 2),
        ({"$size": "$a"}, 3),
        ({"$in": [True, [1]]}, False),
        ({"$in": [1.0, [1]]}, True),
        ({"$slice": ["$a", 2]}, [3, 1]),
        ({"$slice": ["$a", -2, 1]}, [1]),
        ({"$concatArrays": ["$a", [4]]}, [3, 1, 2, 4]),
        ({"$reverseArray": "$a"}, [2, 1, 3]),
        ({"$setUnion": [[1, True], [1.0, 2]]}, [1, 2, True]),
        ({"$isArray": "$a"}, True),
        ({"$isNumber": "$t"}, False),
        ({"$type": "$l"}, "long"),
        ({"$type": "$missing"}, "missing"),
        ({"$concat": ["a", "b"]}, "ab"),
        ({"$concat": ["a", "$z"]}, None),
        ({"$toUpper": "$s"}, "STRAßE"),
        ({"$toLower": "ABC"}, "abc"),
        ({"$strLenCP": "$s"}, 6),
        ({"$split": ["a-b", "-"]}, ["a", "b"]),
        ({"$mergeObjects": ["$d", {"x": 9}]}, {"x": 9, "y": {"w": 5}}),
        ({"$objectToArray": {"k": "$n"}}, [{"k": "k", "v": 7}]),
        ({"$sum": "$a"}, 6),
        ({"$sum": ["$n", "$s", "$f"]}, 9.5),
        ({"$avg": "$a"}, 2.0),
        ({"$avg": ["$s"]}, None),
        ({"$min": "$a"}, 1),
        ({"$max": ["$n", "$t", None]}, True),
        ({"$year": "$when"}, 2026),
        ({"$dayOfWeek": "$when"}, 4),
        ({"$millisecond": "$when"}, 10),
        ({"$month": "$missing"}, None),
    ],
    ids=str,
)
def test_an_expression(expression: Any, expected: Any) -> None:
    """Its value, to the last bit."""
    result = evaluator(expression)(DOCUMENT)
    assert identical(result, expected), f"{result!r} instead of {expected!r}"


@pytest.mark.parametrize("expression", ["$missing", "$n.x", "$$REMOVE", {"$arrayElemAt": ["$a", 9]}], ids=str)
def test_no_value(expression: Any) -> None:
    """A missing field is missing, not null."""
    assert evaluator(expression)(DOCUMENT) is MISSING


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ({"$nonsense": 1}, 168),
        ({"$dateToString": {"date": "$when"}}, 238),
        ({"$strcasecmp": ["a", "A"]}, 238),
        ({"$pow": [2, 3]}, 238),
        ({"$add": [1], "$subtract": [1, 1]}, 15983),
        ({"$divide": [1]}, 16020),
        ({"$divide": ["$n", 0]}, 2),
        ({"$add": ["$s", 1]}, 14),
        ({"$concat": ["$n"]}, 16702),
        ({"$size": "$n"}, 17124),
        ({"$in": [1, 1]}, 40081),
        ({"$year": "$s"}, 238),
        ({"$sqrt": -1}, 28714),
        ("$$nobody", 17276),
        ("$a..b", 15998),
        ({"$cond": [1, 2]}, 16020),
        ({"$switch": {"branches": []}}, 40066),
        ({"$map": {"in": 1}}, 9),
        ({"$filter": {"input": "$a", "cond": True, "limit": 1}}, 238),
        ({"a.b": 1}, 16412),
        ({"$ifNull": ["$n"]}, 1257300),
    ],
    ids=str,
)
def test_what_is_refused(expression: Any, code: int) -> None:
    """The server's error code, or 238 for what is not here."""
    with pytest.raises(CommandError) as caught:
        evaluator(expression)(DOCUMENT)
    assert caught.value.code == code
