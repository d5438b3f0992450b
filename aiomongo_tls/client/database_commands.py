"""The methods of a database: commands, aggregation, its collections as a list."""

# ruff: noqa: A002 - PyMongo's parameter names

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, overload

from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions

from aiomongo_tls.client.aggregation import aggregated
from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.client.namespace import Configured, Namespace
from aiomongo_tls.client.not_here import WHERE
from aiomongo_tls.core.commands.administration import command_document, list_collections_document, with_concern
from aiomongo_tls.core.commands.command import NS_NOT_FOUND, Command
from aiomongo_tls.core.commands.decoding import DocumentsIn, ReplyDecoder
from aiomongo_tls.core.commands.document_type import DocumentType, OtherDocumentType
from aiomongo_tls.core.commands.names import check_collection_name
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.client.settings import Settings
    from aiomongo_tls.core.commands.document_type import Pipeline


class DatabaseCommands(Configured, Generic[DocumentType]):
    """The methods of a database that send something.

    Args:
        executor: carries commands out.
        settings: codec options, concerns, a read preference.
        name: the database's name.
    """

    def __init__(self, executor: Executor, settings: Settings, name: str) -> None:
        super().__init__(executor, settings)
        self._name = name

    @property
    def name(self) -> str:
        """The database's name."""
        return self._name

    @overload
    async def command(
        self,
        command: str | MutableMapping[str, Any],
        value: Any = 1,
        check: bool = True,
        allowable_errors: Sequence[str | int] | None = None,
        read_preference: ReadPreference | None = None,
        codec_options: None = None,
        session: None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]: ...

    @overload
    async def command(
        self,
        command: str | MutableMapping[str, Any],
        value: Any = 1,
        check: bool = True,
        allowable_errors: Sequence[str | int] | None = None,
        read_preference: ReadPreference | None = None,
        *,
        codec_options: CodecOptions[OtherDocumentType],
        session: None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> OtherDocumentType: ...

    async def command(
        self,
        command: str | MutableMapping[str, Any],
        value: Any = 1,
        check: bool = True,
        allowable_errors: Sequence[str | int] | None = None,
        read_preference: ReadPreference | None = None,
        codec_options: CodecOptions[Any] | None = None,
        session: None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Send a command as it is and return the reply.

        No concern of this database is added, and the command goes to the primary unless `read_preference` says
        otherwise.

        Args:
            command: its name, or the whole document, name first.
            value: the value of the name.
            check: whether an error of the server is raised; otherwise the reply tells of it.
            allowable_errors: messages and codes of errors that are returned like a success.
            read_preference: which server may answer.
            codec_options: how the command is encoded and the reply is decoded; plain ones if None.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: further fields of the command.

        Raises:
            OperationFailure: the server refused it.
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked.
        """
        options: CodecOptions[Any] = codec_options or DEFAULT_CODEC_OPTIONS
        sent = Command(
            database=self._name,
            document=command_document(command, value, comment, kwargs),
            read_preference=read_preference or ReadPreference.PRIMARY,
            codec_options=options,
            decoder=ReplyDecoder(options, whole=True),
            check=check,
            allowable_errors=allowable_errors or (),
        )
        return await self._run(sent, session)

    async def aggregate(
        self, pipeline: Pipeline, session: None = None, **kwargs: Any
    ) -> AsyncCommandCursor[DocumentType]:
        """What a pipeline makes that starts from the database itself (`$currentOp`, `$documents`, ...).

        Args:
            pipeline: the stages.
            session: must be None; there are no sessions yet.
            kwargs: the command's other fields under the server's names, see `AsyncCollection.aggregate`.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        return await aggregated(self._executor, self._settings, self._name, 1, pipeline, session, kwargs)

    async def list_collections(
        self,
        session: None = None,
        filter: Mapping[str, Any] | None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> AsyncCommandCursor[dict[str, Any]]:
        """The collections, as the server describes them.

        Args:
            session: must be None; there are no sessions yet.
            filter: what the descriptions match.
            comment: a comment for the server's logs.
            kwargs: `nameOnly`, `authorizedCollections`, `batchSize`.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        return await self._list({**kwargs, "filter": filter, "comment": comment}, session, name_only=False)

    async def list_collection_names(
        self,
        session: None = None,
        filter: Mapping[str, Any] | None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> list[str]:
        """The names of the collections.

        Args:
            session: must be None; there are no sessions yet.
            filter: what the descriptions match.
            comment: a comment for the server's logs.
            kwargs: `authorizedCollections`, `batchSize`.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        cursor = await self._list({**kwargs, "filter": filter, "comment": comment}, session, name_only=True)
        return [description["name"] async for description in cursor]

    async def drop_collection(
        self,
        name_or_collection: str | Namespace[Any],
        session: None = None,
        comment: Any = None,
        encrypted_fields: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Drop a collection and return the reply. It is no error if it is not there.

        Args:
            name_or_collection: its name, or an `AsyncCollection`.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            encrypted_fields: must be None; queryable encryption is not here yet.

        Raises:
            TypeError: neither a name nor a collection.
            MongoError: the server could not be asked, or refused.
        """
        if encrypted_fields is not None:
            raise NotImplementedError(f"encrypted_fields: queryable encryption is not here yet; {WHERE}")
        name = name_or_collection.name if isinstance(name_or_collection, Namespace) else name_or_collection
        document = with_concern({"drop": check_collection_name(name)}, self.write_concern, comment)
        command = self._settings.write_command(self._name, document)
        command.allowable_errors = NS_NOT_FOUND
        return dict(await self._run(command, session))

    async def _list(
        self, options: dict[str, Any], session: object, *, name_only: bool
    ) -> AsyncCommandCursor[dict[str, Any]]:
        # Descriptions are the server's documents, not the user's: decoded plainly, and from a primary.
        batch_size = options.get("batchSize") or 0
        command = Command(
            database=self._name,
            document=list_collections_document(options, name_only=name_only),
            read_preference=ReadPreference.PRIMARY,
            codec_options=self.codec_options,
            documents_in=DocumentsIn.CURSOR,
            retryability=Retryability.READ,
        )
        return await AsyncCommandCursor[dict[str, Any]].opened_by(
            self._executor, command, session, batch_size=batch_size
        )
