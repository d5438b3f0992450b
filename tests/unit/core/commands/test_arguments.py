"""What callers pass."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import bson
import pytest
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from bson.son import SON

from aiomongo_tls.core.commands.arguments import (
    check_not_negative,
    check_replacement,
    check_type,
    check_update,
    projection_document,
    with_id,
)


@pytest.mark.parametrize("update", [{"$set": {"a": 1}}, [{"$set": {"a": 1}}], SON([("$inc", {"a": 1})])])
def test_an_update_has_operators_or_is_a_pipeline(update: Any) -> None:
    """The first key decides."""
    assert check_update(update) == update


@pytest.mark.parametrize(
    ("update", "error", "message"),
    [
        ({}, ValueError, "empty"),
        ([], ValueError, "empty"),
        ({"a": 1}, ValueError, "replace_one"),
        ({"a": 1, "$set": {}}, ValueError, "replace_one"),
        (5, TypeError, "not int"),
        ("$set", TypeError, "not str"),
    ],
)
def test_a_replacement_is_no_update(update: Any, error: type[Exception], message: str) -> None:
    """A document without operators would wipe out the rest of the fields, so it is refused."""
    with pytest.raises(error, match=message):
        check_update(update)


def test_an_update_is_no_replacement() -> None:
    """A replacement may be empty, but has no operators."""
    assert check_replacement({}) == {}
    assert check_replacement({"a": 1}) == {"a": 1}
    raw = RawBSONDocument(bson.encode({"$a": 1}))
    assert check_replacement(raw) is raw
    with pytest.raises(ValueError, match="update_one"):
        check_replacement({"$set": {"a": 1}})
    with pytest.raises(TypeError):
        check_replacement([{"$set": {}}])


def test_projections() -> None:
    """A list of names includes them, a mapping is the server's business."""
    assert projection_document(["a", "b"]) == {"a": 1, "b": 1}
    assert projection_document({"a": 0}) == {"a": 0}
    assert projection_document([]) == {}
    for wrong in (5, "a", [1], ["a", 2]):
        with pytest.raises(TypeError, match="projection"):
            projection_document(wrong)


def test_a_missing_id_is_added_to_the_caller_s_document() -> None:
    """As PyMongo does: the caller reads the _id in the document it passed."""
    document: dict[str, Any] = {"a": 1}
    assert with_id(document) is document
    assert isinstance(document["_id"], ObjectId)
    assert list(bson.decode(bson.encode(document))) == ["_id", "a"]


@pytest.mark.parametrize("document", [{"_id": None}, OrderedDict(_id=0), SON(_id="x")])
def test_an_id_of_any_value_stays(document: Any) -> None:
    """None and 0 are ids, too."""
    before = dict(document)
    assert dict(with_id(document)) == before


def test_a_raw_document_goes_as_it_is() -> None:
    """A RawBSONDocument cannot be changed; the server adds the _id."""
    raw = RawBSONDocument(bson.encode({"a": 1}))
    assert with_id(raw) is raw
    assert raw.raw == bson.encode({"a": 1})


@pytest.mark.parametrize("document", [5, [], None, "a", ({"a": 1},)])
def test_what_cannot_be_inserted(document: Any) -> None:
    """A clear error names what can be."""
    with pytest.raises(TypeError, match="RawBSONDocument"):
        with_id(document)


def test_numbers_are_not_booleans() -> None:
    """`limit=True` is a mistake, not 1."""
    assert check_type("limit", -3, int) == -3
    for wrong in (True, "3", 3.0, None):
        with pytest.raises(TypeError, match="limit"):
            check_type("limit", wrong, int)
    with pytest.raises(ValueError, match="skip cannot be negative: -1"):
        check_not_negative("skip", -1)
