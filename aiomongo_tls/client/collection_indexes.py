"""The indexes of a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.client.namespace import Namespace
from aiomongo_tls.core.commands.command import NS_NOT_FOUND, Command
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.commands.indexes import (
    COMMIT_QUORUM,
    IndexModel,
    create_indexes_document,
    drop_index_document,
    drop_indexes_document,
    index_information,
)
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability
from aiomongo_tls.errors import OperationFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiomongo_tls.core.commands.keys import Hint, Keys

_OF_THE_COMMAND = ("maxTimeMS", "commitQuorum")


class CollectionIndexes(Namespace[DocumentType]):
    """The methods of a collection for its indexes."""

    async def create_index(self, keys: Keys, session: None = None, comment: Any = None, **kwargs: Any) -> str:
        """Create an index, if it is not there; return its name.

        Args:
            keys: `"a"`, `[("a", ASCENDING), ("b", DESCENDING)]` or a mapping.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: the index's options, see `IndexModel`; also `maxTimeMS` and `commitQuorum`.

        Raises:
            TypeError: keys of the wrong shape.
            ValueError: no key at all.
            MongoError: the server could not be asked, or refused.
        """
        options = {name: kwargs.pop(name) for name in _OF_THE_COMMAND if name in kwargs}
        (name,) = await self.create_indexes([IndexModel(keys, **kwargs)], session, comment, **options)
        return name

    async def create_indexes(
        self, indexes: Sequence[IndexModel], session: None = None, comment: Any = None, **kwargs: Any
    ) -> list[str]:
        """Create indexes, those that are not there; return their names.

        Args:
            indexes: the indexes.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: `maxTimeMS`, `commitQuorum` (MongoDB 4.4).

        Raises:
            TypeError: not a list of IndexModel.
            ValueError: an empty list.
            ConfigurationError: `commitQuorum` for an older server.
            MongoError: the server could not be asked, or refused.
        """
        options = {**kwargs, "comment": comment}
        document, names = create_indexes_document(self._name, indexes, options, self.write_concern)
        command = self._settings.write_command(self._database_name, document)
        command.requires = COMMIT_QUORUM if "commitQuorum" in document else None
        await self._run(command, session)
        return names

    async def drop_index(self, index_or_name: Hint, session: None = None, comment: Any = None, **kwargs: Any) -> None:
        """Drop an index. It is no error if the collection is not there.

        Args:
            index_or_name: its name, or its keys.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: `maxTimeMS`.

        Raises:
            TypeError: neither a name nor keys.
            ConfigurationError: `*`, which would be all of them.
            OperationFailure: there is no such index, or the server refused.
            MongoError: the server could not be asked.
        """
        options = {**kwargs, "comment": comment}
        await self._drop(drop_index_document(self._name, index_or_name, options, self.write_concern), session)

    async def drop_indexes(self, session: None = None, comment: Any = None, **kwargs: Any) -> None:
        """Drop all indexes but the one on `_id`. It is no error if the collection is not there.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: `maxTimeMS`.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        options = {**kwargs, "comment": comment}
        await self._drop(drop_indexes_document(self._name, options, self.write_concern), session)

    async def list_indexes(self, session: None = None, comment: Any = None) -> AsyncCommandCursor[dict[str, Any]]:
        """The indexes, as the server describes them; none if the collection is not there.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        document: dict[str, Any] = {"listIndexes": self._name, "cursor": {}}
        if comment is not None:
            document["comment"] = comment
        # Descriptions are the server's documents, not the user's: decoded plainly, and from a primary.
        command = Command(
            database=self._database_name,
            document=document,
            read_preference=ReadPreference.PRIMARY,
            codec_options=self.codec_options,
            documents_in=DocumentsIn.CURSOR,
            retryability=Retryability.READ,
        )
        try:
            return await AsyncCommandCursor[dict[str, Any]].opened_by(self._executor, command, session)
        except OperationFailure as exc:
            if exc.code not in NS_NOT_FOUND:
                raise
            return AsyncCommandCursor.over(self._executor, list[dict[str, Any]]())

    async def index_information(self, session: None = None, comment: Any = None) -> dict[str, Any]:
        """The indexes by name, each with its `key` as a list of pairs and its options.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        cursor = await self.list_indexes(session, comment)
        return index_information(await cursor.to_list())

    async def _drop(self, document: dict[str, Any], session: object) -> None:
        command = self._settings.write_command(self._database_name, document)
        command.allowable_errors = NS_NOT_FOUND
        await self._run(command, session)
