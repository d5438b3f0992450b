"""What the value of an option looks like: as text in a URI, as a keyword, and as `ClientOptions` holds it.

A kind says no by returning UNUSABLE; what that means is decided by who asked: a URI warns and ignores, a keyword is
an error. Exceptions are not used for it because they would carry the value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from math import isfinite
from typing import Any, Final, Protocol

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19})?", re.ASCII)


class _Sign(Enum):
    UNUSABLE = "unusable"
    ABSENT = "absent"

    def __repr__(self) -> str:
        return self.name


UNUSABLE: Final = _Sign.UNUSABLE
"""A kind's answer to a value that it cannot take."""
ABSENT: Final = _Sign.ABSENT
"""What the keyword None means for most kinds: as if it had not been given."""


class Remark(Protocol):
    """How a kind comments on a value that it takes."""

    def __call__(self, text: str, category: type[Warning] = UserWarning, *, damaged: bool = False) -> None:
        """Comment on a value.

        Args:
            text: goes after the option's name; never a secret.
            category: the class of the warning.
            damaged: part of the value had to be dropped.
        """


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Args:
        expected: the values in words, to stand after "expected".
        read: makes a value of decoded text from a URI, or says UNUSABLE.
        take: makes a value of a keyword, or says UNUSABLE.
        land: makes what `ClientOptions` holds of a value.
        none: the value of the keyword None.
    """

    expected: str
    read: Callable[[str, Remark], Any]
    take: Callable[[Any, Remark], Any]
    land: Callable[[Any], Any] = _same
    none: Any = ABSENT


# Spelled out by the connection string specification, "Values", for old strings only.
_DATED_BOOLEANS = {**dict.fromkeys(("1", "yes", "y", "t"), True), **dict.fromkeys(("0", "-1", "no", "n", "f"), False)}


def _read_boolean(text: str, remark: Remark) -> Any:
    if text in ("true", "false"):
        return text == "true"
    value = _DATED_BOOLEANS.get(text, UNUSABLE)
    if isinstance(value, bool):
        remark(f"has a dated word for {str(value).lower()}; write {str(value).lower()}", DeprecationWarning)
    return value


def _take_boolean(value: Any, _remark: Remark) -> Any:
    return value if isinstance(value, bool) else UNUSABLE


BOOLEAN: Final = Kind("true or false", _read_boolean, _take_boolean)


def integer(minimum: int = 0, maximum: int = INT32_MAX, *, also: int | None = None, none: Any = ABSENT) -> Kind:
    """Integers of a range.

    Args:
        minimum: the least.
        maximum: the greatest.
        also: one more that is allowed.
        none: the value of the keyword None.
    """

    def check(value: int) -> Any:
        return value if minimum <= value <= maximum or value == also else UNUSABLE

    def read(text: str, _remark: Remark) -> Any:
        return check(int(text)) if _INTEGER.fullmatch(text) else UNUSABLE

    def take(value: Any, _remark: Remark) -> Any:
        return check(int(value)) if isinstance(value, int) and not isinstance(value, bool) else UNUSABLE

    limits = f"from {minimum} to {maximum}" if maximum < INT32_MAX else f"of {minimum} or more"
    return Kind(f"an integer {limits}" + (f", or {also}" if also is not None else ""), read, take, none=none)


def milliseconds(minimum: int = 0, *, maximum: int = INT32_MAX, zero_is_none: bool = True) -> Kind:
    """Times that are given in milliseconds and land as seconds.

    Args:
        minimum: the least.
        maximum: the greatest.
        zero_is_none: whether 0 means no limit (lands as None); then the keyword None does too.
    """
    whole = integer(minimum, maximum)

    def take(value: Any, _remark: Remark) -> Any:
        # Fractions are possible in Python only; the specification's option is an integer.
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value):
            return UNUSABLE
        return value if minimum <= value <= maximum else UNUSABLE

    def land(value: Any) -> Any:
        return None if zero_is_none and not value else value / 1000

    expected = "milliseconds, 0 for no limit" if zero_is_none else f"milliseconds, {minimum} or more"
    return Kind(expected, whole.read, take, land, 0 if zero_is_none else ABSENT)


def _read_share(text: str, _remark: Remark) -> Any:
    return _take_share(float(text), _remark) if _DECIMAL.fullmatch(text) else UNUSABLE


def _take_share(value: Any, _remark: Remark) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= 1 else UNUSABLE


SHARE: Final = Kind("a number from 0 to 1", _read_share, _take_share, float)


def text(expected: str = "text", *, empty: bool = False, longest: int | None = None) -> Kind:
    """Strings.

    Args:
        expected: what it is, in words.
        empty: whether the empty string is a value.
        longest: the most bytes of UTF-8.
    """

    def check(value: Any, _remark: Remark) -> Any:
        if not isinstance(value, str) or (not value and not empty):
            return UNUSABLE
        # A lone surrogate cannot be sent to anybody.
        if any("\ud800" <= character <= "\udfff" for character in value):
            return UNUSABLE
        return UNUSABLE if longest is not None and len(value.encode()) > longest else value

    return Kind(expected, check, check)


TEXT: Final = text()
SECRET_TEXT: Final = text(empty=True)


def one_of(words: Iterable[str]) -> Kind:
    """One of some words."""
    allowed = tuple(words)

    def check(value: Any, _remark: Remark) -> Any:
        return value if isinstance(value, str) and value in allowed else UNUSABLE

    return Kind("one of " + ", ".join(allowed), check, check)


def instance_of(expected: str, *types: type) -> Kind:
    """Python objects, which a URI cannot carry."""

    def take(value: Any, _remark: Remark) -> Any:
        return value if isinstance(value, types) else UNUSABLE

    return object_like(expected, take)


def object_like(expected: str, take: Callable[[Any, Remark], Any]) -> Kind:
    """Python objects that a function recognises, which a URI cannot carry."""
    return Kind(expected, lambda _text, _remark: UNUSABLE, take)


ANY_OBJECT: Final = object_like("an object", lambda value, _remark: value)
FUNCTION: Final = object_like("a function", lambda value, _remark: value if callable(value) else UNUSABLE)


def _check_file(value: Any, _remark: Remark) -> Any:
    if isinstance(value, bytes):
        return value or UNUSABLE
    path = value.__fspath__() if hasattr(value, "__fspath__") else value
    return value if isinstance(path, str) and path and "\0" not in path else UNUSABLE


FILE: Final = Kind("a path, or PEM or DER content", _check_file, _check_file)
KEY_FILE: Final = replace(FILE, expected="a path, or PEM, DER or PKCS#12 content")


def _take_password(value: Any, _remark: Remark) -> Any:
    return value if isinstance(value, (str, bytes)) or callable(value) else UNUSABLE


PASSWORD: Final = replace(
    text(empty=True), expected="text, bytes, or a function (also `async def`) that returns them", take=_take_password
)
