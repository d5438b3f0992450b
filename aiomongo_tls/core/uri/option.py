"""One option as a row: what it is called, what it may be, where it goes, what it does not go with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.options.tls_source import is_content, is_encoded

if TYPE_CHECKING:
    from aiomongo_tls.core.uri.kinds import Kind


class Support(StrEnum):
    """What comes of an option today; the words stand in the README's table."""

    YES = "yes"
    PENDING = "accepted, without effect yet"
    IGNORED = "ignored with a warning"
    REFUSED = "not yet: refused"


class Repeat(Enum):
    """What a key that stands in a URI more than once means (uri-options and SOCKS5 specifications)."""

    LAST = "the last counts, with a warning"
    LIST = "each adds to a list"
    AGREE = "all have to agree"
    ERROR = "an error"


@dataclass(frozen=True, slots=True)
class Former:
    """A name that an option used to have.

    Args:
        name: the old name.
        kind: what its values looked like; None for the same as today.
        advice: what to write today; None for the option's name.
    """

    name: str
    kind: Kind | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the registry.

    Args:
        name: the canonical name.
        kind: what its values look like.
        default: the value that means the same as leaving the option out, in the option's own unit.
        lands: the fields of `ClientOptions` that it sets, with dots and spaces: `tls.ca_file`.
        doc: one sentence for the README.
        aliases: other names of equal right.
        formers: names that still work, with a DeprecationWarning.
        excludes: options that must not be given beside it, whatever their values.
        support: what comes of it today.
        keyword_only: whether a URI cannot carry it.
        strict: whether `resolve()` refuses a URI in which its value is unusable. The specifications want a warning
            and nothing else, but here that would quietly give less security or durability than was asked for.
        secret: whether its value must never be shown.
        repeat: what a repeated key means.
    """

    name: str
    kind: Kind
    default: Any
    lands: str
    doc: str
    aliases: tuple[str, ...] = ()
    formers: tuple[Former, ...] = ()
    excludes: tuple[str, ...] = ()
    support: Support = Support.YES
    keyword_only: bool = False
    strict: bool = False
    secret: bool = False
    repeat: Repeat = Repeat.LAST

    @property
    def targets(self) -> tuple[str, ...]:
        """The fields of `ClientOptions` that the option sets."""
        return tuple(self.lands.split())

    def shown(self, value: Any) -> str:
        """A value of this option for a repr: no secret, and no content in place of a path."""
        return "<hidden>" if self.secret or is_content(value) or is_encoded(value) else repr(value)
