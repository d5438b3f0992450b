"""aggregate, for collections and databases alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.core.commands.aggregate import aggregate_document, writes_somewhere
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.routing import output_preference
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.core.sdam.topology_type import TopologyType

if TYPE_CHECKING:
    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.client.settings import Settings
    from aiomongo_tls.core.commands.document_type import Pipeline
    from aiomongo_tls.deadline import Deadline


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
    deadline = executor.deadline()
    max_await_time_ms = options.pop("maxAwaitTimeMS", None)
    document = aggregate_document(target, pipeline, options, settings.read_concern, settings.write_concern)
    command = settings.read_command(database, document, DocumentsIn.CURSOR)
    if writes_somewhere(pipeline):
        command.raises_write_concern = True
        command.retryability = Retryability.WRITE_ONCE
        command.read_preference = await _preference_for_output(executor, settings.read_preference, deadline)
    return await AsyncCommandCursor[Any].opened_by(
        executor,
        command,
        session,
        deadline=deadline,
        batch_size=document["cursor"].get("batchSize", 0),
        max_await_time_ms=max_await_time_ms,
    )


async def _preference_for_output(executor: Executor, preference: ReadPreference, deadline: Deadline) -> ReadPreference:
    """Where an aggregation that writes its result goes (server selection, "Aggregate with `$out` or `$merge`")."""
    if preference == ReadPreference.PRIMARY:
        return preference
    if not executor.description.has_known_servers:
        await executor.open(deadline)
    description = executor.description
    if description.topology_type is TopologyType.LOAD_BALANCED:
        # Of its services no version is known beforehand.
        return preference
    return output_preference(preference, description.common_wire_version)
