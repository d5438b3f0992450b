"""Writing to a collection: insert, update, replace, delete, and many of them in one bulk."""

# ruff: noqa: A002 - PyMongo's parameter names

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from aiomongo_tls.client.namespace import Namespace
from aiomongo_tls.client.not_here import refuse_session
from aiomongo_tls.client.object_ids import new_object_id
from aiomongo_tls.core.commands.arguments import with_id
from aiomongo_tls.core.commands.batches import ROOM_FOR_OPERATORS, Batches
from aiomongo_tls.core.commands.bulk import BulkOutcome, Run, check_operations, runs
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.decoding import Counts, DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.commands.results import (
    BulkWriteResult,
    DeleteResult,
    InsertManyResult,
    InsertOneResult,
    UpdateResult,
)
from aiomongo_tls.core.commands.statements import (
    Kind,
    Statement,
    delete_statement,
    insert_statement,
    replace_statement,
    touches_many,
    update_statement,
)
from aiomongo_tls.core.commands.writes import needed_without_answer, single_result, write_document
from aiomongo_tls.core.options.concerns import WriteConcern
from aiomongo_tls.core.reply import raise_for_write
from aiomongo_tls.core.sessions import ImplicitSession
from aiomongo_tls.errors import OperationFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bson.raw_bson import RawBSONDocument

    from aiomongo_tls.core.commands.collation import CollationLike
    from aiomongo_tls.core.commands.document_type import Filter, Pipeline
    from aiomongo_tls.core.commands.keys import Hint, Keys
    from aiomongo_tls.core.commands.operations import WriteOperation
    from aiomongo_tls.deadline import Deadline


