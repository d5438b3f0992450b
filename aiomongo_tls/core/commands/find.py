"""The find command (CRUD specification)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypedDict

from aiomongo_tls.core.commands.arguments import check_mapping, check_not_negative, check_type
from aiomongo_tls.core.commands.collation import CollationLike, collation_document
from aiomongo_tls.core.commands.keys import Hint, Keys, bounds_document, hint_value

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import ReadConcern


class CursorType(IntEnum):
    """How a cursor behaves at the end of the data."""

    NON_TAILABLE = 0
    """It ends, the usual case."""
    TAILABLE = 2
    """For a capped collection: it stays open, more may come."""
    TAILABLE_AWAIT = 34
    """As TAILABLE, and the server waits a little for more before it answers."""
    EXHAUST = 64
    """The server sends batches unasked. Not here yet."""


class FindKeywords(TypedDict, total=False):
    """What `find_one` takes beside filter and projection: the parameters of `find`."""

    skip: int
    limit: int
    no_cursor_timeout: bool
    cursor_type: int
    sort: Keys | None
    allow_partial_results: bool
    oplog_replay: bool
    batch_size: int
    collation: CollationLike | None
    hint: Hint | None
    max_scan: int | None
    max_time_ms: int | None
    max: Keys | None
    min: Keys | None
    return_key: bool | None
    show_record_id: bool | None
    snapshot: bool | None
    comment: Any
    session: None
    allow_disk_use: bool | None
    let: Mapping[str, Any] | None


def _flag(name: str, value: object) -> bool | None:
    return True if check_type(name, value, bool) else None


def _boolean(name: str, value: object) -> bool:
    return check_type(name, value, bool)


def _number(name: str, value: object) -> int:
    return check_not_negative(name, value)


def _bounds(name: str, value: object) -> dict[str, Any]:
    return bounds_document(value, what=name)


# PyMongo's parameter -> the command's field, and the check that makes the one from the other.
_FIELDS: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    "no_cursor_timeout": ("noCursorTimeout", _flag),
    "allow_partial_results": ("allowPartialResults", _flag),
    "oplog_replay": ("oplogReplay", _flag),
    "collation": ("collation", lambda _, value: collation_document(value)),
    "hint": ("hint", lambda _, value: hint_value(value)),
    "max_scan": ("maxScan", _number),
    "max_time_ms": ("maxTimeMS", _number),
    "max": ("max", _bounds),
    "min": ("min", _bounds),
    "return_key": ("returnKey", _boolean),
    "show_record_id": ("showRecordId", _boolean),
    "snapshot": ("snapshot", _boolean),
    "comment": ("comment", lambda _, value: value),
    "allow_disk_use": ("allowDiskUse", _boolean),
    "let": ("let", check_mapping),
}


@dataclass(slots=True)
class FindOptions:
    """What a find asks for; the cursor changes it until the first batch is fetched.

    Args:
        filter: what the documents match.
        projection: the fields to return.
        skip: how many matches to leave out at the start.
        limit: how many documents to return, 0 for all; negative for as many at most, in one batch.
        batch_size: documents per batch, 0 for the server's choice.
        sort: the order.
        cursor_type: how the cursor behaves at the end.
        max_await_time_ms: how long the server waits for more data of a TAILABLE_AWAIT cursor.
        fields: the other fields of the command, with their names there.
    """

    filter: Mapping[str, Any]
    projection: dict[str, Any] | None = None
    skip: int = 0
    limit: int = 0
    batch_size: int = 0
    sort: dict[str, Any] | None = None
    cursor_type: CursorType = CursorType.NON_TAILABLE
    max_await_time_ms: int | None = None
    fields: tuple[tuple[str, Any], ...] = ()

    def set(self, name: str, value: object) -> None:
        """Sets one of the options that only pass through, by PyMongo's name; None takes it back.

        Raises:
            TypeError: a value of the wrong type.
            ValueError: a negative number.
        """
        field, check = _FIELDS[name]
        checked = None if value is None else check(name, value)
        kept = tuple((key, held) for key, held in self.fields if key != field)
        self.fields = kept if checked is None else (*kept, (field, checked))

    def field(self, name: str) -> Any:
        """A field of the command that was set, else None."""
        return dict(self.fields).get(name)

    @property
    def is_tailable(self) -> bool:
        """Whether the cursor stays open at the end of the data."""
        return self.cursor_type in (CursorType.TAILABLE, CursorType.TAILABLE_AWAIT)

    def document(self, collection: str, read_concern: ReadConcern) -> dict[str, Any]:
        """The find command."""
        document: dict[str, Any] = {"find": collection, "filter": self.filter}
        if self.projection:
            document["projection"] = self.projection
        if self.sort:
            document["sort"] = self.sort
        if self.skip:
            document["skip"] = self.skip
        if self.limit:
            document["limit"] = abs(self.limit)
        if self.limit < 0:
            document["singleBatch"] = True
        elif self.batch_size:
            # A batch that exactly fills the limit would leave the cursor open, to be killed for nothing.
            document["batchSize"] = self.batch_size + (self.batch_size == self.limit)
        if self.is_tailable:
            document["tailable"] = True
        if self.cursor_type is CursorType.TAILABLE_AWAIT:
            document["awaitData"] = True
        document.update(self.fields)
        if not read_concern.is_server_default:
            document["readConcern"] = read_concern.document
        return document
