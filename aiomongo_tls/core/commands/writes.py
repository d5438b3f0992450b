"""The insert, update and delete commands around their statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.commands.arguments import check_mapping, check_type
from aiomongo_tls.core.commands.command import Requirement
from aiomongo_tls.core.commands.statements import Kind

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import WriteConcern

_HINT_WITHOUT_ANSWER = Requirement(
    9, "a hint on an unacknowledged delete is ignored by servers before MongoDB 4.4; use w=1 or leave the hint out"
)
_SORT_WITHOUT_ANSWER = Requirement(
    25, "servers before MongoDB 8.0 refuse to sort an update, and with w=0 nobody hears it; use w=1 or leave sort out"
)


def write_document(
    kind: Kind,
    collection: str,
    write_concern: WriteConcern,
    *,
    ordered: bool = True,
    bypass_document_validation: object = None,
    let: object = None,
    comment: Any = None,
) -> dict[str, Any]:
    """The body of a write command; its statements travel beside it.

    Raises:
        TypeError: an argument of the wrong type.
    """
    document: dict[str, Any] = {kind.command: collection, "ordered": ordered}
    if bypass_document_validation is not None:
        document["bypassDocumentValidation"] = check_type(
            "bypass_document_validation", bypass_document_validation, bool
        )
    if let is not None and kind is not Kind.INSERT:
        document["let"] = check_mapping("let", let)
    if comment is not None:
        document["comment"] = comment
    concern = write_concern.document
    if concern:
        document["writeConcern"] = concern
    return document


def needed_without_answer(kind: Kind, statements: Sequence[Mapping[str, Any]]) -> Requirement | None:
    """What a server must know if it is not asked for an answer, which would say that it does not."""
    if kind is Kind.DELETE and any("hint" in statement for statement in statements):
        return _HINT_WITHOUT_ANSWER
    if kind is Kind.UPDATE and any("sort" in statement for statement in statements):
        return _SORT_WITHOUT_ANSWER
    return None


def single_result(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to an update of one statement in PyMongo's shape: `upserted` is the new `_id` itself."""
    result = dict(reply)
    upserted = result.get("upserted")
    if upserted:
        result["upserted"] = upserted[0]["_id"]
    result["updatedExisting"] = bool(result.get("n")) and not upserted
    return result
