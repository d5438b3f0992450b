"""One command on its way to a server, before a connection is known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions

from aiomongo_tls.core.commands.decoding import PLAIN, DocumentsIn, ReplyDecoder
from aiomongo_tls.core.retry import Retryability

if TYPE_CHECKING:
    from aiomongo_tls.core.commands.batches import Batches
    from aiomongo_tls.core.options.read_preference import ReadPreference


@dataclass(slots=True, kw_only=True)
class Command:
    """What to say to a server, and how to read the answer.

    It belongs to one operation. The executor writes into `document` what depends on the connection (`lsid`,
    `txnNumber`, `$db`, `$readPreference`); an attempt on another connection overwrites that.

    Args:
        database: the database it is sent to.
        document: the command, its name first.
        batches: the statements of a write, sent beside the body and cut by the server's limits.
        read_preference: which servers may answer; None for a write, which only a primary takes.
        codec_options: how `document` is encoded.
        decoder: how the reply is decoded.
        documents_in: where the reply holds documents of the user.
        acknowledged: whether the server answers at all.
        check: whether an error in the reply is raised; a reply that is not checked is handed back as it is.
        allowable_errors: messages and codes of errors that are handed back like a success.
        raises_write_concern: whether an unsatisfied write concern is raised here; bulks collect theirs.
        requires: the wire version that the server needs, and what for.
        in_session: whether it carries a session's id where the server has sessions.
        retryability: what may be done when it fails.
    """

    database: str
    document: dict[str, Any]
    batches: Batches | None = None
    read_preference: ReadPreference | None = None
    codec_options: CodecOptions[Any] = DEFAULT_CODEC_OPTIONS
    decoder: ReplyDecoder = PLAIN
    documents_in: DocumentsIn = DocumentsIn.NOWHERE
    acknowledged: bool = True
    check: bool = True
    allowable_errors: Collection[str | int] = ()
    raises_write_concern: bool = False
    requires: Requirement | None = None
    in_session: bool = True
    retryability: Retryability = Retryability.COMMAND

    @property
    def name(self) -> str:
        """The command's name: its first key."""
        return next(iter(self.document))


@dataclass(slots=True, frozen=True)
class Requirement:
    """What a server must be able to do, where an older one would silently do something else.

    Args:
        wire_version: the smallest maxWireVersion that will do.
        message: what needs it, and which server that is.
    """

    wire_version: int
    message: str = field(compare=False)


NS_NOT_FOUND: Collection[str | int] = ("ns not found", 26)
"""What servers say about a collection that is not there; harmless where it was to be dropped."""
