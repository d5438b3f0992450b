"""The positional operator `$`: which element of an array the filter found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.data.containers import get_at, with_value
from aiomongo_tls.testing.data.matching import is_operators, matcher
from aiomongo_tls.testing.data.values import Document, is_array
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NEGATIONS = {"$ne", "$nin", "$not"}


def matched_position(query: Mapping[str, Any], document: Document, path: Sequence[str]) -> int:
    """The position of the element of an array that a filter found.

    With several conditions on one array the server takes the position that it looked at last, which is not
    specified; here they have to agree.

    Args:
        query: the filter.
        document: the document that matches it.
        path: the array's path in it.

    Raises:
        CommandError: the filter does not look into that array, or this server cannot tell.
    """
    name = ".".join(path)
    array = get_at(document, path)
    conditions = [{key: operand} for key, operand in _conditions(query) if key == name or key.startswith(f"{name}.")]
    if not is_array(array) or not conditions:
        raise CommandError(ErrorCode.BadValue, "The positional operator did not find the match needed from the query.")
    if any(not part.isidentifier() and not part.startswith("$") and part.isdecimal() for part in path):
        raise not_here("the positional operator inside of nested arrays")
    found: set[int] = set()
    for condition in conditions:
        ((_, operand),) = condition.items()
        if is_operators(operand) and _NEGATIONS & operand.keys():
            raise not_here("the positional operator after a negation in the filter")
        matches = matcher(condition)
        candidates = (i for i, element in enumerate(array) if matches(with_value(document, path, [element])))
        found.add(next(candidates, -1))
    if len(found) != 1 or -1 in found:
        raise not_here("the positional operator where the conditions of the filter meet different elements")
    return found.pop()


def _conditions(query: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, operand in query.items():
        if key == "$and":
            for branch in operand:
                yield from _conditions(branch)
        elif key in {"$or", "$nor"}:
            raise not_here(f"the positional operator with {key} in the filter")
        elif not key.startswith("$"):
            yield key, operand
