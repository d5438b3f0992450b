"""A server's commands without a server: requests are built by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bson
import pytest

from aiomongo_tls.testing.commands.dispatch import answer
from aiomongo_tls.testing.commands.request import ConnectionState, Request, ServerState
from aiomongo_tls.testing.deployment.node import Node, Standalone
from aiomongo_tls.testing.fail_points import FailPoints

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def server() -> ServerState:
    return ServerState()


@pytest.fixture
def connection() -> ConnectionState:
    return ConnectionState(id=1)


@pytest.fixture
def node() -> Node:
    """What the server is among others; tests of other kinds than standalone replace it."""
    return Standalone()


@pytest.fixture
def fail_points() -> FailPoints:
    return FailPoints()


@pytest.fixture
def run(server: ServerState, connection: ConnectionState, node: Node, fail_points: FailPoints) -> Run:
    """Carry out a command on the database `app` (or another one); the reply as a client decodes it."""

    def carry_out(document: dict[str, Any], database: str = "app") -> dict[str, Any]:
        name = next(iter(document))
        request = Request(
            name=name,
            database=database,
            document=bson.decode(bson.encode({**document, "$db": database})),
            connection=connection,
            server=server,
            node=node,
            fail_points=fail_points,
        )
        return bson.decode(bson.encode(answer(request)))

    return carry_out


@pytest.fixture
def fill(run: Run) -> Callable[..., None]:
    """Insert documents into `app.users`."""

    def insert(*documents: dict[str, Any]) -> None:
        reply = run({"insert": "users", "documents": list(documents)})
        assert reply == {"n": len(documents), "ok": 1.0}

    return insert
