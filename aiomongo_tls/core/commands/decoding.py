"""Replies from bytes to documents, once, with the caller's codec options where the caller's documents are.

A reply mixes the server's own fields (`ok`, the cursor's id) with documents of the user. With plain codec options
one `bson.decode` reads both. A document class or a type registry of the user's own must only ever see the user's
documents: a registry that turns every integer into something else would spoil the cursor's id, and a class that
insists on certain fields would refuse the reply. Then the reply is taken apart unread (`RawBSONDocument`), and each
part is decoded with the options it is due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, cast

import bson
from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions, TypeRegistry
from bson.raw_bson import RawBSONDocument

# bson's own annotation has a hole: an `array` of what.
_decode: Callable[[bytes | memoryview, CodecOptions[Any]], Any] = cast(Any, bson).decode

_NO_TYPES = TypeRegistry()
_BATCHES = ("firstBatch", "nextBatch")


class DocumentsIn(Enum):
    """Where a reply holds documents of the user."""

    NOWHERE = "nowhere"
    CURSOR = "cursor"
    """In `cursor.firstBatch` or `cursor.nextBatch`."""
    VALUE = "value"
    """`value` is one, or null (findAndModify)."""
    VALUES = "values"
    """`values` is a list of any values (distinct)."""


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
        """The reply, decoded once.

        Args:
            data: the reply's BSON bytes.
            documents_in: where the user's documents are.
        """
        if self._is_plain:
            return cast(Mapping[str, Any], _decode(data, self.codec_options))
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


PLAIN = ReplyDecoder(DEFAULT_CODEC_OPTIONS)
"""Into plain dictionaries, for replies that hold no documents of the user."""
