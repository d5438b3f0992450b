"""Replies from bytes to documents, once, with the caller's codec options where the caller's documents are.

A reply mixes the server's own fields (`ok`, the cursor's id) with documents of the user. With plain codec options
one `bson.decode` reads both. A document class or a type registry of the user's own must only ever see the user's
documents: a registry that turns every integer into something else would spoil the cursor's id, and a class that
insists on certain fields would refuse the reply. Then the reply is taken apart unread (`RawBSONDocument`), and each
part is decoded with the options it is due.

A member of a replica set ends its replies with two times, `$clusterTime` and `operationTime`, which nobody asks for
yet. They are the most expensive part of a short reply (7.5 us for the reply to a find_one, 4.6 without them, 1 for its
document alone: `bson.decode` on CPython 3.11, in one run), so where only documents or counts are wanted of a success,
they are not decoded.

A large batch is decoded as it is read, see `unread`.

Tried: finding and leaving out every such field of a reply to a write (`opTime` too) by a walk over its elements in
Python. That takes as long as decoding them does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, cast

import bson
from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions, TypeRegistry
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument

from aiomongo_tls.core.commands.unread import set_aside

# bson's own annotation has a hole: an `array` of what.
_decode: Callable[[bytes | memoryview, CodecOptions[Any]], Any] = cast(Any, bson).decode

_NO_TYPES = TypeRegistry()
_BATCHES = ("firstBatch", "nextBatch")


class DocumentsIn(Enum):
    """Where a reply holds documents of the user."""

    NOWHERE = "nowhere"
    CURSOR = "cursor"
    """In `cursor.firstBatch` or `cursor.nextBatch`."""
    FIRST = "first"
    """As CURSOR, and there is one at most: the command asked for a single batch of one."""
    VALUE = "value"
    """`value` is one, or null (findAndModify)."""
    VALUES = "values"
    """`values` is a list of any values (distinct)."""
    NOWHERE_BUT_COUNTS = "nowhere, but counts"
    """Nowhere; of a success mostly the counts are asked for, so that it becomes `Counts`."""


class Counts(dict[str, Any]):
    """The reply to a write that was a success, without the times at its end.

    Args:
        counts: what was decoded.
        data: the whole reply.
        decoder: what decodes it.
    """

    __slots__ = ("_data", "_decoder")

    def __init__(self, counts: Mapping[str, Any], data: bytes, decoder: ReplyDecoder) -> None:
        super().__init__(counts)
        self._data = data
        self._decoder = decoder

    def whole(self) -> Mapping[str, Any]:
        """The reply with the times."""
        return self._decoder.decode(self._data)


# The end of a success with its times, and how near the end it begins.
_OK = b"\x01ok\x00" + struct.pack("<d", 1.0)
_OK_AND_TIMES = _OK + b"\x03$clusterTime\x00"
_LENGTH_OF_TIMES = 192
_OPERATION_TIME = b"\x11operationTime\x00"
# A timestamp, and the end of the reply.
_AFTER_OPERATION_TIME = 9
# The beginning of a reply to find: `cursor`, its length, `firstBatch`, its length, `0`, the length of the document.
_ONE_DOCUMENT = struct.Struct("<8si12si3si")
_NO_MORE = b"\x12id\x00" + bytes(8)
_BEFORE_CURSOR = 12
_BEFORE_BATCH = 28
_BEFORE_DOCUMENT = 4 + _ONE_DOCUMENT.size - 4
_EMPTY_ARRAY = 5
# Around a document that is alone in an array.
_AROUND_ELEMENT = 8


class ReplyDecoder:
    """Decodes replies with one set of codec options.

    Args:
        codec_options: the options for the user's documents.
        whole: whether the whole reply is the user's document (a command of the user's own).
    """

    __slots__ = ("_is_plain", "codec_options")

    def __init__(self, codec_options: CodecOptions[Any], *, whole: bool = False) -> None:
        self.codec_options = codec_options
        is_dict = codec_options.document_class is dict and codec_options.type_registry == _NO_TYPES
        self._is_plain = whole or is_dict

    def decode(self, data: bytes, documents_in: DocumentsIn = DocumentsIn.NOWHERE) -> Mapping[str, Any]:
        """The reply, decoded once. A large batch of documents is not: `cursor` holds `UnreadDocuments` instead.

        Args:
            data: the reply's BSON bytes.
            documents_in: where the user's documents are.
        """
        if documents_in is not _NOWHERE:
            if documents_in is _FIRST:
                reply = self._first(data)
                if reply is not None:
                    return reply
                documents_in = DocumentsIn.CURSOR
            if documents_in is _CURSOR and self._is_plain:
                aside = set_aside(data, self._plain)
                if aside is not None:
                    head, batch, documents = aside
                    reply = self._plain(head)
                    reply["cursor"][batch] = documents
                    return reply
            end = data.rfind(_OK_AND_TIMES, max(len(data) - _LENGTH_OF_TIMES, 0))
            if end > 0 and documents_in in _WITHOUT_TIMES and _has_only_times(data, end + len(_OK_AND_TIMES)):
                try:
                    success = self._decode(_cut(data, end + len(_OK)), documents_in)
                except InvalidBSON:
                    # Not the end of the reply, but something in a value of the user's that looks like it.
                    pass
                else:
                    return success if documents_in is _CURSOR else Counts(success, data, self)
        return self._decode(data, documents_in)

    def _first(self, data: bytes) -> dict[str, Any] | None:
        """The reply with its only document, of which alone anything is decoded; None if it is no such reply."""
        if len(data) < _BEFORE_DOCUMENT + 4:
            return None
        cursor, length, batch, batch_length, element, size = _ONE_DOCUMENT.unpack_from(data, 4)
        if (
            cursor != b"\x03cursor\x00"
            or batch != b"\x04firstBatch\x00"
            or not data.startswith(_NO_MORE, _BEFORE_BATCH + batch_length)
            or not data.startswith(_OK, _BEFORE_CURSOR + length)
        ):
            return None
        if batch_length == _EMPTY_ARRAY:
            documents: list[Any] = []
        elif element == b"\x030\x00" and batch_length == size + _AROUND_ELEMENT:
            document = data[_BEFORE_DOCUMENT : _BEFORE_DOCUMENT + size]
            documents = [_decode(document, self.codec_options)]
        else:
            return None
        return {"cursor": {"firstBatch": documents, "id": 0, "ns": ""}, "ok": 1.0}

    def _decode(self, data: bytes, documents_in: DocumentsIn) -> Mapping[str, Any]:
        if self._is_plain:
            return self._plain(data)
        reply: dict[str, Any] = dict(RawBSONDocument(data))
        for name, value in reply.items():
            if name != documents_in.value:
                reply[name] = _own(value)
            elif documents_in is DocumentsIn.CURSOR:
                reply[name] = self._cursor(value)
            elif documents_in is DocumentsIn.VALUE:
                reply[name] = self._document(value)
            else:
                # Any values, not only documents: the options have to read them where they stand.
                reply[name] = _decode(data, self.codec_options)[name]
        return reply

    def _plain(self, data: bytes) -> dict[str, Any]:
        plain: dict[str, Any] = _decode(data, self.codec_options)
        return plain

    def _cursor(self, cursor: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: [self._document(document) for document in value] if name in _BATCHES else _own(value)
            for name, value in cursor.items()
        }

    def _document(self, value: object) -> Any:
        if isinstance(value, RawBSONDocument):
            return _decode(value.raw, self.codec_options)
        return value


def _own(value: Any) -> Any:
    """A field of the server's own, without raw documents in it."""
    if isinstance(value, RawBSONDocument):
        return _decode(value.raw, DEFAULT_CODEC_OPTIONS)
    if isinstance(value, list):
        return [_own(item) for item in cast(Sequence[Any], value)]
    return value


def _has_only_times(data: bytes, position: int) -> bool:
    """Whether nothing stands behind the times: what a proxy or another server may add there must not be lost.

    Args:
        data: the reply.
        position: where the value of `$clusterTime` starts.
    """
    after = position + int.from_bytes(data[position : position + 4], "little")
    return data.startswith(_OPERATION_TIME, after) and after + len(_OPERATION_TIME) + _AFTER_OPERATION_TIME == len(data)


def _cut(data: bytes, end: int) -> bytes:
    """The document without the elements from there on."""
    return (end + 1).to_bytes(4, "little") + data[4:end] + b"\0"


# A look-up in an Enum class is slow on Python 3.11.
_NOWHERE, _FIRST, _CURSOR = DocumentsIn.NOWHERE, DocumentsIn.FIRST, DocumentsIn.CURSOR
_WITHOUT_TIMES = (DocumentsIn.CURSOR, DocumentsIn.NOWHERE_BUT_COUNTS)

PLAIN = ReplyDecoder(DEFAULT_CODEC_OPTIONS)
"""Into plain dictionaries, for replies that hold no documents of the user."""
