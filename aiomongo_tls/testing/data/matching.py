"""Query filters: which documents match.

A filter is compiled once into a function. What MongoDB has and this server has not (`$where`, `$text`, `$jsonSchema`,
geometry) is an error when the filter is compiled, whether or not there are documents.
MongoDB's manual: "Query and Projection Operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bson import MaxKey, MinKey, Regex
from bson.regex import str_flags_to_int

from aiomongo_tls.testing.data.expressions import Expression, evaluator
from aiomongo_tls.testing.data.paths import Elements, expanded, values_at
from aiomongo_tls.testing.data.values import (
    MISSING,
    TYPE_NUMBERS,
    Document,
    compiled,
    integer,
    is_array,
    is_document,
    is_number,
    is_regex,
    order_key,
    truthy,
    type_name,
)
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Matcher = Callable[[Document], bool]
"""Tells whether a document matches."""

_Test = Callable[[list[Any]], bool]
# What the values at the end of a path are asked. Without any values the path leads nowhere.

_NUMBERS_OF_NAMES = {"number": ("int", "long", "double", "decimal")}
_NAMES_OF_NUMBERS = {number: name for name, number in TYPE_NUMBERS.items()}
_UNSUPPORTED = {
    "$where",
    "$text",
    "$jsonSchema",
    "$geoIntersects",
    "$geoWithin",
    "$near",
    "$nearSphere",
    "$within",
    "$geoNear",
    "$sampleRate",
    "$encryptedBetween",
}


def matcher(query: Mapping[str, Any]) -> Matcher:
    """Compile a filter.

    Args:
        query: the filter; an empty one matches everything.

    Raises:
        CommandError: it is malformed, or uses what this server does not have.
    """
    tests = [test for key, operand in query.items() if (test := _clause(key, operand)) is not None]
    if len(tests) == 1:
        return tests[0]
    return lambda document: all(test(document) for test in tests)


def _clause(key: str, operand: Any) -> Matcher | None:
    """One entry of a filter; None for one that says nothing."""
    if key in _LOGICAL:
        return _logical(key, operand)
    if key == "$expr":
        expression: Expression = evaluator(operand)
        return lambda document: truthy(expression(document))
    if key == "$comment":
        return None
    if key in {"$alwaysTrue", "$alwaysFalse"}:
        return lambda _: key == "$alwaysTrue"
    if key.startswith("$"):
        raise _unknown(key, "unknown top level operator: ")
    parts = key.split(".")
    test = field_test(operand)
    return lambda document: test(list(values_at(document, parts)))


def _unknown(operator: str, message: str) -> CommandError:
    if operator in _UNSUPPORTED:
        return not_here(f"the query operator {operator}")
    return CommandError(ErrorCode.BadValue, message + operator)


def _logical(key: str, operand: Any) -> Matcher:
    if not is_array(operand) or not operand:
        raise CommandError(ErrorCode.BadValue, f"{key} must be a nonempty array")
    branches: list[Matcher] = []
    for branch in operand:
        if not is_document(branch):
            raise CommandError(ErrorCode.BadValue, f"{key} entries need to be full objects")
        branches.append(matcher(branch))
    return _LOGICAL[key](branches)


_LOGICAL: dict[str, Callable[[list[Matcher]], Matcher]] = {
    "$and": lambda branches: lambda document: all(branch(document) for branch in branches),
    "$or": lambda branches: lambda document: any(branch(document) for branch in branches),
    "$nor": lambda branches: lambda document: not any(branch(document) for branch in branches),
}


def is_operators(operand: Any) -> bool:
    """Whether what stands behind a field is a document of operators, not a value to be equal to."""
    return is_document(operand) and next(iter(operand), "").startswith("$") and "$ref" not in operand


def field_test(operand: Any) -> _Test:
    """Compile what stands behind a field: a value, a regular expression, or operators.

    Args:
        operand: for example `5`, `{"$gt": 5}`.

    Returns:
        A test of the values that the field's path leads to.
    """
    if not is_operators(operand):
        return _equals(operand)
    tests: list[_Test] = []
    for name, argument in operand.items():
        if name == "$options":
            if "$regex" not in operand:
                raise CommandError(ErrorCode.BadValue, "$options needs a $regex")
        elif name == "$regex":
            tests.append(_regex(argument, operand.get("$options", "")))
        elif name in _OPERATORS:
            tests.append(_OPERATORS[name](argument))
        else:
            raise _unknown(name, "unknown operator: ")
    return lambda values: all(test(values) for test in tests)


def _equals(operand: Any) -> _Test:
    if is_regex(operand):
        search = _pattern(operand.pattern, operand.flags).search
        key = order_key(operand)
        return lambda values: any(
            (isinstance(value, str) and search(value)) or order_key(value) == key for value in expanded(values)
        )
    key = order_key(operand)
    return lambda values: any(order_key(value) == key for value in expanded(values))


def _pattern(pattern: str | bytes, flags: int) -> re.Pattern[str]:
    if "[:" in (pattern if isinstance(pattern, str) else pattern.decode(errors="replace")):
        raise not_here("POSIX character classes in regular expressions")
    try:
        return compiled(pattern, flags)
    except (re.error, UnicodeDecodeError) as exc:
        raise CommandError(51091, f"Regular expression is invalid: {exc}") from exc


def _regex(argument: Any, options: Any) -> _Test:
    if is_regex(argument):
        if options and argument.flags:
            raise CommandError(51075, "options set in both $regex and $options")
        pattern, flags = argument.pattern, argument.flags
    elif isinstance(argument, str):
        pattern, flags = argument, 0
    else:
        raise CommandError(ErrorCode.BadValue, "$regex has to be a string")
    if not isinstance(options, str):
        raise CommandError(ErrorCode.BadValue, "$options has to be a string")
    if set(options) - set("imsxu"):
        raise CommandError(51108, f"invalid flag in regex options: {options}")
    return _equals(Regex(pattern, flags | str_flags_to_int(options)))


def _compares(accepts: Callable[[Any, Any], bool]) -> Callable[[Any], _Test]:
    """$gt and its like: among values of the operand's kind only."""

    def compile_test(operand: Any) -> _Test:
        if is_regex(operand):
            raise CommandError(ErrorCode.BadValue, "Can't have RegEx as arg to predicate over field")
        key = order_key(operand)
        across = isinstance(operand, MinKey | MaxKey)
        # NaN is equal to itself, and neither more nor less than any number.
        not_a_number = is_number(operand) and key == order_key(float("nan"))

        def one(value: Any) -> bool:
            found = order_key(value)
            if not_a_number or found == _NAN:
                return found == key and accepts(0, 0)
            return (across or found[0] == key[0]) and accepts(found, key)

        return lambda values: any(one(value) for value in expanded(values))

    return compile_test


