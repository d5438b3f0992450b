"""Decisions about an open cursor."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from aiomongo_tls.core.commands.cursors import (
    get_more_document,
    kill_cursors_document,
    left_open,
    next_batch_size,
    read_batch,
)
from aiomongo_tls.errors import ProtocolError


@pytest.mark.parametrize("field", ["firstBatch", "nextBatch"])
def test_a_batch_says_where_to_ask_for_more(field: str) -> None:
    """The namespace in the reply counts; collection names may have dots."""
    batch = read_batch({"cursor": {field: [{"a": 1}], "id": 7, "ns": "app.system.users"}, "ok": 1})
    assert batch == (7, "app", "system.users", [{"a": 1}])


@pytest.mark.parametrize(
    "reply",
    [{}, {"ok": 1}, {"cursor": 3}, {"cursor": {}}, {"cursor": {"id": 1}}, {"cursor": {"id": "x", "firstBatch": []}}],
)
def test_a_reply_without_a_batch_is_refused(reply: dict[str, Any]) -> None:
    """A peer that answers something else gets a clear error, not a KeyError."""
    with pytest.raises(ProtocolError, match="cursor"):
        read_batch(reply)


def test_cursor_ids_are_int64_on_the_wire() -> None:
    """A small id that fits into 32 bits must stay 64 bits wide, or the server refuses the command."""
    batch = read_batch({"cursor": {"firstBatch": [], "id": 7, "ns": "a.b"}})
    document = get_more_document(batch, batch_size=3, comment="why")
    assert document == {"getMore": 7, "collection": "b", "batchSize": 3, "comment": "why"}
    assert bson.encode(document)[4] == 0x12
    killed = bson.decode(bson.encode(kill_cursors_document("b", [7])))
    assert killed == {"killCursors": "b", "cursors": [7]}
    assert isinstance(killed["cursors"][0], bson.Int64)


def test_get_more_says_only_what_was_asked() -> None:
    """No batch size, no time."""
    batch = read_batch({"cursor": {"firstBatch": [], "id": 7, "ns": "a.b"}})
    assert get_more_document(batch) == {"getMore": 7, "collection": "b"}
    assert get_more_document(batch, max_time_ms=0)["maxTimeMS"] == 0


@pytest.mark.parametrize(
    ("batch_size", "limit", "retrieved", "expected"),
    [(0, 0, 5, 0), (3, 0, 5, 3), (0, 10, 4, 6), (3, 10, 4, 3), (3, 10, 8, 2)],
)
def test_the_last_batch_is_cut_to_what_is_missing(batch_size: int, limit: int, retrieved: int, expected: int) -> None:
    """A limit holds for the cursor, a batch size for each batch."""
    assert next_batch_size(batch_size, limit, retrieved) == expected


@pytest.mark.parametrize("cut", [b"", b"\x05\x00\x00\x00", b"\x08\x00\x00\x00\x77a\x00\x00"])
def test_a_late_reply_that_is_no_bson_has_opened_nothing(cut: bytes) -> None:
    """It is read in the middle of receiving, where nobody could do anything about an error."""
    assert left_open(cut) is None
