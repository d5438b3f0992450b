"""What a collection is to its families of methods and to its cursors: names, settings, a way to the executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic

from aiomongo_tls.client.not_here import refuse_session
from aiomongo_tls.core.commands.document_type import DocumentType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bson.codec_options import CodecOptions

    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.client.settings import Settings
    from aiomongo_tls.core.commands.command import Command
    from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
    from aiomongo_tls.core.options.read_preference import ReadPreference


class Configured:
    """What has settings: a client, a database, a collection.

    Args:
        executor: carries commands out.
        settings: codec options, concerns, a read preference.
    """

    # `[...]` alone would make it iterable to Python, which would ask for [0], [1], ... and find a collection each time.
    __iter__: ClassVar[None] = None

    def __init__(self, executor: Executor, settings: Settings) -> None:
        self._executor = executor
        self._settings = settings

    @property
    def codec_options(self) -> CodecOptions[Any]:
        """How documents are made from BSON and the other way round."""
        return self._settings.codec_options

    @property
    def read_preference(self) -> ReadPreference:
        """Where to read from."""
        return self._settings.read_preference

    @property
    def write_concern(self) -> WriteConcern:
        """How well confirmed a write must be."""
        return self._settings.write_concern

    @property
    def read_concern(self) -> ReadConcern:
        """How well confirmed a read must be."""
        return self._settings.read_concern

    async def _run(self, command: Command, session: object, *, timeout_ms: float | None = None) -> Mapping[str, Any]:
        # Every operation comes by here or opens a cursor.
        refuse_session(session)
        return await self._executor.run(command, self._executor.deadline(timeout_ms))


class Namespace(Configured, Generic[DocumentType]):
    """A collection, as far as its cursors know it.

    Args:
        executor: carries commands out.
        settings: codec options, concerns, a read preference.
        database: the database's name.
        name: the collection's name.
    """

    def __init__(self, executor: Executor, settings: Settings, database: str, name: str) -> None:
        super().__init__(executor, settings)
        self._database_name = database
        self._name = name

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._name

    @property
    def database_name(self) -> str:
        """The name of its database."""
        return self._database_name

    @property
    def full_name(self) -> str:
        """`database.collection`."""
        return f"{self._database_name}.{self._name}"