_NAN = order_key(float("nan"))


def _in(operand: Any) -> _Test:
    if not is_array(operand):
        raise CommandError(ErrorCode.BadValue, "$in needs an array")
    if any(is_operators(item) for item in operand):
        raise CommandError(ErrorCode.BadValue, "cannot nest $ under $in")
    keys = {order_key(item) for item in operand}
    expressions = [_equals(item) for item in operand if is_regex(item)]
    return lambda values: (
        any(order_key(value) in keys for value in expanded(values)) or any(matches(values) for matches in expressions)
    )


def _nin(operand: Any) -> _Test:
    if not is_array(operand):
        raise CommandError(ErrorCode.BadValue, "$nin needs an array")
    return _negated(_in(operand))


def _negated(test: _Test) -> _Test:
    return lambda values: not test(values)


def _ne(operand: Any) -> _Test:
    if is_regex(operand):
        raise CommandError(ErrorCode.BadValue, "Can't have regex as arg to $ne.")
    return _negated(_equals(operand))


def _not(operand: Any) -> _Test:
    if is_regex(operand):
        return _negated(_equals(operand))
    if not is_operators(operand):
        raise CommandError(ErrorCode.BadValue, "$not needs a regex or a document")
    return _negated(field_test(operand))


def _exists(operand: Any) -> _Test:
    wanted = truthy(operand)
    return lambda values: any(value is not MISSING for value in values) == wanted


def _type(operand: Any) -> _Test:
    wanted: set[str] = set()
    for item in operand if is_array(operand) else [operand]:
        if isinstance(item, str) and (item in TYPE_NUMBERS or item in _NUMBERS_OF_NAMES):
            wanted.update(_NUMBERS_OF_NAMES.get(item, (item,)))
        elif (number := integer(item)) is not None and number in _NAMES_OF_NUMBERS:
            wanted.add(_NAMES_OF_NUMBERS[number])
        else:
            raise CommandError(ErrorCode.BadValue, f"Unknown type name alias: {item}")
    return lambda values: any(type_name(value) in wanted for value in expanded(values))


