"""The documents of a write command: encoded one by one, cut into messages that the server takes.

Three limits of the server's hello hold at once: maxWriteBatchSize statements in a command, maxMessageSizeBytes for the
whole message, maxBsonObjectSize for one document. A document is encoded when its turn comes and once only: the one
that did not fit is kept for the next message. So a bulk of a million documents holds one message in memory.

What was taken last is kept, too: a retry must send the very same statements, because the server tells by their position
which of them it has carried out. Cut anew by the limits of another server, some would be carried out twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import bson

from aiomongo_tls.core.wire.op_msg import DocumentSequence
from aiomongo_tls.errors import DocumentTooLarge

if TYPE_CHECKING:
    from bson.codec_options import CodecOptions

# A message is its header (16), the flags (4), a kind byte and the body, and for the sequence a kind byte, a size (4),
# the identifier and its null byte.
_AROUND_BODY = 16 + 4 + 1
_AROUND_SEQUENCE = 1 + 4 + 1

ROOM_FOR_OPERATORS = 16 * 1024
"""What servers grant an update or delete statement beyond maxBsonObjectSize (BSONObjMaxInternalSize)."""


class Limits(Protocol):
    """What a server takes, from its hello."""

    @property
    def max_bson_object_size(self) -> int:
        """The size of one document in bytes."""
        ...

    @property
    def max_message_size_bytes(self) -> int:
        """The size of one message in bytes."""
        ...

    @property
    def max_write_batch_size(self) -> int:
        """The number of statements in one command."""
        ...


class Batches:
    """The statements of one write command, or of as many as it takes.

    Args:
        identifier: the command's field that they stand for: `documents`, `updates` or `deletes`.
        documents: the statements.
        codec_options: how they are encoded.
        allowance: bytes that one of them may have beyond maxBsonObjectSize.
        multi: which statements may touch several documents, by their positions.
    """

    __slots__ = ("_allowance", "_codec_options", "_documents", "_identifier", "_kept", "multi", "sent", "taken")

    def __init__(
        self,
        identifier: str,
        documents: Sequence[Mapping[str, Any]],
        codec_options: CodecOptions[Any],
        *,
        allowance: int = 0,
        multi: Collection[int] = (),
    ) -> None:
        self._identifier = identifier
        self._documents = documents
        self._codec_options = codec_options
        self._allowance = allowance
        self.multi = multi
        """Which statements may touch several documents, by their positions."""
        self._kept: bytes | None = None
        self.sent = 0
        """How many statements have been taken."""
        self.taken: DocumentSequence | None = None
        """What was taken last."""

    @property
    def is_empty(self) -> bool:
        """Whether all statements have been taken."""
        return self.sent == len(self._documents)

    @property
    def is_retryable(self) -> bool:
        """Whether what was taken last can be a retryable write: no statement of it touches several documents."""
        if self.taken is None:
            return True
        first = self.sent - len(self.taken.documents)
        return not any(first <= position < self.sent for position in self.multi)

    def take(self, body_size: int, limits: Limits) -> DocumentSequence:
        """The next statements, as many as fit into one message beside the body.

        Args:
            body_size: the size of the command's body in bytes.
            limits: what the server takes.

        Raises:
            DocumentTooLarge: a statement is larger than the server takes; nothing was taken.
        """
        room = limits.max_message_size_bytes - _AROUND_BODY - body_size - _AROUND_SEQUENCE - len(self._identifier)
        largest = limits.max_bson_object_size + self._allowance
        if len(self._documents) == 1 and not self.sent:
            # insert_one and its like: there is nothing to cut.
            data = bson.encode(self._documents[0], codec_options=self._codec_options)
            if len(data) > largest or len(data) > room:
                raise self._too_large(0, len(data), largest)
            self.sent = 1
            self.taken = DocumentSequence(self._identifier, (data,))
            return self.taken
        end = min(len(self._documents), self.sent + limits.max_write_batch_size)
        taken: list[bytes] = []
        documents, options, encode = self._documents, self._codec_options, bson.encode
        kept, self._kept = self._kept, None
        for position in range(self.sent, end):
            # Top-level documents are encoded with their _id first.
            data = encode(documents[position], False, options) if kept is None else kept
            kept = None
            size = len(data)
            if size > room or size > largest:
                if size > largest or not taken:
                    raise self._too_large(position, size, largest)
                self._kept = data
                break
            room -= size
            taken.append(data)
        self.sent += len(taken)
        self.taken = DocumentSequence(self._identifier, taken)
        return self.taken

    def _too_large(self, position: int, size: int, largest: int) -> DocumentTooLarge:
        return DocumentTooLarge(
            f"{self._identifier}[{position}] has {size} bytes; this server takes {largest} in one document"
        )
