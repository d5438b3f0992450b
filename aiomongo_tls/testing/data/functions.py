"""The operators of expressions that are functions of their operands' values. A missing operand is MISSING.

MongoDB's manual: "Arithmetic", "Array", "Comparison", "Object" and "String Expression Operators".
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from aiomongo_tls.testing.data import numbers
from aiomongo_tls.testing.data.values import (
    MISSING,
    Document,
    integer,
    is_array,
    is_document,
    is_number,
    order_key,
    truthy,
    type_name,
    unique,
)
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Function = Callable[..., Any]


def _numeric(name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
    """Null if any operand is; an error unless all are numbers."""

    def checked(*values: Any) -> Any:
        if any(value is None or value is MISSING for value in values):
            return None
        for value in values:
            if not is_number(value):
                raise CommandError(
                    ErrorCode.TypeMismatch, f"{name} only supports numeric types, not {type_name(value)}"
                )
        return compute(*values)

    return checked


def _add(*values: Any) -> Any:
    if any(value is None or value is MISSING for value in values):
        return None
    dates = [value for value in values if isinstance(value, datetime.datetime)]
    if len(dates) > 1:
        raise CommandError(16612, "only one date allowed in an $add expression")
    rest = [value for value in values if not isinstance(value, datetime.datetime)]
    for value in rest:
        if not is_number(value):
            raise CommandError(
                ErrorCode.TypeMismatch, f"$add only supports numeric or date types, not {type_name(value)}"
            )
    result = numbers.total(rest)
    return dates[0] + _milliseconds(result) if dates else result


def _subtract(left: Any, right: Any) -> Any:
    if isinstance(left, datetime.datetime) and isinstance(right, datetime.datetime):
        return numbers.whole((left - right) // datetime.timedelta(milliseconds=1), long=True)
    if isinstance(left, datetime.datetime) and is_number(right):
        return left - _milliseconds(right)
    return _numeric("$subtract", numbers.subtract)(left, right)


def _milliseconds(number: Any) -> datetime.timedelta:
    return datetime.timedelta(milliseconds=round(float(str(number))))


def _dividing(name: str, compute: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def checked(left: Any, right: Any) -> Any:
        if numbers.is_zero(right):
            raise CommandError(ErrorCode.BadValue, f"can't {name} by zero")
        return compute(left, right)

    return _numeric(name, checked)


def _product(*values: Any) -> Any:
    return reduce(numbers.multiply, values, 1)


def _absolute(value: Any) -> Any:
    return numbers.multiply(value, -1) if order_key(value) < order_key(0) else value


def array_of(name: str, value: Any) -> list[Any]:
    """The value as an array, or the error that `name` gives."""
    if not is_array(value):
        raise CommandError(17124, f"The argument to {name} must be an array, but was of type: {type_name(value)}")
    return value


def _element(array: Any, index: Any) -> Any:
    if array in (None, MISSING) or index in (None, MISSING):
        return None
    place = integer(index)
    if not is_array(array) or place is None:
        raise CommandError(28689, "$arrayElemAt needs an array and a whole number")
    return array[place] if -len(array) <= place < len(array) else MISSING


def _end(index: int) -> Callable[[Any], Any]:
    def take(array: Any) -> Any:
        if array is None or array is MISSING:
            return None
        return _element(array_of("$first" if index == 0 else "$last", array), index)

    return take


def _in(value: Any, array: Any) -> bool:
    if not is_array(array):
        raise CommandError(40081, f"$in requires an array as a second argument, found: {type_name(array)}")
    return order_key(value) in {order_key(item) for item in array}


def _slice(array: Any, *arguments: Any) -> Any:
    if any(value is None or value is MISSING for value in (array, *arguments)):
        return None
    bounds = [integer(value) for value in arguments]
    if not is_array(array) or None in bounds:
        raise CommandError(28724, "$slice needs an array and whole numbers")
    first, *rest = (bound for bound in bounds if bound is not None)
    if not rest:
        return array[:first] if first >= 0 else array[first:]
    if rest[0] <= 0:
        raise CommandError(28729, f"Third argument to $slice must be positive: {rest[0]}")
    start = first if first >= 0 else max(0, len(array) + first)
    return array[start : start + rest[0]]


def _merge_objects(values: list[Any]) -> Document:
    merged: Document = {}
    for value in values:
        if value is None or value is MISSING:
            continue
        if not is_document(value):
            raise CommandError(40400, f"$mergeObjects requires object inputs, but input is of type {type_name(value)}")
        merged |= value
    return merged


def _concat_arrays(*arrays: Any) -> Any:
    if any(array is None or array is MISSING for array in arrays):
        return None
    if not all(is_array(array) for array in arrays):
        raise CommandError(28664, "$concatArrays only supports arrays")
    return [item for array in arrays for item in array]


def _set_union(*arrays: Any) -> Any:
    if any(array is None or array is MISSING for array in arrays):
        return None
    return sorted(unique(item for array in arrays for item in array_of("$setUnion", array)), key=order_key)


def _concat(*values: Any) -> Any:
    if any(value is None or value is MISSING for value in values):
        return None
    for value in values:
        if not isinstance(value, str):
            raise CommandError(16702, f"$concat only supports strings, not {type_name(value)}")
    return "".join(values)


def _case(change: Callable[[str], str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value is None or value is MISSING:
            return ""
        if not isinstance(value, str):
            raise not_here(f"$toLower and $toUpper of {type_name(value)}")
        # The server changes ASCII letters only.
        return "".join(change(letter) if letter.isascii() else letter for letter in value)

    return convert


def _length(value: Any) -> int:
    if not isinstance(value, str):
        raise CommandError(34471, f"$strLenCP requires a string argument, found: {type_name(value)}")
    return len(value)


def _not(value: Any) -> bool:
    return not truthy(value)


def _size(array: Any) -> int:
    return len(array_of("$size", array))


def _reverse(array: Any) -> Any:
    return array_of("$reverseArray", array)[::-1] if is_present(array) else None


def _comparison(accepts: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # A missing field is less than null here, unlike in queries.
    def key(value: Any) -> Any:
        return (5, 0) if value is MISSING else order_key(value)

    return lambda left, right: accepts(key(left), key(right))


def is_present(value: Any) -> bool:
    """Whether a value is neither null nor missing."""
    return value is not None and value is not MISSING


def _extreme(choose: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    return lambda values: choose((value for value in values if is_present(value)), key=order_key, default=None)


_MANY = 1_000_000

FUNCTIONS: Mapping[str, tuple[int, int, Function]] = {
    "$add": (0, _MANY, _add),
    "$subtract": (2, 2, _subtract),
    "$multiply": (0, _MANY, _numeric("$multiply", _product)),
    "$divide": (2, 2, _dividing("$divide", numbers.divide)),
    "$mod": (2, 2, _dividing("$mod", numbers.remainder)),
    "$abs": (1, 1, _numeric("$abs", _absolute)),
    "$eq": (2, 2, _comparison(lambda left, right: left == right)),
    "$ne": (2, 2, _comparison(lambda left, right: left != right)),
    "$gt": (2, 2, _comparison(lambda left, right: left > right)),
    "$gte": (2, 2, _comparison(lambda left, right: left >= right)),
    "$lt": (2, 2, _comparison(lambda left, right: left < right)),
    "$lte": (2, 2, _comparison(lambda left, right: left <= right)),
    "$cmp": (2, 2, _comparison(lambda left, right: (left > right) - (left < right))),
    "$not": (1, 1, _not),
    "$arrayElemAt": (2, 2, _element),
    "$first": (1, 1, _end(0)),
    "$last": (1, 1, _end(-1)),
    "$size": (1, 1, _size),
    "$in": (2, 2, _in),
    "$slice": (2, 3, _slice),
    "$isArray": (1, 1, is_array),
    "$isNumber": (1, 1, is_number),
    "$type": (1, 1, type_name),
    "$concatArrays": (0, _MANY, _concat_arrays),
    "$reverseArray": (1, 1, _reverse),
    "$setUnion": (0, _MANY, _set_union),
    "$concat": (0, _MANY, _concat),
    "$toLower": (1, 1, _case(str.lower)),
    "$toUpper": (1, 1, _case(str.upper)),
    "$strLenCP": (1, 1, _length),
}
"""By operator: the least and the greatest number of operands, and the function."""

FOLDS: Mapping[str, Callable[[list[Any]], Any]] = {
    "$sum": numbers.total,
    "$avg": numbers.average,
    "$min": _extreme(min),
    "$max": _extreme(max),
    "$mergeObjects": _merge_objects,
}
"""Operators over any number of values, or over the elements of one array."""
