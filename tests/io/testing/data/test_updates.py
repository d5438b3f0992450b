"""Updates give what MongoDB gives: fields, their order, their numeric types."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp

from aiomongo_tls.testing.data.updates import Occasion, stamped, updater, upserted
from aiomongo_tls.testing.data.values import identical
from aiomongo_tls.testing.failures import CommandError

NOW = datetime.datetime(2026, 5, 6, 7, 8, 9)


def update(
    document: dict[str, Any], change: Any, *, query: dict[str, Any] | None = None, filters: list[Any] | None = None
) -> dict[str, Any]:
    """The changed document."""
    return updater(change, filters or [])(document, Occasion(now=NOW, query=query or {}))


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({}, {"$set": {"b": 1, "a": 2, "10": 3, "9": 4}}, {"9": 4, "10": 3, "a": 2, "b": 1}),
        ({"a": {"b": 1}}, {"$set": {"a.c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1]}, {"$set": {"a.3": 2}}, {"a": [1, None, None, 2]}),
        ({"a": [{"b": 1}]}, {"$set": {"a.0.b": 2}}, {"a": [{"b": 2}]}),
        ({"a": 1, "b": 2}, {"$unset": {"a": ""}}, {"b": 2}),
        ({"a": [1, 2]}, {"$unset": {"a.0": ""}}, {"a": [None, 2]}),
        ({"a": 1}, {"$inc": {"a": 2, "b": 3}}, {"a": 3, "b": 3}),
        ({"a": Int64(1)}, {"$inc": {"a": 1}}, {"a": Int64(2)}),
        ({"a": 1}, {"$inc": {"a": 1.5}}, {"a": 2.5}),
        ({"a": 2**31 - 1}, {"$inc": {"a": 1}}, {"a": Int64(2**31)}),
        ({"a": 1}, {"$inc": {"a": Decimal128("0.1")}}, {"a": Decimal128("1.1")}),
        ({"a": 3}, {"$mul": {"a": 2, "b": Int64(5)}}, {"a": 6, "b": Int64(0)}),
        ({"a": 3}, {"$min": {"a": 2, "b": 1}}, {"a": 2, "b": 1}),
        ({"a": 3}, {"$max": {"a": 2}}, {"a": 3}),
        ({"a": 3}, {"$max": {"a": "x"}}, {"a": "x"}),
        ({"a": 1, "b": 2}, {"$rename": {"a": "c.d"}}, {"b": 2, "c": {"d": 1}}),
        ({"b": 2}, {"$rename": {"a": "c"}}, {"b": 2}),
        ({}, {"$currentDate": {"a": True, "b": {"$type": "timestamp"}}}, {"a": NOW, "b": Timestamp(1778051289, 1)}),
        ({}, {"$push": {"a": 1}}, {"a": [1]}),
        ({"a": [1]}, {"$push": {"a": [2]}}, {"a": [1, [2]]}),
        ({"a": [3, 1]}, {"$push": {"a": {"$each": [2], "$sort": 1, "$slice": -2}}}, {"a": [2, 3]}),
        ({"a": [1]}, {"$push": {"a": {"$each": [8, 9], "$position": 0}}}, {"a": [8, 9, 1]}),
        (
            {"a": [{"n": 2}, {"n": 1}]},
            {"$push": {"a": {"$each": [], "$sort": {"n": 1}}}},
            {"a": [{"n": 1}, {"n": 2}]},
        ),
        ({"a": [1]}, {"$addToSet": {"a": {"$each": [1.0, True, 2, 2]}}}, {"a": [1, True, 2]}),
        (
            {"a": [{"x": 1, "y": 2}]},
            {"$addToSet": {"a": {"y": 2, "x": 1}}},
            {"a": [{"x": 1, "y": 2}, {"y": 2, "x": 1}]},
        ),
        ({"a": [1, 2, 3]}, {"$pop": {"a": 1}}, {"a": [1, 2]}),
        ({"a": [1, 2, 3]}, {"$pop": {"a": -1}}, {"a": [2, 3]}),
        ({"a": [1, 2.0, True, 1.0]}, {"$pull": {"a": 1}}, {"a": [2.0, True]}),
        ({"a": [1, 5, 9]}, {"$pull": {"a": {"$gte": 5}}}, {"a": [1]}),
        ({"a": [{"x": 1, "y": 2}, {"x": 2}]}, {"$pull": {"a": {"x": 1}}}, {"a": [{"x": 2}]}),
        ({"a": ["ab", "cd"]}, {"$pull": {"a": Regex("^a")}}, {"a": ["cd"]}),
        ({"a": [1, 2, 1]}, {"$pullAll": {"a": [1.0]}}, {"a": [2]}),
        ({"a": 6}, {"$bit": {"a": {"and": 3, "or": 8}}}, {"a": 10}),
        ({"a": [1, 2]}, {"$inc": {"a.$[]": 10}}, {"a": [11, 12]}),
        ({"a": [[1], [2]]}, {"$set": {"a.$[].$[]": 0}}, {"a": [[0], [0]]}),
        ({"a": 1}, {"b": 2}, {"b": 2}),
        ({"a": 1, "b": 3}, [{"$set": {"c": {"$add": ["$a", "$b"]}}}, {"$unset": "a"}], {"b": 3, "c": 4}),
        ({"a": 1}, [{"$replaceWith": {"z": "$a"}}], {"z": 1}),
        ({"a": 1}, [{"$unset": ["_id", "a"]}], {}),
    ],
    ids=str,
)
def test_an_update(before: dict[str, Any], change: Any, after: dict[str, Any]) -> None:
    """The changed document, to the last bit; and the given one stays as it was."""
    document = {"_id": 7, **before}
    kept = repr(document)
    result = update(document, change)
    assert identical(result, {"_id": 7, **after}), f"{result} instead of {after}"
    assert repr(document) == kept


def test_array_filters() -> None:
    """`$[name]` stands for the elements that its filter accepts."""
    before = {"_id": 1, "a": [{"n": 1, "x": [1, 5]}, {"n": 2, "x": [5]}]}
    after = update(before, {"$set": {"a.$[e].x.$[v]": 0}}, filters=[{"e.n": {"$lt": 2}}, {"v": {"$gt": 2}}])
    assert after == {"_id": 1, "a": [{"n": 1, "x": [1, 0]}, {"n": 2, "x": [5]}]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"a": 5}, [1, 0, 7]),
        ({"a": {"$gt": 5}}, [1, 5, 0]),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 6}}}, [1, 0, 7]),
        ({"_id": 1, "$and": [{"a": 7}]}, [1, 5, 0]),
    ],
    ids=str,
)
def test_the_positional_operator(query: dict[str, Any], expected: list[int]) -> None:
    """`$` stands for the element that the filter found."""
    assert update({"_id": 1, "a": [1, 5, 7]}, {"$set": {"a.$": 0}}, query=query)["a"] == expected


def test_places_are_those_of_the_document_as_it_was() -> None:
    """One operator's change does not move the place where the next one works."""
    before = {"_id": 1, "a": [{"n": 1}, {"n": 2}]}
    change = {"$set": {"a.$.n": 5}, "$inc": {"a.$.times": 1}}
    assert update(before, change, query={"a.n": 1})["a"] == [{"n": 5, "times": 1}, {"n": 2}]
    change = {"$set": {"a.$[e].n": 5}, "$inc": {"a.$[e].times": 1}}
    assert update(before, change, filters=[{"e.n": 1}])["a"] == [{"n": 5, "times": 1}, {"n": 2}]


