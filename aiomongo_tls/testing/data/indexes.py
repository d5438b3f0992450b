"""Indexes: their definitions, and uniqueness.

An index speeds nothing up here; it makes keys unique, can be hinted at and listed, and refuses documents that it could
not hold, as the server's do. MongoDB's manual: "Indexes", "createIndexes".
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from bson import Decimal128, ObjectId
from bson.datetime_ms import DatetimeMS

from aiomongo_tls.testing.data.containers import get_at, with_value
from aiomongo_tls.testing.data.matching import Matcher, matcher
from aiomongo_tls.testing.data.values import (
    MISSING,
    Document,
    OrderKey,
    equal,
    integer,
    is_array,
    is_document,
    is_number,
    order_key,
    truthy,
)
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Key = tuple[OrderKey, ...]

ID_INDEX: Mapping[str, Any] = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
"""The definition of the index that every collection has."""

_HERE = {
    "v",
    "key",
    "name",
    "unique",
    "sparse",
    "partialFilterExpression",
    "expireAfterSeconds",
    "hidden",
    "background",
}
_KINDS = {"text", "2d", "2dsphere", "geoHaystack", "wildcard"}
_NOT_HERE = frozenset(
    {
        *(
            "weights",
            "default_language",
            "language_override",
            "textIndexVersion",
            "2dsphereIndexVersion",
            "bits",
            "min",
        ),
        *("max", "bucketSize", "wildcardProjection", "storageEngine", "collation", "prepareUnique", "clustered"),
    }
)
_UNDEFINED: OrderKey = (5, 0)


class Index:
    """One index of a collection.

    Args:
        definition: the index as `createIndexes` gives it.

    Raises:
        CommandError: the definition is malformed, or asks for what this server does not have.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        _check(definition)
        self.definition: Document = {"v": 2, "key": dict(definition["key"]), "name": definition["name"]}
        for option in ("unique", "sparse", "hidden"):
            if truthy(definition.get(option)):
                self.definition[option] = True
        for option in ("partialFilterExpression", "expireAfterSeconds"):
            if option in definition:
                self.definition[option] = definition[option]
        self._fields = [tuple(name.split(".")) for name in self.key]
        self._applies: Matcher | None = (
            matcher(definition["partialFilterExpression"]) if "partialFilterExpression" in definition else None
        )
        self._owners: dict[Key, OrderKey] = {}

    def copy(self) -> Index:
        """The same index with the same entries."""
        copy = Index(self.definition)
        copy._owners = dict(self._owners)
        return copy

    @property
    def name(self) -> str:
        """The index's name."""
        name: str = self.definition["name"]
        return name

    @property
    def key(self) -> Document:
        """The fields, with 1, -1 or `hashed`."""
        key: Document = self.definition["key"]
        return key

    @property
    def unique(self) -> bool:
        """Whether no two documents may have one key."""
        return "unique" in self.definition

    def is_same_as(self, other: Index) -> bool:
        """Whether the other one has the same fields and options, whatever its name."""
        mine, theirs = ({**index.definition, "name": ""} for index in (self, other))
        return list(self.key.items()) == list(other.key.items()) and equal(mine, theirs)

    def keys_of(self, document: Document) -> dict[Key, Sequence[Any]]:
        """The keys of a document, with the values that they stand for.

        Raises:
            CommandError: two of the fields lead into different arrays.
        """
        if self._applies is not None and not self._applies(document):
            return {}
        found: dict[Key, Sequence[Any]] = {}
        for values in _combinations(document, self._fields):
            if "sparse" in self.definition and all(value is MISSING for value in values):
                continue
            key = tuple(_UNDEFINED if value is _Nothing else order_key(value) for value in values)
            found[key] = [None if value is MISSING or value is _Nothing else value for value in values]
        return found

    def check(self, document: Document, owner: OrderKey, namespace: str) -> None:
        """Make sure that a document can be put into the index.

        Args:
            document: the new or changed document.
            owner: the key of its `_id`; its own entries do not count against it.
            namespace: the collection, for the message.

        Raises:
            CommandError: 11000 if another document has one of its keys.
        """
        for key, values in self.keys_of(document).items():
            if self.unique and self._owners.get(key, owner) != owner:
                raise duplicate_key(namespace, self.name, self.key, values)

    def add(self, document: Document, owner: OrderKey) -> None:
        """Take a document in."""
        if self.unique:
            self._owners.update(dict.fromkeys(self.keys_of(document), owner))

    def remove(self, document: Document) -> None:
        """Let a document go."""
        if self.unique:
            for key in self.keys_of(document):
                self._owners.pop(key, None)


