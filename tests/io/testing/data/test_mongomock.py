"""Why mongomock is not the whole engine: what it answers (4.3), beside what a server answers and this one does."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import mongomock
import pytest
from bson import Int64

from aiomongo_tls.testing.data.expressions import evaluator
from aiomongo_tls.testing.data.matching import matcher
from aiomongo_tls.testing.data.operators import _OPERANDS, KNOWN, _process_pipeline
from aiomongo_tls.testing.data.pipeline import pipeline
from aiomongo_tls.testing.data.updates import Occasion, updater
from aiomongo_tls.testing.failures import CommandError

NOW = datetime.datetime(2026, 5, 6, 7, 8, 9, 10_000)


def of_mongomock(*documents: dict[str, Any]) -> Any:
    """A collection of mongomock's with these documents."""
    collection: Any = mongomock.MongoClient().db.collection
    collection.insert_many(documents)
    return collection


def test_true_is_not_one() -> None:
    """MongoDB compares by type first: a boolean never equals a number."""
    assert of_mongomock({"_id": 1, "a": True}).find_one({"a": 1}) is not None
    assert not matcher({"a": 1})({"_id": 1, "a": True})


def test_the_order_of_fields_counts() -> None:
    """MongoDB's manual: an equality match on an embedded document needs the fields in the same order."""
    document, query = {"_id": 1, "a": {"y": 2, "x": 1}}, {"a": {"x": 1, "y": 2}}
    assert of_mongomock(document).find_one(query) is not None
    assert not matcher(query)(document)


def test_an_int64_stays_one() -> None:
    """Sums take the wider type; with mongomock the stored type changes under the reader."""
    document, change = {"_id": 1, "n": Int64(1)}, {"$inc": {"n": 1}}
    collection = of_mongomock(document)
    collection.update_one({}, change)
    assert type(collection.find_one()["n"]) is int
    assert type(updater(change)(document, Occasion(now=NOW, query={}))["n"]) is Int64


def test_zero_is_not_null() -> None:
    """`$addToSet` collects the values as they are."""
    documents = [{"_id": 1, "n": 0}, {"_id": 2, "n": 5}]
    stages = [{"$group": {"_id": None, "set": {"$addToSet": "$n"}}}]
    (theirs,) = of_mongomock(*documents).aggregate(stages)
    (ours,) = pipeline(stages)(documents)
    assert (theirs["set"], ours["set"]) == ([None, 5], [0, 5])


def test_strcasecmp_does_not_mind_the_case() -> None:
    """The server says 0 for equal but for the case; this one says that it does not know the operator."""
    (theirs,) = of_mongomock({"_id": 1}).aggregate([{"$project": {"v": {"$strcasecmp": ["ABC", "abc"]}}}])
    assert theirs["v"] == -1
    assert "$strcasecmp" in KNOWN


def test_without_mongomock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra; everything else works without it."""
    monkeypatch.setitem(sys.modules, "mongomock", None)
    _process_pipeline.cache_clear()
    with pytest.raises(CommandError, match=r'pip install "aiomongo-tls\[testing\]"'):
        evaluator({"$year": "$when"})({"when": NOW})


def test_what_mongomock_computes_is_right() -> None:
    """Every operator that is left to it, with the server's value."""
    document = {"when": datetime.datetime(1969, 12, 28, 23, 59, 58, 999_000), "o": {"a": Int64(1), "b": None}}
    expected: dict[str, tuple[Any, Any]] = {
        "$year": ("$when", 1969),
        "$month": ("$when", 12),
        "$dayOfMonth": ("$when", 28),
        "$dayOfWeek": ("$when", 1),
        "$dayOfYear": ("$when", 362),
        "$hour": ("$when", 23),
        "$minute": ("$when", 59),
        "$second": ("$when", 58),
        "$millisecond": ("$when", 999),
        "$exp": (0, 1.0),
        "$ln": (1, 0.0),
        "$log10": (Int64(1000), 3.0),
        "$sqrt": (9, 3.0),
        "$split": (["a,b,", ","], ["a", "b", ""]),
        "$objectToArray": ("$o", [{"k": "a", "v": Int64(1)}, {"k": "b", "v": None}]),
    }
    assert expected.keys() == _OPERANDS.keys()
    for operator, (operand, value) in expected.items():
        found = evaluator({operator: operand})(document)
        assert (found, type(found)) == (value, type(value)), operator
    assert type(evaluator({"$objectToArray": "$o"})(document)[0]["v"]) is Int64
