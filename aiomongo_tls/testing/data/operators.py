"""Operators of expressions that mongomock computes, with the operands for which it gives the server's answer.

Each row was compared with the server's manual. An operand of another type is an error here, because mongomock would
compute something else than the server does. mongomock is imported when the first such operator is used: the import
takes longer than starting the whole server.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from aiomongo_tls.testing.data.values import MISSING, type_name
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Computation = Callable[[Sequence[Any]], Any]

_DATE = ({"date"},)
_NUMBER = ({"int", "long", "double"},)
_TEXTS = ({"string"}, {"string"})

_OPERANDS: Mapping[str, tuple[set[str], ...]] = {
    "$year": _DATE,
    "$month": _DATE,
    "$dayOfMonth": _DATE,
    "$dayOfWeek": _DATE,
    "$dayOfYear": _DATE,
    "$hour": _DATE,
    "$minute": _DATE,
    "$second": _DATE,
    "$millisecond": _DATE,
    "$exp": _NUMBER,
    "$ln": _NUMBER,
    "$log10": _NUMBER,
    "$sqrt": _NUMBER,
    "$split": _TEXTS,
    "$objectToArray": ({"object"},),
}
# By operator: the types that each of its operands may have. null or a missing field gives null.

_POSITIVE = {"$ln", "$log10"}

KNOWN = frozenset(
    {
        *(
            "$accumulator",
            "$acos",
            "$acosh",
            "$allElementsTrue",
            "$anyElementTrue",
            "$arrayToObject",
            "$asin",
            "$asinh",
        ),
        *("$atan", "$atan2", "$atanh", "$binarySize", "$bitAnd", "$bitNot", "$bitOr", "$bitXor", "$bsonSize", "$ceil"),
        *("$convert", "$cos", "$cosh", "$dateAdd", "$dateDiff", "$dateFromParts", "$dateFromString", "$dateSubtract"),
        *("$dateToParts", "$dateToString", "$dateTrunc", "$degreesToRadians", "$floor", "$function", "$getField"),
        *(
            "$indexOfArray",
            "$indexOfBytes",
            "$indexOfCP",
            "$isoDayOfWeek",
            "$isoWeek",
            "$isoWeekYear",
            "$log",
            "$ltrim",
        ),
        *("$maxN", "$meta", "$minN", "$pow", "$radiansToDegrees", "$rand", "$range", "$regexFind", "$regexFindAll"),
        *("$regexMatch", "$replaceAll", "$replaceOne", "$round", "$rtrim", "$sampleRate", "$setDifference"),
        *("$setEquals", "$setField", "$setIntersection", "$setIsSubset", "$sin", "$sinh", "$sortArray", "$stdDevPop"),
        *("$stdDevSamp", "$strcasecmp", "$strLenBytes", "$substr", "$substrBytes", "$substrCP", "$tan", "$tanh"),
        *("$toBool", "$toDate", "$toDecimal", "$toDouble", "$toInt", "$toLong", "$toObjectId", "$toString", "$trim"),
        *("$trunc", "$tsIncrement", "$tsSecond", "$unsetField", "$week", "$zip", "$firstN", "$lastN"),
    }
)
"""What the server has besides and this one has not."""


def borrowed(name: str) -> Computation:
    """Find an operator that mongomock computes.

    Args:
        name: the operator, `$year` for example.

    Returns:
        A function from the operands' values to the result.

    Raises:
        CommandError: there is no such operator, or not here.
    """
    if name not in _OPERANDS:
        if name in KNOWN:
            raise not_here(f"the expression operator {name}")
        raise CommandError(ErrorCode.InvalidPipelineOperator, f"Unrecognized expression '{name}'")
    types = _OPERANDS[name]

    def compute(operands: Sequence[Any]) -> Any:
        if len(operands) != len(types):
            raise CommandError(
                16020, f"Expression {name} takes exactly {len(types)} arguments. {len(operands)} were passed in."
            )
        if any(operand is None or operand is MISSING for operand in operands):
            return None
        for operand, accepted in zip(operands, types, strict=True):
            if type_name(operand) not in accepted:
                raise not_here(f"{name} of {type_name(operand)}")
        if types is _NUMBER:
            _check_domain(name, float(operands[0]))
        return _mongomock(
            {name: [{"$literal": operand} for operand in operands] if len(types) > 1 else {"$literal": operands[0]}}
        )

    return compute


def _check_domain(name: str, number: float) -> None:
    if math.isnan(number) or math.isinf(number):
        raise not_here(f"{name} of {number}")
    if (number < 0 and name != "$exp") or (number == 0 and name in _POSITIVE):
        raise CommandError(
            28714 if name == "$sqrt" else 28766, f"{name}'s argument must be a positive number, but is {number}"
        )


def _mongomock(expression: dict[str, Any]) -> Any:
    process_pipeline = _process_pipeline()
    try:
        (result,) = process_pipeline([{}], None, [{"$addFields": {"value": expression}}], None)
        return result["value"]
    except Exception as exc:  # mongomock raises whatever its Python code runs into
        raise CommandError(ErrorCode.OperationFailed, f"{next(iter(expression))}: {exc}") from exc


@cache
def _process_pipeline() -> Callable[..., Any]:
    try:
        from mongomock import aggregate
    except ModuleNotFoundError as exc:
        text = 'this operator needs the extra "testing": pip install "aiomongo-tls[testing]"'
        raise CommandError(ErrorCode.NotImplemented, text) from exc

    return cast("Callable[..., Any]", cast("Any", aggregate).process_pipeline)
