"""Large batches, decoded as they are read."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import bson
import pytest
from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions
from bson.errors import InvalidBSON
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomongo_tls.core.commands.cursors import first_document, read_batch
from aiomongo_tls.core.commands.decoding import DocumentsIn, ReplyDecoder
from aiomongo_tls.core.commands.unread import LARGE_BATCH, PORTION, UnreadDocuments, set_aside


def documents_of(count: int, size: int) -> list[dict[str, Any]]:
    return [{"_id": number, "text": "x" * size, "inner": {"list": [number, None]}} for number in range(count)]


def reply_with(documents: list[dict[str, Any]], *, name: str = "firstBatch", **cursor: Any) -> dict[str, Any]:
    return {"cursor": {name: documents, "id": 7, "ns": "app.users", **cursor}, "ok": 1.0, "operationTime": 5}


def decoded(reply: Mapping[str, Any]) -> UnreadDocuments:
    data = bson.encode(reply)
    found = ReplyDecoder(DEFAULT_CODEC_OPTIONS).decode(data, DocumentsIn.CURSOR)
    documents = read_batch(found).documents
    assert isinstance(documents, UnreadDocuments)
    return documents


def read(unread: UnreadDocuments) -> list[Any]:
    found: list[Any] = []
    while unread.is_left:
        portion = unread.read_some()
        assert portion
        found += portion
    return found


@pytest.mark.parametrize("name", ["firstBatch", "nextBatch"])
def test_the_documents_in_their_order(name: str) -> None:
    """Portion by portion they are those of the reply, and so many."""
    documents = documents_of(100, 2000)
    unread = decoded(reply_with(documents, name=name))
    assert len(unread) == 100
    assert read(unread) == documents


def test_the_rest_at_once() -> None:
    """After a portion, all that is left."""
    documents = documents_of(100, 2000)
    unread = decoded(reply_with(documents))
    some = unread.read_some()
    assert 0 < len(bson.encode({"a": some})) < PORTION + 3000
    assert some + unread.read_all() == documents
    assert not unread.is_left


@pytest.mark.parametrize("first", [{"firstBatch": None}, {"id": 7, "ns": "app.users", "firstBatch": None}])
def test_the_fields_beside_them(first: dict[str, Any]) -> None:
    """What else the reply holds is as it was, whatever comes first."""
    documents = documents_of(40, 2000)
    cursor = {**first, "firstBatch": documents, "partialResultsReturned": True, "atClusterTime": bson.Timestamp(1, 2)}
    cursor = {"id": 7, "ns": "app.users", **cursor} if "id" not in first else cursor
    reply = {"cursor": cursor, "ok": 1.0, "more": {"a": [1]}}
    aside = set_aside(bson.encode(reply), bson.decode)
    assert aside is not None
    head, name, unread = aside
    assert bson.decode(head) == {**reply, "cursor": {**cursor, "firstBatch": []}}
    assert name == "firstBatch"
    assert read(unread) == documents


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(reply_with(documents_of(3, 1000)), id="little"),
        pytest.param(reply_with(documents_of(5000, 10)), id="small documents"),
        pytest.param(reply_with([]) | {"large": "x" * LARGE_BATCH}, id="an empty batch"),
        pytest.param({"ok": 1.0, "n": "x" * LARGE_BATCH}, id="no cursor"),
        pytest.param({"cursor": {"id": 0, "ns": "x" * LARGE_BATCH}, "ok": 1.0}, id="no batch"),
        pytest.param({"cursor": {"at": b"x", **reply_with(documents_of(90, 999))["cursor"]}}, id="an unknown type"),
        pytest.param(reply_with(["x" * 1000] * 100), id="no documents"),  # type: ignore[list-item]
    ],
)
def test_what_is_decoded_at_once(reply: dict[str, Any]) -> None:
    """What gains nothing, and what is not laid out as servers do it."""
    data = bson.encode(reply)
    assert set_aside(data, bson.decode) is None
    assert ReplyDecoder(DEFAULT_CODEC_OPTIONS).decode(data, DocumentsIn.CURSOR)["ok" if "ok" in reply else "cursor"]


def test_the_options_of_the_collection() -> None:
    """Times with time zones, for example; classes of the user's own read the whole batch."""
    options: CodecOptions[Any] = CodecOptions(tz_aware=True)
    day = bson.decode(bson.encode({"at": bson.datetime_ms.DatetimeMS(0)}), options)["at"]
    documents = [{**document, "at": day} for document in documents_of(90, 1000)]
    found = ReplyDecoder(options).decode(bson.encode(reply_with(documents)), DocumentsIn.CURSOR)
    assert read(found["cursor"]["firstBatch"]) == documents


def test_one_document_is_enough_for_who_asks_for_one() -> None:
    """`find_one` on a server that sends more."""
    assert first_document({"cursor": {"id": 0, "firstBatch": decoded(reply_with(documents_of(90, 1000)))}})["_id"] == 0


def test_a_document_that_cannot_be_decoded() -> None:
    """Raises where it is read; those before it were good."""
    documents = documents_of(100, 2000)
    data = bytearray(bson.encode(reply_with(documents)))
    at = data.index(b"\x02text\0", len(data) - 5000)
    data[at] = 0x7E
    aside = set_aside(bytes(data), bson.decode)
    assert aside is not None
    some = aside[2].read_some()
    assert some == documents[: len(some)]
    with pytest.raises(InvalidBSON):
        read(aside[2])


def test_names_do_not_matter() -> None:
    """An array's names are not looked at, even where a server uses one for all."""
    documents = documents_of(40, 2000)
    data = bson.encode(reply_with(documents))
    for number in range(10, 40):
        data = data.replace(
            b"\x03%d\0" % number + bson.encode(documents[number])[:4], b"\x0311\0" + bson.encode(documents[number])[:4]
        )
    aside = set_aside(data, bson.decode)
    assert aside is not None
    assert read(aside[2]) == documents


@pytest.mark.parametrize("length", [0, -1, -(2**31), 2**31 - 1])
def test_a_cursor_of_no_length(length: int) -> None:
    """It is bson that says so, as with any other reply that is none."""
    data = bytearray(bson.encode(reply_with(documents_of(100, 1000))))
    struct.pack_into("<i", data, 12, length)
    with pytest.raises(InvalidBSON):
        ReplyDecoder(DEFAULT_CODEC_OPTIONS).decode(bytes(data), DocumentsIn.CURSOR)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_broken_reply_is_never_read_differently(data: st.DataObject) -> None:
    """Of a reply with bytes changed the two ways make the same, or the one that reads in portions leaves it alone."""
    reply = bytearray(bson.encode(reply_with(documents_of(40, 2000))))
    start = 4 + 8 + 4 + 12
    places = st.integers(0, 60) | st.integers(start, start + 2200) | st.integers(len(reply) - 80, len(reply) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=3)):
        reply[place] = value
    aside = set_aside(bytes(reply), bson.decode)
    if aside is None:
        return
    try:
        whole = bson.decode(bytes(reply))
    except (InvalidBSON, struct.error):
        return
    head, name, unread = aside
    apart = bson.decode(head)
    apart["cursor"][name] = read(unread)
    assert apart == whole
