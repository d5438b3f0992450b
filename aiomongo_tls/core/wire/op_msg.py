"""OP_MSG: flag bits, one body document, any number of document sequences.

    uint32 flagBits
    sections, in any order:
        byte 0   a document: the command or the reply; exactly one
        byte 1   int32 size (itself included, the kind byte not), cstring identifier, documents back to back
    uint32 checksum, if flagged

Specification: message/OP_MSG. Of the flag bits 0 to 15 an unknown one that is set makes the message unusable; of 16
to 31 unknown ones are ignored. We never send a checksum, and read past one without verifying it: TLS already
guards the bytes.

Documents are not decoded, but their length fields are checked, so that whoever decodes them gets exactly one
document each. A sequence named twice is refused: it would be two arrays under one field name.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from aiomongo_tls.core.wire.fields import MIN_DOCUMENT, Buffer, document_end, read_cstring
from aiomongo_tls.errors import ProtocolError


class Flags(IntEnum):
    """The flag bits of OP_MSG. Combine with `|`, test with `&`; the result is a plain int.

    (An IntFlag would build an object for each test, on the hot path.)
    """

    CHECKSUM_PRESENT = 1 << 0
    """Four bytes of checksum follow the sections."""
    MORE_TO_COME = 1 << 1
    """On a request: do not reply. On a reply: another one follows unasked."""
    EXHAUST_ALLOWED = 1 << 16
    """On a request: the reply may have `MORE_TO_COME`."""


_UNKNOWN_REQUIRED = 0xFFFF & ~(Flags.CHECKSUM_PRESENT | Flags.MORE_TO_COME)
_CHECKSUM_PRESENT = int(Flags.CHECKSUM_PRESENT)
_CHECKSUM_SIZE = 4
_BODY = 0
_SEQUENCE = 1

_START = Struct("<IB")  # flag bits and the first section's kind
_INT32 = Struct("<i")
_SEQUENCE_START = Struct("<Bi")


class DocumentSequence(NamedTuple):
    """Documents that belong to one field of the command, sent beside the body."""

    identifier: str
    """The field's name: `documents`, `updates`, `deletes`, ..."""
    documents: Sequence[bytes]
    """BSON documents."""


class OpMsg(NamedTuple):
    """The content of one OP_MSG."""

    flags: int
    """The flag bits, see `Flags`."""
    body: bytes
    """The command or reply, a BSON document."""
    sequences: tuple[DocumentSequence, ...] = ()
    """The document sequences, in the order of the message."""


def sections(sequences: Sequence[DocumentSequence]) -> tuple[list[bytes], int]:
    """Lay out the sections that follow the body.

    Args:
        sequences: document sequences, each named once.

    Returns:
        Pieces to be joined, and how many bytes they are.
    """
    pieces: list[bytes] = []
    length = 0
    for identifier, documents in sequences:
        name = identifier.encode() + b"\0"
        size = 4 + len(name) + sum(map(len, documents))
        pieces += (_SEQUENCE_START.pack(_SEQUENCE, size), name, *documents)
        length += 1 + size
    return pieces, length


def decode(data: Buffer, start: int = 0, end: int | None = None) -> OpMsg:
    """Read the payload of an OP_MSG.

    Args:
        data: holds what follows the header.
        start: where it starts.
        end: where it ends; the end of `data` if not given.

    Raises:
        ProtocolError: the bytes are not one well-formed OP_MSG.
    """
    if end is None:
        end = len(data)
    body_start = start + _START.size
    if end < body_start + MIN_DOCUMENT:
        raise ProtocolError(f"OP_MSG of {end - start} bytes: too short for flag bits and a document")
    flags, kind = _START.unpack_from(data, start)
    if flags & _UNKNOWN_REQUIRED:
        raise ProtocolError(f"OP_MSG has unknown required flag bits: {flags & _UNKNOWN_REQUIRED:#06x}")
    if flags & _CHECKSUM_PRESENT:
        end -= _CHECKSUM_SIZE
    # Nearly every message is a body and nothing else.
    if kind == _BODY and document_end(data, body_start, end) == end:
        return OpMsg(flags, bytes(data[body_start:end]))
    return _decode_sections(data, body_start - 1, end, flags)


def _decode_sections(data: Buffer, position: int, end: int, flags: int) -> OpMsg:
    body: bytes | None = None
    sequences: dict[str, DocumentSequence] = {}
    while position < end:
        kind = data[position]
        position += 1
        if kind == _BODY:
            if body is not None:
                raise ProtocolError("OP_MSG has two body sections, expected one")
            stop = document_end(data, position, end)
            body = bytes(data[position:stop])
        elif kind == _SEQUENCE:
            stop = _sequence_end(data, position, end)
            sequence = _decode_sequence(data, position + _INT32.size, stop)
            if sequence.identifier in sequences:
                raise ProtocolError(f"OP_MSG has two document sequences named {sequence.identifier!r}")
            sequences[sequence.identifier] = sequence
        else:
            raise ProtocolError(f"OP_MSG has a section of unknown kind {kind}")
        position = stop
    if body is None:
        raise ProtocolError("OP_MSG has no body section")
    return OpMsg(flags, body, tuple(sequences.values()))


def _sequence_end(data: Buffer, position: int, end: int) -> int:
    if end - position < _INT32.size:
        raise ProtocolError("OP_MSG ends inside the size of a document sequence")
    size: int = _INT32.unpack_from(data, position)[0]
    if not _INT32.size < size <= end - position:
        raise ProtocolError(f"document sequence gives its size as {size}, the message has {end - position} bytes left")
    return position + size


def _decode_sequence(data: Buffer, position: int, end: int) -> DocumentSequence:
    identifier, position = read_cstring(data, position, end)
    documents: list[bytes] = []
    while position < end:
        stop = document_end(data, position, end)
        documents.append(bytes(data[position:stop]))
        position = stop
    return DocumentSequence(identifier, tuple(documents))
