"""Aggregation expressions: `"$field"`, `{"$add": [1, "$n"]}` and so on.

An expression is compiled once; unknown operators are found then. Evaluating gives a value or MISSING. Here are paths,
variables, literals and the operators that decide what is evaluated; `functions` has those that are functions of
values, and `operators` those that mongomock computes. MongoDB's manual: "Aggregation Operators".
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from aiomongo_tls.testing.data.functions import FOLDS, FUNCTIONS, array_of, is_present
from aiomongo_tls.testing.data.operators import borrowed
from aiomongo_tls.testing.data.values import MISSING, Document, is_array, is_document, truthy
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Scope = Mapping[str, Any]
"""The variables that an expression sees, `ROOT` and `CURRENT` among them."""
Compiled = Callable[[Scope], Any]
Expression = Callable[[Document], Any]
"""An expression ready to be asked for its value in a document."""


def evaluator(expression: Any) -> Expression:
    """Compile an expression.

    Args:
        expression: the expression as it stands in a pipeline.

    Returns:
        A function from a document to the expression's value; MISSING if there is none.

    Raises:
        CommandError: it is malformed, or uses what this server does not have.
    """
    compiled = compile_expression(expression)
    return lambda document: compiled({"ROOT": document, "CURRENT": document})


def compile_expression(expression: Any) -> Compiled:
    """Compile an expression whose variables come from outside, see `evaluator`."""
    if isinstance(expression, str) and expression.startswith("$"):
        return _path(expression)
    if is_array(expression):
        items = [compile_expression(item) for item in expression]
        return lambda scope: [_or_null(item(scope)) for item in items]
    if not is_document(expression):
        return lambda _: expression
    operator = next(iter(expression), "")
    if operator.startswith("$"):
        if len(expression) > 1:
            raise CommandError(15983, "an object representing an expression must have exactly one field")
        return _operator(operator, expression[operator])
    fields = {name: compile_expression(value) for name, value in expression.items()}
    for name in fields:
        if "." in name or name.startswith("$"):
            raise CommandError(16412 if "." in name else 15983, f"not allowed as a field name here: {name!r}")
    return lambda scope: {name: value for name, field in fields.items() if (value := field(scope)) is not MISSING}


def _or_null(value: Any) -> Any:
    return None if value is MISSING else value


def _path(expression: str) -> Compiled:
    if expression.startswith("$$"):
        name, *parts = expression[2:].split(".")
        if name == "REMOVE":
            return lambda _: MISSING
        if name == "NOW":
            return lambda scope: _follow(
                scope.get("NOW", datetime.datetime.now(datetime.UTC).replace(tzinfo=None)), parts
            )

        def variable(scope: Scope) -> Any:
            if name not in scope:
                raise CommandError(17276, f"Use of undefined variable: {name}")
            return _follow(scope[name], parts)

        return variable
    parts = expression[1:].split(".")
    if "" in parts:
        raise CommandError(15998 if len(parts) > 1 else 16872, f"not a field path: {expression!r}")
    return lambda scope: _follow(scope["CURRENT"], parts)


def _follow(value: Any, parts: list[str]) -> Any:
    """The value of a field path in an expression; arrays on the way give arrays, positions have no meaning."""
    for index, part in enumerate(parts):
        if is_array(value):
            found = (_follow(element, parts[index:]) for element in value)
            return [element for element in found if element is not MISSING]
        if not is_document(value):
            return MISSING
        value = value.get(part, MISSING)
    return value


def _operator(name: str, argument: Any) -> Compiled:
    if name == "$literal":
        return lambda _: argument
    if name in _SPECIAL:
        return _SPECIAL[name](argument)
    single = not is_array(argument)
    operands = [compile_expression(item) for item in ([argument] if single else argument)]
    if name in FUNCTIONS:
        least, most, compute = FUNCTIONS[name]
        if not least <= len(operands) <= most:
            raise CommandError(
                16020, f"Expression {name} takes {least} to {most} arguments. {len(operands)} were passed in."
            )
        return lambda scope: compute(*[operand(scope) for operand in operands])
    if name in FOLDS:
        fold = FOLDS[name]

        def over_values(scope: Scope) -> Any:
            values = [operand(scope) for operand in operands]
            # With one operand an array's elements are meant.
            return fold(values[0] if len(values) == 1 and is_array(values[0]) else values)

        return over_values
    return _borrowed(name, argument)


def _borrowed(name: str, argument: Any) -> Compiled:
    compute = borrowed(name)
    operands = [compile_expression(item) for item in (argument if is_array(argument) else [argument])]
    return lambda scope: compute([operand(scope) for operand in operands])


def _many(name: str, argument: Any) -> list[Compiled]:
    operands = argument if is_array(argument) else [argument]
    if name == "$ifNull" and len(operands) < 2:
        raise CommandError(1257300, "$ifNull needs at least two arguments")
    return [compile_expression(item) for item in operands]


def _named(name: str, argument: Any, required: set[str], optional: set[str] = frozenset()) -> Document:  # type: ignore[assignment]
    if not is_document(argument):
        raise CommandError(ErrorCode.FailedToParse, f"{name} requires an object as an argument")
    if required - argument.keys() or argument.keys() - required - optional:
        raise CommandError(
            ErrorCode.FailedToParse, f"{name} takes {sorted(required | optional)}, found {sorted(argument)}"
        )
    return argument


def _and(argument: Any) -> Compiled:
    operands = _many("$and", argument)
    return lambda scope: all(truthy(operand(scope)) for operand in operands)


def _or(argument: Any) -> Compiled:
    operands = _many("$or", argument)
    return lambda scope: any(truthy(operand(scope)) for operand in operands)


def _cond(argument: Any) -> Compiled:
    if is_array(argument):
        if len(argument) != 3:
            raise CommandError(16020, f"Expression $cond takes exactly 3 arguments. {len(argument)} were passed in.")
        parts = argument
    else:
        named = _named("$cond", argument, {"if", "then", "else"})
        parts = [named["if"], named["then"], named["else"]]
    condition, then, otherwise = map(compile_expression, parts)
    return lambda scope: then(scope) if truthy(condition(scope)) else otherwise(scope)


def _if_null(argument: Any) -> Compiled:
    operands = _many("$ifNull", argument)

    def first(scope: Scope) -> Any:
        value: Any = None
        for operand in operands:
            value = operand(scope)
            if is_present(value):
                break
        return value

    return first


def _switch(argument: Any) -> Compiled:
    named = _named("$switch", argument, {"branches"}, {"default"})
    branches: list[tuple[Compiled, Compiled]] = []
    for branch in named["branches"]:
        parts = _named("a branch of $switch", branch, {"case", "then"})
        branches.append((compile_expression(parts["case"]), compile_expression(parts["then"])))
    default = compile_expression(named["default"]) if "default" in named else None

    def choose(scope: Scope) -> Any:
        for case, then in branches:
            if truthy(case(scope)):
                return then(scope)
        if default is None:
            raise CommandError(
                40066, "$switch could not find a matching branch for an input, and no default was specified."
            )
        return default(scope)

    return choose


def _let(argument: Any) -> Compiled:
    named = _named("$let", argument, {"vars", "in"})
    variables = {name: compile_expression(value) for name, value in named["vars"].items()}
    body = compile_expression(named["in"])
    return lambda scope: body({**scope, **{name: value(scope) for name, value in variables.items()}})


def _filter(argument: Any) -> Compiled:
    named = _named("$filter", argument, {"input", "cond"}, {"as", "limit"})
    if "limit" in named:
        raise not_here("the limit of $filter")
    array, condition, name = (
        compile_expression(named["input"]),
        compile_expression(named["cond"]),
        named.get("as", "this"),
    )

    def keep(scope: Scope) -> Any:
        items = array(scope)
        if not is_present(items):
            return None
        return [item for item in array_of("$filter", items) if truthy(condition({**scope, name: item}))]

    return keep


def _map(argument: Any) -> Compiled:
    named = _named("$map", argument, {"input", "in"}, {"as"})
    array, body, name = compile_expression(named["input"]), compile_expression(named["in"]), named.get("as", "this")

    def convert(scope: Scope) -> Any:
        items = array(scope)
        if not is_present(items):
            return None
        return [_or_null(body({**scope, name: item})) for item in array_of("$map", items)]

    return convert


def _reduce(argument: Any) -> Compiled:
    named = _named("$reduce", argument, {"input", "initialValue", "in"})
    array, initial, body = (compile_expression(named[part]) for part in ("input", "initialValue", "in"))

    def run(scope: Scope) -> Any:
        items = array(scope)
        if not is_present(items):
            return None
        value = initial(scope)
        for item in array_of("$reduce", items):
            value = body({**scope, "this": item, "value": value})
        return value

    return run


_SPECIAL: Mapping[str, Callable[[Any], Compiled]] = {
    "$and": _and,
    "$or": _or,
    "$cond": _cond,
    "$ifNull": _if_null,
    "$switch": _switch,
    "$let": _let,
    "$filter": _filter,
    "$map": _map,
    "$reduce": _reduce,
}
