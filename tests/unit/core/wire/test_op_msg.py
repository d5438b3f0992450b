"""OP_MSG payloads, compared with bytes worked out by hand from the specification."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.wire.op_msg import DocumentSequence, Flags, OpMsg, decode
from aiomongo_tls.core.wire.protocol import Role, WireProtocol
from aiomongo_tls.errors import ProtocolError

# {ping: 1, $db: "admin"}: 4 + 10 + 15 + 1 = 30 bytes
PING = bytes.fromhex(
    "1e000000"  # int32 length 30
    "10 70696e6700 01000000"  # int32 "ping" = 1
    "02 24646200 06000000 61646d696e00"  # string "$db" = "admin", 6 bytes with its zero
    "00"
)
# {insert: "users", $db: "app"}: 4 + 18 + 13 + 1 = 36 bytes
INSERT = bytes.fromhex(
    "24000000"  # int32 length 36
    "02 696e7365727400 06000000 757365727300"  # string "insert" = "users"
    "02 24646200 04000000 61707000"  # string "$db" = "app"
    "00"
)
# {_id: 1} and {_id: 2}: 4 + 9 + 1 = 14 bytes
ONE = bytes.fromhex("0e000000 10 5f696400 01000000 00")
TWO = bytes.fromhex("0e000000 10 5f696400 02000000 00")
# The sequence section without its kind byte: 4 + 10 + 28 = 42 bytes
DOCUMENTS = (
    bytes.fromhex(
        "2a000000"  # int32 size 42
        "646f63756d656e747300"  # cstring "documents"
    )
    + ONE
    + TWO
)

NO_FLAGS = bytes.fromhex("00000000")
CHECKSUM = bytes.fromhex("01000000")
BODY = b"\x00"
SEQUENCE = b"\x01"


def encode(body: bytes, sequences: Sequence[DocumentSequence] = (), flags: int = 0) -> bytes:
    """The payload of a request, as the client's end writes it."""
    return WireProtocol(Role.CLIENT).send_request(body, sequences, flags=flags)[16:]


def test_hand_made_documents_are_what_they_claim():
    """The documents written by hand mean what their comments say (a separate look through bson)."""
    assert bson.decode(PING) == {"ping": 1, "$db": "admin"}
    assert bson.decode(INSERT) == {"insert": "users", "$db": "app"}
    assert [bson.decode(ONE), bson.decode(TWO)] == [{"_id": 1}, {"_id": 2}]


def test_golden_body_only():
    """A command without sequences is flag bits, kind 0 and the document."""
    golden = NO_FLAGS + BODY + PING
    assert encode(PING) == golden
    assert decode(golden) == OpMsg(0, PING, ())


def test_golden_with_sequence():
    """Documents of a bulk write travel beside the body, in a kind 1 section."""
    golden = NO_FLAGS + BODY + INSERT + SEQUENCE + DOCUMENTS
    sequence = DocumentSequence("documents", (ONE, TWO))
    assert encode(INSERT, [sequence]) == golden
    assert decode(golden) == OpMsg(0, INSERT, (sequence,))


@pytest.mark.parametrize(
    ("flags", "golden"),
    [
        (Flags.MORE_TO_COME, "02000000"),
        (Flags.EXHAUST_ALLOWED, "00000100"),
        (Flags.MORE_TO_COME | Flags.EXHAUST_ALLOWED, "02000100"),
    ],
)
def test_golden_flags(flags: int, golden: str):
    """Flag bits have the specification's places."""
    payload = bytes.fromhex(golden) + BODY + PING
    assert encode(PING, flags=flags) == payload
    assert decode(payload).flags == flags


def test_sections_in_any_order():
    """The body may stand behind or between sequences."""
    updates = bytes.fromhex("1a000000 7570646174657300") + ONE  # "updates": 4 + 8 + 14 = 26
    payload = NO_FLAGS + SEQUENCE + DOCUMENTS + BODY + PING + SEQUENCE + updates
    message = decode(payload)
    assert message.body == PING
    assert message.sequences == (DocumentSequence("documents", (ONE, TWO)), DocumentSequence("updates", (ONE,)))


def test_sequence_without_documents():
    """A sequence may be empty."""
    payload = NO_FLAGS + BODY + PING + SEQUENCE + bytes.fromhex("08000000 6f707300")  # "ops": 4 + 4
    assert decode(payload).sequences == (DocumentSequence("ops", ()),)