def test_the_positional_operator_on_documents() -> None:
    """The element is found by its fields."""
    before = {"_id": 1, "a": [{"n": 1}, {"n": 2}]}
    assert update(before, {"$set": {"a.$.x": 1}}, query={"a.n": 2})["a"] == [{"n": 1}, {"n": 2, "x": 1}]


@pytest.mark.parametrize(
    ("before", "change", "query", "code"),
    [
        ({}, {"$foo": {"a": 1}}, {}, 9),
        ({}, {"$set": 1}, {}, 9),
        ({}, {"$set": {"a": 1, "a.b": 2}}, {}, 40),
        ({}, {"$set": {"a": 1}, "$inc": {"a": 1}}, {}, 40),
        ({"a": 1}, {"$rename": {"a": "a"}}, {}, 2),
        ({"a": 1}, {"$rename": {"a": "a.b"}}, {}, 40),
        ({}, {"$set": {"_id": 8}}, {}, 66),
        ({}, {"$unset": {"_id": 1}}, {}, 66),
        ({}, {"_id": 8}, {}, 66),
        ({}, [{"$set": {"_id": 8}}], {}, 66),
        ({}, {"$set": {"a..b": 8}}, {}, 56),
        ({"a": 1}, {"$set": {"a.b": 8}}, {}, 28),
        ({"a": "x"}, {"$inc": {"a": 1}}, {}, 14),
        ({"a": 1}, {"$inc": {"a": "x"}}, {}, 14),
        ({"a": Int64(2**63 - 1)}, {"$inc": {"a": 1}}, {}, 2),
        ({"a": 1}, {"$push": {"a": 1}}, {}, 2),
        ({"a": [1]}, {"$push": {"a": {"$each": [1], "$what": 1}}}, {}, 2),
        ({"a": [1]}, {"$pop": {"a": 2}}, {}, 9),
        ({"a": 1}, {"$set": {"a.$[]": 1}}, {}, 2),
        ({}, {"$set": {"a.$[]": 1}}, {}, 2),
        ({"a": [1]}, {"$set": {"a.$[e]": 1}}, {}, 2),
        ({"a": [1]}, {"$set": {"a.$": 1}}, {}, 2),
        ({"a": [1]}, {"$set": {"a.$": 1}}, {"a": {"$ne": 2}}, 238),
        ({"a": [1]}, {"$set": {"a.$": 1}}, {"$or": [{"a": 1}]}, 238),
        ({"a": [1, 2]}, {"$set": {"a.$": 1}}, {"a": 1, "$and": [{"a": 2}]}, 238),
        ({}, [{"$group": {"_id": 1}}], {}, 72),
        ({}, {"a": 1, "$set": {"b": 1}}, {}, 52),
        ({}, 5, {}, 9),
    ],
    ids=str,
)
def test_what_is_refused(before: dict[str, Any], change: Any, query: dict[str, Any], code: int) -> None:
    """The server's error code, or 238 for what is not here."""
    with pytest.raises(CommandError) as caught:
        update({"_id": 7, **before}, change, query=query)
    assert caught.value.code == code


