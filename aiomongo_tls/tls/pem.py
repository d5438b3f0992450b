"""PEM blocks, and DER told apart by its outermost shape.

OpenSSL does the reading; this only finds out what is in a file, so that a missing key is called that and not `PEM lib`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})
CRL_LABEL = "X509 CRL"
KEY_LABELS = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"})
PKCS12_LABEL = "PKCS12"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n.*?-----END \1-----", re.DOTALL)

# The tags of what stands inside the outermost SEQUENCE.
_INTEGER, _BITS, _OCTETS, _SEQUENCE = 0x02, 0x03, 0x04, 0x30
_SHAPES = (
    ((_SEQUENCE, _SEQUENCE, _BITS), "CERTIFICATE"),
    ((_INTEGER, _SEQUENCE, _OCTETS), "PRIVATE KEY"),
    ((_SEQUENCE, _OCTETS), "ENCRYPTED PRIVATE KEY"),
    ((_INTEGER, _INTEGER, _INTEGER), "RSA PRIVATE KEY"),
    ((_INTEGER, _OCTETS), "EC PRIVATE KEY"),
    ((_INTEGER, _SEQUENCE), PKCS12_LABEL),
)


class Unfinished(ValueError):
    """A PEM block has no end: the file was cut, or is being written."""


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One PEM block.

    Args:
        label: what it says it is: `CERTIFICATE`, `PRIVATE KEY`, ...
        text: the block from BEGIN to END, with a final line break.
    """

    label: str
    text: bytes = field(repr=False)

    @property
    def der(self) -> bytes:
        """The content of a block without headers.

        Raises:
            ValueError: it is not base64.
        """
        lines = self.text.splitlines()
        try:
            return base64.b64decode(b"".join(b"".join(lines[1:-1]).split()), validate=True)
        except binascii.Error as exc:
            raise ValueError(f"{self.label} is not base64") from exc


def blocks(content: bytes, *, signed: str = "CERTIFICATE") -> list[PemBlock]:
    """The PEM blocks in `content`; DER becomes one block. Whatever stands between blocks is skipped.

    Args:
        content: PEM or DER.
        signed: the label for DER of the shape that certificates and revocation lists share.

    Raises:
        Unfinished: a block has no end.
    """
    found = [PemBlock(match[1].decode(), match[0] + b"\n") for match in _BLOCK.finditer(content)]
    if len(found) != content.count(b"-----BEGIN "):
        raise Unfinished("a PEM block in it has no end")
    if found:
        return found
    tags = _tags_inside(content)
    for shape, label in _SHAPES:
        if tags[: len(shape)] == shape:
            return [from_der(signed if label == "CERTIFICATE" else label, content)]
    return []


def from_der(label: str, der: bytes) -> PemBlock:
    """Wrap DER as PEM."""
    lines = base64.encodebytes(der)
    # encodebytes() breaks lines at 76 characters; some readers insist on PEM's 64.
    text = lines.replace(b"\n", b"")
    body = b"\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return PemBlock(label, b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), body, label.encode()))


def inside(der: bytes) -> list[bytes]:
    """The elements one level below the outermost element of DER that OpenSSL has read, each with its tag."""
    start, end = _content(der, 0)
    found: list[bytes] = []
    while start < end:
        _, after = _content(der, start)
        found.append(der[start:after])
        start = after
    return found


def _tags_inside(der: bytes) -> tuple[int, ...]:
    """The tags one level below a SEQUENCE that fills all of `der`; none if that is not what it is."""
    if not der or der[0] != _SEQUENCE:
        return ()
    start, end = _content(der, 0)
    if end != len(der):
        return ()
    tags: list[int] = []
    while start < end:
        tags.append(der[start])
        _, start = _content(der, start)
    return tuple(tags) if start == end else ()


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins and ends; beyond the end of `der` if it is cut short."""
    size = der[at + 1 : at + 2]
    if not size:
        return len(der) + 1, len(der) + 1
    start = at + 2
    length = size[0]
    if length >= 0x80:
        digits = der[start : start + (length & 0x7F)]
        start += len(digits)
        length = int.from_bytes(digits, "big")
    return start, start + length
