"""Dotted paths into documents, as queries read them: through arrays, by field name and by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.data.values import MISSING, is_array, is_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def position(part: str) -> int | None:
    """The array position that a part of a path means, None if it is only a field's name."""
    return int(part) if part.isdecimal() and part.isascii() and (part == "0" or part[0] != "0") else None


def values_at(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    """Every value that a path leads to.

    An array on the way is entered: each document in it is followed, and a number in the path picks its element too.
    Arrays inside of arrays and other elements lead nowhere. A document or another value that has no such field gives
    MISSING. An array at the end of the path is one value.

    Args:
        value: where to start, usually a document.
        parts: the path, split at its dots.
    """
    if not parts:
        yield value
    elif is_document(value):
        if parts[0] in value:
            yield from values_at(value[parts[0]], parts[1:])
        else:
            yield MISSING
    elif is_array(value):
        index = position(parts[0])
        if index is not None and index < len(value):
            yield from values_at(value[index], parts[1:])
        for element in value:
            if is_document(element) and (index is None or parts[0] in element):
                yield from values_at(element, parts)
    else:
        yield MISSING


class Elements(list[Any]):
    """Elements of an array that are looked at one by one: an array among them is not entered again."""


def expanded(values: Iterable[Any]) -> Iterator[Any]:
    """Each value, and for an array each of its elements before it: what a query's comparison looks at."""
    enter = not isinstance(values, Elements)
    for value in values:
        if enter and is_array(value):
            yield from value
        yield value
