"""OP_QUERY and OP_REPLY, as far as a server needs them for the first hello of older drivers.

Drivers that follow the specifications of before June 2026 send their first hello as OP_QUERY to the
collection `admin.$cmd`, because they cannot know yet whether the server understands OP_MSG. Here the server role reads
that and answers with OP_REPLY. Whether the command is one that may be asked this way is for the server to judge.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from aiomongo_tls.core.wire.fields import Buffer, document_end, read_cstring
from aiomongo_tls.errors import ProtocolError

_INT32 = Struct("<i")
_SKIP_AND_LIMIT = Struct("<ii")
_REPLY_START = Struct("<iqii")  # responseFlags, cursorID, startingFrom, numberReturned
_AWAIT_CAPABLE = 8  # every server since 1.6 sets it


class OpQuery(NamedTuple):
    """The content of one OP_QUERY."""

    flags: int
    """The flag bits; `secondaryOk` is 4."""
    collection: str
    """The full collection name; for a command it ends in `.$cmd`."""
    skip: int
    """Documents to skip; 0 for a command."""
    limit: int
    """Documents to return; 1 or -1 for a command."""
    query: bytes
    """The command, a BSON document."""

    @property
    def database(self) -> str:
        """The database of the command."""
        return self.collection.partition(".")[0]


def decode_query(data: Buffer, start: int = 0, end: int | None = None) -> OpQuery:
    """Read the payload of an OP_QUERY.

    Args:
        data: holds what follows the header.
        start: where it starts.
        end: where it ends; the end of `data` if not given.

    Raises:
        ProtocolError: the bytes are not one well-formed OP_QUERY.
    """
    if end is None:
        end = len(data)
    if end - start < _INT32.size:
        raise ProtocolError("OP_QUERY is too short for its flag bits")
    (flags,) = _INT32.unpack_from(data, start)
    collection, position = read_cstring(data, start + _INT32.size, end)
    if end - position < _SKIP_AND_LIMIT.size:
        raise ProtocolError("OP_QUERY ends before its query")
    skip, limit = _SKIP_AND_LIMIT.unpack_from(data, position)
    position += _SKIP_AND_LIMIT.size
    stop = document_end(data, position, end)
    # A second document may choose fields; commands have no use for it.
    if stop != end and document_end(data, stop, end) != end:
        raise ProtocolError("OP_QUERY has bytes behind its documents")
    return OpQuery(flags, collection, skip, limit, bytes(data[position:stop]))


def encode_reply(document: bytes) -> bytes:
    """Write the data of an OP_REPLY with one document.

    Args:
        document: the reply, a BSON document.
    """
    return _REPLY_START.pack(_AWAIT_CAPABLE, 0, 0, 1) + document
