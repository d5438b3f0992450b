"""Documents and strings inside messages."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.wire.fields import document_end, read_cstring
from aiomongo_tls.errors import ProtocolError

EMPTY = bytes.fromhex("0500000000")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_document_end_in_any_buffer(kind: type):
    """A document ends where its own length says."""
    data = kind(b"??" + EMPTY + b"??")
    assert document_end(data, 2, 9) == 7


@pytest.mark.parametrize(
    ("hexdump", "complaint"),
    [
        ("", "found 0 bytes"),
        ("05000000", "found 4 bytes"),
        ("0400000000", "length as 4"),  # less than an empty document
        ("0600000000", "length as 6"),  # more than there is
        ("ffffffff00", "length as -1"),
        ("ffffff7f00", "length as 2147483647"),
        ("0500000001", "zero byte"),
    ],
)
def test_impossible_documents(hexdump: str, complaint: str):
    """A length that cannot be, or a missing closing zero, is refused."""
    data = bytes.fromhex(hexdump)
    with pytest.raises(ProtocolError, match=complaint):
        document_end(data, 0, len(data))


def test_document_must_end_before_the_limit():
    """Bytes behind the given end do not count, even if the buffer has them."""
    with pytest.raises(ProtocolError):
        document_end(EMPTY + EMPTY, 0, 4)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 511, 512, 513, 5000])
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_cstring_of_any_length(length: int, kind: type):
    """A string is found whatever its length, and the position behind its zero is given."""
    data = kind(b"!" + b"a" * length + b"\0rest")
    assert read_cstring(data, 1, len(data)) == ("a" * length, length + 2)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 600])
def test_cstring_without_end(length: int):
    """A string whose zero is missing, or behind the end, is refused."""
    data = b"a" * length + b"\0"
    with pytest.raises(ProtocolError, match="no end"):
        read_cstring(data, 0, length)


def test_cstring_not_utf8():
    """A string that is not UTF-8 is refused as such, with the reason chained."""
    with pytest.raises(ProtocolError, match="UTF-8") as info:
        read_cstring(b"\xff\0", 0, 2)
    assert isinstance(info.value.__cause__, UnicodeDecodeError)
