"""The operations of a bulk."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.commands.operations import (
    DeleteMany,
    DeleteOne,
    InsertOne,
    Operation,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
)
from aiomongo_tls.core.commands.statements import Kind


@pytest.mark.parametrize(
    ("operation", "kind", "document"),
    [
        (InsertOne({"_id": 1}), Kind.INSERT, {"_id": 1}),
        (UpdateOne({"a": 1}, {"$inc": {"a": 1}}), Kind.UPDATE, {"q": {"a": 1}, "u": {"$inc": {"a": 1}}}),
        (
            UpdateMany({}, {"$inc": {"a": 1}}, True, array_filters=[{"x": 1}]),
            Kind.UPDATE,
            {"q": {}, "u": {"$inc": {"a": 1}}, "multi": True, "upsert": True, "arrayFilters": [{"x": 1}]},
        ),
        (
            ReplaceOne({"a": 1}, {"b": 1}, sort={"a": -1}),
            Kind.UPDATE,
            {"q": {"a": 1}, "u": {"b": 1}, "sort": {"a": -1}},
        ),
        (DeleteOne({"a": 1}, hint="a_1"), Kind.DELETE, {"q": {"a": 1}, "limit": 1, "hint": "a_1"}),
        (DeleteMany({}), Kind.DELETE, {"q": {}, "limit": 0}),
    ],
)
def test_each_operation_becomes_its_statement(operation: Operation, kind: Kind, document: dict[str, Any]) -> None:
    """Parameters in PyMongo's order, fields under the server's names."""
    assert operation.statement() == (kind, document)


def test_equal_by_content() -> None:
    """Tests of users compare operations."""
    assert UpdateOne({}, {"$set": {"a": 1}}) == UpdateOne({}, {"$set": {"a": 1}})
    assert UpdateOne({}, {"$set": {"a": 1}}) != UpdateMany({}, {"$set": {"a": 1}})
    assert DeleteOne({"a": 1}) != DeleteOne({"a": 2})
    assert repr(DeleteOne({"a": 1}, hint="h")) == "DeleteOne(filter={'a': 1}, hint='h')"


def test_filters_are_checked_at_once_and_updates_in_the_bulk() -> None:
    """As PyMongo: a wrong filter fails where it is written."""
    for cls in (DeleteOne, DeleteMany):
        with pytest.raises(TypeError, match="filter"):
            cls(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="array_filters"):
        UpdateMany({}, {"$set": {}}, array_filters={})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="operators"):
        UpdateOne({}, {"a": 1}).statement()
    with pytest.raises(ValueError, match="operator"):
        ReplaceOne({}, {"$set": {}}).statement()


def test_return_document_is_a_flag() -> None:
    """PyMongo's constants are booleans."""
    assert ReturnDocument.BEFORE is False
    assert ReturnDocument.AFTER is True
