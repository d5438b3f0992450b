"""The smaller command families."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.commands.administration import (
    command_document,
    create_document,
    list_collections_document,
    with_concern,
)
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.find_and_modify import find_and_modify_document
from aiomongo_tls.core.commands.reads import count_document, distinct_document
from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern

W = WriteConcern("majority")


def test_a_command_s_name_is_its_first_key() -> None:
    """What logs and errors call it."""
    assert Command(database="admin", document={"ping": 1, "comment": 1}).name == "ping"


def test_find_and_modify() -> None:
    """Each argument under the server's name, the write concern too."""
    document = find_and_modify_document(
        "c",
        {"a": 1},
        {"update": {"$set": {"b": 1}}},
        W,
        projection=["b"],
        sort=[("a", -1)],
        upsert=True,
        return_document=True,
        array_filters=[{"x": 1}],
        hint="a_1",
        let={"v": 1},
        comment="why",
        options={"maxTimeMS": 5, "collation": {"locale": "fr"}, "bypassDocumentValidation": None},
    )
    assert document == {
        "findAndModify": "c",
        "query": {"a": 1},
        "update": {"$set": {"b": 1}},
        "new": True,
        "upsert": True,
        "fields": {"b": 1},
        "sort": {"a": -1},
        "arrayFilters": [{"x": 1}],
        "hint": "a_1",
        "let": {"v": 1},
        "comment": "why",
        "maxTimeMS": 5,
        "collation": {"locale": "fr"},
        "writeConcern": {"w": "majority"},
    }


def test_find_and_remove_is_short() -> None:
    """Nothing but what was asked."""
    assert find_and_modify_document("c", {}, {"remove": True}, WriteConcern(), options={}) == {
        "findAndModify": "c",
        "query": {},
        "remove": True,
    }
    with pytest.raises(TypeError, match="ReturnDocument"):
        find_and_modify_document("c", {}, {"update": {}}, W, return_document=3, options={})


def test_count_and_distinct() -> None:
    """Reads with a read concern and the options that were given."""
    assert count_document("c", {"maxTimeMS": 5, "comment": None}, ReadConcern("local")) == {
        "count": "c",
        "maxTimeMS": 5,
        "readConcern": {"level": "local"},
    }
    assert distinct_document(
        "c", "k", {"a": 1}, {"hint": [("a", 1)], "collation": {"locale": "fr"}}, ReadConcern()
    ) == {
        "distinct": "c",
        "key": "k",
        "query": {"a": 1},
        "hint": {"a": 1},
        "collation": {"locale": "fr"},
    }
    with pytest.raises(TypeError, match="key"):
        distinct_document("c", 5, None, {}, ReadConcern())


def test_a_caller_s_command_is_never_changed() -> None:
    """run-command: clone, do not mutate."""
    own = {"ping": 1}
    document = command_document(own, 1, "why", {"x": 2})
    assert document == {"ping": 1, "x": 2, "comment": "why"}
    assert own == {"ping": 1}
    assert command_document("dbStats", 1, None, {"scale": 2}) == {"dbStats": 1, "scale": 2}
    with pytest.raises(TypeError):
        command_document(5, 1, None, {})
    with pytest.raises(ValueError, match="empty"):
        command_document({}, 1, None, {})


def test_names_of_collections_need_no_details_unless_filtered_by_them() -> None:
    """`nameOnly` takes no locks, but would hide what the filter looks at."""
    assert list_collections_document({"filter": None}, name_only=True) == {
        "listCollections": 1,
        "cursor": {},
        "nameOnly": True,
    }
    assert "nameOnly" in list_collections_document({"filter": {"name": "x"}}, name_only=True)
    assert "nameOnly" not in list_collections_document({"filter": {"type": "view"}}, name_only=True)
    assert "nameOnly" not in list_collections_document({}, name_only=False)
    assert list_collections_document({"batchSize": 2}, name_only=False)["cursor"] == {"batchSize": 2}


def test_commands_that_write_carry_the_write_concern() -> None:
    """Unless it is the server's default."""
    assert create_document("c", {"capped": True, "size": None, "collation": {"locale": "fr"}}, W) == {
        "create": "c",
        "writeConcern": {"w": "majority"},
        "capped": True,
        "collation": {"locale": "fr"},
    }
    assert with_concern({"drop": "c"}, WriteConcern(), "why") == {"drop": "c", "comment": "why"}
