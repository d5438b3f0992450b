"""Which members of a replica set may be read from (server selection specification, "Read Preference")."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from aiomongo_tls.errors import ConfigurationError

TagSets = Sequence[Mapping[str, Any]]


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a dictionary, not {type(value).__name__}")
    return dict(cast(Mapping[str, Any], value))


def _checked_tag_sets(tag_sets: object) -> tuple[dict[str, Any], ...] | None:
    if tag_sets is None:
        return None
    if not isinstance(tag_sets, (list, tuple)):
        raise TypeError(f"tag_sets is a list of dictionaries or None, not {type(tag_sets).__name__}")
    if not tag_sets:
        raise ConfigurationError("tag_sets is empty; leave it out, or give at least one set of tags such as {}")
    return tuple(_mapping("a tag set", tags) for tags in cast(Sequence[object], tag_sets))


def _checked_staleness(seconds: object) -> int:
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise TypeError(f"max_staleness is an integer of seconds, not {type(seconds).__name__}")
    if seconds != -1 and seconds <= 0:
        raise ConfigurationError(f"max_staleness is -1 or a positive number of seconds, not {seconds}")
    return seconds


def _checked_hedge(hedge: object) -> dict[str, Any] | None:
    if hedge is None:
        return None
    checked = _mapping("hedge", hedge)
    warnings.warn(
        "hedge is deprecated: servers of MongoDB 8.0 and newer ignore hedged reads", DeprecationWarning, stacklevel=3
    )
    return checked


class ReadPreference:
    """The five plain read preferences, and the class of every read preference.

    Use `ReadPreference.SECONDARY` and the like, or `Secondary`, `Nearest`, ... where tags or a staleness are wanted.

    Args:
        tag_sets: sets of tags in order of preference; the first set that any eligible member has decides. `{}` is
            had by every member.
        max_staleness: seconds that a secondary may lag behind, -1 for any; at least 90 where it is used.
        hedge: deprecated by the server since MongoDB 8.0.

    Raises:
        ConfigurationError: no tag set at all, or a staleness that is neither -1 nor positive.
        TypeError: an argument of the wrong type.
    """

    __slots__ = ("_hash", "_hedge", "_max_staleness", "_tag_sets")

    PRIMARY: ClassVar[ReadPreference]
    PRIMARY_PREFERRED: ClassVar[ReadPreference]
    SECONDARY: ClassVar[ReadPreference]
    SECONDARY_PREFERRED: ClassVar[ReadPreference]
    NEAREST: ClassVar[ReadPreference]

    mode: ClassVar[int]
    """PyMongo's number of the mode."""
    mongos_mode: ClassVar[str]
    """The specification's name of the mode, for example `secondaryPreferred`."""

    def __init__(
        self,
        tag_sets: TagSets | None = None,
        max_staleness: int = -1,
        hedge: Mapping[str, Any] | None = None,
    ) -> None:
        if type(self) is ReadPreference:
            raise TypeError("use ReadPreference.NEAREST or a class of one mode such as Nearest(tag_sets=[...])")
        self._tag_sets = _checked_tag_sets(tag_sets)
        self._max_staleness = _checked_staleness(max_staleness)
        self._hedge = _checked_hedge(hedge)
        # Asked for by every operation, which finds its servers by its read preference.
        self._hash = hash((self.mode, self._max_staleness))

    @property
    def name(self) -> str:
        """The name of the class, for example `SecondaryPreferred`."""
        return type(self).__name__

    @property
    def tag_sets(self) -> list[dict[str, Any]]:
        """The sets of tags in order of preference; `[{}]` where none were given."""
        return [dict(tags) for tags in self._tag_sets or ({},)]

    @property
    def max_staleness(self) -> int:
        """Seconds that a secondary may lag behind, -1 for any."""
        return self._max_staleness

    @property
    def hedge(self) -> dict[str, Any] | None:
        """The deprecated `hedge` document."""
        return None if self._hedge is None else dict(self._hedge)

    @property
    def document(self) -> dict[str, Any]:
        """The `$readPreference` document; a new one each time."""
        document: dict[str, Any] = {"mode": self.mongos_mode}
        if self._tag_sets and self.tag_sets != [{}]:
            document["tags"] = self.tag_sets
        if self._max_staleness != -1:
            document["maxStalenessSeconds"] = self._max_staleness
        if self._hedge:
            document["hedge"] = dict(self._hedge)
        return document

    def __eq__(self, other: object) -> bool:
        return self.document == other.document if isinstance(other, ReadPreference) else NotImplemented

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        tag_sets = self.tag_sets if self._tag_sets else None
        return f"{self.name}(tag_sets={tag_sets!r}, max_staleness={self._max_staleness!r}, hedge={self._hedge!r})"


class Primary(ReadPreference):
    """Read from the primary only, the default."""

    __slots__ = ()
    mode = 0
    mongos_mode = "primary"

    def __init__(self) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return "Primary()"


class PrimaryPreferred(ReadPreference):
    """Read from the primary, or from a secondary while there is none."""

    __slots__ = ()
    mode = 1
    mongos_mode = "primaryPreferred"


class Secondary(ReadPreference):
    """Read from a secondary only."""

    __slots__ = ()
    mode = 2
    mongos_mode = "secondary"


class SecondaryPreferred(ReadPreference):
    """Read from a secondary, or from the primary while there is none."""

    __slots__ = ()
    mode = 3
    mongos_mode = "secondaryPreferred"


class Nearest(ReadPreference):
    """Read from any member that answers quickly."""

    __slots__ = ()
    mode = 4
    mongos_mode = "nearest"


ReadPreference.PRIMARY = Primary()
ReadPreference.PRIMARY_PREFERRED = PrimaryPreferred()
ReadPreference.SECONDARY = Secondary()
ReadPreference.SECONDARY_PREFERRED = SecondaryPreferred()
ReadPreference.NEAREST = Nearest()

MODES: Mapping[str, type[ReadPreference]] = {
    cls.mongos_mode: cls for cls in (Primary, PrimaryPreferred, Secondary, SecondaryPreferred, Nearest)
}
"""The classes by the specification's names."""
