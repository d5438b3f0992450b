"""Checks of what callers pass, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence, Set
from typing import Any, Final, TypeVar, cast

from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument

T = TypeVar("T")


def check_type(name: str, value: object, expected: type[T]) -> T:
    """The value, if it is of the expected type.

    Raises:
        TypeError: it is not.
    """
    # True and False are integers to Python, but never what is meant by one.
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise TypeError(f"{name} is of type {expected.__name__}, not {type(value).__name__}")
    return value


DICT: Final[type[Any]] = dict
"""What documents usually are; typed so that whoever asks for it by `is` knows nothing of the keys."""
LIST: Final[type[Any]] = list
"""The same for lists."""


def check_not_negative(name: str, value: object) -> int:
    """The value, if it is an integer of at least 0.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is negative.
    """
    number = check_type(name, value, int)
    if number < 0:
        raise ValueError(f"{name} cannot be negative: {number}")
    return number


def check_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """The value, if it is a document.

    Raises:
        TypeError: it is not a mapping.
    """
    if type(value) is DICT:
        # The usual case, without the detour that abstract classes take.
        plain: dict[str, Any] = value
        return plain
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a document (a dict or another mapping), not {type(value).__name__}")
    return cast(Mapping[str, Any], value)


def check_list(name: str, value: object) -> Sequence[Any]:
    """The value, if it is a list or tuple.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} is a list, not {type(value).__name__}")
    return cast(Sequence[Any], value)


def check_pipeline(pipeline: object) -> Sequence[Mapping[str, Any]]:
    """The value, if it is an aggregation pipeline: a list of stages.

    Raises:
        TypeError: it is not a list.
    """
    return check_list("pipeline", pipeline)


def check_update(update: object) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
    """The value, if it is an update: operators (`{"$set": ...}`) or a pipeline. The first key decides (CRUD spec).

    Raises:
        TypeError: neither a document nor a list.
        ValueError: empty, or a replacement.
    """
    if isinstance(update, (list, tuple)):
        stages = cast(Sequence[Mapping[str, Any]], update)
        if not stages:
            raise ValueError("update is an empty pipeline; it needs at least one stage")
        return stages
    document = check_mapping("update", update)
    first = next(iter(document), None)
    if first is None:
        raise ValueError("update is empty; it needs at least one operator such as $set")
    if not first.startswith("$"):
        raise ValueError(f"update has operators ($set, ...), not fields such as {first!r}; replace_one() takes those")
    return document


def check_replacement(replacement: object) -> Mapping[str, Any]:
    """The value, if it is a whole document without update operators.

    Raises:
        TypeError: not a document.
        ValueError: it starts with an operator.
    """
    document = check_mapping("replacement", replacement)
    # Looking at the first key would parse a raw document; the server refuses it anyway.
    if not isinstance(document, RawBSONDocument):
        first = next(iter(document), "")
        if first.startswith("$"):
            raise ValueError(f"replacement is a whole document; {first!r} is an operator, update_one() takes those")
    return document


def projection_document(projection: object) -> dict[str, Any]:
    """A projection as commands carry it: a mapping as it is, a list of names as fields to include.

    Raises:
        TypeError: neither.
    """
    if isinstance(projection, Mapping):
        return dict(cast(Mapping[str, Any], projection))
    if isinstance(projection, (Sequence, Set)) and not isinstance(projection, str):
        names = cast(Sequence[object], projection)
        if all(isinstance(name, str) for name in names):
            return dict.fromkeys(cast(Sequence[str], names), 1)
    raise TypeError("projection is a mapping or a list of field names")


def with_id(document: Any, new_id: Callable[[], ObjectId] = ObjectId) -> MutableMapping[str, Any] | RawBSONDocument:
    """The document to insert. A missing `_id` is made up and added to the caller's document, as PyMongo does.

    A `RawBSONDocument` cannot be changed: without an `_id` it goes as it is, and the server makes one up.

    Args:
        document: the document.
        new_id: makes an id.

    Raises:
        TypeError: not a document that can be inserted.
    """
    mapping: MutableMapping[str, Any]
    if type(document) is DICT:
        # The usual case, without the detour that abstract classes take.
        mapping = document
    elif isinstance(document, RawBSONDocument):
        return document
    elif isinstance(document, MutableMapping):
        mapping = cast(MutableMapping[str, Any], document)
    else:
        raise TypeError(
            "a document to insert is a dict, another mutable mapping or a RawBSONDocument, "
            f"not {type(document).__name__}"
        )
    if "_id" not in mapping:
        mapping["_id"] = new_id()
    return mapping
