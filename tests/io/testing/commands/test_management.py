"""aggregate, collections, indexes and diagnostics answer as a server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aiomongo_tls.testing.commands.dispatch import COMMANDS, ELSEWHERE

Run = Callable[..., dict[str, Any]]
Fill = Callable[..., None]
INDEX = {"key": {"n": 1}, "name": "n_1"}


def aggregate(run: Run, *stages: dict[str, Any], **options: Any) -> dict[str, Any]:
    return run({"aggregate": "users", "pipeline": list(stages), "cursor": {}, **options})


def test_an_aggregation_in_batches(run: Run, fill: Fill) -> None:
    """Its cursor is like that of a find."""
    fill(*({"_id": n} for n in range(5)))
    cursor = aggregate(run, {"$match": {"_id": {"$gt": 0}}}, cursor={"batchSize": 3})["cursor"]
    assert len(cursor["firstBatch"]) == 3
    assert run({"getMore": cursor["id"], "collection": "users"})["cursor"]["nextBatch"] == [{"_id": 4}]


def test_counting_by_aggregation(run: Run, fill: Fill) -> None:
    """What count_documents sends."""
    fill({"_id": 1}, {"_id": 2})
    pipeline = [{"$match": {"_id": 2}}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
    assert aggregate(run, *pipeline)["cursor"]["firstBatch"] == [{"_id": 1, "n": 1}]


def test_out_replaces_a_collection(run: Run, fill: Fill) -> None:
    """Documents are replaced, indexes stay; if one cannot be inserted nothing changes."""
    fill({"_id": 1, "n": 1}, {"_id": 2, "n": 2})
    run({"insert": "copy", "documents": [{"_id": 9, "n": 9}]})
    run({"createIndexes": "copy", "indexes": [{**INDEX, "unique": True}]})
    assert aggregate(run, {"$match": {"n": 2}}, {"$out": "copy"})["cursor"]["firstBatch"] == []
    assert run({"find": "copy"})["cursor"]["firstBatch"] == [{"_id": 2, "n": 2}]
    assert len(run({"listIndexes": "copy"})["cursor"]["firstBatch"]) == 2
    assert aggregate(run, {"$set": {"n": 7}}, {"$out": "copy"})["code"] == 11000
    assert run({"find": "copy"})["cursor"]["firstBatch"] == [{"_id": 2, "n": 2}]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [{"_id": 1, "old": 1, "n": 1}, {"_id": 2, "n": 2}]),
        ({"whenMatched": "replace"}, [{"_id": 1, "n": 1}, {"_id": 2, "n": 2}]),
        ({"whenMatched": "keepExisting"}, [{"_id": 1, "old": 1}, {"_id": 2, "n": 2}]),
        ({"whenNotMatched": "discard"}, [{"_id": 1, "old": 1, "n": 1}]),
    ],
    ids=str,
)
def test_merge(run: Run, fill: Fill, options: dict[str, Any], expected: list[Any]) -> None:
    """$merge writes into a collection that is there."""
    fill({"_id": 1, "n": 1}, {"_id": 2, "n": 2})
    run({"insert": "other", "documents": [{"_id": 1, "old": 1}]})
    assert aggregate(run, {"$merge": {"into": "other", **options}})["ok"] == 1.0
    assert run({"find": "other"})["cursor"]["firstBatch"] == expected


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"aggregate": "users", "pipeline": []}, 9),
        ({"aggregate": "users", "cursor": {}}, 40414),
        ({"aggregate": "users", "pipeline": [{"$foo": 1}], "cursor": {}}, 40324),
        ({"aggregate": "users", "pipeline": [{"$graphLookup": {}}], "cursor": {}}, 238),
        ({"aggregate": "users", "pipeline": [], "cursor": {}, "nonsense": 1}, 40415),
        ({"aggregate": "users", "pipeline": [], "cursor": {"nonsense": 1}}, 40415),
        ({"aggregate": "users", "pipeline": [], "explain": True}, 238),
        ({"aggregate": 1, "pipeline": [{"$match": {}}], "cursor": {}}, 73),
        ({"aggregate": 1, "pipeline": [{"$currentOp": {}}], "cursor": {}}, 238),
        ({"aggregate": "users", "pipeline": [{"$merge": {"into": "x", "on": "n"}}], "cursor": {}}, 238),
    ],
    ids=str,
)
def test_aggregations_that_are_refused(run: Run, command: dict[str, Any], code: int) -> None:
    """The server's error code, or 238 for what is not here."""
    assert run(command)["code"] == code


