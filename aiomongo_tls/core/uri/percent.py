"""Percent-encoding in a connection string, and the one place where `+` may mean a space.

Every function returns None instead of raising for text that cannot be decoded: an exception would carry the text,
which may be a password.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What urllib.parse.quote_plus() can produce, with the colon that separates user name and password.
_QUOTE_PLUS = re.compile(r"(?:[A-Za-z0-9_.~+:-]|%[0-9A-Fa-f]{2})*", re.ASCII)


def decode(text: str) -> str | None:
    """Decode text in which every percent sign has to begin an escape; None if it cannot be decoded."""
    return None if _LONE_PERCENT.search(text) else decode_value(text)


def decode_value(text: str) -> str | None:
    """Decode the value of an option; a percent sign that begins no escape stands for itself, `+` always does.

    Returns:
        The decoded text, None if the escapes are not UTF-8.
    """
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None


def decode_userinfo(userinfo: str) -> tuple[str, str | None] | None:
    """Split and decode user information (connection string specification, "Userinfo").

    Text that `urllib.parse.quote_plus()` can have produced is read as it wrote it, with `+` for a space; that is what
    PyMongo does and its documentation recommends. Beside any other character that stands for itself, `+` does too.

    Args:
        userinfo: everything before the `@`.

    Returns:
        User name and password (None without a colon); None if the text is not percent-encoded as it has to be.
    """
    if "@" in userinfo or userinfo.count(":") > 1:
        return None
    if _QUOTE_PLUS.fullmatch(userinfo):
        userinfo = userinfo.replace("+", "%20")
    username, colon, password = userinfo.partition(":")
    parts = decode(username), decode(password)
    if parts[0] is None or parts[1] is None:
        return None
    return parts[0], parts[1] if colon else None
