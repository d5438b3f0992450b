"""Sorting documents by a sort specification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiomongo_tls.testing.data.paths import values_at
from aiomongo_tls.testing.data.values import Document, OrderKey, integer, is_array, is_document, order_key
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Sorter = Callable[[Iterable[Document]], list[Document]]
"""Puts documents in order."""

_EMPTY_ARRAY: OrderKey = (5, 0)
# Where an empty array sorts: as "undefined", before null.


def sorter(specification: Mapping[str, Any]) -> Sorter:
    """Compile a sort specification.

    Args:
        specification: fields with 1 or -1, most important first; `$natural` for the order of insertion.

    Raises:
        CommandError: it is malformed, or sorts by what this server does not have.
    """
    if "$natural" in specification:
        if len(specification) > 1:
            raise CommandError(ErrorCode.BadValue, "Cannot include '$natural' in compound sort")
        return list if _direction("$natural", specification["$natural"]) > 0 else lambda found: list(found)[::-1]
    fields = [(_key(name.split("."), sign := _direction(name, value)), sign) for name, value in specification.items()]

    def put_in_order(documents: Iterable[Document]) -> list[Document]:
        found = list(documents)
        # Python's sort is stable, also in reverse, so the least important field goes first.
        for key, sign in reversed(fields):
            found.sort(key=key, reverse=sign < 0)
        return found

    return put_in_order


def _direction(name: str, value: Any) -> int:
    if is_document(value):
        raise not_here(f"a sort by {next(iter(value), name)}")
    if not name or (name.startswith("$") and name != "$natural"):
        raise CommandError(ErrorCode.FailedToParse, f"FieldPath field names may not start with '$': {name!r}")
    sign = integer(value)
    if sign not in (1, -1):
        raise CommandError(ErrorCode.BadValue, "$sort key ordering must be 1 (for ascending) or -1 (for descending)")
    return sign


def _key(parts: list[str], sign: int) -> Callable[[Document], OrderKey]:
    """A document's key for one field: of an array its least element going up, its greatest going down."""
    choose = min if sign > 0 else max

    def key(document: Document) -> OrderKey:
        keys: list[OrderKey] = []
        for value in values_at(document, parts):
            if not is_array(value):
                keys.append(order_key(value))
            elif value:
                keys.extend(map(order_key, value))
            else:
                keys.append(_EMPTY_ARRAY)
        return choose(keys, default=order_key(None))

    return key
