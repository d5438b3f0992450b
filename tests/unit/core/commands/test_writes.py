"""The bodies of write commands."""

from __future__ import annotations

import pytest

from aiomongo_tls.core.commands.statements import Kind
from aiomongo_tls.core.commands.writes import needed_without_answer, single_result, write_document
from aiomongo_tls.core.options.concerns import WriteConcern


def test_the_name_comes_first_and_defaults_are_left_out() -> None:
    """The server's default write concern is not spelled out."""
    document = write_document(Kind.INSERT, "users", WriteConcern())
    assert list(document.items()) == [("insert", "users"), ("ordered", True)]


def test_everything_that_was_asked() -> None:
    """Under the server's names."""
    document = write_document(
        Kind.UPDATE,
        "users",
        WriteConcern("majority"),
        ordered=False,
        bypass_document_validation=True,
        let={"x": 1},
        comment="why",
    )
    assert document == {
        "update": "users",
        "ordered": False,
        "bypassDocumentValidation": True,
        "let": {"x": 1},
        "comment": "why",
        "writeConcern": {"w": "majority"},
    }


def test_only_what_the_command_knows() -> None:
    """In a bulk the options are shared; an insert has no `let`. A false bypass is sent (official cases)."""
    assert write_document(Kind.INSERT, "c", WriteConcern(), bypass_document_validation=False, let={}) == {
        "insert": "c",
        "ordered": True,
        "bypassDocumentValidation": False,
    }
    with pytest.raises(TypeError, match="let"):
        write_document(Kind.DELETE, "c", WriteConcern(), let=3)
    with pytest.raises(TypeError, match="bypass"):
        write_document(Kind.INSERT, "c", WriteConcern(), bypass_document_validation=1)


@pytest.mark.parametrize(
    ("kind", "statement", "version"),
    [
        (Kind.DELETE, {"q": {}, "limit": 1, "hint": "a_1"}, 9),
        (Kind.UPDATE, {"q": {}, "u": {}, "sort": {"a": 1}}, 25),
        (Kind.UPDATE, {"q": {}, "u": {}, "hint": "a_1"}, None),
        (Kind.INSERT, {"hint": 1, "sort": 1}, None),
    ],
)
def test_what_old_servers_do_not_know_needs_an_answer(
    kind: Kind, statement: dict[str, object], version: int | None
) -> None:
    """An insert's fields are the user's own, and mean nothing."""
    requirement = needed_without_answer(kind, [{"q": {}}, statement])
    assert (requirement.wire_version if requirement else None) == version


def test_results_of_single_updates_have_pymongo_s_shape() -> None:
    """`upserted` is the id itself, `updatedExisting` says which of the two happened."""
    assert single_result({"n": 2, "nModified": 1, "ok": 1.0}) == {
        "n": 2,
        "nModified": 1,
        "ok": 1.0,
        "updatedExisting": True,
    }
    assert single_result({"n": 1, "nModified": 0, "upserted": [{"index": 0, "_id": 7}], "ok": 1.0}) == {
        "n": 1,
        "nModified": 0,
        "upserted": 7,
        "ok": 1.0,
        "updatedExisting": False,
    }
    assert single_result({"n": 0, "nModified": 0})["updatedExisting"] is False
