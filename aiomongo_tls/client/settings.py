"""What a client, database or collection has of its own: codec options, concerns and a read preference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bson.codec_options import CodecOptions

from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.decoding import DocumentsIn, ReplyDecoder
from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability

if TYPE_CHECKING:
    from aiomongo_tls.core.options.client_options import ClientOptions


@dataclass(frozen=True, slots=True)
class Settings:
    """Inherited from client to database to collection, each of which may have others.

    Args:
        codec_options: how documents are made from BSON and the other way round.
        read_preference: where to read from.
        write_concern: how well confirmed a write must be.
        read_concern: how well confirmed a read must be.

    Attributes:
        reads: decodes replies that hold documents of the user.
        writes: decodes replies to writes: upserted ids in the user's representation, but no documents.
        acknowledged: whether the server answers a write at all.
        has_read_concern: whether the server is asked for another read concern than its own.
        write_retryability: what may be done with a write of one document per statement; w=0 asks for no more than an
            attempt.
    """

    codec_options: CodecOptions[Any]
    read_preference: ReadPreference
    write_concern: WriteConcern
    read_concern: ReadConcern
    reads: ReplyDecoder = field(init=False, repr=False, compare=False)
    writes: ReplyDecoder = field(init=False, repr=False, compare=False)
    acknowledged: bool = field(init=False, repr=False, compare=False)
    has_read_concern: bool = field(init=False, repr=False, compare=False)
    write_retryability: Retryability = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check("codec_options", self.codec_options, CodecOptions)
        _check("read_preference", self.read_preference, ReadPreference)
        _check("write_concern", self.write_concern, WriteConcern)
        _check("read_concern", self.read_concern, ReadConcern)
        # What an error message quotes may be cut in the middle of a character.
        lenient = self.codec_options.with_options(document_class=dict, unicode_decode_error_handler="replace")
        object.__setattr__(self, "reads", ReplyDecoder(self.codec_options))
        object.__setattr__(self, "writes", ReplyDecoder(lenient))
        object.__setattr__(self, "acknowledged", self.write_concern.acknowledged)
        object.__setattr__(self, "has_read_concern", not self.read_concern.is_server_default)
        retryability = Retryability.WRITE if self.write_concern.acknowledged else Retryability.WRITE_ONCE
        object.__setattr__(self, "write_retryability", retryability)

    @classmethod
    def of(cls, options: ClientOptions) -> Settings:
        """The settings of a client."""
        return cls(options.codec_options, options.read_preference, options.write_concern, options.read_concern)

    @property
    def values(self) -> tuple[CodecOptions[Any], ReadPreference, WriteConcern, ReadConcern]:
        """The four, in PyMongo's order."""
        return self.codec_options, self.read_preference, self.write_concern, self.read_concern

    def changed(
        self,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> Settings:
        """The settings with some replaced; None inherits.

        Raises:
            TypeError: an argument of the wrong type.
        """
        given = {
            "codec_options": codec_options,
            "read_preference": read_preference,
            "write_concern": write_concern,
            "read_concern": read_concern,
        }
        others: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return replace(self, **others) if others else self

    def read_command(
        self, database: str, document: dict[str, Any], documents_in: DocumentsIn = DocumentsIn.NOWHERE
    ) -> Command:
        """A command that reads with these settings.

        Args:
            database: the database it is sent to.
            document: the command.
            documents_in: where the reply holds documents of the user.
        """
        return Command(
            database=database,
            document=document,
            read_preference=self.read_preference,
            codec_options=self.codec_options,
            decoder=self.reads,
            documents_in=documents_in,
            retryability=Retryability.READ,
        )

    def write_command(self, database: str, document: dict[str, Any]) -> Command:
        """A command that writes with these settings; an unsatisfied write concern is raised.

        Args:
            database: the database it is sent to.
            document: the command.
        """
        return Command(
            database=database,
            document=document,
            codec_options=self.codec_options,
            decoder=self.writes,
            raises_write_concern=True,
            retryability=Retryability.WRITE_ONCE,
        )


def _check(name: str, value: object, expected: type) -> None:
    if not isinstance(value, expected):
        # With the package: PyMongo's classes, which are not these, have the same names.
        raise TypeError(f"{name} has to be of type {_public_name(expected)}, not {_public_name(type(value))}")


def _public_name(cls: type) -> str:
    package = cls.__module__.partition(".")[0]
    return cls.__name__ if package == "builtins" else f"{package}.{cls.__name__}"