def test_lookup_in_other_collections(run: Run, fill: Fill) -> None:
    """$lookup sees the database's collections."""
    fill({"_id": 1, "of": "x"})
    run({"insert": "things", "documents": [{"_id": "x"}]})
    lookup = {"$lookup": {"from": "things", "localField": "of", "foreignField": "_id", "as": "found"}}
    assert aggregate(run, lookup)["cursor"]["firstBatch"] == [{"_id": 1, "of": "x", "found": [{"_id": "x"}]}]


def test_collections_come_and_go(run: Run, fill: Fill) -> None:
    """create, listCollections, drop, dropDatabase."""
    assert run({"create": "empty"}) == {"ok": 1.0}
    fill({"_id": 1})
    entries = run({"listCollections": 1, "filter": {"name": {"$ne": "users"}}})["cursor"]
    (entry,) = entries["firstBatch"]
    assert (entry["name"], entry["type"], entries["ns"]) == ("empty", "collection", "app.$cmd.listCollections")
    names = run({"listCollections": 1, "nameOnly": True})["cursor"]["firstBatch"]
    assert [name["name"] for name in names] == ["empty", "users"]
    assert run({"create": "users"})["code"] == 48
    assert run({"create": "c", "capped": True, "size": 1})["code"] == 238
    assert run({"drop": "users"}) == {"nIndexesWas": 1, "ns": "app.users", "ok": 1.0}
    assert run({"drop": "users"}) == {"ok": 1.0}
    assert run({"dropDatabase": 1}) == {"dropped": "app", "ok": 1.0}
    assert run({"listDatabases": 1}, "admin")["databases"] == []


def test_databases(run: Run, fill: Fill) -> None:
    """`listDatabases` is for admin; sizes add up."""
    fill({"_id": 1})
    run({"insert": "c", "documents": [{"_id": 1}]}, "zoo")
    reply = run({"listDatabases": 1}, "admin")
    assert [entry["name"] for entry in reply["databases"]] == ["app", "zoo"]
    assert reply["totalSize"] == sum(entry["sizeOnDisk"] for entry in reply["databases"]) > 0
    assert run({"listDatabases": 1, "nameOnly": True, "filter": {"name": "zoo"}}, "admin")["databases"] == [
        {"name": "zoo"}
    ]
    assert run({"listDatabases": 1})["code"] == 13


def test_renaming(run: Run, fill: Fill) -> None:
    """Data and indexes go along; a name that is taken needs dropTarget."""
    fill({"_id": 1})
    run({"create": "taken"})
    assert run({"renameCollection": "app.nobody", "to": "app.x"}, "admin")["code"] == 26
    assert run({"renameCollection": "app.users", "to": "app.taken"}, "admin")["code"] == 48
    assert run({"renameCollection": "app.users", "to": "new.people", "dropTarget": True}, "admin")["ok"] == 1.0
    assert run({"find": "people"}, "new")["cursor"] == {"firstBatch": [{"_id": 1}], "id": 0, "ns": "new.people"}
    assert run({"find": "users"})["cursor"]["firstBatch"] == []


