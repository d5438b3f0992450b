"""Collations."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.commands.collation import Collation, CollationStrength, collation_document


def test_only_what_was_given_is_sent() -> None:
    """Options left out are the server's to decide."""
    collation = Collation("fr", strength=CollationStrength.SECONDARY, caseLevel=False, future=1)
    assert collation.document == {"locale": "fr", "strength": 2, "caseLevel": False, "future": 1}


def test_a_collation_cannot_be_changed_through_its_document() -> None:
    """The document is a new one each time."""
    collation = Collation("fr")
    collation.document["locale"] = "de"
    assert collation.document == {"locale": "fr"}


def test_equal_by_content() -> None:
    """Two collations with the same options are equal, and shown with them."""
    assert Collation("fr", strength=1) == Collation("fr", strength=1) != Collation("fr")
    assert Collation("fr") != {"locale": "fr"}
    assert repr(Collation("fr", strength=1)) == "Collation(locale='fr', strength=1)"


def test_a_collation_or_a_mapping() -> None:
    """Both are taken, nothing else."""
    assert collation_document(Collation("fr")) == collation_document({"locale": "fr"}) == {"locale": "fr"}
    with pytest.raises(TypeError, match="not str"):
        collation_document("fr")
    with pytest.raises(TypeError, match="locale"):
        Collation(3)  # type: ignore[arg-type]
