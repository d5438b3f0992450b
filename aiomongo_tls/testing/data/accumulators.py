"""What `$group` computes over the documents of a group.

MongoDB's manual: "$group (aggregation)", "Accumulator Operators".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiomongo_tls.testing.data.expressions import Expression, evaluator
from aiomongo_tls.testing.data.functions import FOLDS
from aiomongo_tls.testing.data.values import MISSING, Document, is_array, is_document, unique
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Accumulator = Callable[[list[Document]], Any]
"""From the documents of a group to one value."""


def _present(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not MISSING]


def _or_null(value: Any) -> Any:
    return None if value is MISSING else value


_OVER_VALUES: Mapping[str, Callable[[list[Any]], Any]] = {
    **FOLDS,
    "$first": lambda values: _or_null(values[0]),
    "$last": lambda values: _or_null(values[-1]),
    "$push": _present,
    "$addToSet": lambda values: unique(_present(values)),
}

_UNSUPPORTED = frozenset(
    {
        *("$accumulator", "$bottom", "$bottomN", "$firstN", "$lastN", "$maxN", "$median", "$minN", "$percentile"),
        *("$stdDevPop", "$stdDevSamp", "$top", "$topN"),
    }
)


def accumulator(field: str, specification: Any) -> Accumulator:
    """Compile one field of `$group`.

    Args:
        field: its name.
        specification: `{"$sum": "$quantity"}` for example.

    Raises:
        CommandError: it is malformed, or uses what this server does not have.
    """
    if "." in field:
        raise CommandError(40235, f"The field name '{field}' cannot contain '.'")
    if not is_document(specification) or not next(iter(specification), "").startswith("$"):
        raise CommandError(40234, f"The field '{field}' must be an accumulator object")
    if len(specification) != 1:
        raise CommandError(40238, f"The field '{field}' must specify one accumulator")
    ((operator, argument),) = specification.items()
    if operator == "$count":
        if argument != {}:
            raise CommandError(ErrorCode.TypeMismatch, "$count takes no arguments, i.e. $count:{}")
        return len
    if operator in _UNSUPPORTED:
        raise not_here(f"the accumulator {operator}")
    if operator not in _OVER_VALUES:
        raise CommandError(15952, f"unknown group operator '{operator}'")
    if is_array(argument):
        raise CommandError(40237, f"The {operator} accumulator is a unary operator")
    expression: Expression = evaluator(argument)
    fold = _OVER_VALUES[operator]
    return lambda documents: fold([expression(document) for document in documents])
