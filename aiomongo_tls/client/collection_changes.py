"""Changing one document of a collection and returning it: find_one_and_..."""

# ruff: noqa: A002 - PyMongo's parameter names

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.namespace import Namespace
from aiomongo_tls.core.commands.arguments import check_replacement, check_update
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.commands.find_and_modify import find_and_modify_document
from aiomongo_tls.core.commands.operations import ReturnDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiomongo_tls.core.commands.document_type import Filter, Pipeline
    from aiomongo_tls.core.commands.keys import Hint, Keys


class CollectionChanges(Namespace[DocumentType]):
    """The methods of a collection that change one document and return it."""

    async def find_one_and_delete(
        self,
        filter: Filter,
        projection: Mapping[str, Any] | Iterable[str] | None = None,
        sort: Keys | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> DocumentType | None:
        """Remove a document and return it; None if none matches.

        Args:
            filter: what it matches.
            projection: the fields to return.
            sort: which of several matches to take.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter.
            comment: a comment for the server's logs.
            kwargs: the command's other fields under the server's names: `maxTimeMS`, `collation`.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        return await self._find_and_modify(
            filter,
            {"remove": True},
            session,
            projection=projection,
            sort=sort,
            hint=hint,
            let=let,
            comment=comment,
            options=kwargs,
        )

    async def find_one_and_replace(
        self,
        filter: Filter,
        replacement: Mapping[str, Any],
        projection: Mapping[str, Any] | Iterable[str] | None = None,
        sort: Keys | None = None,
        upsert: bool = False,
        return_document: bool = ReturnDocument.BEFORE,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> DocumentType | None:
        """Put a whole document in the place of one that matches, and return the old or the new one.

        Args:
            filter: what it matches.
            replacement: the new document, without update operators.
            projection: the fields to return.
            sort: which of several matches to take.
            upsert: whether to insert the replacement if none matches.
            return_document: `ReturnDocument.BEFORE` for the old document, `ReturnDocument.AFTER` for the new one.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter.
            comment: a comment for the server's logs.
            kwargs: the command's other fields under the server's names: `maxTimeMS`, `collation`,
                `bypassDocumentValidation`.

        Raises:
            DuplicateKeyError: it would have put a key twice into a unique index.
            TypeError: an argument of the wrong type.
            ValueError: the replacement has update operators.
            MongoError: the server could not be asked, or refused.
        """
        return await self._find_and_modify(
            filter,
            {"update": check_replacement(replacement)},
            session,
            projection=projection,
            sort=sort,
            upsert=upsert,
            return_document=return_document,
            hint=hint,
            let=let,
            comment=comment,
            options=kwargs,
        )

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any] | Pipeline,
        projection: Mapping[str, Any] | Iterable[str] | None = None,
        sort: Keys | None = None,
        upsert: bool = False,
        return_document: bool = ReturnDocument.BEFORE,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> DocumentType | None:
        """Change a document that matches, and return it as it was or as it is now.

        Args:
            filter: what it matches.
            update: operators such as `{"$set": ...}`, or a pipeline.
            projection: the fields to return.
            sort: which of several matches to take.
            upsert: whether to insert a document if none matches.
            return_document: `ReturnDocument.BEFORE` or `ReturnDocument.AFTER` the change.
            array_filters: which elements of arrays the update touches.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter and the update.
            comment: a comment for the server's logs.
            kwargs: the command's other fields under the server's names: `maxTimeMS`, `collation`,
                `bypassDocumentValidation`.

        Raises:
            DuplicateKeyError: it would have put a key twice into a unique index.
            TypeError: an argument of the wrong type.
            ValueError: the update is empty, or a replacement.
            MongoError: the server could not be asked, or refused.
        """
        return await self._find_and_modify(
            filter,
            {"update": check_update(update)},
            session,
            projection=projection,
            sort=sort,
            upsert=upsert,
            return_document=return_document,
            array_filters=array_filters,
            hint=hint,
            let=let,
            comment=comment,
            options=kwargs,
        )

    async def _find_and_modify(
        self, filter: Filter, change: Mapping[str, Any], session: object, **arguments: Any
    ) -> DocumentType | None:
        settings = self._settings
        # The server answers this command even at w=0: it has a document to return.
        command = Command(
            database=self._database_name,
            document=find_and_modify_document(self._name, filter, change, settings.write_concern, **arguments),
            codec_options=settings.codec_options,
            decoder=settings.reads,
            documents_in=DocumentsIn.VALUE,
            raises_write_concern=True,
            retryability=settings.write_retryability,
        )
        reply = await self._run(command, session)
        document: DocumentType | None = reply.get("value")
        return document
