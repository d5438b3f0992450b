"""The findAndModify command (CRUD specification)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.commands.arguments import check_list, check_mapping, check_type, projection_document
from aiomongo_tls.core.commands.collation import collation_document
from aiomongo_tls.core.commands.keys import hint_value, key_document

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import WriteConcern


def find_and_modify_document(
    collection: str,
    filter: object,  # noqa: A002
    change: Mapping[str, Any],
    write_concern: WriteConcern,
    *,
    projection: object = None,
    sort: object = None,
    upsert: object = None,
    return_document: object = None,
    array_filters: object = None,
    hint: object = None,
    let: object = None,
    comment: Any = None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The findAndModify command.

    Args:
        collection: its name.
        filter: what the document matches.
        change: `{"remove": True}` or `{"update": ...}`.
        write_concern: the collection's.
        projection: the fields to return.
        sort: which of several matches to take.
        upsert: whether to insert a document if none matches.
        return_document: whether to return the document as it is afterwards; None for a removal.
        array_filters: which elements of arrays the update touches.
        hint: the index to use.
        let: variables for the filter and the update.
        comment: a comment for the server's logs.
        options: the command's other fields, for example `maxTimeMS` and `collation`; None values are left out.

    Raises:
        TypeError: an argument of the wrong type.
    """
    document: dict[str, Any] = {"findAndModify": collection, "query": check_mapping("filter", filter), **change}
    if return_document is not None:
        document["new"] = check_type("return_document (ReturnDocument.BEFORE or AFTER)", return_document, bool)
    if upsert is not None and check_type("upsert", upsert, bool):
        document["upsert"] = True
    if projection is not None:
        document["fields"] = projection_document(projection)
    if sort is not None:
        document["sort"] = key_document(sort, what="sort")
    if array_filters is not None:
        document["arrayFilters"] = check_list("array_filters", array_filters)
    if hint is not None:
        document["hint"] = hint_value(hint)
    if let is not None:
        document["let"] = check_mapping("let", let)
    if comment is not None:
        document["comment"] = comment
    document |= {name: value for name, value in options.items() if value is not None}
    if "collation" in document:
        document["collation"] = collation_document(document["collation"])
    if not write_concern.is_server_default:
        document.setdefault("writeConcern", write_concern.document)
    return document
