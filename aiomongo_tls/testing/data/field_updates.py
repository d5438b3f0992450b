"""What each update operator makes of one field.

An operator is compiled to a function from the field's value (MISSING if there is none) and the present time to its new
value; MISSING takes the field away, and the very same object leaves it alone.
"""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from bson import Int64, Timestamp

from aiomongo_tls.testing.data import numbers
from aiomongo_tls.testing.data.matching import element_test, field_test
from aiomongo_tls.testing.data.ordering import sorter
from aiomongo_tls.testing.data.paths import Elements
from aiomongo_tls.testing.data.values import (
    MISSING,
    Document,
    integer,
    is_array,
    is_document,
    is_number,
    is_regex,
    order_key,
    type_name,
)
from aiomongo_tls.testing.failures import CommandError, ErrorCode

FieldUpdate = Callable[[Any, datetime.datetime], Any]


def nothing(current: Any, _: datetime.datetime) -> Any:
    """Leave the field alone."""
    return current


def _set(_: str, argument: Any) -> FieldUpdate:
    return lambda current, now: argument


def _unset(_: str, __: Any) -> FieldUpdate:
    return lambda current, now: MISSING


def _arithmetic(
    operator: str, compute: numbers.Operation, start: Callable[[Any], Any]
) -> Callable[[str, Any], FieldUpdate]:
    def compile_update(name: str, argument: Any) -> FieldUpdate:
        if not is_number(argument):
            verb = "increment" if operator == "$inc" else "multiply"
            raise CommandError(
                ErrorCode.TypeMismatch, f"Cannot {verb} with non-numeric argument: {{{name}: {argument!r}}}"
            )

        def change(current: Any, _: datetime.datetime) -> Any:
            if current is MISSING:
                return start(argument)
            if not is_number(current):
                raise CommandError(
                    ErrorCode.TypeMismatch,
                    f"Cannot apply {operator} to a value of non-numeric type. "
                    f"The field '{name}' is of type {type_name(current)}",
                )
            result = compute(current, argument)
            if isinstance(result, float) and isinstance(current, int) and isinstance(argument, int):
                raise CommandError(
                    ErrorCode.BadValue, f"Failed to apply {operator} operations to current value of '{name}': overflow"
                )
            return result

        return change

    return compile_update


def _extreme(prefers: Callable[[Any, Any], bool]) -> Callable[[str, Any], FieldUpdate]:
    def compile_update(_: str, argument: Any) -> FieldUpdate:
        key = order_key(argument)
        return lambda current, now: argument if current is MISSING or prefers(key, order_key(current)) else current

    return compile_update


def timestamp(now: datetime.datetime) -> Timestamp:
    """The present time as a BSON timestamp."""
    return Timestamp(calendar.timegm(now.timetuple()), 1)


def _current_date(name: str, argument: Any) -> FieldUpdate:
    kind = argument.get("$type") if is_document(argument) and len(argument) == 1 else argument
    if isinstance(kind, bool) or kind == "date":
        return lambda current, now: now
    if kind == "timestamp":
        return lambda current, now: timestamp(now)
    raise CommandError(
        ErrorCode.BadValue, f"$currentDate of '{name}' needs true, 'date' or 'timestamp', not {argument!r}"
    )


def _array(operator: str, name: str, current: Any) -> list[Any]:
    if not is_array(current):
        raise CommandError(
            ErrorCode.BadValue,
            f"{operator}: the field '{name}' must be an array but is of type {type_name(current)}",
        )
    return current


def _items(operator: str, name: str, current: Any) -> list[Any]:
    """The array to add to, a copy; a missing one is empty."""
    return [] if current is MISSING else list(_array(operator, name, current))


_PUSH_OPTIONS = {"$each", "$position", "$slice", "$sort"}


def _push(name: str, argument: Any) -> FieldUpdate:
    if not is_document(argument) or "$each" not in argument:
        return lambda current, now: [*(() if current is MISSING else _array("$push", name, current)), argument]
    if argument.keys() - _PUSH_OPTIONS:
        raise CommandError(
            ErrorCode.BadValue, f"Unrecognized clause in $push: {sorted(argument.keys() - _PUSH_OPTIONS)}"
        )
    added = _each("$push", argument)
    place = _whole(argument, "$position")
    limit = _whole(argument, "$slice")
    arrange = _array_sorter(argument["$sort"]) if "$sort" in argument else None

    def change(current: Any, _: datetime.datetime) -> Any:
        items = _items("$push", name, current)
        at = len(items) if place is None else place
        items[at:at] = added
        if arrange is not None:
            items = arrange(items)
        if limit is None:
            return items
        return items[:limit] if limit >= 0 else items[limit:]

    return change


def _each(operator: str, argument: Document) -> list[Any]:
    items = argument["$each"]
    if not is_array(items):
        raise CommandError(
            ErrorCode.TypeMismatch,
            f"The argument to $each in {operator} must be an array but it was {type_name(items)}",
        )
    return items


