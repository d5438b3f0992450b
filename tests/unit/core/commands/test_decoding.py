"""Replies decoded with the caller's codec options."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from bson.son import SON
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.commands.cursors import first_document
from aiomongo_tls.core.commands.decoding import PLAIN, DocumentsIn, ReplyDecoder

FIND = bson.encode({"cursor": {"firstBatch": [{"_id": 1}, {"_id": 2}], "id": bson.Int64(7), "ns": "a.b"}, "ok": 1.0})


class Strict(MutableMapping[str, Any]):
    """A user's class that refuses documents without `_id`, as the documents of a reply are its only business."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.fields = dict(*args, **kwargs)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __setitem__(self, name: str, value: Any) -> None:
        assert name in {"_id", "at", "ref"}, name
        self.fields[name] = value

    def __delitem__(self, name: str) -> None:
        del self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


class Bigger(TypeDecoder):
    """A user's type that spoils every integer."""

    bson_type = bson.Int64

    def transform_bson(self, value: Any) -> Any:
        return f"<{value}>"


def test_plain_options_read_everything_at_once() -> None:
    """The usual case: dictionaries all over."""
    reply = PLAIN.decode(FIND, DocumentsIn.CURSOR)
    assert reply == {"cursor": {"firstBatch": [{"_id": 1}, {"_id": 2}], "id": 7, "ns": "a.b"}, "ok": 1.0}


@pytest.mark.parametrize("document_class", [Strict, SON, RawBSONDocument])
def test_only_the_user_s_documents_are_of_the_user_s_class(document_class: Any) -> None:
    """The envelope is a plain dictionary."""
    decoder = ReplyDecoder(CodecOptions(document_class=document_class))
    reply = decoder.decode(FIND, DocumentsIn.CURSOR)
    assert type(reply) is dict
    assert type(reply["cursor"]) is dict
    assert reply["cursor"]["id"] == 7
    assert [type(document) for document in reply["cursor"]["firstBatch"]] == [document_class] * 2
    assert [document["_id"] for document in reply["cursor"]["firstBatch"]] == [1, 2]


def test_a_type_registry_never_sees_the_envelope() -> None:
    """A decoder for int64 changes the documents, not the cursor's id."""
    data = bson.encode({"cursor": {"nextBatch": [{"n": bson.Int64(5)}], "id": bson.Int64(7), "ns": "a.b"}, "ok": 1})
    decoder = ReplyDecoder(CodecOptions(type_registry=TypeRegistry([Bigger()])))
    cursor = decoder.decode(data, DocumentsIn.CURSOR)["cursor"]
    assert cursor["nextBatch"] == [{"n": "<5>"}]
    assert cursor["id"] == 7


def test_find_and_modify_s_value() -> None:
    """`value` is the user's document, or null."""
    decoder = ReplyDecoder(CodecOptions(document_class=Strict))
    found = bson.encode({"lastErrorObject": {"n": 1}, "value": {"_id": 1}, "ok": 1.0})
    nothing = bson.encode({"lastErrorObject": {"n": 0}, "value": None, "ok": 1.0})
    reply = decoder.decode(found, DocumentsIn.VALUE)
    assert type(reply["value"]) is Strict
    assert reply["lastErrorObject"] == {"n": 1}
    assert decoder.decode(nothing, DocumentsIn.VALUE)["value"] is None


def test_distinct_s_values() -> None:
    """`values` are of any type, documents among them."""
    data = bson.encode({"values": [bson.Int64(1), {"a": bson.Int64(2)}, [bson.Int64(3)]], "ok": 1.0})
    decoder = ReplyDecoder(CodecOptions(type_registry=TypeRegistry([Bigger()])))
    assert decoder.decode(data, DocumentsIn.VALUES)["values"] == ["<1>", {"a": "<2>"}, ["<3>"]]


def test_an_error_reply_is_plain() -> None:
    """Details of an error hold no raw documents."""
    error = bson.encode(
        {"ok": 0.0, "errmsg": "no", "code": 11000, "keyValue": {"a": {"b": 1}}, "errorLabels": ["L", {"x": 1}]}
    )
    reply = ReplyDecoder(CodecOptions(document_class=RawBSONDocument)).decode(error, DocumentsIn.CURSOR)
    assert reply["keyValue"] == {"a": {"b": 1}}
    assert type(reply["keyValue"]) is dict
    assert reply["errorLabels"] == ["L", {"x": 1}]


def test_the_options_reach_the_documents() -> None:
    """Time zones, dates out of range and UUIDs come as the caller asked."""
    ident = uuid.UUID(int=5)
    data = bson.encode(
        {
            "cursor": {
                "firstBatch": [{"at": DatetimeMS(2**60), "ref": Binary.from_uuid(ident), "_id": datetime(2026, 1, 1)}],
                "id": bson.Int64(0),
                "ns": "a.b",
            },
            "ok": 1.0,
        }
    )
    options: CodecOptions[Any] = CodecOptions(
        tz_aware=True,
        uuid_representation=UuidRepresentation.STANDARD,
        datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    )
    for document_class in (dict, Strict):
        decoder = ReplyDecoder(options.with_options(document_class=document_class))
        (document,) = decoder.decode(data, DocumentsIn.CURSOR)["cursor"]["firstBatch"]
        assert document["at"] == DatetimeMS(2**60)
        assert document["ref"] == ident
        assert document["_id"] == datetime(2026, 1, 1, tzinfo=UTC)


