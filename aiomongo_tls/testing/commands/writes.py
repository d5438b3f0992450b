"""insert, update, delete. Specification: crud; write commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson import ObjectId

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.commands.handshake import MAX_WRITE_BATCH
from aiomongo_tls.testing.commands.statements import Statements
from aiomongo_tls.testing.data.updates import Occasion, is_operator_update, stamped, updater, upserted
from aiomongo_tls.testing.data.values import Document, identical, is_document, truthy
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.collection import Collection

_COMMON = ("ordered", "bypassDocumentValidation", "let", "stmtId", "stmtIds")
INTERRUPTIONS = frozenset(
    {
        *(ErrorCode.LockTimeout, ErrorCode.MaxTimeMSExpired, ErrorCode.ExceededTimeLimit),
        *(ErrorCode.InterruptedAtShutdown, ErrorCode.Interrupted, ErrorCode.InterruptedDueToReplStateChange),
    }
)
"""Errors that end a whole command; others belong to one write of it."""

_UPDATE = ("q", "u", "multi", "upsert", "collation", "arrayFilters", "hint", "c")
_DELETE = ("q", "limit", "collation", "hint")


def insert(request: Request) -> Document:
    """Insert documents."""
    fields = Fields("insert", request.document, ("documents", *_COMMON))
    documents = _batch(fields, "documents")
    collection = _made(request)
    statements = Statements(request, fields)
    inserted = 0

    def one(index: int, document: Document) -> None:
        nonlocal inserted

        def write() -> int:
            collection.insert(stamped(with_id(document), request.server.now()))
            return 1

        inserted += statements.carry_out(index, write, bool)

    errors = _each(documents, one, ordered=fields.flag("ordered", default=True))
    return _reply(statements, errors, n=inserted)


def with_id(document: Document) -> Document:
    """A document as it is stored: with an `_id`, in front."""
    if next(iter(document), None) == "_id":
        return document
    identifier = document["_id"] if "_id" in document else ObjectId()
    return {"_id": identifier, **{name: value for name, value in document.items() if name != "_id"}}


def update(request: Request) -> Document:
    """Update, replace or upsert documents."""
    fields = Fields("update", request.document, ("updates", *_COMMON))
    fields.refuse("let")
    statements = Statements(request, fields)
    matched = modified = 0
    upserts: list[Document] = []

    def one(index: int, entry: Document) -> None:
        nonlocal matched, modified
        statements.check_single(is_single=not truthy(entry.get("multi")), option="multi=true")
        found, changed, identifier = statements.carry_out(
            index, lambda: _update_one(request, entry), lambda result: bool(result[1] or result[2])
        )
        matched += found
        modified += changed
        if identifier:
            upserts.append({"index": index, "_id": identifier["_id"]})

    errors = _each(_batch(fields, "updates"), one, ordered=fields.flag("ordered", default=True))
    reply = _reply(statements, errors, n=matched + len(upserts), nModified=modified)
    if upserts:
        reply["upserted"] = upserts
    return reply


def _update_one(request: Request, entry: Document) -> tuple[int, int, Document]:
    """One entry of an update: how many matched, how many changed, and the document that was inserted if any."""
    fields = Fields("update.updates", entry, _UPDATE, generic=False)
    fields.simple_collation()
    fields.refuse("c")
    change = fields.required("u")
    query = fields.document("q")
    multi = fields.flag("multi")
    if multi and is_document(change) and not is_operator_update(change):
        raise CommandError(ErrorCode.FailedToParse, "multi update is not supported for replacement-style update")
    apply = updater(change, fields.array("arrayFilters"))
    collection = request.collection()
    collection.check_hint(fields.value("hint"))
    now = request.server.now()
    matched = modified = 0
    for record in collection.select(query):
        matched += 1
        after = apply(record.document, Occasion(now=now, query=query))
        if not identical(record.document, after):
            collection.replace(after)
            modified += 1
        if not multi:
            break
    if matched or not fields.flag("upsert"):
        return matched, modified, {}
    document = upserted(query, change, apply, now)
    _made(request).insert(document)
    return 0, 0, document


def delete(request: Request) -> Document:
    """Delete documents."""
    fields = Fields("delete", request.document, ("deletes", *_COMMON))
    fields.refuse("let")
    statements = Statements(request, fields)
    removed = 0

    def one(index: int, entry: Document) -> None:
        nonlocal removed
        statements.check_single(is_single=truthy(entry.get("limit")), option="limit=0")
        removed += statements.carry_out(index, lambda: _delete_one(request, entry), bool)

    errors = _each(_batch(fields, "deletes"), one, ordered=fields.flag("ordered", default=True))
    return _reply(statements, errors, n=removed)


def _delete_one(request: Request, entry: Document) -> int:
    fields = Fields("delete.deletes", entry, _DELETE, generic=False)
    fields.simple_collation()
    fields.required("limit")
    limit = fields.whole("limit", least=None)
    if limit not in (0, 1):
        raise CommandError(ErrorCode.FailedToParse, f"The limit field in delete objects must be 0 or 1. Got {limit}")
    fields.required("q")
    collection = request.collection()
    collection.check_hint(fields.value("hint"))
    removed = 0
    for record in collection.select(fields.document("q")):
        collection.remove(record)
        removed += 1
        if limit:
            break
    return removed


def _made(request: Request) -> Collection:
    return request.server.store.create(request.database, request.collection_name())


def _batch(fields: Fields, name: str) -> list[Document]:
    entries = fields.documents(name)
    if not 1 <= len(entries) <= MAX_WRITE_BATCH:
        raise CommandError(
            ErrorCode.InvalidLength,
            f"Write batch sizes must be between 1 and {MAX_WRITE_BATCH}. Got {len(entries)} operations.",
        )
    return entries


def _each(entries: Sequence[Document], one: Callable[[int, Document], None], *, ordered: bool) -> list[Document]:
    """Carry out the writes of a batch; the errors of those that failed."""
    errors: list[Document] = []
    for index, entry in enumerate(entries):
        try:
            one(index, entry)
        except CommandError as error:
            if error.code in INTERRUPTIONS:
                raise
            errors.append(error.write_error(index))
            if ordered:
                break
    return errors


def _reply(statements: Statements, errors: list[Document], **counts: int) -> Document:
    reply: dict[str, Any] = {**counts}
    if errors:
        reply["writeErrors"] = errors
    return statements.told(reply)