class CollectionWrites(Namespace[DocumentType]):
    """The methods of a collection that write."""

    async def insert_one(
        self,
        document: DocumentType | RawBSONDocument,
        bypass_document_validation: bool | None = None,
        session: None = None,
        comment: Any = None,
    ) -> InsertOneResult:
        """Insert a document.

        Args:
            document: the document; a missing `_id` is added to it.
            bypass_document_validation: whether the collection's validation rules are passed over.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            DuplicateKeyError: it would have put a key twice into a unique index, `_id` being one.
            DocumentTooLarge: it is larger than the server takes; nothing was sent.
            WriteError: the server refused it for another reason.
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        await self._write_one(
            insert_statement(document, new_object_id),
            session,
            bypass_document_validation=bypass_document_validation,
            comment=comment,
        )
        return InsertOneResult(document.get("_id"), self._settings.acknowledged)

    async def insert_many(
        self,
        documents: Iterable[DocumentType | RawBSONDocument],
        ordered: bool = True,
        bypass_document_validation: bool | None = None,
        session: None = None,
        comment: Any = None,
    ) -> InsertManyResult:
        """Insert documents, in as many commands as it takes.

        Args:
            documents: the documents; missing `_id`s are added to them.
            ordered: whether to stop at the first that fails; otherwise all are tried.
            bypass_document_validation: whether the collection's validation rules are passed over.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            BulkWriteError: some could not be inserted; `details` says which, and how many were.
            DocumentTooLarge: one is larger than the server takes; the message it belongs to was not sent.
            TypeError: not documents, or none at all.
            MongoError: the server could not be asked, or refused.
        """
        prepared = [with_id(document, new_object_id) for document in _documents(documents)]
        if not prepared:
            raise TypeError("documents is empty; there is nothing to insert")
        await self._write_many(
            [Run(Kind.INSERT, range(len(prepared)), prepared)],
            session,
            ordered=ordered,
            bypass_document_validation=bypass_document_validation,
            comment=comment,
        )
        ids = [document.get("_id") for document in prepared]
        return InsertManyResult(ids, self.write_concern.acknowledged)

    async def replace_one(
        self,
        filter: Filter,
        replacement: Mapping[str, Any],
        upsert: bool = False,
        bypass_document_validation: bool | None = None,
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        sort: Keys | None = None,
        comment: Any = None,
    ) -> UpdateResult:
        """Put a whole document in the place of one that matches.

        Args:
            filter: what it matches.
            replacement: the new document, without update operators.
            upsert: whether to insert it if none matches.
            bypass_document_validation: whether the collection's validation rules are passed over.
            collation: how strings compare.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter.
            sort: which of several matches to replace (MongoDB 8.0).
            comment: a comment for the server's logs.

        Raises:
            DuplicateKeyError: it would have put a key twice into a unique index.
            WriteError: the server refused it for another reason.
            TypeError: an argument of the wrong type.
            ValueError: the replacement has update operators.
            MongoError: the server could not be asked, or refused.
        """
        statement = replace_statement(filter, replacement, upsert=upsert, collation=collation, hint=hint, sort=sort)
        reply = await self._write_one(
            statement, session, bypass_document_validation=bypass_document_validation, let=let, comment=comment
        )
        return self._updated(reply)

    async def update_one(
        self,
        filter: Filter,
        update: Mapping[str, Any] | Pipeline,
        upsert: bool = False,
        bypass_document_validation: bool | None = None,
        collation: CollationLike | None = None,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        sort: Keys | None = None,
        comment: Any = None,
    ) -> UpdateResult:
        """Change one document that matches.

        Args:
            filter: what it matches.
            update: operators such as `{"$set": ...}`, or a pipeline.
            upsert: whether to insert a document if none matches.
            bypass_document_validation: whether the collection's validation rules are passed over.
            collation: how strings compare.
            array_filters: which elements of arrays the update touches.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter and the update.
            sort: which of several matches to change (MongoDB 8.0).
            comment: a comment for the server's logs.

        Raises:
            DuplicateKeyError: it would have put a key twice into a unique index.
            WriteError: the server refused it for another reason.
            TypeError: an argument of the wrong type.
            ValueError: the update is empty, or a replacement.
            MongoError: the server could not be asked, or refused.
        """
        statement = update_statement(
            filter,
            update,
            upsert=upsert,
            collation=collation,
            array_filters=array_filters,
            hint=hint,
            sort=sort,
        )
        reply = await self._write_one(
            statement, session, bypass_document_validation=bypass_document_validation, let=let, comment=comment
        )
        return self._updated(reply)

    async def update_many(
        self,
        filter: Filter,
        update: Mapping[str, Any] | Pipeline,
        upsert: bool = False,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        bypass_document_validation: bool | None = None,
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
    ) -> UpdateResult:
        """Change all documents that match.

        Args:
            filter: what they match.
            update: operators such as `{"$set": ...}`, or a pipeline.
            upsert: whether to insert a document if none matches.
            array_filters: which elements of arrays the update touches.
            bypass_document_validation: whether the collection's validation rules are passed over.
            collation: how strings compare.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter and the update.
            comment: a comment for the server's logs.

        Raises:
            DuplicateKeyError: it would have put a key twice into a unique index.
            WriteError: the server refused it for another reason.
            TypeError: an argument of the wrong type.
            ValueError: the update is empty, or a replacement.
            MongoError: the server could not be asked, or refused.
        """
        statement = update_statement(
            filter,
            update,
            multi=True,
            upsert=upsert,
            collation=collation,
            array_filters=array_filters,
            hint=hint,
        )
        reply = await self._write_one(
            statement, session, bypass_document_validation=bypass_document_validation, let=let, comment=comment
        )
        return self._updated(reply)

    async def delete_one(
        self,
        filter: Filter,
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
    ) -> DeleteResult:
        """Remove one document that matches.

        Args:
            filter: what it matches.
            collation: how strings compare.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter.
            comment: a comment for the server's logs.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        statement = delete_statement(filter, many=False, collation=collation, hint=hint)
        reply = await self._write_one(statement, session, let=let, comment=comment)
        return DeleteResult(reply or {}, self.write_concern.acknowledged)

    async def delete_many(
        self,
        filter: Filter,
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        session: None = None,
        let: Mapping[str, Any] | None = None,
        comment: Any = None,
    ) -> DeleteResult:
        """Remove all documents that match.

        Args:
            filter: what they match; `{}` for all.
            collation: how strings compare.
            hint: the index to use.
            session: must be None; there are no sessions yet.
            let: variables for the filter.
            comment: a comment for the server's logs.

        Raises:
            TypeError: an argument of the wrong type.
            MongoError: the server could not be asked, or refused.
        """
        statement = delete_statement(filter, many=True, collation=collation, hint=hint)
        reply = await self._write_one(statement, session, let=let, comment=comment)
        return DeleteResult(reply or {}, self.write_concern.acknowledged)

    async def bulk_write(
        self,
        requests: Sequence[WriteOperation[DocumentType]],
        ordered: bool = True,
        bypass_document_validation: bool | None = None,
        session: None = None,
        comment: Any = None,
        let: Mapping[str, Any] | None = None,
    ) -> BulkWriteResult:
        """Carry out many writes in few commands.

        Args:
            requests: the operations: InsertOne, UpdateOne, UpdateMany, ReplaceOne, DeleteOne, DeleteMany.
            ordered: whether they are carried out in this order, stopping at the first that fails; otherwise all are
                tried, grouped by kind.
            bypass_document_validation: whether the collection's validation rules are passed over.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            let: variables for filters and updates.

        Raises:
            BulkWriteError: some failed; `details` says which, by their index here, and what was done.
            DocumentTooLarge: one is larger than the server takes; the message it belongs to was not sent.
            InvalidOperation: no operations.
            TypeError: an argument of the wrong type.
            ValueError: an update that is a replacement, or the other way round.
            MongoError: the server could not be asked, or refused. What was carried out before stands in the error's
                notes (`__notes__`, shown in tracebacks).
        """
        outcome = await self._write_many(
            runs(check_operations(requests, new_object_id), ordered=ordered),
            session,
            ordered=ordered,
            bypass_document_validation=bypass_document_validation,
            let=let,
            comment=comment,
        )
        acknowledged = self.write_concern.acknowledged
        return BulkWriteResult(outcome.document if acknowledged else {}, acknowledged)

    def _updated(self, reply: Mapping[str, Any] | None) -> UpdateResult:
        if reply is not None and ("upserted" in reply or not isinstance(reply, Counts)):
            reply = single_result(reply.whole() if isinstance(reply, Counts) else reply)
        return UpdateResult(reply, self._settings.acknowledged)

    async def _write_one(self, statement: Statement, session: object, **options: Any) -> Mapping[str, Any] | None:
        """One statement in a command of its own; None if the server was not asked for an answer."""
        refuse_session(session)
        kind = statement.kind
        command = self._command(kind, [statement.document], self.write_concern, options)
        executor = self._executor
        reply, _ = await executor.execute(command, None, executor.deadline())
        if not command.acknowledged:
            return None
        raise_for_write(reply)
        return reply

    async def _write_many(
        self, all_runs: Sequence[Run], session: object, *, ordered: bool, **options: Any
    ) -> BulkOutcome:
        """All statements, in one session and with one deadline."""
        refuse_session(session)
        outcome = BulkOutcome()
        deadline = self._executor.deadline()
        implicit = ImplicitSession(self._executor.sessions)
        is_heard = self.write_concern.acknowledged
        # At w=0 nobody hears of an error, but what follows one in order must still not be carried out.
        concern = WriteConcern() if ordered and not is_heard else self.write_concern
        try:
            for run in all_runs:
                command = self._command(run.kind, run.documents, concern, {**options, "ordered": ordered})
                await self._write_run(run, command, outcome, implicit, deadline)
                if ordered and outcome.has_write_errors:
                    break
        except OperationFailure as exc:
            if is_heard:
                _note(exc, outcome)
                raise
        except Exception as exc:
            _note(exc, outcome)
            raise
        finally:
            implicit.end()
        if is_heard:
            outcome.raise_for_errors()
        return outcome

    async def _write_run(
        self, run: Run, command: Command, outcome: BulkOutcome, session: ImplicitSession, deadline: Deadline
    ) -> None:
        batches = command.batches
        assert batches is not None  # noqa: S101
        while not batches.is_empty:
            first = batches.sent
            reply, _ = await self._executor.execute(command, session, deadline)
            if command.acknowledged:
                outcome.add(run, first, reply)
            if outcome.has_write_errors and command.document["ordered"]:
                break

    def _command(
        self, kind: Kind, documents: Sequence[Mapping[str, Any]], concern: WriteConcern, options: Mapping[str, Any]
    ) -> Command:
        settings = self._settings
        if kind is Kind.INSERT:
            batches = Batches(kind.identifier, documents, settings.codec_options)
        else:
            multi = () if len(documents) == 1 and not touches_many(kind, documents[0]) else _multi(kind, documents)
            batches = Batches(
                kind.identifier, documents, settings.codec_options, allowance=ROOM_FOR_OPERATORS, multi=multi
            )
        return Command(
            database=self._database_name,
            document=write_document(kind, self._name, concern, **options),
            batches=batches,
            codec_options=settings.codec_options,
            decoder=settings.writes,
            documents_in=DocumentsIn.NOWHERE_BUT_COUNTS,
            acknowledged=concern.acknowledged,
            requires=None if settings.acknowledged else needed_without_answer(kind, documents),
            retryability=settings.write_retryability,
        )


def _multi(kind: Kind, documents: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """The positions of the statements that may touch several documents."""
    return [position for position, document in enumerate(documents) if touches_many(kind, document)]


def _note(error: Exception, outcome: BulkOutcome) -> None:
    """What breaks a bulk off (a lost connection, a document that is too large) must not hide what was done before."""
    if outcome.done:
        error.add_note(f"of this bulk was carried out before: {outcome.done}")


def _documents(documents: object) -> Iterable[Any]:
    # A single document is iterable, too, and so is a string: both would insert nonsense.
    if isinstance(documents, (Mapping, str, bytes)) or not isinstance(documents, Iterable):
        raise TypeError("documents is a list or another iterable of documents, not one document or something else")
    return cast(Iterable[Any], documents)  # type: ignore[redundant-cast] # to pyright it is not
