"""Commands that read without a cursor: count and distinct (CRUD specification)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.commands.arguments import check_mapping, check_type
from aiomongo_tls.core.commands.collation import collation_document
from aiomongo_tls.core.commands.keys import hint_value

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import ReadConcern


def count_document(collection: str, options: Mapping[str, Any], read_concern: ReadConcern) -> dict[str, Any]:
    """The count command without a filter, which servers answer from what they know about the collection."""
    return _read({"count": collection}, options, read_concern)


def distinct_document(
    collection: str,
    key: object,
    filter: object,  # noqa: A002
    options: Mapping[str, Any],
    read_concern: ReadConcern,
) -> dict[str, Any]:
    """The distinct command.

    Raises:
        TypeError: an argument of the wrong type.
    """
    document: dict[str, Any] = {"distinct": collection, "key": check_type("key", key, str)}
    if filter is not None:
        document["query"] = check_mapping("filter", filter)
    return _read(document, options, read_concern)


def _read(document: dict[str, Any], options: Mapping[str, Any], read_concern: ReadConcern) -> dict[str, Any]:
    for name, value in options.items():
        if value is None:
            continue
        if name == "collation":
            value = collation_document(value)
        elif name == "hint":
            value = hint_value(value)
        document[name] = value
    if not read_concern.is_server_default:
        document["readConcern"] = read_concern.document
    return document
