"""findAndModify. Specification: crud, "findOneAndUpdate" and its like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.commands.reads import in_order
from aiomongo_tls.testing.commands.statements import Statements
from aiomongo_tls.testing.data.projection import projector
from aiomongo_tls.testing.data.updates import Occasion, updater, upserted
from aiomongo_tls.testing.data.values import Document, identical
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request

_KNOWN = (
    *("query", "sort", "remove", "update", "new", "fields", "upsert", "arrayFilters", "hint", "collation", "let"),
    *("bypassDocumentValidation", "stmtId"),
)


def find_and_modify(request: Request) -> Document:
    """Change or remove one document and return it."""
    fields = Fields(request.name, request.document, _KNOWN)
    statements = Statements(request, fields)
    reply, _ = statements.carry_out(0, lambda: _modify(request, fields), lambda result: result[1])
    return {**reply, "retriedStmtId": statements.retried[0]} if statements.retried else reply


def _modify(request: Request, fields: Fields) -> tuple[Document, bool]:
    """The reply, and whether anything changed."""
    fields.simple_collation()
    fields.refuse("let")
    removing, change = fields.flag("remove"), fields.value("update")
    _check(fields, removing=removing, change=change)
    project = projector(fields.document("fields"), in_find=True) if fields.document("fields") else None
    apply = None if removing else updater(change, fields.array("arrayFilters"))
    query = fields.document("query")
    collection = request.collection()
    collection.check_hint(fields.value("hint"))
    record = next(iter(in_order(collection.select(query), fields.document("sort"))), None)
    status: Document
    value: Document | None = None
    has_changed = True
    if apply is None:
        status = {"n": 0 if record is None else 1}
        has_changed = record is not None
        if record is not None:
            value = record.document
            collection.remove(record)
    elif record is not None:
        after = apply(record.document, Occasion(now=request.server.now(), query=query))
        has_changed = not identical(record.document, after)
        if has_changed:
            collection.replace(after)
        status = {"n": 1, "updatedExisting": True}
        value = after if fields.flag("new") else record.document
    elif fields.flag("upsert"):
        inserted = upserted(query, change, apply, request.server.now())
        request.server.store.create(request.database, request.collection_name()).insert(inserted)
        status = {"n": 1, "updatedExisting": False, "upserted": inserted["_id"]}
        value = inserted if fields.flag("new") else None
    else:
        status = {"n": 0, "updatedExisting": False}
        has_changed = False
    shown = project(value) if project and value is not None else value
    return {"lastErrorObject": status, "value": shown}, has_changed


def _check(fields: Fields, *, removing: bool, change: Any) -> None:
    problem = None
    if removing and change is not None:
        problem = "Cannot specify both an update and remove=true"
    elif removing and fields.flag("upsert"):
        problem = "Cannot specify both upsert=true and remove=true"
    elif removing and fields.flag("new"):
        problem = "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document"
    elif not removing and change is None:
        problem = "Either an update or remove=true must be specified"
    if problem:
        raise CommandError(ErrorCode.FailedToParse, problem)