def _whole(argument: Document, name: str) -> int | None:
    if name not in argument:
        return None
    number = integer(argument[name])
    if number is None:
        raise CommandError(ErrorCode.BadValue, f"The value for {name} must be an integer value")
    return number


def _array_sorter(specification: Any) -> Callable[[list[Any]], list[Any]]:
    if is_document(specification):
        arrange = sorter({f"value.{name}": direction for name, direction in specification.items()})
    elif integer(specification) in (1, -1):
        # The elements as such, arrays among them compared as a whole.
        return lambda items: sorted(items, key=order_key, reverse=integer(specification) == -1)
    else:
        raise CommandError(ErrorCode.BadValue, "The $sort element value must be either 1 or -1")
    return lambda items: [wrapped["value"] for wrapped in arrange([{"value": item} for item in items])]


def _add_to_set(name: str, argument: Any) -> FieldUpdate:
    if is_document(argument) and "$each" in argument:
        if len(argument) > 1:
            raise CommandError(ErrorCode.BadValue, "Found unexpected fields after $each in $addToSet")
        added = _each("$addToSet", argument)
    else:
        added = [argument]

    def change(current: Any, _: datetime.datetime) -> Any:
        items = _items("$addToSet", name, current)
        keys = {order_key(item) for item in items}
        for item in added:
            if (key := order_key(item)) not in keys:
                keys.add(key)
                items.append(item)
        return items

    return change


def _pop(name: str, argument: Any) -> FieldUpdate:
    end = integer(argument)
    if end not in (1, -1):
        raise CommandError(ErrorCode.FailedToParse, f"$pop expects 1 or -1, found: {argument!r}")

    def change(current: Any, _: datetime.datetime) -> Any:
        if current is MISSING:
            return current
        items = _array("$pop", name, current)
        return items[:-1] if end == 1 else items[1:]

    return change


def _removing(operator: str, name: str, unwanted: Callable[[Any], bool]) -> FieldUpdate:
    def change(current: Any, _: datetime.datetime) -> Any:
        if current is MISSING:
            return current
        return [item for item in _array(operator, name, current) if not unwanted(item)]

    return change


def _pull(name: str, argument: Any) -> FieldUpdate:
    if is_document(argument):
        return _removing("$pull", name, element_test(argument))
    if is_regex(argument):
        matches = field_test(argument)
        return _removing("$pull", name, lambda item: matches(Elements([item])))
    key = order_key(argument)
    return _removing("$pull", name, lambda item: order_key(item) == key)


def _pull_all(name: str, argument: Any) -> FieldUpdate:
    if not is_array(argument):
        raise CommandError(
            ErrorCode.BadValue, f"$pullAll requires an array argument but was given a {type_name(argument)}"
        )
    keys = {order_key(item) for item in argument}
    return _removing("$pullAll", name, lambda item: order_key(item) in keys)


_BITWISE: Mapping[str, Callable[[int, int], int]] = {
    "and": lambda left, right: left & right,
    "or": lambda left, right: left | right,
    "xor": lambda left, right: left ^ right,
}


def _bit(name: str, argument: Any) -> FieldUpdate:
    if not is_document(argument) or not argument or argument.keys() - _BITWISE.keys():
        raise CommandError(ErrorCode.BadValue, "The $bit modifier needs an object with 'and', 'or' or 'xor'")
    if not all(isinstance(operand, int) and not isinstance(operand, bool) for operand in argument.values()):
        raise CommandError(ErrorCode.BadValue, "The $bit modifier field must be an Integer(32/64 bit)")

    def change(current: Any, _: datetime.datetime) -> Any:
        if current is MISSING:
            current = 0
        if not isinstance(current, int) or isinstance(current, bool):
            raise CommandError(
                ErrorCode.BadValue, f"Cannot apply $bit to the field '{name}' of non-integral type {type_name(current)}"
            )
        long = isinstance(current, Int64) or any(isinstance(operand, Int64) for operand in argument.values())
        for operator, operand in argument.items():
            current = _BITWISE[operator](int(current), int(operand))
        return numbers.whole(current, long=long)

    return change


OPERATORS: Mapping[str, Callable[[str, Any], FieldUpdate]] = {
    "$set": _set,
    "$setOnInsert": _set,
    "$unset": _unset,
    "$inc": _arithmetic("$inc", numbers.add, lambda argument: argument),
    "$mul": _arithmetic("$mul", numbers.multiply, lambda argument: numbers.multiply(argument, 0)),
    "$min": _extreme(lambda new, old: new < old),
    "$max": _extreme(lambda new, old: new > old),
    "$currentDate": _current_date,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pop": _pop,
    "$pull": _pull,
    "$pullAll": _pull_all,
    "$bit": _bit,
}
"""By operator: a function that compiles its argument for a field. `$rename` concerns two fields and is in `updates`."""
