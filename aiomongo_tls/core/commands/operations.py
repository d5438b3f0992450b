"""The operations of `bulk_write`, under PyMongo's names and parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from bson.objectid import ObjectId

from aiomongo_tls.core.commands.arguments import check_list, check_mapping
from aiomongo_tls.core.commands.document_type import DocumentType, Filter, Pipeline
from aiomongo_tls.core.commands.statements import (
    Statement,
    delete_statement,
    insert_statement,
    replace_statement,
    update_statement,
)

if TYPE_CHECKING:
    from bson.raw_bson import RawBSONDocument

    from aiomongo_tls.core.commands.collation import CollationLike
    from aiomongo_tls.core.commands.keys import Hint, Keys


class ReturnDocument:
    """Which state of the document `find_one_and_update` and `find_one_and_replace` return."""

    BEFORE = False
    """The document as it was; None if it was inserted."""
    AFTER = True
    """The document as it is now."""


class Operation(ABC):
    """One operation of a bulk. Equal by content and shown with its arguments, as PyMongo's operations are."""

    __slots__ = ("_arguments",)

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments

    @property
    def namespace(self) -> str | None:
        """The namespace for `AsyncClient.bulk_write`; None for a collection's own `bulk_write`."""
        return self._arguments["namespace"]  # type: ignore[no-any-return]

    @abstractmethod
    def statement(self) -> Statement:
        """What the command says for this operation; the arguments are checked here.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: an update that is empty or a replacement, a replacement with operators.
        """

    def __eq__(self, other: object) -> bool:
        return self._arguments == other._arguments if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        given = (f"{name}={value!r}" for name, value in self._arguments.items() if value is not None)
        return f"{type(self).__name__}({', '.join(given)})"


class InsertOne(Operation, Generic[DocumentType]):
    """Insert one document.

    Args:
        document: the document; a missing `_id` is added to it.
        namespace: `database.collection`, for `AsyncClient.bulk_write` only.
    """

    __slots__ = ()

    def __init__(self, document: DocumentType | RawBSONDocument, namespace: str | None = None) -> None:
        super().__init__({"document": document, "namespace": namespace})

    def statement(self, new_id: Callable[[], ObjectId] = ObjectId) -> Statement:
        """What the insert command says for this operation.

        Args:
            new_id: makes an id for a document without one.
        """
        return insert_statement(self._arguments["document"], new_id)


class _Delete(Operation):
    __slots__ = ()
    _many: bool

    def __init__(
        self,
        filter: Filter,  # noqa: A002
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        namespace: str | None = None,
    ) -> None:
        check_mapping("filter", filter)
        super().__init__({"filter": filter, "collation": collation, "hint": hint, "namespace": namespace})

    def statement(self) -> Statement:
        """What the delete command says for this operation."""
        arguments = self._arguments
        return delete_statement(
            arguments["filter"], many=self._many, collation=arguments["collation"], hint=arguments["hint"]
        )


class DeleteOne(_Delete):
    """Remove one document that matches.

    Args:
        filter: what the document matches.
        collation: how strings compare.
        hint: the index to use.
        namespace: `database.collection`, for `AsyncClient.bulk_write` only.

    Raises:
        TypeError: the filter is not a document.
    """

    __slots__ = ()
    _many = False


class DeleteMany(_Delete):
    """Remove all documents that match.

    Args:
        filter: what the documents match.
        collation: how strings compare.
        hint: the index to use.
        namespace: `database.collection`, for `AsyncClient.bulk_write` only.

    Raises:
        TypeError: the filter is not a document.
    """

    __slots__ = ()
    _many = True


