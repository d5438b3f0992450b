"""BSON values: their order, their equality, their types. As MongoDB has them, not as Python has them.

`order_key(value)` is a tuple that compares as MongoDB sorts: first by the type's place in the order of types, then by
value. Keys of equal values are equal and hash alike: 1, 1.0, Int64(1) and Decimal128("1") have one key, True another.
MongoDB's manual: "Comparison/Sort Order".
"""

from __future__ import annotations

import datetime
import math
import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import bson
from bson import Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Document = dict[str, Any]
"""A document as `bson` decodes it."""

OrderKey = tuple[Any, ...]
"""What `order_key` returns."""


class _Missing:
    """Stands for a field that is not there."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()
"""No value at all, which is not the same as null."""

NULL_KEY: OrderKey = (10, 0)
"""The key of null. A missing field sorts with it."""

_NUMBER = 15


def is_document(value: Any) -> TypeGuard[Document]:
    """Whether a value is a document."""
    return isinstance(value, dict)


def is_regex(value: Any) -> TypeGuard[Regex[Any]]:
    """Whether a value is a regular expression."""
    return isinstance(value, Regex)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value is an array."""
    return isinstance(value, list)


def _number_key(value: Any) -> OrderKey:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
        if value.is_nan():
            return (_NUMBER, 0)
    elif isinstance(value, float) and math.isnan(value):
        return (_NUMBER, 0)
    # Python compares int, float and Decimal exactly, and equal numbers hash alike whatever their type.
    return (_NUMBER, 1, value)


def _document_key(value: Mapping[str, Any]) -> OrderKey:
    fields: list[Any] = []
    for name, item in value.items():
        bracket, *rest = order_key(item)
        fields += (bracket, name, tuple(rest))
    return (25, tuple(fields))


def _binary_key(value: bytes) -> OrderKey:
    return (35, len(value), value.subtype if isinstance(value, Binary) else 0, bytes(value))


def _regex_key(value: Regex[Any]) -> OrderKey:
    return (55, value.pattern if isinstance(value.pattern, bytes) else value.pattern.encode(), value.flags)


def _code_key(value: Code) -> OrderKey:
    return (60, str(value)) if value.scope is None else (65, str(value), order_key(dict(value.scope)))


_KEYS: dict[type, Callable[[Any], OrderKey]] = {
    MinKey: lambda _: (0, 0),
    type(None): lambda _: NULL_KEY,
    _Missing: lambda _: NULL_KEY,
    int: lambda value: (_NUMBER, 1, value),
    Int64: lambda value: (_NUMBER, 1, int(value)),
    float: _number_key,
    Decimal128: _number_key,
    str: lambda value: (20, value),
    dict: _document_key,
    list: lambda value: (30, tuple(order_key(item) for item in value)),
    bytes: _binary_key,
    Binary: _binary_key,
    ObjectId: lambda value: (40, value.binary),
    bool: lambda value: (45, value),
    datetime.datetime: lambda value: (50, int(DatetimeMS(value))),
    DatetimeMS: lambda value: (50, int(value)),
    Timestamp: lambda value: (52, value.time, value.inc),
    Regex: _regex_key,
    Code: _code_key,
    MaxKey: lambda _: (127, 0),
}


def order_key(value: Any) -> OrderKey:
    """A key that compares and hashes as MongoDB compares values.

    Args:
        value: a BSON value, or MISSING.
    """
    return _KEYS[type(value)](value)


def bracket(value: Any) -> int:
    """The type's place in the order of types. Range comparisons in queries look at one such place only."""
    place: int = order_key(value)[0]
    return place


def equal(left: Any, right: Any) -> bool:
    """Whether MongoDB calls two values equal: numbers by value, documents field by field in order."""
    return order_key(left) == order_key(right)


def identical(left: Any, right: Any) -> bool:
    """Whether two values are the same to the last bit, numeric types included."""
    return bson.encode({"": left}) == bson.encode({"": right})


def is_number(value: Any) -> bool:
    """Whether a value is an int32, int64, double or decimal; booleans are none."""
    return isinstance(value, int | float | Decimal128) and not isinstance(value, bool)


def integer(value: Any) -> int | None:
    """The integer that a number stands for, None if it is not a whole number."""
    if not is_number(value):
        return None
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    if not math.isfinite(number) or number != int(number):
        return None
    return int(number)


def truthy(value: Any) -> bool:
    """Whether an expression's value counts as true: everything but false, null, missing and zero."""
    if value is None or value is MISSING or value is False:
        return False
    return not is_number(value) or order_key(value) != (_NUMBER, 1, 0)


TYPE_NUMBERS: Mapping[str, int] = {
    "double": 1,
    "string": 2,
    "object": 3,
    "array": 4,
    "binData": 5,
    "undefined": 6,
    "objectId": 7,
    "bool": 8,
    "date": 9,
    "null": 10,
    "regex": 11,
    "dbPointer": 12,
    "javascript": 13,
    "symbol": 14,
    "javascriptWithScope": 15,
    "int": 16,
    "timestamp": 17,
    "long": 18,
    "decimal": 19,
    "minKey": -1,
    "maxKey": 127,
}
"""MongoDB's names of BSON types and their numbers."""

_TYPE_NAMES: dict[type, str] = {
    MinKey: "minKey",
    type(None): "null",
    _Missing: "missing",
    int: "int",
    Int64: "long",
    float: "double",
    Decimal128: "decimal",
    str: "string",
    dict: "object",
    list: "array",
    bytes: "binData",
    Binary: "binData",
    ObjectId: "objectId",
    bool: "bool",
    datetime.datetime: "date",
    DatetimeMS: "date",
    Timestamp: "timestamp",
    Regex: "regex",
    MaxKey: "maxKey",
}


def type_name(value: Any) -> str:
    """MongoDB's name of a value's type, as error messages and `$type` have it."""
    if isinstance(value, Code):
        return "javascript" if value.scope is None else "javascriptWithScope"
    return _TYPE_NAMES[type(value)]


def compiled(pattern: str | bytes, flags: int) -> re.Pattern[str]:
    r"""A regular expression ready for use.

    Args:
        pattern: the expression; PCRE and Python's `re` agree on what tests use.
        flags: flags of `re`.

    Raises:
        re.error: Python cannot read it.
    """
    text = pattern.decode() if isinstance(pattern, bytes) else pattern
    # mongod's \d, \w, \s and caseless letters are ASCII; only a pattern with other letters needs Unicode's.
    return re.compile(text, (flags & ~re.UNICODE) | (re.ASCII if text.isascii() else 0))


def unique(values: Iterable[Any]) -> list[Any]:
    """The first of each group of equal values, in order."""
    found: dict[OrderKey, Any] = {}
    for value in values:
        found.setdefault(order_key(value), value)
    return list(found.values())
