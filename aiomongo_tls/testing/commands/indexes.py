"""createIndexes, listIndexes, dropIndexes. Specification: index-management."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bson

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.values import Document, is_array, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.collection import Collection


def create_indexes(request: Request) -> Document:
    """Make indexes, and the collection if there is none."""
    fields = Fields("createIndexes", request.document, ("indexes", "ignoreUnknownIndexOptions", "commitQuorum"))
    definitions = fields.documents("indexes")
    if not definitions:
        raise CommandError(ErrorCode.BadValue, "Must specify at least one index to create")
    name = request.collection_name()
    existed = request.server.store.find(request.database, name) is not None
    collection = request.server.store.create(request.database, name)
    before = len(collection.indexes)
    made: list[str] = []
    try:
        for definition in definitions:
            made += [definition["name"]] if collection.create_index(definition) else []
    except CommandError:
        # All or none.
        for index in made:
            collection.drop_index(index)
        if not existed:
            request.server.store.drop(request.database, name)
        raise
    reply: Document = {
        "numIndexesBefore": before,
        "numIndexesAfter": len(collection.indexes),
        "createdCollectionAutomatically": not existed,
    }
    if not made:
        reply["note"] = "all indexes already exist"
    return reply


def list_indexes(request: Request) -> Document:
    """A cursor over the indexes of a collection."""
    fields = Fields("listIndexes", request.document, ("cursor",))
    options = Fields("listIndexes.cursor", fields.document("cursor"), ("batchSize",), generic=False)
    collection = _existing(request)
    definitions = map(bson.encode, collection.indexes)
    return {"cursor": request.open_cursor(collection.namespace, definitions, batch_size=options.whole("batchSize"))}


def drop_indexes(request: Request) -> Document:
    """Remove indexes by name, by fields, or all."""
    fields = Fields(request.name, request.document, ("index",))
    collection = _existing(request)
    wanted = fields.required("index")
    before = len(collection.indexes)
    for name in _names(collection, wanted):
        collection.drop_index(name)
    reply: Document = {"nIndexesWas": before}
    if wanted == "*":
        reply["msg"] = "non-_id indexes dropped for collection"
    return reply


def _names(collection: Collection, wanted: Any) -> list[str]:
    if isinstance(wanted, str):
        return [wanted]
    if is_document(wanted):
        return [collection.index_name(wanted)]
    if is_array(wanted) and all(isinstance(name, str) for name in wanted):
        return [str(name) for name in wanted]
    raise CommandError(ErrorCode.TypeMismatch, "BSON field 'dropIndexes.index' has to be a name, fields or names")


def _existing(request: Request) -> Collection:
    name = request.collection_name()
    found = request.server.store.find(request.database, name)
    if found is None:
        raise CommandError(ErrorCode.NamespaceNotFound, f"ns does not exist: {request.database}.{name}")
    return found
