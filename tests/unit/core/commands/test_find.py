"""The find command."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.commands.collation import Collation
from aiomongo_tls.core.commands.find import CursorType, FindOptions
from aiomongo_tls.core.options.concerns import ReadConcern

NONE = ReadConcern()


def test_a_find_of_everything_is_short() -> None:
    """What is the server's default is left out."""
    assert FindOptions({}).document("users", NONE) == {"find": "users", "filter": {}}


@pytest.mark.parametrize(
    ("limit", "batch_size", "expected"),
    [
        (0, 0, {}),
        (5, 0, {"limit": 5}),
        (-5, 0, {"limit": 5, "singleBatch": True}),
        (-5, 2, {"limit": 5, "singleBatch": True}),
        (0, 3, {"batchSize": 3}),
        (5, 3, {"limit": 5, "batchSize": 3}),
        # One more, so that the server closes the cursor instead of leaving it open at its limit.
        (4, 4, {"limit": 4, "batchSize": 5}),
    ],
)
def test_limit_and_batch_size(limit: int, batch_size: int, expected: dict[str, Any]) -> None:
    """Negative limits are one batch; a limit equal to the batch size gets room for the end."""
    document = FindOptions({}, limit=limit, batch_size=batch_size).document("c", NONE)
    assert document == {"find": "c", "filter": {}, **expected}


def test_every_option_under_the_server_s_name() -> None:
    """PyMongo's parameter names become the command's fields."""
    options = FindOptions({"a": 1}, projection={"b": 1}, skip=2, sort={"a": -1}, cursor_type=CursorType.TAILABLE_AWAIT)
    given: dict[str, Any] = {
        "no_cursor_timeout": True,
        "allow_partial_results": True,
        "oplog_replay": True,
        "collation": Collation("fr"),
        "hint": [("a", 1)],
        "max_scan": 9,
        "max_time_ms": 100,
        "max": [("a", 5)],
        "min": {"a": 1},
        "return_key": True,
        "show_record_id": False,
        "snapshot": True,
        "comment": "why",
        "allow_disk_use": True,
        "let": {"x": 1},
    }
    for name, value in given.items():
        options.set(name, value)
    assert options.document("c", ReadConcern("majority")) == {
        "find": "c",
        "filter": {"a": 1},
        "projection": {"b": 1},
        "sort": {"a": -1},
        "skip": 2,
        "tailable": True,
        "awaitData": True,
        "noCursorTimeout": True,
        "allowPartialResults": True,
        "oplogReplay": True,
        "collation": {"locale": "fr"},
        "hint": {"a": 1},
        "maxScan": 9,
        "maxTimeMS": 100,
        "max": {"a": 5},
        "min": {"a": 1},
        "returnKey": True,
        "showRecordId": False,
        "snapshot": True,
        "comment": "why",
        "allowDiskUse": True,
        "let": {"x": 1},
        "readConcern": {"level": "majority"},
    }


def test_options_can_be_set_again_and_taken_back() -> None:
    """The last word counts; None and false flags leave the field out."""
    options = FindOptions({})
    options.set("hint", "a_1")
    options.set("hint", "b_1")
    assert options.field("hint") == "b_1"
    options.set("hint", None)
    options.set("no_cursor_timeout", False)
    assert options.document("c", NONE) == {"find": "c", "filter": {}}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("max_time_ms", "3", TypeError),
        ("max_time_ms", -1, ValueError),
        ("no_cursor_timeout", 1, TypeError),
        ("let", [], TypeError),
        ("max", {}, ValueError),
        ("hint", 3, TypeError),
        ("collation", "fr", TypeError),
    ],
)
def test_wrong_values_are_refused(name: str, value: object, error: type[Exception]) -> None:
    """Before anything is sent, naming the parameter."""
    with pytest.raises(error, match=name):
        FindOptions({}).set(name, value)
