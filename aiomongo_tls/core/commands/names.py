"""Which names databases and collections may have."""

from __future__ import annotations

from aiomongo_tls.errors import InvalidName

_NOT_IN_DATABASE_NAMES = ' .$/\\\x00"'
# Names with a $ that servers have or had themselves.
_SPECIAL_COLLECTIONS = ("oplog.$main", "$cmd")


def check_database_name(name: object) -> str:
    """The name, if a database can have it. `$external`, where X.509 users live, can be named too.

    Raises:
        TypeError: it is not a string.
        InvalidName: it is empty or has a character that MongoDB forbids.
    """
    text = _string("a database name", name)
    if text == "$external":
        return text
    if not text:
        raise InvalidName("a database name cannot be empty")
    for character in text:
        if character in _NOT_IN_DATABASE_NAMES:
            raise InvalidName(f"the database name {text!r} has the character {character!r}, which MongoDB forbids")
    return text


def check_collection_name(name: object) -> str:
    """The name, if a collection can have it.

    Raises:
        TypeError: it is not a string.
        InvalidName: it is empty, starts or ends with a dot, has two dots in a row, a `$` or a null character.
    """
    text = _string("a collection name", name)
    if not text or ".." in text:
        raise InvalidName(f"a collection name, and each of its dotted parts, needs a character: {text!r}")
    if "$" in text and not text.startswith(_SPECIAL_COLLECTIONS):
        raise InvalidName(f"a collection name cannot have a '$': {text!r}")
    if text.startswith(".") or text.endswith("."):
        raise InvalidName(f"a collection name cannot start or end with a dot: {text!r}")
    if "\x00" in text:
        raise InvalidName(f"a collection name cannot have a null character: {text!r}")
    return text


def _string(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a string, not {type(value).__name__}")
    return value
