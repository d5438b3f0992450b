"""Read and write concerns, with PyMongo's names (read-write-concern specification)."""

from __future__ import annotations

from typing import Any, TypeVar

from aiomongo_tls.errors import ConfigurationError

T = TypeVar("T")


class ReadConcern:
    """How well confirmed the data of a read must be.

    Args:
        level: `local`, `available`, `majority`, `linearizable`, `snapshot`, or any word that the server knows; None
            for the server's default.

    Raises:
        TypeError: the level is not a string.
    """

    __slots__ = ("_level",)

    def __init__(self, level: str | None = None) -> None:
        self._level = level if level is None else _of_type("level of a ReadConcern", str, level)

    @property
    def level(self) -> str | None:
        """The level, None for the server's default."""
        return self._level

    @property
    def document(self) -> dict[str, Any]:
        """The document that a command carries; a new one each time, empty for the server's default."""
        return {"level": self._level} if self._level else {}

    @property
    def is_server_default(self) -> bool:
        """Whether nothing is asked for, which is not the same as asking for `local`."""
        return not self._level

    def __eq__(self, other: object) -> bool:
        return self.document == other.document if isinstance(other, ReadConcern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._level or None)

    def __repr__(self) -> str:
        return f"ReadConcern({self._level!r})" if self._level else "ReadConcern()"


class WriteConcern:
    """How well confirmed a write must be before the server answers.

    Args:
        w: the number of members that must have the write, 0 for no answer at all, or `majority` or another word that
            the server knows.
        wtimeout: milliseconds after which the server stops waiting for `w`; `timeoutMS` bounds the whole operation
            and is what you want today.
        j: whether the write must be in the journal.
        fsync: an old relative of `j`.

    Raises:
        ConfigurationError: a negative number; `w=0` or `fsync` together with `j=True`.
        TypeError: an argument of the wrong type.
    """

    __slots__ = ("_document",)

    def __init__(
        self,
        w: int | str | None = None,
        wtimeout: int | None = None,
        j: bool | None = None,
        fsync: bool | None = None,
    ) -> None:
        document: dict[str, Any] = {}
        if w is not None:
            document["w"] = _not_negative("w", w) if not isinstance(w, str) else w
        if wtimeout is not None:
            document["wtimeout"] = _not_negative("wtimeout", wtimeout)
        for name, value in (("j", j), ("fsync", fsync)):
            if value is not None:
                document[name] = _of_type(f"{name} of a WriteConcern", bool, value)
        if j and w == 0:
            raise ConfigurationError("a write concern cannot have w=0 (no answer) and j=True (answer when journaled)")
        if j and fsync:
            raise ConfigurationError("a write concern cannot have both j=True and fsync=True; use j")
        self._document = document

    @property
    def document(self) -> dict[str, Any]:
        """The document that a command carries; a new one each time, empty for the server's default."""
        return dict(self._document)

    @property
    def is_server_default(self) -> bool:
        """Whether nothing is asked for, which is not the same as asking for `w=1`."""
        return not self._document

    @property
    def acknowledged(self) -> bool:
        """Whether the server answers a write at all."""
        return self._document.get("w") != 0

    def __eq__(self, other: object) -> bool:
        return self._document == other._document if isinstance(other, WriteConcern) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._document.items()))

    def __repr__(self) -> str:
        return f"WriteConcern({', '.join(f'{name}={value!r}' for name, value in self._document.items())})"


def _of_type(name: str, expected: type[T], value: object) -> T:
    # True and False are integers to Python, but never what is meant by one.
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise TypeError(f"{name} has to be of type {expected.__name__}, not {type(value).__name__}")
    return value


def _not_negative(name: str, value: object) -> int:
    number = _of_type(f"{name} of a WriteConcern", int, value)
    if number < 0:
        raise ConfigurationError(f"{name} of a WriteConcern cannot be negative: {number}")
    return number


DEFAULT_READ_CONCERN = ReadConcern()
DEFAULT_WRITE_CONCERN = WriteConcern()
