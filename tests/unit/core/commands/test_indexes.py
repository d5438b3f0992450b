"""Indexes."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.commands.collation import Collation
from aiomongo_tls.core.commands.indexes import (
    IndexModel,
    create_indexes_document,
    drop_index_document,
    drop_indexes_document,
    index_information,
)
from aiomongo_tls.core.options.concerns import WriteConcern
from aiomongo_tls.errors import ConfigurationError

W = WriteConcern()


def test_an_index_gets_a_name_from_its_keys() -> None:
    """Unless it has one."""
    assert IndexModel([("a", 1), ("b", "text")]).document == {"name": "a_1_b_text", "key": {"a": 1, "b": "text"}}
    assert IndexModel("a", name="mine").document["name"] == "mine"
    assert IndexModel("a", name=None).document["name"] == "a_1"


def test_index_options_under_the_server_s_names() -> None:
    """A collation is brought into shape."""
    document = IndexModel("a", unique=True, collation=Collation("fr")).document
    assert document == {"name": "a_1", "key": {"a": 1}, "unique": True, "collation": {"locale": "fr"}}


def test_creating_returns_the_names() -> None:
    """In the caller's order; None leaves an option out."""
    document, names = create_indexes_document(
        "c", [IndexModel("a"), IndexModel({"b": -1})], {"maxTimeMS": 5, "comment": None}, WriteConcern(2)
    )
    assert names == ["a_1", "b_-1"]
    assert document == {
        "createIndexes": "c",
        "indexes": [{"name": "a_1", "key": {"a": 1}}, {"name": "b_-1", "key": {"b": -1}}],
        "maxTimeMS": 5,
        "writeConcern": {"w": 2},
    }


def test_what_is_not_an_index() -> None:
    """Refused before anything is sent."""
    with pytest.raises(TypeError, match="IndexModel"):
        create_indexes_document("c", ["a"], {}, W)
    with pytest.raises(ValueError, match="empty"):
        create_indexes_document("c", [], {}, W)
    with pytest.raises(TypeError):
        create_indexes_document("c", IndexModel("a"), {}, W)


def test_dropping_one_index_never_drops_all() -> None:
    """`*` is what the server takes for all of them."""
    assert drop_index_document("c", "a_1", {}, W) == {"dropIndexes": "c", "index": "a_1"}
    assert drop_index_document("c", [("a", -1)], {}, W)["index"] == "a_-1"
    assert drop_indexes_document("c", {}, W) == {"dropIndexes": "c", "index": "*"}
    with pytest.raises(ConfigurationError, match="drop_indexes"):
        drop_index_document("c", "*", {}, W)


def test_information_by_name() -> None:
    """PyMongo's shape: the key as pairs, the rest as told."""
    told = [{"v": 2, "key": {"a": 1, "b": -1}, "name": "x", "unique": True}]
    assert index_information(told) == {"x": {"v": 2, "key": [("a", 1), ("b", -1)], "unique": True}}
