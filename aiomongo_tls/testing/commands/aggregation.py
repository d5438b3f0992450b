"""aggregate, with `$out` and `$merge`, which write. MongoDB's manual: "aggregate", "$out", "$merge"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bson

from aiomongo_tls.testing.commands import sessions
from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.commands.writes import with_id
from aiomongo_tls.testing.data.collection import MAX_DOCUMENT_SIZE, Collection
from aiomongo_tls.testing.data.pipeline import pipeline, split_output
from aiomongo_tls.testing.data.values import Document, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiomongo_tls.testing.commands.request import Request

_KNOWN = (
    *("pipeline", "cursor", "allowDiskUse", "hint", "collation", "let", "explain", "bypassDocumentValidation"),
    *("isMapReduceCommand", "needsMerge", "fromMongos"),
)


def aggregate(request: Request) -> Document:
    """Run a pipeline and open a cursor over what comes out."""
    fields = Fields("aggregate", request.document, _KNOWN)
    fields.simple_collation()
    fields.refuse("let", "explain", "needsMerge", "fromMongos")
    if "cursor" not in fields:
        raise CommandError(
            ErrorCode.FailedToParse,
            "The 'cursor' option is required, except for aggregate with the explain argument",
        )
    fields.required("pipeline")
    options = Fields("aggregate.cursor", fields.document("cursor"), ("batchSize",), generic=False)
    batch_size = options.whole("batchSize")
    stages, output, target = split_output(fields.array("pipeline"))
    if isinstance(request.argument, str):
        collection = request.collection()
        collection.check_hint(fields.value("hint"))
        namespace, documents = collection.namespace, _leading_match(collection, stages)
    else:
        namespace = f"{request.database}.$cmd.aggregate"
        documents, stages = _without_collection(request, stages)
    documents = pipeline(stages, lambda name: _documents(request, name))(documents)
    if output is not None:
        _write(request, output, target, list(documents))
        documents = ()
    return {"cursor": request.open_cursor(namespace, _encoded(documents), batch_size=batch_size)}


def _without_collection(request: Request, stages: Any) -> tuple[Iterable[Document], Any]:
    """`{aggregate: 1}` is for stages that bring their own documents: these, and the stages that follow."""
    first = next(iter(stages[0]), "") if stages and is_document(stages[0]) else ""
    if first == "$listLocalSessions" and len(stages[0]) == 1:
        return sessions.listed(request, stages[0][first]), stages[1:]
    pipeline(stages)
    raise CommandError(
        ErrorCode.InvalidNamespace, f"{{aggregate: 1}} is not valid for '{first}'; a collection is required."
    )


def _leading_match(collection: Collection, stages: Any) -> Iterable[Document]:
    """The collection's documents; a `$match` in front may find them by `_id`, and is then asked once more."""
    query: Any = stages[0].get("$match", {}) if stages else {}
    return (record.document for record in collection.select(query if is_document(query) else {}))


def _documents(request: Request, name: str) -> Iterable[Document]:
    found = request.server.store.find(request.database, name)
    return [] if found is None else [record.document for record in found.select({})]


def _encoded(documents: Iterable[Document]) -> Iterable[bytes]:
    for document in documents:
        raw = bson.encode(document)
        if len(raw) > MAX_DOCUMENT_SIZE:
            raise CommandError(ErrorCode.BSONObjectTooLarge, f"BSONObj size: {len(raw)} is invalid")
        yield raw


def _write(request: Request, stage: str, target: Any, documents: list[Document]) -> None:
    documents = [with_id(document) for document in documents]
    if stage == "$out":
        _out(request, target, documents)
    else:
        _merge(request, target, documents)


def _namespace(request: Request, target: Any, stage: str) -> tuple[str, str]:
    if isinstance(target, str):
        return request.database, target
    if is_document(target) and target.keys() <= {"db", "coll"} and "coll" in target:
        return str(target.get("db", request.database)), str(target["coll"])
    raise not_here(f"{stage} into {target!r}")


def _out(request: Request, target: Any, documents: list[Document]) -> None:
    database, name = _namespace(request, target, "$out")
    store = request.server.store
    new = Collection(f"{database}.{name}")
    old = store.create(database, name)
    for definition in old.indexes[1:]:
        new.create_index(definition)
    # If one cannot be inserted, the old collection stays as it is.
    for document in documents:
        new.insert(document)
    store.replace(database, name, new)


_WHEN_MATCHED = {"replace", "keepExisting", "merge", "fail"}
_WHEN_NOT_MATCHED = {"insert", "discard", "fail"}


def _merge(request: Request, target: Any, documents: list[Document]) -> None:
    options = {"into": target} if isinstance(target, str) else target
    fields = Fields("$merge", options, ("into", "on", "let", "whenMatched", "whenNotMatched"), generic=False)
    fields.refuse("let")
    if fields.value("on") not in (None, "_id", ["_id"]):
        raise not_here("$merge on other fields than _id")
    matched = fields.value("whenMatched") or "merge"
    not_matched = fields.value("whenNotMatched") or "insert"
    if isinstance(matched, list) or matched not in _WHEN_MATCHED or not_matched not in _WHEN_NOT_MATCHED:
        raise not_here(f"$merge with whenMatched {matched!r}, whenNotMatched {not_matched!r}")
    database, name = _namespace(request, fields.required("into"), "$merge")
    collection = request.server.store.create(database, name)
    for document in documents:
        existing = next(iter(collection.select({"_id": {"$eq": document["_id"]}})), None)
        if existing is None and not_matched == "insert":
            collection.insert(document)
        elif existing is None and not_matched == "fail":
            raise CommandError(
                ErrorCode.MergeStageNoMatchingDocument,
                "$merge could not find a matching document in the target collection",
            )
        elif existing is not None and matched == "fail":
            collection.insert(document)
        elif existing is not None and matched != "keepExisting":
            collection.replace(document if matched == "replace" else {**existing.document, **document})
