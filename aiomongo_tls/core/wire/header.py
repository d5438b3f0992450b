"""The header in front of every message: four little-endian int32.

Specification: message/OP_MSG, "MsgHeader".
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

HEADER_SIZE = 16
"""Bytes of a header."""

_HEADER = Struct("<iiii")

pack_header = _HEADER.pack
"""Write a header as 16 bytes from length, request_id, response_to and op_code."""


class OpCode(IntEnum):
    """The message formats that have a use today."""

    REPLY = 1
    """Answer to QUERY."""
    QUERY = 2004
    """How older drivers send their first hello."""
    COMPRESSED = 2012
    """Another message, compressed."""
    MSG = 2013
    """Everything else."""


class MessageHeader(NamedTuple):
    """The header of one message.

    `op_code` is a plain int: a peer may send any number, and `OpCode` values compare equal to theirs.
    """

    length: int
    """Bytes of the whole message, header included."""
    request_id: int
    """The sender's number for this message."""
    response_to: int
    """The `request_id` of the message that this one answers; 0 in a request."""
    op_code: int
    """The format of what follows."""

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview, offset: int = 0) -> MessageHeader:
        """Read a header; nothing is checked.

        Args:
            data: holds at least 16 bytes from `offset` on.
            offset: where the header starts.
        """
        return cls._make(_HEADER.unpack_from(data, offset))
