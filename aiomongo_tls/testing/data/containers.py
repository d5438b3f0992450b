"""Reading and changing documents by dotted path, as updates do it: an array is entered by position only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiomongo_tls.testing.data.paths import position
from aiomongo_tls.testing.data.values import MISSING, Document, is_array, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

V = TypeVar("V")

# The server refuses to fill an array with more nulls than this in one go.
_MAX_PADDING = 1_500_000


def clone(value: V) -> V:
    """A copy whose documents and arrays are new; other values cannot be changed and are shared."""
    if is_document(value):
        return cast("V", {name: clone(item) for name, item in value.items()})
    if is_array(value):
        return cast("V", [clone(item) for item in value])
    return value


def get_at(value: Any, parts: Sequence[str]) -> Any:
    """The value at a path, MISSING if there is none."""
    for part in parts:
        if is_document(value):
            value = value.get(part, MISSING)
        elif is_array(value) and (index := position(part)) is not None and index < len(value):
            value = value[index]
        else:
            return MISSING
    return value


def set_at(document: Document, parts: Sequence[str], new: Any) -> None:
    """Put a value at a path, making documents on the way where nothing is.

    Raises:
        CommandError: something on the way is neither a document nor an array.
    """
    holder: Any = document
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if is_document(holder):
            if last:
                holder[part] = new
            else:
                holder = holder.setdefault(part, {})
        elif is_array(holder) and (index := position(part)) is not None:
            if index >= len(holder):
                if index - len(holder) > _MAX_PADDING:
                    raise CommandError(ErrorCode.BadValue, "can't backfill more than 1500000 elements")
                holder.extend([None] * (index - len(holder)))
                holder.append(new if last else {})
            elif last:
                holder[index] = new
            holder = holder[index]
        else:
            where = ".".join(parts[:depth])
            raise CommandError(ErrorCode.PathNotViable, f"Cannot create field '{part}' in element {where!r}")


def remove_at(document: Document, parts: Sequence[str]) -> None:
    """Take the value at a path away; an element of an array becomes null."""
    holder = get_at(document, parts[:-1])
    if is_document(holder):
        holder.pop(parts[-1], None)
    elif is_array(holder) and (index := position(parts[-1])) is not None and index < len(holder):
        holder[index] = None


def with_value(document: Document, parts: Sequence[str], new: Any) -> Document:
    """The same document with another value at a path that exists; what is not on the path is shared."""
    head, *rest = parts
    return {**document, head: with_value(document[head], rest, new) if rest else new}