@pytest.mark.parametrize("filters", [[{"unused": 1}], [{"a": 1, "b": 2}], [{"e": 1}, {"e": 2}]])
def test_array_filters_that_make_no_sense(filters: list[Any]) -> None:
    """A filter that is not used, has two names or comes twice is an error."""
    with pytest.raises(CommandError) as caught:
        update({"_id": 1, "a": [1]}, {"$set": {"a.$[e]": 0}}, filters=filters)
    assert caught.value.code in {2, 9}


def upsert(query: dict[str, Any], change: Any) -> dict[str, Any]:
    """The document that is inserted."""
    return upserted(query, change, updater(change), NOW)


def test_an_upsert_takes_the_equalities_of_the_filter() -> None:
    """Equal fields of the filter are in the new document, `_id` in front."""
    query = {"a": 1, "b.c": {"$eq": 2}, "d": {"$gt": 5}, "$and": [{"e": 3}], "f": {"$all": [4]}, "_id": 9}
    document = upsert(query, {"$set": {"z": 1}, "$setOnInsert": {"y": 2}})
    assert document == {"_id": 9, "a": 1, "b": {"c": 2}, "e": 3, "f": 4, "y": 2, "z": 1}
    assert next(iter(document)) == "_id"


def test_an_upsert_with_a_replacement() -> None:
    """Only the `_id` of the filter counts; without one it is made."""
    assert upsert({"_id": 1, "a": 1}, {"b": 2}) == {"_id": 1, "b": 2}
    assert isinstance(upsert({"a": 1}, {"b": 2})["_id"], ObjectId)


def test_an_upsert_that_contradicts_itself() -> None:
    """A field that the filter names twice cannot be inferred."""
    with pytest.raises(CommandError) as caught:
        upsert({"a": 1, "$and": [{"a": 2}]}, {"$set": {"b": 1}})
    assert caught.value.code == 54


def test_set_on_insert_does_nothing_to_what_is_there() -> None:
    """It is for upserts."""
    assert update({"_id": 1}, {"$setOnInsert": {"a": 1}}) == {"_id": 1}


def test_empty_timestamps_are_filled_in() -> None:
    """Timestamp(0, 0) at the top of an inserted document becomes the present, deeper down it stays."""
    empty = Timestamp(0, 0)
    document = stamped({"_id": empty, "a": empty, "b": {"c": empty}}, NOW)
    assert document["_id"] == empty
    assert document["a"].time == 1778051289
    assert document["b"] == {"c": empty}
    assert update({"_id": 1}, {"a": empty})["a"].time == 1778051289
