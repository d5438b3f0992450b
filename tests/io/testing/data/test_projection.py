"""Projections give the fields that MongoDB gives, in its order."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.testing.data.projection import projector
from aiomongo_tls.testing.failures import CommandError

DOCUMENT: dict[str, Any] = {
    "_id": 1,
    "a": 1,
    "b": {"c": 2, "d": 3},
    "e": [{"f": 4, "g": 5}, {"g": 6}, 7],
    "h": [1, 2, 3],
}


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ({"a": 1}, {"_id": 1, "a": 1}),
        ({"h": 1, "a": True}, {"_id": 1, "a": 1, "h": [1, 2, 3]}),
        ({"a": 1, "_id": 0}, {"a": 1}),
        ({"_id": 1}, {"_id": 1}),
        ({"_id": 0}, {"a": 1, "b": {"c": 2, "d": 3}, "e": DOCUMENT["e"], "h": [1, 2, 3]}),
        ({"a": 0, "e": 0, "h": 0}, {"_id": 1, "b": {"c": 2, "d": 3}}),
        ({"b.c": 1}, {"_id": 1, "b": {"c": 2}}),
        ({"b": {"c": 1}}, {"_id": 1, "b": {"c": 2}}),
        ({"b.c": 0, "e": 0, "h": 0, "a": 0}, {"_id": 1, "b": {"d": 3}}),
        ({"e.f": 1}, {"_id": 1, "e": [{"f": 4}, {}]}),
        ({"e.f": 0, "a": 0, "b": 0, "h": 0}, {"_id": 1, "e": [{"g": 5}, {"g": 6}, 7]}),
        ({"a.x": 1}, {"_id": 1}),
        ({"missing": 1}, {"_id": 1}),
        ({"x": "$a", "y": {"$add": ["$a", 1]}, "_id": 0}, {"x": 1, "y": 2}),
        ({"b.x": "$a"}, {"_id": 1, "b": {"x": 1}}),
        ({"x": {"y": "$a"}}, {"_id": 1, "x": {"y": 1}}),
        ({"_id": "$h"}, {"_id": [1, 2, 3]}),
        ({"_id": "$missing", "a": 1}, {"a": 1}),
        ({"x": {"$literal": 1}}, {"_id": 1, "x": 1}),
        ({"x": "$missing"}, {"_id": 1}),
    ],
    ids=str,
)
def test_a_projection(projection: dict[str, Any], expected: dict[str, Any]) -> None:
    """The chosen or computed fields, `_id` first."""
    result = projector(projection)(DOCUMENT)
    assert result == expected
    assert list(result) == list(expected)


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ({"_id.x": 1}, {"_id": {"x": 1}}),
        ({"_id.x": 0}, {"_id": {"y": 2}, "a": 3}),
        ({"_id.x": 0, "a": 0}, {"_id": {"y": 2}}),
        ({"_id.x": 1, "a": 1}, {"_id": {"x": 1}, "a": 3}),
    ],
    ids=str,
)
def test_fields_of_the_id(projection: dict[str, Any], expected: dict[str, Any]) -> None:
    """An `_id` that is a document is cut like any other, and stands first."""
    result = projector(projection)({"_id": {"x": 1, "y": 2}, "a": 3})
    assert result == expected
    assert list(result) == list(expected)


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ({"h": {"$slice": 2}}, {**DOCUMENT, "h": [1, 2]}),
        ({"h": {"$slice": -1}, "a": 1}, {"_id": 1, "a": 1, "h": [3]}),
        ({"h": {"$slice": [1, 1]}, "_id": 0, "a": 0, "b": 0, "e": 0}, {"h": [2]}),
        ({"e": {"$elemMatch": {"g": {"$gt": 5}}}}, {"_id": 1, "e": [{"g": 6}]}),
        ({"e": {"$elemMatch": {"g": 9}}}, {"_id": 1}),
        ({"h": {"$elemMatch": {"$gt": 1}}}, {"_id": 1, "h": [2]}),
    ],
    ids=str,
)
def test_operators_of_find(projection: dict[str, Any], expected: dict[str, Any]) -> None:
    """`$slice` and `$elemMatch` cut arrays in find."""
    assert projector(projection, in_find=True)(DOCUMENT) == expected


@pytest.mark.parametrize(
    ("projection", "code"),
    [
        ({"a": 1, "b": 0}, 31254),
        ({"a": 0, "b": 1}, 31253),
        ({"b": 1, "b.c": 1}, 31249),
        ({"b.c": 1, "b": 1}, 31250),
        ({"$a": 1}, 16410),
        ({"a.$": 1}, 238),
        ({"a": {}}, 51270),
        ({"a": {"$meta": "textScore"}}, 238),
        ({"a": {"$nonsense": 1}}, 168),
    ],
    ids=str,
)
def test_what_is_refused(projection: dict[str, Any], code: int) -> None:
    """The server's error code, or 238 for what is not here."""
    with pytest.raises(CommandError) as caught:
        projector(projection, in_find=True)
    assert caught.value.code == code
