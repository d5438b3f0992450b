"""Statements encoded once and cut into messages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bson
import pytest
from bson.codec_options import DEFAULT_CODEC_OPTIONS
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.commands.batches import Batches
from aiomongo_tls.core.wire.protocol import Role, WireProtocol
from aiomongo_tls.errors import DocumentTooLarge

BODY = bson.encode({"insert": "users", "ordered": True, "$db": "app"})


def limits(**changed: int) -> Any:
    values = {"max_bson_object_size": 16 << 20, "max_message_size_bytes": 48_000_000, "max_write_batch_size": 100_000}
    return SimpleNamespace(**(values | changed))


def documents(count: int, size: int = 20) -> list[dict[str, Any]]:
    return [{"_id": number, "x": "x" * size} for number in range(count)]


def all_batches(batches: Batches, allowed: Any) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    while not batches.is_empty:
        found.append(list(batches.take(len(BODY), allowed).documents))
        assert found[-1], "a batch without statements never ends"
    return found


def test_what_fits_goes_at_once() -> None:
    """The usual case: one message."""
    batches = Batches("documents", documents(3), DEFAULT_CODEC_OPTIONS)
    sequence = batches.take(len(BODY), limits())
    assert sequence.identifier == "documents"
    assert [bson.decode(data) for data in sequence.documents] == documents(3)
    assert batches.is_empty
    assert batches.sent == 3


def test_cut_by_the_number_of_statements() -> None:
    """MaxWriteBatchSize."""
    found = all_batches(Batches("documents", documents(7), DEFAULT_CODEC_OPTIONS), limits(max_write_batch_size=3))
    assert [len(batch) for batch in found] == [3, 3, 1]


def test_cut_by_the_size_of_the_message_to_the_byte() -> None:
    """MaxMessageSizeBytes counts the whole message: two documents fit exactly, with one byte less only one does."""
    two = [bson.encode(document) for document in documents(2)]
    batches = Batches("documents", documents(2), DEFAULT_CODEC_OPTIONS)
    message = WireProtocol(Role.CLIENT).send_request(BODY, [batches.take(len(BODY), limits())])
    assert all(data in message for data in two)
    for size, expected in ((len(message), [2]), (len(message) - 1, [1, 1])):
        batches = Batches("documents", documents(2), DEFAULT_CODEC_OPTIONS)
        assert [len(batch) for batch in all_batches(batches, limits(max_message_size_bytes=size))] == expected


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40), st.integers(1, 10), st.integers(600, 2000))
def test_nothing_is_lost_or_sent_twice(sizes: list[int], count: int, message: int) -> None:
    """However it is cut, the statements come in order and every message keeps the limits."""
    given_documents = [{"_id": number, "x": "x" * size} for number, size in enumerate(sizes)]
    batches = Batches("documents", given_documents, DEFAULT_CODEC_OPTIONS)
    allowed = limits(max_write_batch_size=count, max_message_size_bytes=message)
    seen: list[Any] = []
    while not batches.is_empty:
        sequence = batches.take(len(BODY), allowed)
        assert 0 < len(sequence.documents) <= count
        assert len(WireProtocol(Role.CLIENT).send_request(BODY, [sequence])) <= message
        seen += [bson.decode(data) for data in sequence.documents]
    assert seen == given_documents


def test_each_document_is_encoded_once() -> None:
    """The one that did not fit is kept for the next message."""
    encoded: list[int] = []

    class Watched(dict[str, Any]):
        def items(self) -> Any:
            encoded.append(self["_id"])
            return super().items()

    watched = [Watched(document) for document in documents(5)]
    size = len(BODY) + 40 + 2 * len(bson.encode(documents(1)[0]))
    batches = Batches("documents", watched, DEFAULT_CODEC_OPTIONS)
    found = all_batches(batches, limits(max_message_size_bytes=size))
    assert [len(batch) for batch in found] == [2, 2, 1]
    assert len(encoded) == len(set(encoded))


def test_a_document_over_the_limit_is_refused_before_it_is_sent() -> None:
    """The error says which one, how large it is and what would be taken; exactly at the limit it passes."""
    data = [len(bson.encode(document)) for document in documents(3)]
    batches = Batches("documents", documents(3), DEFAULT_CODEC_OPTIONS)
    assert len(batches.take(len(BODY), limits(max_bson_object_size=data[0])).documents) == 3
    batches = Batches("documents", [*documents(2), {"_id": 2, "x": "x" * 21}], DEFAULT_CODEC_OPTIONS)
    with pytest.raises(DocumentTooLarge, match=rf"documents\[2\] has {data[0] + 1} bytes.* {data[0]} "):
        batches.take(len(BODY), limits(max_bson_object_size=data[0]))
    assert batches.sent == 0


def test_statements_may_be_a_little_larger_than_documents() -> None:
    """An update statement holds a document of full size and its filter beside it."""
    size = len(bson.encode(documents(1)[0]))
    batches = Batches("updates", documents(1), DEFAULT_CODEC_OPTIONS, allowance=10)
    assert len(batches.take(len(BODY), limits(max_bson_object_size=size - 10)).documents) == 1
    batches = Batches("updates", documents(1), DEFAULT_CODEC_OPTIONS, allowance=10)
    with pytest.raises(DocumentTooLarge):
        batches.take(len(BODY), limits(max_bson_object_size=size - 11))


def test_a_document_that_no_message_holds_is_refused() -> None:
    """A server with a tiny message size must not make us send empty batches for ever."""
    batches = Batches("documents", documents(1), DEFAULT_CODEC_OPTIONS)
    with pytest.raises(DocumentTooLarge):
        batches.take(len(BODY), limits(max_message_size_bytes=len(BODY) + 40))


def test_what_was_taken_last_is_kept_for_a_retry() -> None:
    """The very bytes; the next taking begins behind them."""
    batches = Batches("documents", documents(3), DEFAULT_CODEC_OPTIONS)
    assert batches.taken is None
    taken = batches.take(len(BODY), limits(max_write_batch_size=2))
    assert batches.taken is taken
    assert len(batches.take(len(BODY), limits()).documents) == 1


def test_a_batch_is_judged_by_its_own_statements() -> None:
    """A statement that may touch several documents spoils its batch and no other one."""
    batches = Batches("updates", documents(5), DEFAULT_CODEC_OPTIONS, multi=[2])
    assert batches.is_retryable
    judged = []
    while not batches.is_empty:
        batches.take(len(BODY), limits(max_write_batch_size=2))
        judged.append(batches.is_retryable)
    assert judged == [True, False, True]
