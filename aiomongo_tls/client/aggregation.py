"""aggregate, for collections and databases alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.core.commands.aggregate import aggregate_document, writes_somewhere
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.retry import Retryability

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
    if writes_somewhere(pipeline):
        command.raises_write_concern = True
        command.retryability = Retryability.WRITE_ONCE
        command.read_preference = await executor.preference_for_output(settings.read_preference)
    return await AsyncCommandCursor[Any].opened_by(
        executor,
        command,
        session,
        batch_size=document["cursor"].get("batchSize", 0),
        max_await_time_ms=max_await_time_ms,
    )
