"""What writes return, under PyMongo's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomongo_tls.core.commands.decoding import Counts
from aiomongo_tls.core.commands.writes import single_result
from aiomongo_tls.errors import InvalidOperation


class WriteResult:
    """What every result of a write has.

    Args:
        acknowledged: whether the server answered (a write concern other than `w=0`).
    """

    __slots__ = ("_acknowledged",)

    def __init__(self, acknowledged: bool) -> None:
        self._acknowledged = acknowledged

    @property
    def acknowledged(self) -> bool:
        """Whether the server answered. Without its answer nothing can be counted."""
        return self._acknowledged

    def _counted(self, name: str) -> None:
        if not self._acknowledged:
            raise InvalidOperation(
                f"{name} is not known: the write was sent without asking for an answer (w=0); see `acknowledged`"
            )


class InsertOneResult(WriteResult):
    """What `insert_one` returns.

    Args:
        inserted_id: the `_id` of the document.
        acknowledged: whether the server answered.
    """

    __slots__ = ("_inserted_id",)

    def __init__(self, inserted_id: Any, acknowledged: bool) -> None:
        super().__init__(acknowledged)
        self._inserted_id = inserted_id

    @property
    def inserted_id(self) -> Any:
        """The `_id` of the inserted document; None for a raw document without one."""
        return self._inserted_id

    def __repr__(self) -> str:
        return f"InsertOneResult({self._inserted_id!r}, acknowledged={self._acknowledged})"


class InsertManyResult(WriteResult):
    """What `insert_many` returns.

    Args:
        inserted_ids: the `_id` of each document, in the caller's order.
        acknowledged: whether the server answered.
    """

    __slots__ = ("_inserted_ids",)

    def __init__(self, inserted_ids: list[Any], acknowledged: bool) -> None:
        super().__init__(acknowledged)
        self._inserted_ids = inserted_ids

    @property
    def inserted_ids(self) -> list[Any]:
        """The `_id` of each inserted document, in the caller's order."""
        return self._inserted_ids

    def __repr__(self) -> str:
        return f"InsertManyResult({self._inserted_ids!r}, acknowledged={self._acknowledged})"


class UpdateResult(WriteResult):
    """What `update_one`, `update_many` and `replace_one` return.

    Args:
        raw_result: the server's reply, `upserted` being the new `_id`.
        acknowledged: whether the server answered.
    """

    __slots__ = ("_raw_result",)

    def __init__(self, raw_result: Mapping[str, Any] | None, acknowledged: bool) -> None:
        super().__init__(acknowledged)
        self._raw_result = raw_result

    @property
    def raw_result(self) -> Mapping[str, Any] | None:
        """The server's reply."""
        if isinstance(self._raw_result, Counts):
            self._raw_result = single_result(self._raw_result.whole())
        return self._raw_result

    @property
    def matched_count(self) -> int:
        """How many documents matched the filter; 0 if one was inserted instead."""
        self._counted("matched_count")
        return 0 if self.did_upsert else int(self._field("n", 0))

    @property
    def modified_count(self) -> int:
        """How many documents are different now."""
        self._counted("modified_count")
        return int(self._field("nModified", 0))

    @property
    def upserted_id(self) -> Any:
        """The `_id` of the document that was inserted because none matched, else None."""
        self._counted("upserted_id")
        return self._field("upserted", None)

    @property
    def did_upsert(self) -> bool:
        """Whether a document was inserted because none matched."""
        self._counted("did_upsert")
        return "upserted" in (self._raw_result or {})

    def _field(self, name: str, default: Any) -> Any:
        return (self._raw_result or {}).get(name, default)

    def __repr__(self) -> str:
        return f"UpdateResult({self.raw_result!r}, acknowledged={self._acknowledged})"


class DeleteResult(WriteResult):
    """What `delete_one` and `delete_many` return.

    Args:
        raw_result: the server's reply.
        acknowledged: whether the server answered.
    """

    __slots__ = ("_raw_result",)

    def __init__(self, raw_result: Mapping[str, Any], acknowledged: bool) -> None:
        super().__init__(acknowledged)
        self._raw_result = raw_result

    @property
    def raw_result(self) -> Mapping[str, Any]:
        """The server's reply."""
        if isinstance(self._raw_result, Counts):
            self._raw_result = self._raw_result.whole()
        return self._raw_result

    @property
    def deleted_count(self) -> int:
        """How many documents were removed."""
        self._counted("deleted_count")
        return int(self._raw_result.get("n", 0))

    def __repr__(self) -> str:
        return f"DeleteResult({self.raw_result!r}, acknowledged={self._acknowledged})"


class BulkWriteResult(WriteResult):
    """What `bulk_write` returns.

    Args:
        bulk_api_result: the counts and upserted ids, in the shape of `BulkWriteError.details`.
        acknowledged: whether the server answered.
    """

    __slots__ = ("_result",)

    def __init__(self, bulk_api_result: dict[str, Any], acknowledged: bool) -> None:
        super().__init__(acknowledged)
        self._result = bulk_api_result

    @property
    def bulk_api_result(self) -> dict[str, Any]:
        """All counts in one document."""
        return self._result

    @property
    def inserted_count(self) -> int:
        """How many documents were inserted by `InsertOne`."""
        return self._count("inserted_count", "nInserted")

    @property
    def matched_count(self) -> int:
        """How many documents the updates and replacements matched."""
        return self._count("matched_count", "nMatched")

    @property
    def modified_count(self) -> int:
        """How many documents the updates and replacements made different."""
        return self._count("modified_count", "nModified")

    @property
    def deleted_count(self) -> int:
        """How many documents were removed."""
        return self._count("deleted_count", "nRemoved")

    @property
    def upserted_count(self) -> int:
        """How many documents were inserted because none matched."""
        return self._count("upserted_count", "nUpserted")

    @property
    def upserted_ids(self) -> dict[int, Any]:
        """The `_id` of each upserted document by the index of its operation."""
        self._counted("upserted_ids")
        return {upserted["index"]: upserted["_id"] for upserted in self._result["upserted"]}

    def _count(self, name: str, field: str) -> int:
        self._counted(name)
        return int(self._result[field])

    def __repr__(self) -> str:
        return f"BulkWriteResult({self._result!r}, acknowledged={self._acknowledged})"