def _size(operand: Any) -> _Test:
    size = integer(operand)
    if size is None:
        raise CommandError(ErrorCode.FailedToParse, "Failed to parse $size. Expected an integer")
    if size < 0:
        raise CommandError(ErrorCode.BadValue, "Failed to parse $size. Expected a non-negative number")
    return lambda values: any(is_array(value) and len(value) == size for value in values)


def _mod(operand: Any) -> _Test:
    if not is_array(operand) or len(operand) != 2 or not all(is_number(item) for item in operand):
        raise CommandError(ErrorCode.BadValue, "malformed mod, needs to be an array of divisor and remainder")
    divisor, remainder = (_truncated(item) for item in operand)
    if not divisor or remainder is None:
        raise CommandError(ErrorCode.BadValue, "divisor cannot be 0")
    size = abs(divisor)

    def one(value: Any) -> bool:
        number = _truncated(value)
        # The remainder has the sign of the dividend, as in C.
        return number is not None and abs(number) % size * (-1 if number < 0 else 1) == remainder

    return lambda values: any(one(value) for value in expanded(values))


def _truncated(value: Any) -> int | None:
    try:
        return int(float(str(value))) if is_number(value) and not isinstance(value, int) else integer(value)
    except (ValueError, OverflowError):
        return None


def _all(operand: Any) -> _Test:
    if not is_array(operand):
        raise CommandError(ErrorCode.BadValue, "$all needs an array")
    if any(is_operators(item) and "$elemMatch" not in item for item in operand):
        raise CommandError(ErrorCode.BadValue, "no $ expressions in $all")
    tests = [field_test(item) for item in operand]
    return lambda values: bool(tests) and all(test(values) for test in tests)


def _elem_match(operand: Any) -> _Test:
    if not is_document(operand):
        raise CommandError(ErrorCode.BadValue, "$elemMatch needs an Object")
    one = element_test(operand)
    return lambda values: any(is_array(value) and any(map(one, value)) for value in values)


def element_test(operand: Document) -> Callable[[Any], bool]:
    """Compile the condition of `$elemMatch`, `$pull` or an array filter for one element of an array.

    Args:
        operand: operators for the element itself, or a filter for an element that is a document.
    """
    if is_operators(operand) and next(iter(operand)) not in {*_LOGICAL, "$expr"}:
        test = field_test(operand)
        return lambda element: test(Elements([element]))
    matches = matcher(operand)

    def one(element: Any) -> bool:
        if is_array(element):
            # An array's positions are its names.
            element = {str(index): item for index, item in enumerate(element)}
        return is_document(element) and matches(element)

    return one


def _bits(accepts: Callable[[int, int], bool]) -> Callable[[Any], _Test]:
    def compile_test(operand: Any) -> _Test:
        if is_array(operand):
            mask = sum(1 << item for item in {integer(item) or 0 for item in operand})
        elif isinstance(operand, bytes):
            mask = int.from_bytes(operand, "little")
        else:
            mask = -1 if (number := integer(operand)) is None else number
        if mask < 0:
            raise CommandError(ErrorCode.BadValue, "bit positions must be a non-negative number, array or binary")

        def one(value: Any) -> bool:
            bits = int.from_bytes(value, "little") if isinstance(value, bytes) else integer(value)
            return bits is not None and accepts(bits, mask)

        return lambda values: any(one(value) for value in expanded(values))

    return compile_test


_OPERATORS: Mapping[str, Callable[[Any], _Test]] = {
    "$eq": lambda operand: _equals(operand) if not is_regex(operand) else _equals_regex(operand),
    "$ne": _ne,
    "$gt": _compares(lambda found, key: found > key),
    "$gte": _compares(lambda found, key: found >= key),
    "$lt": _compares(lambda found, key: found < key),
    "$lte": _compares(lambda found, key: found <= key),
    "$in": _in,
    "$nin": _nin,
    "$not": _not,
    "$exists": _exists,
    "$type": _type,
    "$size": _size,
    "$mod": _mod,
    "$all": _all,
    "$elemMatch": _elem_match,
    "$bitsAllSet": _bits(lambda bits, mask: bits & mask == mask),
    "$bitsAllClear": _bits(lambda bits, mask: bits & mask == 0),
    "$bitsAnySet": _bits(lambda bits, mask: bits & mask != 0),
    "$bitsAnyClear": _bits(lambda bits, mask: bits & mask != mask),
}


def _equals_regex(operand: Regex[Any]) -> _Test:
    """`$eq` with a regular expression looks for that expression, not for strings that match it."""
    key = order_key(operand)
    return lambda values: any(order_key(value) == key for value in expanded(values))
