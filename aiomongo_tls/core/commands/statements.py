"""The statements of insert, update and delete commands (CRUD specification)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from bson.objectid import ObjectId

from aiomongo_tls.core.commands.arguments import (
    check_list,
    check_mapping,
    check_replacement,
    check_type,
    check_update,
    with_id,
)
from aiomongo_tls.core.commands.collation import collation_document
from aiomongo_tls.core.commands.keys import hint_value, key_document


class Kind(Enum):
    """The three write commands.

    Attributes:
        command: the command's name.
        identifier: the field that holds the statements.
    """

    INSERT = "insert", "documents"
    UPDATE = "update", "updates"
    DELETE = "delete", "deletes"

    def __init__(self, command: str, identifier: str) -> None:
        self.command = command
        self.identifier = identifier


# A look-up in an Enum class is slow on Python 3.11.
_INSERT = Kind.INSERT


class Statement(NamedTuple):
    """One statement and the command it belongs to."""

    kind: Kind
    document: Mapping[str, Any]


def insert_statement(document: object, new_id: Callable[[], ObjectId] = ObjectId) -> Statement:
    """Insert this document; a missing `_id` is added to it.

    Args:
        document: the document.
        new_id: makes an id.

    Raises:
        TypeError: not a document.
    """
    return Statement(_INSERT, with_id(document, new_id))


def update_statement(
    filter: object,  # noqa: A002 - MongoDB's word
    update: object,
    *,
    multi: bool = False,
    upsert: object = None,
    collation: object = None,
    array_filters: object = None,
    hint: object = None,
    sort: object = None,
) -> Statement:
    """Change what matches the filter by operators or a pipeline.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: the update is empty or a replacement.
    """
    statement: dict[str, Any] = {"q": check_mapping("filter", filter), "u": check_update(update)}
    if multi:
        statement["multi"] = True
    if array_filters is not None:
        statement["arrayFilters"] = check_list("array_filters", array_filters)
    return Statement(Kind.UPDATE, _with_options(statement, upsert, collation, hint, sort))


def replace_statement(
    filter: object,  # noqa: A002
    replacement: object,
    *,
    upsert: object = None,
    collation: object = None,
    hint: object = None,
    sort: object = None,
) -> Statement:
    """Put a whole document in the place of the one that matches the filter.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: the replacement has operators.
    """
    statement: dict[str, Any] = {"q": check_mapping("filter", filter), "u": check_replacement(replacement)}
    return Statement(Kind.UPDATE, _with_options(statement, upsert, collation, hint, sort))


def delete_statement(
    filter: object,  # noqa: A002
    *,
    many: bool,
    collation: object = None,
    hint: object = None,
) -> Statement:
    """Remove one or all of what matches the filter.

    Raises:
        TypeError: an argument of the wrong type.
    """
    statement: dict[str, Any] = {"q": check_mapping("filter", filter), "limit": 0 if many else 1}
    return Statement(Kind.DELETE, _with_options(statement, None, collation, hint, None))


def touches_many(kind: Kind, document: Mapping[str, Any]) -> bool:
    """Whether a statement may touch several documents, so that it cannot be part of a retryable write.

    Args:
        kind: the command it belongs to.
        document: the statement.
    """
    if kind is Kind.UPDATE:
        return "multi" in document
    return kind is Kind.DELETE and document["limit"] == 0


def _with_options(
    statement: dict[str, Any], upsert: object, collation: object, hint: object, sort: object
) -> dict[str, Any]:
    if upsert is not None and check_type("upsert", upsert, bool):
        statement["upsert"] = True
    if collation is not None:
        statement["collation"] = collation_document(collation)
    if hint is not None:
        statement["hint"] = hint_value(hint)
    if sort is not None:
        statement["sort"] = key_document(sort, what="sort")
    return statement
