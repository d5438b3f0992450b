"""Arithmetic with MongoDB's numeric types: the result's type follows from the operands', as the server has it.

decimal wins over double, double over int64, int64 over int32. An int32 result that does not fit becomes an int64. What
happens to an int64 that does not fit differs: expressions go on with a double, updates fail.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from typing import Any

from bson import Decimal128, Int64
from bson.decimal128 import create_decimal128_context

from aiomongo_tls.testing.data.values import is_number

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_CONTEXT: Context = create_decimal128_context()

Operation = Callable[[Any, Any], Any]


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    # The server turns a double into 15 significant digits.
    return Decimal(f"{value:.15g}") if isinstance(value, float) else Decimal(value)


def whole(value: int, *, long: bool) -> Any:
    """An integer in the type that it needs, or in the wider one.

    Args:
        value: the number.
        long: whether it must be an int64.

    Returns:
        `int` for an int32, `Int64`, or `float` where it fits neither.
    """
    if value in _INT32 and not long:
        return value
    return Int64(value) if value in _INT64 else float(value)


def _arithmetic(plain: Operation, decimal: Callable[[Context, Decimal, Decimal], Decimal]) -> Operation:
    def compute(left: Any, right: Any) -> Any:
        if isinstance(left, Decimal128) or isinstance(right, Decimal128):
            return Decimal128(decimal(_CONTEXT, _decimal(left), _decimal(right)))
        if isinstance(left, float) or isinstance(right, float):
            return plain(float(left), float(right))
        return whole(plain(int(left), int(right)), long=isinstance(left, Int64) or isinstance(right, Int64))

    return compute


add: Operation = _arithmetic(operator.add, Context.add)
"""The sum of two numbers."""
subtract: Operation = _arithmetic(operator.sub, Context.subtract)
"""The difference of two numbers."""
multiply: Operation = _arithmetic(operator.mul, Context.multiply)
"""The product of two numbers."""


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, float):
        return math.fmod(left, right)
    # Truncating division, as in C: the remainder has the sign of the dividend.
    return abs(left) % abs(right) * (-1 if left < 0 else 1)


remainder: Operation = _arithmetic(_remainder, Context.remainder)
"""What is left after a division, with the sign of the dividend. The divisor must not be 0."""


def divide(left: Any, right: Any) -> Any:
    """The quotient of two numbers, a double or a decimal. The divisor must not be 0."""
    if isinstance(left, Decimal128) or isinstance(right, Decimal128):
        return Decimal128(_CONTEXT.divide(_decimal(left), _decimal(right)))
    return float(left) / float(right)


def is_zero(value: Any) -> bool:
    """Whether a number is 0 of any type."""
    return bool((value.to_decimal() if isinstance(value, Decimal128) else value) == 0)


def total(values: Iterable[Any]) -> Any:
    """The sum of what is a number among the values; 0 if nothing is."""
    result: Any = 0
    for value in values:
        if is_number(value):
            result = add(result, value)
    return result


def average(values: Iterable[Any]) -> Any:
    """The mean of what is a number among the values, None if nothing is."""
    numbers = [value for value in values if is_number(value)]
    return divide(total(numbers), len(numbers)) if numbers else None