class _Nothing:
    """What an index holds for an empty array."""


def _check(definition: Mapping[str, Any]) -> None:
    unknown = definition.keys() - _HERE
    if unknown & _NOT_HERE:
        raise not_here(f"the index option {sorted(unknown & _NOT_HERE)[0]}")
    if unknown:
        raise CommandError(
            ErrorCode.InvalidIndexSpecificationOption,
            f"The field '{sorted(unknown)[0]}' is not valid for an index specification",
        )
    key = definition.get("key")
    if not is_document(key) or not key:
        raise CommandError(ErrorCode.CannotCreateIndex, "Index keys must be an object with at least one field")
    if not isinstance(definition.get("name"), str) or not definition["name"]:
        raise CommandError(ErrorCode.CannotCreateIndex, "the index needs a name")
    for name, direction in key.items():
        if direction in _KINDS or "$**" in name:
            raise not_here(f"the index {{{name}: {direction!r}}}")
        if not name or name.startswith("$") or "" in name.split("."):
            raise CommandError(ErrorCode.CannotCreateIndex, f"Index key contains an illegal field name: {name!r}")
        if direction != "hashed" and (not is_number(direction) or order_key(direction) == order_key(0)):
            raise CommandError(ErrorCode.CannotCreateIndex, f"bad index key pattern {{{name}: {direction!r}}}")
    if "hashed" in key.values() and truthy(definition.get("unique")):
        raise CommandError(16764, "Currently hashed indexes cannot guarantee uniqueness. Use a regular index.")
    if "expireAfterSeconds" in definition and integer(definition["expireAfterSeconds"]) is None:
        raise CommandError(ErrorCode.CannotCreateIndex, "TTL index 'expireAfterSeconds' option must be a number")
    if "partialFilterExpression" in definition and not is_document(definition["partialFilterExpression"]):
        raise CommandError(ErrorCode.TypeMismatch, "partialFilterExpression must be an object")


def _combinations(document: Document, fields: Sequence[tuple[str, ...]]) -> Iterator[list[Any]]:
    """The values of all fields, once for each element of the array that they lead through."""
    arrays = {path for field in fields if (path := _first_array(document, field)) is not None}
    if len(arrays) > 1:
        names = sorted(".".join(path) for path in arrays)
        raise CommandError(ErrorCode.CannotIndexParallelArrays, f"cannot index parallel arrays {names}")
    if not arrays:
        yield [get_at(document, field) for field in fields]
        return
    (path,) = arrays
    array: list[Any] = get_at(document, path)
    if not array:
        yield [_Nothing if field == path else get_at(document, field) for field in fields]
    for element in array:
        if is_array(element):
            # An array inside of an array is a value; it is not entered again.
            yield [
                element if field == path else MISSING if field[: len(path)] == path else get_at(document, field)
                for field in fields
            ]
        else:
            yield from _combinations(with_value(document, path, element), fields)


def _first_array(document: Document, field: tuple[str, ...]) -> tuple[str, ...] | None:
    for depth in range(1, len(field) + 1):
        value = get_at(document, field[:depth])
        if is_array(value):
            return field[:depth]
    return None


def duplicate_key(namespace: str, index: str, pattern: Mapping[str, Any], values: Sequence[Any]) -> CommandError:
    """The error for a key that another document has already.

    Args:
        namespace: the collection.
        index: the index's name.
        pattern: its fields.
        values: the key that is there twice.
    """
    key = dict(zip(pattern, values, strict=True))
    shown = ", ".join(f"{name}: {_shown(value)}" for name, value in key.items())
    return CommandError(
        ErrorCode.DuplicateKey,
        f"E11000 duplicate key error collection: {namespace} index: {index} dup key: {{ {shown} }}",
        keyPattern=dict(pattern),
        keyValue=key,
    )


def _shown(value: Any) -> str:
    """A value as the server's messages show it."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, ObjectId):
        return f"ObjectId('{value}')"
    if isinstance(value, datetime.datetime | DatetimeMS):
        return f"new Date({int(DatetimeMS(value) if isinstance(value, datetime.datetime) else value)})"
    if isinstance(value, Decimal128):
        return f'NumberDecimal("{value}")'
    if is_document(value):
        return "{ " + ", ".join(f"{name}: {_shown(item)}" for name, item in value.items()) + " }"
    if is_array(value):
        return "[ " + ", ".join(map(_shown, value)) + " ]"
    return str(value)
