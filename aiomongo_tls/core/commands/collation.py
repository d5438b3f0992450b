"""Collation: the rules of a language by which a server compares strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast


class CollationStrength:
    """Which differences between two strings count."""

    PRIMARY: Final = 1
    """Base letters only."""
    SECONDARY: Final = 2
    """Base letters and accents."""
    TERTIARY: Final = 3
    """Also case and variants, the server's default."""
    QUATERNARY: Final = 4
    """Also punctuation that was left aside."""
    IDENTICAL: Final = 5
    """Everything."""


class CollationAlternate:
    """Whether white space and punctuation count as letters do."""

    NON_IGNORABLE: Final = "non-ignorable"
    """They count, the server's default."""
    SHIFTED: Final = "shifted"
    """They only count at strength QUATERNARY and above."""


class CollationMaxVariable:
    """Which characters `CollationAlternate.SHIFTED` leaves aside."""

    PUNCT: Final = "punct"
    """White space and punctuation."""
    SPACE: Final = "space"
    """White space."""


class CollationCaseFirst:
    """Which case comes first where only the case differs."""

    UPPER: Final = "upper"
    """Upper case."""
    LOWER: Final = "lower"
    """Lower case."""
    OFF: Final = "off"
    """As the language has it, the server's default."""


class Collation:
    """A collation; options that are not given are left to the server.

    Args:
        locale: the language, for example `fr` or `en_US`, or `simple` for comparison by bytes.
        caseLevel: whether case counts although the strength leaves it out.
        caseFirst: one of `CollationCaseFirst`.
        strength: one of `CollationStrength`.
        numericOrdering: whether digits compare as numbers.
        alternate: one of `CollationAlternate`.
        maxVariable: one of `CollationMaxVariable`.
        normalization: whether text is normalised before it is compared.
        backwards: whether accents are compared from the end, as in French dictionaries.
        kwargs: options of newer servers.
    """

    __slots__ = ("_document",)

    def __init__(
        self,
        locale: str,
        caseLevel: bool | None = None,  # noqa: N803 - the server's names
        caseFirst: str | None = None,  # noqa: N803
        strength: int | None = None,
        numericOrdering: bool | None = None,  # noqa: N803
        alternate: str | None = None,
        maxVariable: str | None = None,  # noqa: N803
        normalization: bool | None = None,
        backwards: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(cast(object, locale), str):
            raise TypeError(f"locale is a string, not {type(locale).__name__}")
        options = {
            "caseLevel": caseLevel,
            "caseFirst": caseFirst,
            "strength": strength,
            "numericOrdering": numericOrdering,
            "alternate": alternate,
            "maxVariable": maxVariable,
            "normalization": normalization,
            "backwards": backwards,
            **kwargs,
        }
        self._document: dict[str, Any] = {"locale": locale}
        self._document |= {name: value for name, value in options.items() if value is not None}

    @property
    def document(self) -> dict[str, Any]:
        """The document that commands carry; a new one each time."""
        return dict(self._document)

    def __eq__(self, other: object) -> bool:
        return self._document == other._document if isinstance(other, Collation) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Collation({', '.join(f'{name}={value!r}' for name, value in self._document.items())})"


CollationLike: TypeAlias = Collation | Mapping[str, Any]


def collation_document(collation: object) -> dict[str, Any]:
    """A collation as commands carry it.

    Raises:
        TypeError: neither a Collation nor a mapping.
    """
    if isinstance(collation, Collation):
        return collation.document
    if isinstance(collation, Mapping):
        return dict(cast(Mapping[str, Any], collation))
    raise TypeError(f"collation is a Collation or a mapping, not {type(collation).__name__}")
