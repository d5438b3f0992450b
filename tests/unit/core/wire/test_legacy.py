"""OP_QUERY and OP_REPLY, compared with bytes worked out by hand from the specification."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.wire.legacy import OpQuery, decode_query, encode_reply
from aiomongo_tls.errors import ProtocolError

# {isMaster: 1}: 4 + 14 + 1 = 19 bytes
HELLO = bytes.fromhex("13000000 10 69734d617374657200 01000000 00")
# {ok: 1}: 4 + 8 + 1 = 13 bytes
OK = bytes.fromhex("0d000000 10 6f6b00 01000000 00")

START = bytes.fromhex(
    "04000000"  # flags: secondaryOk
    "61646d696e2e24636d6400"  # cstring "admin.$cmd"
    "00000000"  # numberToSkip 0
    "ffffffff"  # numberToReturn -1
)


def test_golden_query():
    """The first hello of older drivers is read."""
    query = decode_query(START + HELLO)
    assert query == OpQuery(flags=4, collection="admin.$cmd", skip=0, limit=-1, query=HELLO)
    assert query.database == "admin"


def test_query_with_field_selector():
    """A second document, which chooses fields, is allowed and left out."""
    assert decode_query(START + HELLO + OK).query == HELLO


def test_golden_reply():
    """A reply is flags, cursor, starting point and one document."""
    assert encode_reply(OK) == (
        bytes.fromhex(
            "08000000"  # responseFlags: AwaitCapable
            "0000000000000000"  # cursorID 0
            "00000000"  # startingFrom 0
            "01000000"  # numberReturned 1
        )
        + OK
    )


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "flag bits"),
        (START[:3], "flag bits"),
        (START[:10], "no end"),
        (START[:-1], "before its query"),
        (START, "found 0 bytes"),
        (START + HELLO[:-1], "length as 19"),
        (START + HELLO + b"\0", "found 1 bytes"),
        (START + HELLO + OK + b"\0", "behind its documents"),
        (START[:4] + b"\xff" + START[5:] + HELLO, "UTF-8"),
    ],
)
def test_malformed(payload: bytes, complaint: str):
    """Anything that is not exactly one OP_QUERY is refused, with what was wrong."""
    with pytest.raises(ProtocolError, match=complaint):
        decode_query(payload)


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_else(data: bytes):
    """Random bytes are either a query or a ProtocolError."""
    with suppress(ProtocolError):
        decode_query(data)
