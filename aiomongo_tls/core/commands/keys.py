"""Keys with directions: what sort orders, hints and index keys are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

ASCENDING: Final = 1
"""From small to large."""
DESCENDING: Final = -1
"""From large to small."""
GEO2D: Final = "2d"
"""A key of a planar geospatial index."""
GEOSPHERE: Final = "2dsphere"
"""A key of a spherical geospatial index."""
HASHED: Final = "hashed"
"""A key of a hashed index."""
TEXT: Final = "text"
"""A key of a text index."""

Direction: TypeAlias = int | str | Mapping[str, Any]
Keys: TypeAlias = str | Sequence[str | tuple[str, Direction]] | Mapping[str, Any]
"""`"a"`, `["a", ("b", DESCENDING)]` or `{"a": 1, "b": -1}`."""
Hint: TypeAlias = Keys
"""The name of an index, or its keys."""


def key_document(keys: object, direction: object = None, *, what: str = "keys") -> dict[str, Any]:
    """The keys in order, as the document that commands carry.

    Args:
        keys: one name, a list of names or (name, direction) pairs, or a mapping.
        direction: the direction of a single name; ascending if None.
        what: how to call the argument in messages.

    Raises:
        TypeError: none of these shapes, or a direction that is neither a number, a string nor a mapping.
        ValueError: no key at all.
    """
    if isinstance(keys, str):
        document = {keys: ASCENDING if direction is None else direction}
    elif direction is not None:
        raise TypeError(f"{what}: a direction of its own goes with one name; give a list of (name, direction) pairs")
    else:
        document = bounds_document(keys, what=what)
    for name, value in document.items():
        if not isinstance(value, (str, int, float, Mapping)):
            raise TypeError(f"{what}: the direction of {name!r} is a number, a string or a mapping, not {value!r}")
    return document


def bounds_document(keys: object, *, what: str) -> dict[str, Any]:
    """Keys with values of any kind, as `min` and `max` have them.

    Args:
        keys: a list of (name, value) pairs (a bare name is ascending), or a mapping.
        what: how to call the argument in messages.

    Raises:
        TypeError: neither of these shapes.
        ValueError: no key at all.
    """
    if isinstance(keys, Mapping):
        document = dict(cast(Mapping[str, Any], keys))
    elif isinstance(keys, Sequence) and not isinstance(keys, str):
        document = dict(_pair(what, item) for item in cast(Sequence[object], keys))
    else:
        raise TypeError(f"{what}: a list of (name, direction) pairs or a mapping, not {type(keys).__name__}")
    if not document:
        raise ValueError(f"{what}: at least one key is needed")
    for name in document:
        if not isinstance(cast(object, name), str):
            raise TypeError(f"{what}: a name is a string, not {type(name).__name__}")
    return document


def hint_value(hint: object) -> str | dict[str, Any]:
    """A hint as commands carry it: a string is the index's name, anything else its keys.

    Raises:
        TypeError: neither a name nor keys.
        ValueError: no key at all.
    """
    return hint if isinstance(hint, str) else key_document(hint, what="hint")


def index_name(keys: Mapping[str, Any]) -> str:
    """The name that an index gets if none is given: `a_1_b_-1`."""
    return "_".join(f"{name}_{direction}" for name, direction in keys.items())


def _pair(what: str, item: object) -> tuple[str, Any]:
    if isinstance(item, str):
        return item, ASCENDING
    if isinstance(item, (tuple, list)):
        pair = cast(Sequence[Any], item)
        if len(pair) == 2:
            return pair[0], pair[1]
    raise TypeError(f"{what}: a list holds names and (name, direction) pairs, not {item!r}")
