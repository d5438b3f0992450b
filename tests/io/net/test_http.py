"""One HTTP request and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.errors import ConnectionFailure
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.http import LIMIT, HTTPError, post, read_answer

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("received", "body"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc"),
        (HEAD + b"content-length:0\r\nX: y\r\n\r\n", b""),
        (b"HTTP/1.0 200\r\nContent-Length: 3\r\n\r\nabcdef", b"abc"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc"),
        (HEAD + b"Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"0123456789"),
    ],
)
def test_an_answer_is_complete_as_soon_as_it_says_so(received: bytes, body: bytes) -> None:
    """By its length or by its last chunk; every part of it is not enough."""
    assert read_answer(received, is_all=False) == body
    end = received.index(b"\r\n\r\n") + 4
    for cut in range(end if body else 0):
        assert read_answer(received[:cut], is_all=False) is None
    with pytest.raises(HTTPError):
        read_answer(received[: received.index(b"\r\n\r\n")], is_all=True)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    """As HTTP/1.0 did it."""
    assert read_answer(HEAD + b"\r\nabc", is_all=False) is None
    assert read_answer(HEAD + b"\r\nabc", is_all=True) == b"abc"


@pytest.mark.parametrize(
    ("received", "says"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "not HTTP"),
        (b"HTTP/2 200 OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\n\r\n", "301 Moved"),
        (b"HTTP/1.1 500 \x1b[31mred\r\n\r\n", "500 ?[31mred"),
        (HEAD + b"Content-Length: 4\r\n\r\nabc", "cut short"),
        (HEAD + b"Content-Length: -1\r\n\r\nabc", "length that is none"),
        (HEAD + b"Content-Length: 0x3\r\n\r\nabc", "length that is none"),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (LIMIT + 1), "more than"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\nabc", "transfer encoding"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "length that is none"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc", "cut short"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", "more than"),
    ],
)
def test_what_is_no_answer(received: bytes, says: str) -> None:
    """Said in words that may stand in a log."""
    with pytest.raises(HTTPError, match=says.replace("?", r"\?").replace("[", r"\[")):
        read_answer(received, is_all=True)


@asynccontextmanager
async def answering(serve: Callable[[bytes, asyncio.StreamWriter], Any]) -> AsyncIterator[ServerAddress]:
    """A server that reads a request to its end and does something."""
    tasks: set[asyncio.Task[Any]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await serve(head + await reader.readexactly(length), writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield ServerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(address: ServerAddress) -> bytes:
    async with asyncio.timeout(5):
        return await post(address, "/a?b", b"question", media_type="text/x", accept="text/y", resolver=Resolver())


async def test_a_request_and_its_answer() -> None:
    """The request is one that any server understands."""
    seen: list[bytes] = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(HEAD + b"Content-Length: 6\r\n\r\nans")
        await writer.drain()
        writer.write(b"wer")

    async with answering(serve) as address:
        assert await ask(address) == b"answer"
    assert seen[0].startswith(f"POST /a?b HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/x\r\n".encode())
    assert seen[0].endswith(b"Connection: close\r\n\r\nquestion")


async def test_a_server_that_answers_and_closes_at_once() -> None:
    """Whatever comes first, the answer or the note that the connection is open."""

    async def serve(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\nanswer")

    async with answering(serve) as address:
        for _ in range(20):
            assert await ask(address) == b"answer"


async def test_a_server_that_only_closes() -> None:
    """That is told as what it is."""

    async def serve(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    async with answering(serve) as address:
        for _ in range(20):
            with pytest.raises(HTTPError, match="closed without an answer"):
                await ask(address)


async def test_an_answer_without_end() -> None:
    """It is given up, and the server notices."""
    noticed = asyncio.Event()

    async def serve(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            noticed.set()

    async with answering(serve) as address:
        with pytest.raises(HTTPError, match="more than 65536 bytes"):
            await ask(address)
        async with asyncio.timeout(5):
            await noticed.wait()


async def test_nobody_there() -> None:
    """A port that refuses."""
    with pytest.raises(ConnectionFailure):
        await ask(ServerAddress("127.0.0.1", 1))
