"""One HTTP/1.1 request and its answer, over our own byte stream. For responders (OCSP), who are asked for little.

No redirects: a responder is named by a certificate, and a detour would let whoever sits on the way, which is plain
HTTP, send us anywhere. No proxies either, whatever the environment says: this is a database driver's own traffic, and
`HTTP_PROXY` is not meant for the database. No answer of more than `LIMIT` bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiomongo_tls.net.transport import open_connection

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.net.dns import Resolver

LIMIT = 65536
"""Bytes of an answer, its head included. OCSP answers have 0.5 to 4 KB."""

_END = b"\r\n"


class HTTPError(Exception):
    """The answer is none of HTTP/1.1, too long, or not 200."""


async def post(
    address: ServerAddress, target: str, body: bytes, *, media_type: str, accept: str, resolver: Resolver
) -> bytes:
    """Send a POST request and read what is answered. There is no time limit here; put one around it.

    Args:
        address: host and port.
        target: path and query.
        body: what to send.
        media_type: its media type.
        accept: the media type of the answer.
        resolver: what looks the host name up.

    Raises:
        ConnectionFailure: the host was not reached.
        HTTPError: the answer is not 200, too long, cut short, or not HTTP/1.1.
    """
    head = (
        f"POST {target} HTTP/1.1\r\n"
        f"Host: {address}\r\n"
        f"Content-Type: {media_type}\r\n"
        f"Accept: {accept}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    answer = _Answer(asyncio.get_running_loop().create_future())
    try:
        transport = await open_connection(
            address, receiver=answer, first=head.encode("ascii") + body, resolver=resolver
        )
    except ConnectionError:
        # Answered and closed before we had taken note that the connection is open.
        if answer.body.done():
            return answer.body.result()
        raise
    try:
        return await answer.body
    finally:
        transport.abort()


class _Answer:
    """Collects an answer."""

    def __init__(self, body: asyncio.Future[bytes]) -> None:
        self.body = body
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        """Look whether the answer is complete."""
        self._received += data
        self._look(is_all=False)

    def stream_lost(self, error: Exception | None) -> None:
        """Make do with what there is."""
        self._look(is_all=True)

    def _look(self, *, is_all: bool) -> None:
        if self.body.done():
            return
        try:
            body = read_answer(bytes(self._received), is_all=is_all)
            if body is None and len(self._received) > LIMIT:
                raise HTTPError(f"the answer has more than {LIMIT} bytes")
        except HTTPError as exc:
            self.body.set_exception(exc)
            # Nobody looks if the connection did not come about.
            self.body.exception()
        else:
            if body is not None:
                self.body.set_result(body)


def read_answer(received: bytes, *, is_all: bool) -> bytes | None:
    """The body of an answer (RFC 9112), None if it is not complete yet.

    Args:
        received: all bytes so far.
        is_all: no more will come.

    Raises:
        HTTPError: it is not 200, too long, not HTTP/1.1, or cut short.
    """
    head, separator, rest = received.partition(_END * 2)
    if not separator:
        if is_all and not received:
            raise HTTPError("the connection was closed without an answer")
        if is_all or (received and not b"HTTP/1.".startswith(received[:7])):
            raise HTTPError("the answer is not HTTP")
        return None
    first, _, lines = head.decode("latin-1").partition("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise HTTPError("the answer is not HTTP")
    if status[:3] != "200":
        raise HTTPError(f"the answer is {_clean(status)}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in _lines(lines))}
    if "transfer-encoding" in fields:
        if fields["transfer-encoding"].lower() != "chunked":
            raise HTTPError("the answer has a transfer encoding other than chunked")
        body = _unchunked(rest)
    elif "content-length" in fields:
        length = _number(fields["content-length"], 10)
        body = rest[:length] if len(rest) >= length else None
    else:
        body = rest if is_all else None
    if body is None and is_all:
        raise HTTPError("the answer is cut short")
    return body


def _lines(text: str) -> list[str]:
    return text.split("\r\n") if text else []


def _number(text: str, base: int) -> int:
    if not text.isalnum():
        raise HTTPError("the answer has a length that is none")
    try:
        number = int(text, base)
    except ValueError as exc:
        raise HTTPError("the answer has a length that is none") from exc
    if number > LIMIT:
        raise HTTPError(f"the answer has more than {LIMIT} bytes")
    return number


def _unchunked(rest: bytes) -> bytes | None:
    """The body behind chunks (RFC 9112, section 7.1), None if the last one is not there yet."""
    body = bytearray()
    while True:
        line, found, rest = rest.partition(_END)
        if not found:
            return None
        size = _number(line.decode("latin-1").partition(";")[0].strip(), 16)
        if not size:
            # Trailers may follow; they say nothing.
            return bytes(body)
        if len(rest) < size + len(_END):
            return None
        body += rest[:size]
        rest = rest[size + len(_END) :]


def _clean(text: str) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text[:60])
