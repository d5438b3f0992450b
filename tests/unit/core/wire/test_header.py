"""The 16 bytes in front of every message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.wire.header import HEADER_SIZE, MessageHeader, OpCode, pack_header

int32 = st.integers(-(2**31), 2**31 - 1)

GOLDEN = bytes.fromhex(
    "33000000"  # messageLength 51
    "07000000"  # requestID 7
    "06000000"  # responseTo 6
    "dd070000"  # opCode 2013
)


def test_golden_bytes():
    """A header is four little-endian int32 in the specification's order."""
    header = MessageHeader(length=51, request_id=7, response_to=6, op_code=OpCode.MSG)
    assert pack_header(*header) == GOLDEN
    assert MessageHeader.unpack(GOLDEN) == header
    assert len(GOLDEN) == HEADER_SIZE


def test_unpack_at_an_offset():
    """A header can be read from the middle of a buffer."""
    assert MessageHeader.unpack(b"xyz" + GOLDEN, 3) == MessageHeader.unpack(GOLDEN)


def test_unknown_op_code_is_kept():
    """Reading a header judges nothing: any number may stand in it."""
    assert MessageHeader.unpack(b"\xff" * 16) == (-1, -1, -1, -1)


@given(int32, int32, int32, int32)
def test_round_trip(length: int, request_id: int, response_to: int, op_code: int):
    """What is packed is unpacked, for every int32."""
    header = MessageHeader(length, request_id, response_to, op_code)
    assert MessageHeader.unpack(pack_header(*header)) == header


@pytest.mark.parametrize(("code", "number"), [("REPLY", 1), ("QUERY", 2004), ("COMPRESSED", 2012), ("MSG", 2013)])
def test_op_codes(code: str, number: int):
    """Opcodes have the specification's numbers."""
    assert OpCode[code] == number
