"""The fields that messages are made of: BSON documents, told by their length, and cstrings.

They are found and checked, not decoded. Nothing here copies more of a message than the field it returns.
"""

from __future__ import annotations

from struct import Struct

from aiomongo_tls.errors import ProtocolError

Buffer = bytes | bytearray | memoryview
"""Received bytes."""

MIN_DOCUMENT = 5
"""Bytes of an empty BSON document: int32 length and the closing zero."""

_INT32 = Struct("<i")
_FIRST_LOOK = 64


def document_end(data: Buffer, position: int, end: int) -> int:
    """Find where the BSON document that starts at `position` ends, by its own length field.

    Args:
        data: holds the document.
        position: where it starts.
        end: where it must have ended at the latest.

    Raises:
        ProtocolError: the length is impossible, or the document does not close with a zero byte.
    """
    left = end - position
    if left < MIN_DOCUMENT:
        raise ProtocolError(f"expected a BSON document, found {left} bytes")
    size: int = _INT32.unpack_from(data, position)[0]
    if not MIN_DOCUMENT <= size <= left:
        raise ProtocolError(f"BSON document gives its length as {size}, the message has {left} bytes left for it")
    if data[position + size - 1]:
        raise ProtocolError("BSON document does not end with a zero byte")
    return position + size


def read_cstring(data: Buffer, position: int, end: int) -> tuple[str, int]:
    """Read a zero-terminated UTF-8 string.

    Args:
        data: holds the string.
        position: where it starts.
        end: where it must have ended at the latest.

    Returns:
        The string, and the position behind its zero byte.

    Raises:
        ProtocolError: there is no zero byte, or the bytes are not UTF-8.
    """
    # A memoryview cannot be searched, and what follows may be 48 MB: look at a little, then at more.
    look = _FIRST_LOOK
    while True:
        piece = bytes(data[position : min(position + look, end)])
        zero = piece.find(0)
        if zero >= 0:
            break
        if position + look >= end:
            raise ProtocolError("a string in the message has no end")
        look *= 8
    try:
        return piece[:zero].decode(), position + zero + 1
    except UnicodeDecodeError as exc:
        raise ProtocolError("a string in the message is not UTF-8") from exc