# What is not decoded

TIMES = {
    "$clusterTime": {
        "clusterTime": Timestamp(1, 1),
        "signature": {"hash": b"\0" * 20, "keyId": Int64(2**62)},
    },
    "operationTime": Timestamp(1, 1),
}
LOOKALIKE = bson.encode({"ok": 1.0, **TIMES})
WITHOUT_TIMES = [DocumentsIn.CURSOR, DocumentsIn.NOWHERE_BUT_COUNTS]
documents = st.dictionaries(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5),
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40) | st.just(LOOKALIKE) | st.text(max_size=5),
    max_size=4,
)


def found(batch: list[Any], **others: Any) -> dict[str, Any]:
    return {"cursor": {"firstBatch": batch, "id": Int64(0), "ns": "app.things"}, "ok": 1.0, **others}


@pytest.mark.parametrize("documents_in", WITHOUT_TIMES)
@given(batch=st.lists(documents, max_size=3))
def test_times_are_left_out_of_a_success(documents_in: DocumentsIn, batch: list[Any]) -> None:
    """And nothing else, whatever the documents hold: even what looks like the end of a reply."""
    for reply in (found(batch), {"n": 1, "upserted": [{"index": 0, "_id": batch}], "ok": 1.0}):
        data = bson.encode({**reply, **TIMES})
        assert PLAIN.decode(data, documents_in) == bson.decode(bson.encode(reply))


@pytest.mark.parametrize("documents_in", WITHOUT_TIMES)
def test_a_failure_is_decoded_whole(documents_in: DocumentsIn) -> None:
    """Its reply is handed to the user."""
    reply = {"ok": 0.0, "errmsg": "no", "code": 1, **TIMES}
    assert PLAIN.decode(bson.encode(reply), documents_in) == reply


@pytest.mark.parametrize("documents_in", WITHOUT_TIMES)
def test_a_value_that_looks_like_the_end_of_the_reply(documents_in: DocumentsIn) -> None:
    """A server that has no times ends with a value of the user's."""
    reply = {"ok": 1.0, "value": Binary(LOOKALIKE, 128)}
    assert PLAIN.decode(bson.encode(reply), documents_in) == reply


@pytest.mark.parametrize("documents_in", WITHOUT_TIMES)
@pytest.mark.parametrize("times", [TIMES, {**TIMES, "$clusterTime": {}}, {"$clusterTime": TIMES["$clusterTime"]}])
@pytest.mark.parametrize("more", [{"errorLabels": ["RetryableWriteError"]}, {"writeErrors": [{"index": 0, "code": 1}]}])
def test_what_stands_behind_the_times(documents_in: DocumentsIn, times: dict[str, Any], more: dict[str, Any]) -> None:
    """No server is known that puts it there, but an error that is overlooked would be a success."""
    for reply in ({"n": 1, "ok": 1.0, **times, **more}, {"n": 1, "ok": 1.0, **dict(reversed(times.items())), **more}):
        assert PLAIN.decode(bson.encode(reply), documents_in) == reply


@given(batch=st.lists(documents, max_size=2), times=st.booleans())
def test_the_first_document(batch: list[Any], times: bool) -> None:
    """Of a reply to find only that one is decoded, with the same result; more than one are decoded as ever."""
    reply = found(batch, **(TIMES if times else {}))
    decoded = PLAIN.decode(bson.encode(reply), DocumentsIn.FIRST)
    assert decoded["ok"] == 1
    assert first_document(decoded) == (bson.decode(bson.encode(batch[0])) if batch else None)
    assert list(decoded["cursor"]["firstBatch"]) == [bson.decode(bson.encode(document)) for document in batch]


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": 0.0, "errmsg": "no", "code": 1},
        {"ok": 1.0, "cursor": {"firstBatch": [{"a": 1}], "id": Int64(0), "ns": "app.things"}},
        {"cursor": {"id": Int64(0), "ns": "app.things", "firstBatch": [{"a": 1}]}, "ok": 1.0},
        {"cursor": {"firstBatch": [{"a": 1}], "id": Int64(0), "ns": "app.things"}, "note": 1, "ok": 1.0},
        {"cursor": {"firstBatch": [{"a": 1}], "id": Int64(0), "ns": "app.things"}, "ok": 1},
        {"cursor": {"firstBatch": [{"a": 1}], "id": Int64(7), "ns": "app.things"}, "ok": 1.0},
        {"cursor": {"firstBatch": [1], "id": Int64(0), "ns": "app.things"}, "ok": 1.0},
        {"ok": 1.0},
    ],
)
def test_another_reply_to_find_is_decoded_whole(reply: dict[str, Any]) -> None:
    """Whatever the server does otherwise than usual."""
    assert PLAIN.decode(bson.encode(reply), DocumentsIn.FIRST) == reply


def test_the_first_document_is_of_the_users_class() -> None:
    """It is read with the user's options, and they see nothing else."""
    decoder = ReplyDecoder(CodecOptions(document_class=SON))
    decoded = decoder.decode(bson.encode(found([{"a": {"b": 1}}], **TIMES)), DocumentsIn.FIRST)
    document = first_document(decoded)
    assert type(document) is SON
    assert type(document["a"]) is SON