@pytest.mark.parametrize("sections", [BODY + PING, BODY + INSERT + SEQUENCE + DOCUMENTS])
def test_checksum_is_read_past(sections: bytes):
    """Four bytes of checksum belong to no section."""
    with_checksum = decode(CHECKSUM + sections + b"\xde\xad\xbe\xef")
    without = decode(NO_FLAGS + sections)
    assert with_checksum[1:] == without[1:]


def test_high_unknown_flag_bits_are_ignored():
    """Unknown flag bits from 16 on do not matter."""
    payload = bytes.fromhex("0000feff") + BODY + PING
    assert decode(payload).body == PING


@pytest.mark.parametrize("bit", range(2, 16))
def test_low_unknown_flag_bits_are_refused(bit: int):
    """An unknown flag bit below 16 makes the message unusable."""
    with pytest.raises(ProtocolError, match="flag bits"):
        decode((1 << bit).to_bytes(4, "little") + BODY + PING)


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"", "too short"),
        (NO_FLAGS, "too short"),
        (NO_FLAGS + BODY + PING[:4], "too short"),
        (NO_FLAGS + BODY + PING[:-1], "length as 30"),
        (NO_FLAGS + BODY + PING[:-1] + b"\x01", "zero byte"),
        (NO_FLAGS + BODY + PING + BODY + PING, "two body sections"),
        (NO_FLAGS + SEQUENCE + DOCUMENTS, "no body section"),
        (NO_FLAGS + b"\x02" + PING, "unknown kind 2"),
        (NO_FLAGS + BODY + PING + b"\x02", "unknown kind 2"),
        (NO_FLAGS + BODY + PING + SEQUENCE, "inside the size"),
        (NO_FLAGS + BODY + PING + SEQUENCE + DOCUMENTS[:-1], "size as 42"),
        (NO_FLAGS + BODY + PING + SEQUENCE + bytes.fromhex("04000000"), "size as 4"),
        (NO_FLAGS + BODY + PING + SEQUENCE + bytes.fromhex("ffffffff 00"), "size as -1"),
        (NO_FLAGS + BODY + PING + SEQUENCE + bytes.fromhex("05000000 61"), "no end"),
        (NO_FLAGS + BODY + PING + SEQUENCE + bytes.fromhex("06000000 ff00"), "UTF-8"),
        # The second document of the sequence reaches beyond the section.
        (NO_FLAGS + SEQUENCE + DOCUMENTS[:-14] + b"\x0f" + TWO[1:] + BODY + PING, "length as 15"),
        (NO_FLAGS + BODY + PING + (SEQUENCE + DOCUMENTS) * 2, "two document sequences named 'documents'"),
        (CHECKSUM + BODY + PING, "length as 30"),  # the checksum eats into the document
    ],
)
def test_malformed(payload: bytes, complaint: str):
    """Anything that is not exactly one OP_MSG is refused, with what was wrong."""
    with pytest.raises(ProtocolError, match=complaint):
        decode(payload)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_decode_from_the_middle_of_any_buffer(kind: type):
    """A payload is decoded where it lies, and its documents come out as bytes."""
    payload = NO_FLAGS + BODY + INSERT + SEQUENCE + DOCUMENTS
    message = decode(kind(b"before" + payload + b"behind"), 6, 6 + len(payload))
    assert message == OpMsg(0, INSERT, (DocumentSequence("documents", (ONE, TWO)),))
    assert type(message.body) is bytes
    assert {type(document) for document in message.sequences[0].documents} == {bytes}


documents = st.dictionaries(st.text("abc", max_size=3), st.integers(0, 9), max_size=3).map(bson.encode)
sequences = st.lists(
    st.builds(DocumentSequence, st.text("dé$", max_size=70), st.lists(documents, max_size=4).map(tuple)),
    max_size=3,
    unique_by=lambda sequence: sequence.identifier,
).map(tuple)


@given(st.sampled_from([0, Flags.MORE_TO_COME, Flags.EXHAUST_ALLOWED]), documents, sequences)
def test_round_trip(flags: int, body: bytes, beside: tuple[DocumentSequence, ...]):
    """What is encoded is decoded."""
    assert decode(encode(body, beside, flags)) == OpMsg(flags, body, beside)


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes):
    """Random bytes are either a message or a ProtocolError."""
    with suppress(ProtocolError):
        decode(data)


@given(documents, sequences, st.data())
def test_damaged_messages_raise_nothing_else(body: bytes, beside: tuple[DocumentSequence, ...], data: st.DataObject):
    """A message with one byte changed or cut off is either a message or a ProtocolError."""
    payload = bytearray(encode(body, beside))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        decode(payload[: data.draw(st.integers(0, len(payload)))])