def test_indexes_come_and_go(run: Run) -> None:
    """`createIndexes` makes the collection too; twice is once."""
    assert run({"listIndexes": "users"})["code"] == 26
    first = run(
        {"createIndexes": "users", "indexes": [INDEX, {"key": {"a": 1, "b": -1}, "name": "ab", "unique": True}]}
    )
    assert first == {"numIndexesBefore": 1, "numIndexesAfter": 3, "createdCollectionAutomatically": True, "ok": 1.0}
    again = run({"createIndexes": "users", "indexes": [INDEX]})
    assert again["note"] == "all indexes already exist"
    definitions = run({"listIndexes": "users"})["cursor"]["firstBatch"]
    assert definitions == [
        {"v": 2, "key": {"_id": 1}, "name": "_id_"},
        {"v": 2, "key": {"n": 1}, "name": "n_1"},
        {"v": 2, "key": {"a": 1, "b": -1}, "name": "ab", "unique": True},
    ]
    assert run({"dropIndexes": "users", "index": {"n": 1}}) == {"nIndexesWas": 3, "ok": 1.0}
    assert run({"dropIndexes": "users", "index": "n_1"})["code"] == 27
    assert run({"dropIndexes": "users", "index": "*"})["nIndexesWas"] == 2
    assert run({"dropIndexes": "nobody", "index": "*"})["code"] == 26


def test_indexes_are_made_all_or_none(run: Run) -> None:
    """A bad one takes the others with it, and the collection that they made."""
    assert run({"createIndexes": "users", "indexes": [INDEX, {"key": {"t": "text"}, "name": "t"}]})["code"] == 238
    assert run({"listIndexes": "users"})["code"] == 26


def test_what_it_says_about_itself(run: Run) -> None:
    """`buildInfo` says which version it stands for, and what it really is."""
    reply = run({"buildInfo": 1}, "admin")
    assert (reply["version"], reply["versionArray"]) == ("7.0.0", [7, 0, 0, 0])
    assert "aiomongo_tls" in reply["modules"][0]
    assert run({"ping": 1})["ok"] == 1.0
    assert run({"hostInfo": 1}, "admin")["system"]["hostname"] is not None
    assert run({"getLog": "startupWarnings"}, "admin")["log"] == []
    assert run({"getParameter": 1, "featureCompatibilityVersion": 1}, "admin")["featureCompatibilityVersion"] == {
        "version": "7.0"
    }
    assert run({"getParameter": 1, "nonsense": 1}, "admin")["code"] == 72
    assert run({"getParameter": 1, "featureCompatibilityVersion": 1})["code"] == 13
    assert run({"startSession": 1})["timeoutMinutes"] == 30
    assert run({"endSessions": []}, "admin")["ok"] == 1.0
    assert run({"whatsmyuri": 1})["you"] == ""
    assert run({"getCmdLineOpts": 1}, "admin")["ok"] == 1.0


@pytest.mark.parametrize(("name", "code"), [("nonsense", 59), ("Find", 59), ("mapReduce", 238), ("explain", 238)])
def test_commands_that_are_not_here(run: Run, name: str, code: int) -> None:
    """Unknown ones are 59, as on any server; what a real one has is 238."""
    reply = run({name: 1})
    assert (reply["ok"], reply["code"]) == (0.0, code)


def test_the_tables_do_not_overlap() -> None:
    """A command is here or it is not."""
    assert not COMMANDS.keys() & ELSEWHERE


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"getParameter"}))
def test_no_command_takes_unknown_fields(run: Run, name: str) -> None:
    """A field that nobody knows is an error; the command left out looks at any field."""
    argument: Any = [] if name in {"endSessions", "refreshSessions"} else "users"
    reply = run({name: argument, "nobodyKnowsThis": 1}, "admin")
    assert reply["code"] == 40415, reply


def test_a_mistake_of_the_server_is_an_error_reply(run: Run, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """It is logged and answered with code 1; the server lives on."""

    def broken(_: Any) -> Any:
        raise ZeroDivisionError("oops")

    from aiomongo_tls.testing.commands import dispatch

    monkeypatch.setattr(dispatch, "COMMANDS", {"ping": dispatch.Command(broken)})
    reply = run({"ping": 1})
    assert (reply["code"], "oops" in reply["errmsg"]) == (1, True)
    assert "failed to answer ping" in caplog.text
