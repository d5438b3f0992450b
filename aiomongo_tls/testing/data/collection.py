"""One collection: its documents in order, found by `_id` at once, and its indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bson
from bson import Regex

from aiomongo_tls.testing.data.indexes import ID_INDEX, Index, duplicate_key
from aiomongo_tls.testing.data.matching import is_operators, matcher
from aiomongo_tls.testing.data.values import MISSING, Document, OrderKey, is_array, is_document, is_number, order_key
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DOCUMENT_SIZE = 16 * 1024 * 1024
"""Bytes of the largest document: maxBsonObjectSize."""


@dataclass(frozen=True, slots=True)
class Record:
    """A stored document, decoded and as bytes. The decoded one must not be changed."""

    document: Document
    raw: bytes


class Collection:
    """Documents and indexes.

    Args:
        namespace: `database.collection`, for messages.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._records: dict[OrderKey, Record] = {}
        self._indexes: dict[str, Index] = {}

    def __len__(self) -> int:
        return len(self._records)

    @property
    def size(self) -> int:
        """Bytes of all documents."""
        return sum(len(record.raw) for record in self._records.values())

    def select(self, query: Mapping[str, Any]) -> Iterator[Record]:
        """The documents that match a filter, in the order of their insertion.

        Args:
            query: the filter.

        Raises:
            CommandError: the filter is malformed, or uses what this server does not have.
        """
        matches = matcher(query)
        identifier = _identifier(query)
        if identifier is MISSING:
            # A copy, because the caller may change the collection while it goes through.
            records = list(self._records.values())
        else:
            record = self._records.get(order_key(identifier))
            if record is None:
                return iter(())
            if len(query) == 1:
                return iter((record,))
            records = [record]
        if not query:
            return iter(records)
        return (record for record in records if matches(record.document))

    def insert(self, document: Document) -> None:
        """Store a new document.

        Args:
            document: has an `_id`, which stands first.

        Raises:
            CommandError: its `_id` or another unique key is taken or no value for it, or it is too large.
        """
        identifier = document["_id"]
        if isinstance(identifier, list | Regex):
            kind = "array" if is_array(identifier) else "regex"
            raise CommandError(ErrorCode.InvalidIdField, f"The '_id' value cannot be of type {kind}")
        _check_names(identifier)
        key = order_key(identifier)
        if key in self._records:
            raise duplicate_key(self.namespace, "_id_", {"_id": 1}, [identifier])
        self._put(key, document, None)

    def replace(self, document: Document) -> None:
        """Store another document under an `_id` that is there.

        Raises:
            CommandError: a unique key is taken, or it is too large.
        """
        key = order_key(document["_id"])
        self._put(key, document, self._records[key])

    def copy(self) -> Collection:
        """The same documents and indexes, unmoved by what happens to this collection from now on."""
        copy = Collection(self.namespace)
        copy.become(self)
        return copy

    def become(self, other: Collection) -> None:
        """Take the documents and indexes of another collection."""
        self._records = dict(other._records)
        self._indexes = {name: index.copy() for name, index in other._indexes.items()}

    def remove(self, record: Record) -> None:
        """Take a document away."""
        del self._records[order_key(record.document["_id"])]
        for index in self._indexes.values():
            index.remove(record.document)

    def _put(self, key: OrderKey, document: Document, before: Record | None) -> None:
        raw = bson.encode(document)
        if len(raw) > MAX_DOCUMENT_SIZE:
            if before is not None:
                raise CommandError(17419, f"Resulting document after update is larger than {MAX_DOCUMENT_SIZE}")
            raise CommandError(
                ErrorCode.BadValue,
                f"object to insert too large. size in bytes: {len(raw)}, max size: {MAX_DOCUMENT_SIZE}",
            )
        for index in self._indexes.values():
            index.check(document, key, self.namespace)
        for index in self._indexes.values():
            if before is not None:
                index.remove(before.document)
            index.add(document, key)
        self._records[key] = Record(document, raw)

    @property
    def indexes(self) -> list[Document]:
        """The definitions of the indexes, that of `_id` first."""
        return [dict(ID_INDEX), *(index.definition for index in self._indexes.values())]

    def create_index(self, definition: Mapping[str, Any]) -> bool:
        """Make an index.

        Returns:
            Whether it is new; False if there is the same one already.

        Raises:
            CommandError: the definition is wrong or clashes with another index, or a key is there twice.
        """
        index = Index(definition)
        if list(index.key) == ["_id"] and is_number(index.key["_id"]):
            if index.unique or "sparse" in index.definition:
                raise CommandError(
                    ErrorCode.InvalidIndexSpecificationOption,
                    "The field 'unique' is not valid for an _id index specification",
                )
            return False
        for other in self._indexes.values():
            if other.name == index.name and other.is_same_as(index):
                return False
            if other.name == index.name:
                raise CommandError(
                    ErrorCode.IndexKeySpecsConflict,
                    f"An existing index has the same name as the requested index: {index.name}",
                )
            if list(other.key.items()) == list(index.key.items()) and (
                other.definition.get("partialFilterExpression") == index.definition.get("partialFilterExpression")
            ):
                raise CommandError(
                    ErrorCode.IndexOptionsConflict,
                    f"Index already exists with a different name or with different options: {other.name}",
                )
        for key, record in self._records.items():
            index.check(record.document, key, self.namespace)
            index.add(record.document, key)
        self._indexes[index.name] = index
        return True

    def drop_index(self, name: str) -> None:
        """Remove an index; `*` removes all but that of `_id`.

        Raises:
            CommandError: there is none of that name, or it is that of `_id`.
        """
        if name == "*":
            self._indexes.clear()
        elif name == "_id_":
            raise CommandError(ErrorCode.InvalidOptions, "cannot drop _id index")
        elif self._indexes.pop(name, None) is None:
            raise CommandError(ErrorCode.IndexNotFound, f"index not found with name [{name}]")

    def index_name(self, key: Mapping[str, Any]) -> str:
        """The name of the index with these fields.

        Raises:
            CommandError: there is none, or several.
        """
        names = [d["name"] for d in self.indexes if list(d["key"].items()) == list(key.items())]
        if len(names) != 1:
            code = ErrorCode.AmbiguousIndexKeyPattern if names else ErrorCode.IndexNotFound
            raise CommandError(code, f"{len(names) or 'no'} indexes with key {dict(key)}")
        return str(names[0])

    def check_hint(self, hint: Any) -> None:
        """Make sure that a hint names an index.

        Args:
            hint: an index's name or fields; `$natural`; None or an empty document for no hint.

        Raises:
            CommandError: there is no such index.
        """
        if hint is None or hint == {}:
            return
        if is_document(hint):
            known = "$natural" in hint or any(list(d["key"].items()) == list(hint.items()) for d in self.indexes)
            if known and "$natural" in hint and hint["$natural"] != 1:
                raise not_here("a hint for reverse natural order")
        elif isinstance(hint, str):
            known = any(d["name"] == hint for d in self.indexes)
        else:
            raise CommandError(ErrorCode.FailedToParse, "Hint must be a string or an object")
        if not known:
            raise CommandError(
                ErrorCode.BadValue,
                "error processing query: planner returned error :: caused by :: hint provided does not correspond "
                "to an existing index",
            )


def _identifier(query: Mapping[str, Any]) -> Any:
    """The `_id` that a filter asks for, MISSING if it does not name exactly one."""
    wanted = query.get("_id", MISSING)
    if wanted is MISSING or isinstance(wanted, Regex | list):
        return MISSING
    if is_operators(wanted):
        wanted = wanted["$eq"] if wanted.keys() == {"$eq"} else MISSING
        return MISSING if isinstance(wanted, Regex | list) else wanted
    return wanted


_REFERENCE = ("$ref", "$id", "$db")


def _check_names(identifier: Any) -> None:
    """Elsewhere field names may begin with a dollar since MongoDB 5.0; in an `_id` only those of a reference may."""
    if is_array(identifier):
        for element in identifier:
            _check_names(element)
    elif is_document(identifier):
        allowed = _REFERENCE if next(iter(identifier), None) == "$ref" else ()
        for name, value in identifier.items():
            if name.startswith("$") and name not in allowed:
                raise CommandError(
                    ErrorCode.DollarPrefixedFieldName,
                    f"_id fields may not contain '$'-prefixed fields: The dollar ($) prefixed field '{name}' in "
                    f"'{name}' is not valid for storage.",
                )
            _check_names(value)
