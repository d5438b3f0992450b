"""Where TLS material comes from: a path or the content itself; a password or what returns it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from os import PathLike

TLSSource: TypeAlias = "str | PathLike[str] | bytes"
"""A path, or the PEM, DER or PKCS#12 content itself; `is_content()` tells them apart."""

Password: TypeAlias = str | bytes | Callable[[], str | bytes | Awaitable[str | bytes]]
"""A key's password, or a plain or coroutine function that returns it when the key is read."""

HIDDEN = "<hidden>"
"""What a repr has in place of a secret."""

# How base64 of DER and of PEM begins. Kubernetes keeps secrets like that, and a key in it must not pass for a path.
_BASE64 = re.compile(r"\s*(?:M[A-P]|LS0t)[A-Za-z0-9+/=\s]{60,}")


def is_content(source: TLSSource) -> bool:
    """Whether a TLS source is the content itself: bytes, or a string with a PEM block in it. Otherwise it is a path."""
    return isinstance(source, bytes) or (isinstance(source, str) and "-----BEGIN " in source)


def is_encoded(source: TLSSource) -> bool:
    """Whether a TLS source is content in base64: neither usable nor a path that a message may show."""
    return isinstance(source, str) and _BASE64.fullmatch(source) is not None


def is_secret(source: TLSSource) -> bool:
    """Whether a TLS source may hold a key, so that no message may show it."""
    return is_content(source) or is_encoded(source)


def for_repr(source: TLSSource | None) -> str:
    """A TLS source for a repr: a path as it is, of content only that there is some."""
    return "<content>" if source is not None and is_secret(source) else repr(source)
