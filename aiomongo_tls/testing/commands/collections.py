"""Databases and collections: listing, making, dropping, renaming. Specification: enumerate-collections and its like."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import bson
from bson.binary import Binary

from aiomongo_tls.testing.commands.authorization import may_see
from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.indexes import ID_INDEX
from aiomongo_tls.testing.data.matching import matcher
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.store import check_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document

_CREATE = (
    *("capped", "size", "max", "validator", "validationLevel", "validationAction", "viewOn", "pipeline", "collation"),
    *("timeseries", "expireAfterSeconds", "clusteredIndex", "changeStreamPreAndPostImages", "encryptedFields"),
    *("storageEngine", "indexOptionDefaults", "autoIndexId", "idIndex"),
)


def create(request: Request) -> Document:
    """Make an empty collection."""
    fields = Fields("create", request.document, _CREATE)
    fields.simple_collation()
    fields.refuse(*(name for name in _CREATE if name not in {"collation", "validationLevel", "validationAction"}))
    name = request.collection_name()
    if request.server.store.find(request.database, name) is not None:
        raise CommandError(ErrorCode.NamespaceExists, f"Collection already exists. NS: {request.database}.{name}")
    request.server.store.create(request.database, name)
    return {}


def drop(request: Request) -> Document:
    """Remove a collection; since MongoDB 7.0 it need not be there."""
    Fields("drop", request.document, ())
    name = request.collection_name()
    found = request.server.store.find(request.database, name)
    request.server.store.drop(request.database, name)
    return {} if found is None else {"nIndexesWas": len(found.indexes), "ns": found.namespace}


def drop_database(request: Request) -> Document:
    """Remove a database."""
    Fields("dropDatabase", request.document, ())
    was_there = bool(request.server.store.collections(request.database))
    request.server.store.drop_database(request.database)
    return {"dropped": request.database} if was_there else {}


def rename_collection(request: Request) -> Document:
    """Give a collection another name, in another database too."""
    fields = Fields("renameCollection", request.document, ("to", "dropTarget"))
    source, target = str(request.argument), str(fields.required("to"))
    (database, _, name), (new_database, _, new_name) = source.partition("."), target.partition(".")
    store = request.server.store
    found = store.find(database, name)
    if found is None:
        raise CommandError(ErrorCode.NamespaceNotFound, f"Source collection {source} does not exist")
    check_names(new_database, new_name)
    if source == target:
        raise CommandError(ErrorCode.IllegalOperation, "Can't rename a collection to itself")
    if store.find(new_database, new_name) is not None and not fields.flag("dropTarget"):
        raise CommandError(ErrorCode.NamespaceExists, "target namespace exists")
    store.drop(database, name)
    found.namespace = target
    store.replace(new_database, new_name, found)
    return {}


def list_collections(request: Request) -> Document:
    """A cursor over the collections of a database."""
    fields = Fields("listCollections", request.document, ("filter", "nameOnly", "cursor", "authorizedCollections"))
    options = Fields("listCollections.cursor", fields.document("cursor"), ("batchSize",), generic=False)
    matches = matcher(fields.document("filter"))
    entries = (_description(request.database, name) for name in request.server.store.collections(request.database))
    if fields.flag("nameOnly"):
        entries = ({"name": entry["name"], "type": entry["type"]} for entry in entries)
    return _cursor(request, "$cmd.listCollections", filter(matches, entries), options)


def _description(database: str, name: str) -> Document:
    # The same collection has the same UUID each time it is listed.
    uuid = Binary(hashlib.sha256(f"{database}.{name}".encode()).digest()[:16], 4)
    return {
        "name": name,
        "type": "collection",
        "options": {},
        "info": {"readOnly": False, "uuid": uuid},
        "idIndex": dict(ID_INDEX),
    }


def _cursor(request: Request, name: str, entries: Iterable[Document], options: Fields) -> Document:
    return {
        "cursor": request.open_cursor(
            f"{request.database}.{name}", map(bson.encode, entries), batch_size=options.whole("batchSize")
        )
    }


def list_databases(request: Request) -> Document:
    """The databases with their sizes."""
    fields = Fields("listDatabases", request.document, ("filter", "nameOnly", "authorizedDatabases"))
    matches = matcher(fields.document("filter"))
    store = request.server.store
    entries: list[Document] = [
        {"name": name, "sizeOnDisk": sum(c.size for c in store.collections(name).values()), "empty": False}
        for name in store.databases()
        if may_see(request, name)
    ]
    entries = [entry for entry in entries if matches(entry)]
    if fields.flag("nameOnly"):
        return {"databases": [{"name": entry["name"]} for entry in entries]}
    total = sum(int(entry["sizeOnDisk"]) for entry in entries)
    return {"databases": entries, "totalSize": total, "totalSizeMb": total // 2**20}
