"""aggregate, for collections and databases alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.core.commands.aggregate import aggregate_document, writes_somewhere
from aiomongo_tls.core.commands.decoding import DocumentsIn

if TYPE_CHECKING:
    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.client.settings import Settings
    from aiomongo_tls.core.commands.document_type import Pipeline


async def aggregated(
    executor: Executor,
    settings: Settings,
    database: str,
    target: str | int,
    pipeline: Pipeline,
    session: object,
    options: dict[str, Any],
) -> AsyncCommandCursor[Any]:
    """Runs a pipeline.

    Args:
        executor: carries commands out.
        settings: codec options, concerns, a read preference.
        database: the database's name.
        target: the collection's name, or 1 for the database itself.
        pipeline: the stages.
        session: must be None.
        options: the command's other fields; `maxAwaitTimeMS` is the cursor's.
    """
    max_await_time_ms = options.pop("maxAwaitTimeMS", None)
    document = aggregate_document(target, pipeline, options, settings.read_concern, settings.write_concern)
    command = settings.read_command(database, document, DocumentsIn.CURSOR)
    command.raises_write_concern = writes_somewhere(pipeline)
    return await AsyncCommandCursor[Any].opened_by(
        executor,
        command,
        session,
        batch_size=document["cursor"].get("batchSize", 0),
        max_await_time_ms=max_await_time_ms,
    )
