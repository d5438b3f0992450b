"""Commands and replies of conversations."""

from __future__ import annotations

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.auth.conversation import CommandDocument, decode_reply
from aiomongo_tls.errors import Phase, ProtocolError


def test_encode_adds_the_database_last():
    """The command's name stays first, `$db` comes last."""
    command = CommandDocument("$external", {"authenticate": 1, "user": "CN=Ada"}, Phase.AUTH)
    assert list(bson.decode(command.encode()).items()) == [
        ("authenticate", 1),
        ("user", "CN=Ada"),
        ("$db", "$external"),
    ]
    assert "$db" not in command.document


def test_decode_reply():
    """A reply is decoded."""
    assert decode_reply(bson.encode({"ok": 1.0, "a": {"b": [1]}})) == {"ok": 1.0, "a": {"b": [1]}}


def test_decode_date_beyond_python():
    """A date that Python cannot express does not make a reply unreadable."""
    far = bytes.fromhex("10000000 09 7400 ffffffffffffff7f 00")  # {t: a date in the year 292278994}; 4 + 11 + 1
    assert decode_reply(far)["t"] is not None


def nested(depth: int) -> bytes:
    document = bytes.fromhex("0500000000")
    for _ in range(depth):
        document = (len(document) + 8).to_bytes(4, "little") + b"\x03a\x00" + document + b"\x00"
    return document


@pytest.mark.parametrize(
    "body",
    [
        bytes.fromhex("0600000001 00"),  # an element without a name
        bytes.fromhex("0c000000 02 6100 ff000000 00"),  # a string longer than the document
        bytes.fromhex("0e000000 02 6100 02000000 ff00 00"),  # not UTF-8
        nested(20_000),
    ],
)
def test_not_bson(body: bytes):
    """Bytes that are not BSON, or nested beyond reason, are a ProtocolError."""
    with pytest.raises(ProtocolError, match="not valid BSON") as info:
        decode_reply(body)
    assert info.value.__cause__ is not None


def test_a_reply_of_any_size_is_not_decoded():
    """A megabyte is far above what is said before authentication; the byte after it is refused."""
    padding = b"x" * (1024 * 1024 - len(bson.encode({"a": b""})))
    assert decode_reply(bson.encode({"a": padding})) == {"a": padding}
    with pytest.raises(ProtocolError, match="has 1048577 bytes, expected 1048576 at the most"):
        decode_reply(bson.encode({"a": padding + b"x"}))


@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_else(data: bytes):
    """Random elements are a document or a ProtocolError."""
    body = (len(data) + 5).to_bytes(4, "little") + data + b"\0"
    try:
        decode_reply(body)
    except ProtocolError as error:
        assert "BSON" in str(error)  # noqa: PT017
