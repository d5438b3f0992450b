"""Reading a collection: find, aggregate, count, distinct."""

# ruff: noqa: A002 - PyMongo's parameter names

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiomongo_tls.client.aggregation import aggregated
from aiomongo_tls.client.cursor import AsyncCursor
from aiomongo_tls.client.namespace import Namespace
from aiomongo_tls.client.not_here import WHERE, refuse_session
from aiomongo_tls.core.commands.aggregate import count_pipeline
from aiomongo_tls.core.commands.arguments import (
    DICT,
    check_mapping,
    check_not_negative,
    check_type,
    projection_document,
)
from aiomongo_tls.core.commands.cursors import first_document
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.commands.find import CursorType, FindKeywords, FindOptions
from aiomongo_tls.core.commands.keys import Hint, Keys, key_document
from aiomongo_tls.core.commands.reads import count_document, distinct_document
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from aiomongo_tls.client.command_cursor import AsyncCommandCursor
    from aiomongo_tls.core.commands.collation import CollationLike
    from aiomongo_tls.core.commands.document_type import Filter, Pipeline


class CollectionReads(Namespace[DocumentType]):
    """The methods of a collection that only read."""

    def find(
        self,
        filter: Filter | None = None,
        projection: Mapping[str, Any] | Iterable[str] | None = None,
        skip: int = 0,
        limit: int = 0,
        no_cursor_timeout: bool = False,
        cursor_type: int = CursorType.NON_TAILABLE,
        sort: Keys | None = None,
        allow_partial_results: bool = False,
        oplog_replay: bool = False,
        batch_size: int = 0,
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        max_scan: int | None = None,
        max_time_ms: int | None = None,
        max: Keys | None = None,
        min: Keys | None = None,
        return_key: bool | None = None,
        show_record_id: bool | None = None,
        snapshot: bool | None = None,
        comment: Any = None,
        session: None = None,
        allow_disk_use: bool | None = None,
        let: Mapping[str, Any] | None = None,
    ) -> AsyncCursor[DocumentType]:
        """The documents that match. Nothing is sent before the first one is asked for.

        Args:
            filter: what they match; None for all.
            projection: the fields to return: names, or a mapping.
            skip: how many matches to leave out at the start.
            limit: how many to return, 0 for all; negative for as many in a single batch.
            no_cursor_timeout: whether the server keeps the cursor however long nobody reads it.
            cursor_type: one of `CursorType`.
            sort: the order.
            allow_partial_results: whether to do without shards that are down.
            oplog_replay: an option of old servers.
            batch_size: documents per batch, 0 for the server's choice.
            collation: how strings compare.
            hint: the index to use.
            max_scan: an option of servers before MongoDB 4.2.
            max_time_ms: milliseconds of work after which the server gives up.
            max: the upper bound of the index that `hint` names, not included.
            min: the lower bound of the index that `hint` names, included.
            return_key: whether to return the index's keys only.
            show_record_id: whether to add the server's record id as `$recordId`.
            snapshot: an option of servers before MongoDB 4.0.
            comment: a comment for the server's logs.
            session: must be None; there are no sessions yet.
            allow_disk_use: whether the server may sort on disk.
            let: variables for the filter.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: a negative number.
        """
        refuse_session(session)
        options = FindOptions(
            filter={} if filter is None else check_mapping("filter", filter),
            projection=None if projection is None else projection_document(projection),
            skip=check_not_negative("skip", skip),
            limit=check_type("limit", limit, int),
            batch_size=check_not_negative("batch_size", batch_size),
            sort=key_document(sort, what="sort") if sort else None,
            cursor_type=_cursor_type(cursor_type),
        )
        for name, value in (
            ("no_cursor_timeout", no_cursor_timeout or None),
            ("allow_partial_results", allow_partial_results or None),
            ("oplog_replay", oplog_replay or None),
            ("collation", collation),
            ("hint", hint),
            ("max_scan", max_scan),
            ("max_time_ms", max_time_ms),
            ("max", max),
            ("min", min),
            ("return_key", return_key),
            ("show_record_id", show_record_id),
            ("snapshot", snapshot),
            ("comment", comment),
            ("allow_disk_use", allow_disk_use),
            ("let", let),
        ):
            if value is not None:
                options.set(name, value)
        return AsyncCursor(self._executor, self._settings, self, options)

    async def find_one(
        self,
        filter: Any = None,
        projection: Mapping[str, Any] | Iterable[str] | None = None,
        *args: Any,
        **kwargs: Unpack[FindKeywords],
    ) -> DocumentType | None:
        """The first document that matches, or None.

        Args:
            filter: what it matches; anything but a mapping is taken for its `_id`.
            projection: the fields to return: names, or a mapping.
            args: further parameters of `find`, in its order.
            kwargs: further parameters of `find`.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: a negative number.
            MongoError: the server could not be asked, or refused.
        """
        is_id = type(filter) is not DICT and _is_id(filter)
        selection = check_mapping("filter", {"_id": filter} if is_id else filter or {})
        if args or kwargs:
            async with self.find(selection, projection, *args, **cast(dict[str, Any], kwargs)).limit(-1) as cursor:
                return await anext(cursor, None)
        # And without a cursor: this is the most frequent operation of all.
        document: dict[str, Any] = {"find": self._name, "filter": selection, "limit": 1, "singleBatch": True}
        if projection:
            document["projection"] = projection_document(projection)
        settings = self._settings
        if settings.has_read_concern:
            document["readConcern"] = settings.read_concern.document
        command = settings.read_command(self._database_name, document, DocumentsIn.FIRST)
        executor = self._executor
        reply, _ = await executor.execute(command, None, executor.deadline())
        found: DocumentType | None = first_document(reply)
        return found

    async def aggregate(
        self,
        pipeline: Pipeline,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
        **kwargs: Any,
    ) -> AsyncCommandCursor[DocumentType]:
        """What a pipeline makes of the documents.

        Args:
            pipeline: the stages. One that ends in `$out` or `$merge` writes, with the collection's write concern.
            session: must be None; there are no sessions yet.
            let: variables for the pipeline.
            comment: a comment for the server's logs.
            kwargs: the command's other fields under the server's names: `allowDiskUse`, `maxTimeMS`, `batchSize`,
                `collation`, `hint`, `bypassDocumentValidation`, ...

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        options = {**kwargs, "let": let, "comment": comment}
        return await aggregated(
            self._executor, self._settings, self._database_name, self._name, pipeline, session, options
        )

    async def count_documents(self, filter: Filter, session: None = None, comment: Any = None, **kwargs: Any) -> int:
        """How many documents match, counted one by one.

        Args:
            filter: what they match; `{}` for all, but see `estimated_document_count`.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: `skip`, `limit`, `maxTimeMS`, `hint`, `collation`.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        pipeline = count_pipeline(filter, kwargs.pop("skip", None), kwargs.pop("limit", None))
        options = {**kwargs, "comment": comment}
        counting: AsyncCommandCursor[dict[str, Any]] = await aggregated(
            self._executor, self._settings, self._database_name, self._name, pipeline, session, options
        )
        counted = await counting.to_list()
        return int(counted[0]["n"]) if counted else 0

    async def estimated_document_count(self, comment: Any = None, **kwargs: Any) -> int:
        """How many documents there are, by what the server knows without looking at them.

        Args:
            comment: a comment for the server's logs.
            kwargs: `maxTimeMS`.

        Raises:
            ConfigurationError: a session, in which the server does not count this way.
            MongoError: the server could not be asked, or refused.
        """
        if "session" in kwargs:
            raise ConfigurationError("estimated_document_count takes no session; count_documents does")
        document = count_document(self._name, {**kwargs, "comment": comment}, self.read_concern)
        reply = await self._run(self._settings.read_command(self._database_name, document), None)
        return int(reply["n"])

    async def distinct(
        self,
        key: str,
        filter: Filter | None = None,
        session: None = None,
        comment: Any = None,
        hint: Hint | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """The different values of a field.

        Args:
            key: the field.
            filter: which documents to look at; None for all.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            hint: the index to use.
            kwargs: `maxTimeMS`, `collation`.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        options = {**kwargs, "comment": comment, "hint": hint}
        document = distinct_document(self._name, key, filter, options, self.read_concern)
        command = self._settings.read_command(self._database_name, document, DocumentsIn.VALUES)
        values: list[Any] = (await self._run(command, session))["values"]
        return values


def _is_id(filter: object) -> bool:
    return filter is not None and not isinstance(filter, Mapping)


def _cursor_type(value: int) -> CursorType:
    cursor_type = CursorType(value)
    if cursor_type is CursorType.EXHAUST:
        raise NotImplementedError(f"CursorType.EXHAUST is not here yet; {WHERE}")
    return cursor_type
