"""Conversations: generators that yield commands and are sent replies.

A driver of a conversation looks like this:

    step, answer = next(conversation), None
    while True:
        if isinstance(step, Computation):
            answer = await in_a_thread(step.run)
        else:
            answer = decode_reply(await exchange(step.encode()))
        try:
            step = conversation.send(answer)
        except StopIteration as end:
            return end.value

Replies are sent in whether they tell of success or of an error: what an error means here is the conversation's to say.

A password is turned into a key by work that takes long on purpose. Here nobody knows what a thread is, so a
conversation yields that work as a `Computation` and is sent its result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from aiomongo_tls.errors import Phase, ProtocolError

# Independent of what the user set for documents, and indifferent to dates that Python cannot express.
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


class CommandDocument(NamedTuple):
    """One command of a conversation."""

    database: str
    """The database that it is for."""
    document: dict[str, Any]
    """The command, its name first; without `$db`."""
    phase: Phase
    """What the connection is doing while it waits for the reply."""

    def encode(self) -> bytes:
        """The body of the OP_MSG: the command with `$db`, as BSON."""
        return bson.encode({**self.document, "$db": self.database})


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """Work that takes too long for an event loop.

    Args:
        key: equal for computations with the same result, which so has to be found once only. May hold a secret.
        run: does the work; to be called on another thread.
    """

    key: Hashable = field(repr=False)
    run: Callable[[], Any] = field(repr=False)


_T = TypeVar("_T")
Conversation = Generator[CommandDocument | Computation, Any, _T]
"""Yields commands and computations, is sent decoded replies and results, returns what it was held for."""


# The reply to hello has a few hundred bytes, some thousands in a large replica set.
_MAX_REPLY = 1024 * 1024


def decode_reply(body: bytes) -> dict[str, Any]:
    """Decode the reply to a command of a conversation.

    Args:
        body: a BSON document.

    Raises:
        ProtocolError: the bytes are not BSON, or too many to be such a reply.
    """
    # Decoding takes up to thirteen times the memory, and this peer may be anybody.
    if len(body) > _MAX_REPLY:
        raise ProtocolError(f"the reply has {len(body)} bytes, expected {_MAX_REPLY} at the most")
    try:
        return bson.decode(body, _CODEC)  # pyright: ignore[reportUnknownMemberType]
    except (BSONError, ValueError, OverflowError, RecursionError) as exc:
        raise ProtocolError(f"the reply is not valid BSON: {exc}") from exc
