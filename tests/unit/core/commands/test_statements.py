"""Statements of insert, update and delete."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.commands.collation import Collation
from aiomongo_tls.core.commands.statements import (
    Kind,
    delete_statement,
    insert_statement,
    replace_statement,
    touches_many,
    update_statement,
)


def test_an_insert_is_the_document_itself() -> None:
    """Nothing around it, and the caller's own object."""
    document = {"_id": 1}
    statement = insert_statement(document)
    assert statement.kind is Kind.INSERT
    assert statement.document is document


def test_an_update_says_only_what_was_asked() -> None:
    """What is the server's default is left out."""
    assert update_statement({"a": 1}, {"$set": {"b": 2}}).document == {"q": {"a": 1}, "u": {"$set": {"b": 2}}}
    assert update_statement({}, {"$set": {"b": 2}}, upsert=False).document == {"q": {}, "u": {"$set": {"b": 2}}}


def test_an_update_with_everything() -> None:
    """Each option under the server's name."""
    statement = update_statement(
        {"a": 1},
        [{"$set": {"b": 2}}],
        multi=True,
        upsert=True,
        collation=Collation("fr"),
        array_filters=[{"x": 1}],
        hint="a_1",
        sort=[("a", -1)],
    )
    assert statement.document == {
        "q": {"a": 1},
        "u": [{"$set": {"b": 2}}],
        "multi": True,
        "upsert": True,
        "collation": {"locale": "fr"},
        "arrayFilters": [{"x": 1}],
        "hint": "a_1",
        "sort": {"a": -1},
    }


def test_a_replacement_is_an_update_without_operators() -> None:
    """The same command, checked the other way."""
    statement = replace_statement({"a": 1}, {"b": 2}, upsert=True, hint=[("a", 1)])
    assert statement.kind is Kind.UPDATE
    assert statement.document == {"q": {"a": 1}, "u": {"b": 2}, "upsert": True, "hint": {"a": 1}}


def test_deletes_say_how_many() -> None:
    """1 for one, 0 for all."""
    assert delete_statement({"a": 1}, many=False).document == {"q": {"a": 1}, "limit": 1}
    statement = delete_statement({}, many=True, collation={"locale": "fr"}, hint="a_1")
    assert statement.document == {"q": {}, "limit": 0, "collation": {"locale": "fr"}, "hint": "a_1"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: update_statement(5, {"$set": {}}),
        lambda: update_statement({}, {"$set": {}}, array_filters={}),
        lambda: update_statement({}, {"$set": {}}, hint=3),
        lambda: update_statement({}, {"$set": {}}, upsert=1),
        lambda: update_statement({}, {"$set": {}}, collation=3),
        lambda: replace_statement(None, {}),
        lambda: delete_statement([], many=True),
        lambda: insert_statement(None),
    ],
)
def test_wrong_types_are_refused(make: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError):
        make()


def test_which_statements_may_touch_several_documents() -> None:
    """Fields of the user's own documents do not count."""
    many = [update_statement({}, {"$set": {"a": 1}}, multi=True), delete_statement({}, many=True)]
    one = [
        insert_statement({"_id": 1, "multi": True, "limit": 0}),
        update_statement({}, {"$set": {"multi": True}}),
        replace_statement({}, {"multi": True}),
        delete_statement({"limit": 0}, many=False),
    ]
    assert [touches_many(*statement) for statement in many] == [True, True]
    assert [touches_many(*statement) for statement in one] == [False] * 4
