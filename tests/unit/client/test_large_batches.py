"""Cursors over batches that are decoded as they are read."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from fake_topology import FakeTopology

from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.errors import CursorNotFound

DOCUMENTS = [{"_id": number, "text": "x" * 1000} for number in range(200)]


def batch(documents: list[dict[str, Any]], *, name: str = "firstBatch", cursor_id: int = 7) -> dict[str, Any]:
    return {"cursor": {name: documents, "id": cursor_id, "ns": "app.users"}}


async def opened(*answers: Any) -> tuple[AsyncCommandCursor[Any], FakeTopology]:
    topology = FakeTopology(*answers)
    numbers = iter(range(1, 100))
    client = Executor(ClientOptions(), topology, lambda: next(numbers).to_bytes(16, "big"))  # type: ignore[arg-type]
    command = Command(database="app", document={"aggregate": "users"}, documents_in=DocumentsIn.CURSOR)
    cursor: AsyncCommandCursor[Any] = await AsyncCommandCursor.opened_by(client, command, None)
    return cursor, topology


async def test_every_document_once_and_in_order() -> None:
    """A large batch, a small one, another large one."""
    rest = [
        batch(DOCUMENTS[:1], name="nextBatch"),
        batch(DOCUMENTS, name="nextBatch", cursor_id=0),
    ]
    cursor, topology = await opened(batch(DOCUMENTS), *rest)
    assert [document async for document in cursor] == DOCUMENTS + DOCUMENTS[:1] + DOCUMENTS
    assert not cursor.alive
    assert len(topology.sent) == 3


@pytest.mark.parametrize("read_before", [0, 1, 40, 200])
async def test_a_list_of_the_rest(read_before: int) -> None:
    """Wherever the reader is."""
    cursor, _ = await opened(batch(DOCUMENTS), batch(DOCUMENTS[:2], name="nextBatch", cursor_id=0))
    for document in DOCUMENTS[:read_before]:
        assert await cursor.next() == document
    assert await cursor.to_list() == DOCUMENTS[read_before:] + DOCUMENTS[:2]


async def test_lists_of_a_length() -> None:
    """Across portions and batches, and without asking the server too early."""
    cursor, topology = await opened(batch(DOCUMENTS), batch(DOCUMENTS[:2], name="nextBatch", cursor_id=0))
    assert await cursor.to_list(150) == DOCUMENTS[:150]
    assert await cursor.to_list(50) == DOCUMENTS[150:]
    assert len(topology.sent) == 1
    assert cursor.alive
    assert await cursor.to_list(50) == DOCUMENTS[:2]
    assert not cursor.alive


async def test_alive_until_the_last_document_is_read() -> None:
    """Though the server has ended the cursor long before."""
    cursor, _ = await opened(batch(DOCUMENTS, cursor_id=0))
    for _ in range(199):
        await cursor.next()
        assert cursor.alive
    assert await cursor.try_next() == DOCUMENTS[-1]
    assert not cursor.alive
    assert await cursor.try_next() is None


async def test_closed() -> None:
    """Nothing more is read, and the bytes are let go."""
    cursor, _ = await opened(batch(DOCUMENTS))
    await cursor.next()
    await cursor.close()
    assert not cursor.alive
    assert await cursor.to_list() == []


@pytest.mark.parametrize("how", ["next", "to_list"])
async def test_a_document_that_cannot_be_decoded(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes where the document is read; the cursor ends, here and on the server, and does not go on."""
    encode = bson.encode

    def spoilt(document: Any, *args: Any, **kwargs: Any) -> bytes:
        data = encode(document, *args, **kwargs)
        if "cursor" not in document:
            return data
        at = data.index(b"\x02text\0", 150_000)
        return data[:at] + b"\x7e" + data[at + 1 :]

    monkeypatch.setattr("fake_topology.bson.encode", spoilt)
    cursor, _ = await opened(batch(DOCUMENTS))
    monkeypatch.undo()
    with pytest.raises(bson.errors.InvalidBSON):
        await (cursor.to_list() if how == "to_list" else _drain(cursor))
    with pytest.raises(CursorNotFound):
        await cursor.next()
    await cursor.close()
    assert not cursor.alive
    assert len(cursor._executor._reaper.notes) == 1


async def _drain(cursor: AsyncCommandCursor[Any]) -> None:
    async for _ in cursor:
        pass
