"""AsyncCursor: the documents that a find returns."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.batches import BatchCursor
from aiomongo_tls.client.not_here import refuses_what_is_not_here
from aiomongo_tls.core.commands.arguments import check_not_negative, check_type
from aiomongo_tls.core.commands.cursors import next_batch_size
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.commands.document_type import DocumentType
from aiomongo_tls.core.commands.find import CursorType, FindOptions
from aiomongo_tls.core.commands.keys import Hint, Keys, key_document
from aiomongo_tls.core.commands.reads import distinct_document
from aiomongo_tls.errors import InvalidOperation

if TYPE_CHECKING:
    from typing import Self

    from bson.code import Code

    from aiomongo_tls.client.executor import Executor
    from aiomongo_tls.client.namespace import Namespace
    from aiomongo_tls.client.settings import Settings
    from aiomongo_tls.core.commands.collation import CollationLike
    from aiomongo_tls.core.commands.command import Command

_DISTINCT_TAKES = ("collation", "comment", "hint", "maxTimeMS")


@refuses_what_is_not_here
class AsyncCursor(BatchCursor[DocumentType]):
    """The documents that match a `find`. Nothing is sent before the first one is asked for.

    Until then its options can be changed, each method returning the cursor itself:

        async for user in users.find({"age": {"$gt": 40}}).sort("name").limit(10):
            ...

    Args:
        executor: carries commands out.
        settings: the collection's codec options, read concern and read preference.
        collection: where to look.
        options: what to look for.
    """

    def __init__(
        self, executor: Executor, settings: Settings, collection: Namespace[DocumentType], options: FindOptions
    ) -> None:
        super().__init__(executor)
        self._settings = settings
        self._collection = collection
        self._options = options

    @property
    def collection(self) -> Namespace[DocumentType]:
        """The collection."""
        return self._collection

    @property
    def retrieved(self) -> int:
        """How many documents have come from the server."""
        return self._retrieved

    # Options

    def skip(self, skip: int) -> Self:
        """Leave out matches at the start.

        Raises:
            TypeError: not an integer.
            ValueError: negative.
            InvalidOperation: the first batch has been fetched.
        """
        self._changeable().skip = check_not_negative("skip", skip)
        return self

    def limit(self, limit: int) -> Self:
        """Return so many documents at most; 0 for all, a negative number for as many in a single batch.

        Raises:
            TypeError: not an integer.
            InvalidOperation: the first batch has been fetched.
        """
        self._changeable().limit = check_type("limit", limit, int)
        return self

    def batch_size(self, batch_size: int) -> Self:
        """Fetch so many documents at a time; 0 for the server's choice.

        Raises:
            TypeError: not an integer.
            ValueError: negative.
            InvalidOperation: the first batch has been fetched.
        """
        self._changeable().batch_size = check_not_negative("batch_size", batch_size)
        return self

    def sort(self, key_or_list: Keys, direction: int | str | None = None) -> Self:
        """Set the order.

        Args:
            key_or_list: a name, a list of names or (name, direction) pairs, or a mapping.
            direction: the direction of a single name; ascending if None.

        Raises:
            TypeError: keys of the wrong shape.
            ValueError: no key at all.
            InvalidOperation: the first batch has been fetched.
        """
        self._changeable().sort = key_document(key_or_list, direction, what="sort")
        return self

    def hint(self, index: Hint | None) -> Self:
        """Name the index to use; None for the server's choice."""
        return self._set("hint", index)

    def comment(self, comment: Any) -> Self:
        """Add a comment, for the server's logs and profiler."""
        return self._set("comment", comment)

    def collation(self, collation: CollationLike | None) -> Self:
        """Set how strings compare."""
        return self._set("collation", collation)

    def max(self, spec: Keys) -> Self:
        """Set the upper bound of the index that `hint` names, not included: (key, value) pairs."""
        return self._set("max", spec)

    def min(self, spec: Keys) -> Self:
        """Set the lower bound of the index that `hint` names, included: (key, value) pairs."""
        return self._set("min", spec)

    def max_scan(self, max_scan: int | None) -> Self:
        """Limit the documents to look at; servers since MongoDB 4.2 do not know it."""
        return self._set("max_scan", max_scan)

    def max_time_ms(self, max_time_ms: int | None) -> Self:
        """Let the server give up after so many milliseconds of work."""
        return self._set("max_time_ms", max_time_ms)

    def allow_disk_use(self, allow_disk_use: bool) -> Self:
        """Let the server sort on disk what does not fit into memory."""
        return self._set("allow_disk_use", check_type("allow_disk_use", allow_disk_use, bool))

    def max_await_time_ms(self, max_await_time_ms: int | None) -> Self:
        """Let the server wait so many milliseconds for more; for CursorType.TAILABLE_AWAIT only.

        Raises:
            TypeError: not an integer.
            ValueError: negative.
            InvalidOperation: the first batch has been fetched.
        """
        checked = None if max_await_time_ms is None else check_not_negative("max_await_time_ms", max_await_time_ms)
        self._changeable().max_await_time_ms = checked
        return self

    def where(self, code: str | Code) -> Self:
        """Let the server run a JavaScript condition on each document.

        Raises:
            TypeError: not a string.
            InvalidOperation: the first batch has been fetched.
        """
        options = self._changeable()
        options.filter = {**options.filter, "$where": check_type("code", code, str)}
        return self

    # Once more

    def clone(self) -> Self:
        """A new cursor with the same options, that has fetched nothing."""
        return type(self)(self._executor, self._settings, self._collection, replace(self._options))

    def __copy__(self) -> Self:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        options = deepcopy(self._options, memo)
        return type(self)(self._executor, self._settings, self._collection, options)

    async def rewind(self) -> Self:
        """Begin again: close the cursor, and let it fetch its first batch anew when it is asked for a document.

        Raises:
            InvalidOperation: another task is waiting for the next batch.
        """
        self._check_alone()
        await self.close()
        super().__init__(self._executor)
        return self

    # Other questions

    async def distinct(self, key: str) -> list[Any]:
        """The different values of a field in the documents that match.

        Raises:
            OperationFailure: the server refused it.
        """
        options = {name: self._options.field(name) for name in _DISTINCT_TAKES}
        document = distinct_document(
            self._collection.name, key, self._options.filter, options, self._settings.read_concern
        )
        reply = await self._executor.run(self._command_of(document, DocumentsIn.VALUES))
        values: list[Any] = reply["values"]
        return values

    async def explain(self) -> dict[str, Any]:
        """How the server would find the documents, with everything it can tell.

        Raises:
            OperationFailure: the server refused it.
        """
        document = {"explain": self._find_document(), "verbosity": "allPlansExecution"}
        return dict(await self._executor.run(self._command_of(document, DocumentsIn.NOWHERE)))

    # Batches

    @property
    def _waits_at_the_end(self) -> bool:
        return self._options.is_tailable

    async def _advance(self) -> bool:
        options = self._options
        if self._batch is None and not self._is_ended:
            await self._open(self._command_of(self._find_document(), DocumentsIn.CURSOR))
        else:
            waits = options.cursor_type is CursorType.TAILABLE_AWAIT
            batch_size = next_batch_size(options.batch_size, options.limit, self._retrieved)
            if not await self._get_more(batch_size, options.max_await_time_ms if waits else None):
                return False
        if 0 < options.limit <= self._retrieved:
            # Since MongoDB 5.0 a cursor stays open at its limit.
            await self._kill()
        return True

    def _find_document(self) -> dict[str, Any]:
        return self._options.document(self._collection.name, self._settings.read_concern)

    def _command_of(self, document: dict[str, Any], documents_in: DocumentsIn) -> Command:
        return self._settings.read_command(self._collection.database_name, document, documents_in)

    def _changeable(self) -> FindOptions:
        if self._command is not None:
            raise InvalidOperation("the cursor has fetched its first batch; set its options before")
        return self._options

    def _set(self, name: str, value: object) -> Self:
        self._changeable().set(name, value)
        return self