class ReplaceOne(Operation, Generic[DocumentType]):
    """Put a whole document in the place of one that matches.

    Args:
        filter: what the document matches.
        replacement: the new document, without update operators.
        upsert: whether to insert it if none matches.
        collation: how strings compare.
        hint: the index to use.
        namespace: `database.collection`, for `AsyncClient.bulk_write` only.
        sort: which of several matches to replace (MongoDB 8.0).

    Raises:
        TypeError: the filter is not a document.
    """

    __slots__ = ()

    def __init__(
        self,
        filter: Filter,  # noqa: A002
        replacement: DocumentType | RawBSONDocument,
        upsert: bool | None = None,
        collation: CollationLike | None = None,
        hint: Hint | None = None,
        namespace: str | None = None,
        sort: Keys | None = None,
    ) -> None:
        check_mapping("filter", filter)
        super().__init__(
            {
                "filter": filter,
                "replacement": replacement,
                "upsert": upsert,
                "collation": collation,
                "hint": hint,
                "namespace": namespace,
                "sort": sort,
            }
        )

    def statement(self) -> Statement:
        """What the update command says for this operation."""
        arguments = {name: value for name, value in self._arguments.items() if name != "namespace"}
        return replace_statement(arguments.pop("filter"), arguments.pop("replacement"), **arguments)


class _Update(Operation):
    __slots__ = ()
    _many: bool

    def statement(self) -> Statement:
        """What the update command says for this operation."""
        arguments = {name: value for name, value in self._arguments.items() if name != "namespace"}
        return update_statement(arguments.pop("filter"), arguments.pop("update"), multi=self._many, **arguments)


class UpdateOne(_Update):
    """Change one document that matches.

    Args:
        filter: what the document matches.
        update: operators such as `{"$set": ...}`, or a pipeline.
        upsert: whether to insert a document if none matches.
        collation: how strings compare.
        array_filters: which elements of arrays the update touches.
        hint: the index to use.
        namespace: `database.collection`, for `AsyncClient.bulk_write` only.
        sort: which of several matches to change (MongoDB 8.0).

    Raises:
        TypeError: the filter is not a document, or `array_filters` not a list.
    """

    __slots__ = ()
    _many = False

    def __init__(
        self,
        filter: Filter,  # noqa: A002
        update: Mapping[str, Any] | Pipeline,
        upsert: bool | None = None,
        collation: CollationLike | None = None,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        hint: Hint | None = None,
        namespace: str | None = None,
        sort: Keys | None = None,
    ) -> None:
        check_mapping("filter", filter)
        if array_filters is not None:
            check_list("array_filters", array_filters)
        super().__init__(
            {
                "filter": filter,
                "update": update,
                "upsert": upsert,
                "collation": collation,
                "array_filters": array_filters,
                "hint": hint,
                "namespace": namespace,
                "sort": sort,
            }
        )


class UpdateMany(_Update):
    """Change all documents that match.

    Args:
        filter: what the documents match.
        update: operators such as `{"$set": ...}`, or a pipeline.
        upsert: whether to insert a document if none matches.
        collation: how strings compare.
        array_filters: which elements of arrays the update touches.
        hint: the index to use.
        namespace: `database.collection`, for `AsyncClient.bulk_write` only.

    Raises:
        TypeError: the filter is not a document, or `array_filters` not a list.
    """

    __slots__ = ()
    _many = True

    def __init__(
        self,
        filter: Filter,  # noqa: A002
        update: Mapping[str, Any] | Pipeline,
        upsert: bool | None = None,
        collation: CollationLike | None = None,
        array_filters: Sequence[Mapping[str, Any]] | None = None,
        hint: Hint | None = None,
        namespace: str | None = None,
    ) -> None:
        check_mapping("filter", filter)
        if array_filters is not None:
            check_list("array_filters", array_filters)
        super().__init__(
            {
                "filter": filter,
                "update": update,
                "upsert": upsert,
                "collation": collation,
                "array_filters": array_filters,
                "hint": hint,
                "namespace": namespace,
            }
        )


WriteOperation: TypeAlias = (
    InsertOne[DocumentType] | ReplaceOne[DocumentType] | UpdateOne | UpdateMany | DeleteOne | DeleteMany
)
