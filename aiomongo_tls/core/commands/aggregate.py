"""The aggregate command, and counting by it (CRUD specification)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.commands.arguments import check_mapping, check_not_negative, check_pipeline
from aiomongo_tls.core.commands.collation import collation_document
from aiomongo_tls.core.commands.keys import hint_value
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern


def writes_somewhere(pipeline: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last stage writes its result (`$out`, `$merge`): no retry, no batches, and a write concern."""
    return bool(pipeline) and ("$out" in pipeline[-1] or "$merge" in pipeline[-1])


def aggregate_document(
    target: str | int,
    pipeline: object,
    options: Mapping[str, Any],
    read_concern: ReadConcern,
    write_concern: WriteConcern,
) -> dict[str, Any]:
    """The aggregate command.

    Args:
        target: the collection, or 1 for the database itself.
        pipeline: the stages.
        options: the command's other fields, with `batchSize` for the cursor; None values are left out.
        read_concern: the collection's.
        write_concern: the collection's, for pipelines that write.

    Raises:
        TypeError: an argument of the wrong type.
        ConfigurationError: `explain`, whose reply is no cursor.
    """
    stages = check_pipeline(pipeline)
    if options.get("explain"):
        raise ConfigurationError("explain: its reply is no cursor; use database.command('explain', ...)")
    given = {name: value for name, value in options.items() if value is not None}
    cursor = dict(check_mapping("cursor", given.pop("cursor", {})))
    batch_size = given.pop("batchSize", cursor.get("batchSize"))
    if writes_somewhere(stages):
        # Such a reply is one empty batch; a batch size of 0 or more is pointless, and some servers refuse it.
        cursor.pop("batchSize", None)
        if not write_concern.is_server_default:
            given["writeConcern"] = write_concern.document
    elif batch_size is not None:
        # 0 is a choice of its own: a cursor at once, and nothing in it yet.
        cursor["batchSize"] = check_not_negative("batchSize", batch_size)
    if "collation" in given:
        given["collation"] = collation_document(given["collation"])
    if "hint" in given:
        given["hint"] = hint_value(given["hint"])
    if "let" in given:
        check_mapping("let", given["let"])
    document: dict[str, Any] = {"aggregate": target, "pipeline": stages, "cursor": cursor, **given}
    if not read_concern.is_server_default:
        document.setdefault("readConcern", read_concern.document)
    return document


def count_pipeline(filter: object, skip: int | None, limit: int | None) -> list[dict[str, Any]]:  # noqa: A002
    """The pipeline that counts what matches a filter; an empty result is a count of 0.

    Raises:
        TypeError: the filter is not a document.
    """
    pipeline: list[dict[str, Any]] = [{"$match": check_mapping("filter", filter)}]
    if skip is not None:
        pipeline.append({"$skip": skip})
    if limit is not None:
        pipeline.append({"$limit": limit})
    return [*pipeline, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
