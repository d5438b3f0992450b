"""Sessions: who may have one, what belongs to it, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson.binary import Binary

from aiomongo_tls.testing.commands.request import ConnectionState, ServerState

Run = Callable[..., dict[str, Any]]

MINE = {"id": Binary(bytes(16), 4)}
OTHER = {"id": Binary(bytes([1] * 16), 4)}


@pytest.mark.parametrize(
    ("session", "code"),
    [
        ("mine", 14),
        ({}, 40414),
        ({"id": "mine"}, 14),
        ({"id": Binary(bytes(16), 0)}, 14),
        ({"id": Binary(bytes(15), 4)}, 14),
        ({**MINE, "name": "mine"}, 40415),
        ({**MINE, "uid": Binary(bytes(32))}, 238),
    ],
    ids=str,
)
def test_what_is_no_session(run: Run, session: Any, code: int) -> None:
    """A malformed `lsid` is refused on whatever command."""
    assert run({"find": "users", "lsid": session})["code"] == code
    assert run({"ping": 1, "lsid": session})["code"] == code


def test_a_session_without_a_user(run: Run, server: ServerState, connection: ConnectionState) -> None:
    """Nobody is logged in where somebody should be: then there are no sessions to look at."""
    server.access_control = True
    assert run({"ping": 1, "lsid": "whatever"})["ok"] == 1.0
    connection.user = "ada"
    assert run({"ping": 1, "lsid": "whatever"})["code"] == 14


def cursor_of(run: Run, **fields: Any) -> int:
    number: int = run({"find": "users", "batchSize": 1, **fields})["cursor"]["id"]
    return number


def test_a_cursor_belongs_to_its_session(run: Run, fill: Callable[..., None], connection: ConnectionState) -> None:
    """It goes on in that session only, and in that of the same user."""
    fill({}, {}, {})
    mine, nobodys = cursor_of(run, lsid=MINE), cursor_of(run)

    def code(number: int, **fields: Any) -> int | None:
        return run({"getMore": number, "collection": "users", "batchSize": 1, **fields}).get("code")

    assert (code(mine), code(mine, lsid=OTHER), code(nobodys, lsid=MINE)) == (50737, 50738, 50736)
    assert (code(mine, lsid=MINE), code(nobodys)) == (None, None)
    connection.user = "ada"
    assert code(mine, lsid=MINE) == 50738


def test_sessions_that_are_killed(run: Run, server: ServerState, fill: Callable[..., None]) -> None:
    """Their cursors are closed, those of others stay."""
    fill({}, {}, {})
    for session in (MINE, OTHER):
        cursor_of(run, lsid=session)
    cursor_of(run)
    assert run({"killSessions": [OTHER]}) == {"ok": 1.0}
    assert len(server.cursors) == 2
    assert run({"killAllSessions": [{"user": "ada", "db": "admin"}]}, "admin") == {"ok": 1.0}
    assert len(server.cursors) == 2
    assert run({"killAllSessions": []}, "admin") == {"ok": 1.0}
    assert len(server.cursors) == 1


def test_sessions_of_one_user_are_killed(run: Run, server: ServerState, connection: ConnectionState) -> None:
    """All of them, and no others."""
    run({"insert": "users", "documents": [{}, {}, {}]})
    for name in ("ada", "grace"):
        connection.user, connection.user_database = name, "admin"
        cursor_of(run, lsid=MINE)
    run({"killAllSessions": [{"user": "ada", "db": "admin"}]}, "admin")
    assert len(server.cursors) == 1
    assert run({"killAllSessions": [{"user": "ada"}]}, "admin")["code"] == 40414
    assert run({"killAllSessions": ["ada"]}, "admin")["code"] == 14
    assert run({"killSessions": [{"id": 5}]}, "admin")["code"] == 14


def test_starting_and_ending(run: Run) -> None:
    """A new session has an id of its own; ending and refreshing take lists of them."""
    first, second = (run({"startSession": 1})["id"] for _ in range(2))
    assert first != second
    assert run({"endSessions": [first, second]}) == run({"refreshSessions": [first]}) == {"ok": 1.0}
    assert run({"endSessions": first})["code"] == 14


def listed(run: Run, *stages: dict[str, Any], **argument: Any) -> list[dict[str, Any]]:
    pipeline = [{"$listLocalSessions": argument}, *stages]
    found: list[dict[str, Any]] = run({"aggregate": 1, "pipeline": pipeline, "cursor": {}}, "admin")["cursor"][
        "firstBatch"
    ]
    return found


def test_sessions_are_listed(run: Run, connection: ConnectionState) -> None:
    """Those of the user, by user, or all; further stages work on them."""
    assert listed(run) == []
    run({"ping": 1, "lsid": MINE})
    connection.user, connection.user_database = "ada", "admin"
    for session in (MINE, OTHER):
        run({"ping": 1, "lsid": session})
    assert [entry["_id"]["id"] for entry in listed(run)] == [MINE["id"], OTHER["id"]]
    assert len(listed(run, allUsers=True)) == 3
    assert listed(run, users=[{"user": "grace", "db": "admin"}]) == []
    assert listed(run, {"$limit": 1}, {"$addFields": {"a": 1}}, {"$project": {"_id": 0, "a": 1}}) == [{"a": 1}]
    assert run({"aggregate": "users", "pipeline": [{"$listLocalSessions": {}}], "cursor": {}})["code"] == 238
    assert run({"aggregate": 1, "pipeline": [{"$listLocalSessions": 1}], "cursor": {}})["code"] == 14
