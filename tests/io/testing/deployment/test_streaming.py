"""hello that waits and hello that streams, on a socket, byte by byte as a driver sees it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import bson
import pytest

from aiomongo_tls.testing import MongoTestServer, ReplicaSet

EXHAUST_ALLOWED = 1 << 16
MORE_TO_COME = 2


class Line:
    """A connection that speaks OP_MSG put together by hand."""

    def __init__(self, server: MongoTestServer) -> None:
        self.sock = socket.create_connection((server.address.host, server.address.port or 0), timeout=5)
        self.last = 0

    def send(self, document: dict[str, Any], flags: int = 0) -> None:
        payload = struct.pack("<IB", flags, 0) + bson.encode({**document, "$db": "admin"})
        self.last += 1
        self.sock.sendall(struct.pack("<iiii", 16 + len(payload), self.last, 0, 2013) + payload)

    def receive(self) -> tuple[dict[str, Any], int]:
        """The next reply and its flags."""
        size, number, answers, _, flags = struct.unpack("<iiiiI", self.sock.recv(20, socket.MSG_WAITALL))
        assert answers == self.last
        # In a stream each reply answers the one before.
        if flags & MORE_TO_COME:
            self.last = number
        rest = self.sock.recv(size - 20, socket.MSG_WAITALL)
        return bson.decode(rest[1:]), flags

    def ask(self, document: dict[str, Any], flags: int = 0) -> dict[str, Any]:
        self.send(document, flags)
        return self.receive()[0]

    def is_silent(self) -> bool:
        """Whether nothing has come. A round trip on another connection has to come first."""
        self.sock.setblocking(False)
        try:
            return not self.sock.recv(1, socket.MSG_PEEK) and False
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(5)

    def close(self) -> None:
        self.sock.close()


@pytest.fixture
def rs() -> Iterator[ReplicaSet]:
    with ReplicaSet(tls="off") as made:
        yield made


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    made: list[Line] = []
    yield made
    for line in made:
        line.close()


def await_change(reply: dict[str, Any], milliseconds: int = 60_000) -> dict[str, Any]:
    return {"hello": 1, "topologyVersion": reply["topologyVersion"], "maxAwaitTimeMS": milliseconds}


def test_it_waits_for_an_election(rs: ReplicaSet, lines: list[Line]) -> None:
    """The answer comes with the new primary, and says that the old one is none."""
    primary = rs.primary
    assert primary is not None
    lines += [Line(primary), Line(primary)]
    waiting, other = lines
    waiting.send(await_change(waiting.ask({"hello": 1})))
    primary.wait_for("hello", count=2)
    other.ask({"ping": 1})
    assert waiting.is_silent()
    rs.step_down()
    first, flags = waiting.receive()
    assert (first["isWritablePrimary"], first["secondary"], flags) == (False, True, 0)
    # The step down is one change, the election that follows another; both may have happened before the answer.
    assert first["topologyVersion"]["counter"] in (2, 3)
    assert rs.primary is not None
    assert waiting.ask({"hello": 1})["primary"] == str(rs.primary.address)


def test_it_waits_no_longer_than_it_may(rs: ReplicaSet, lines: list[Line]) -> None:
    """Nothing has changed: the same again."""
    line = Line(rs.members[0])
    lines.append(line)
    before = line.ask({"hello": 1})
    after = line.ask(await_change(before, 20))
    assert after["topologyVersion"] == before["topologyVersion"]


def test_a_stream(rs: ReplicaSet, lines: list[Line]) -> None:
    """One question, an answer for each change and one whenever the time is over."""
    line = Line(rs.members[2])
    lines.append(line)
    line.send(await_change(line.ask({"hello": 1}), 60_000), EXHAUST_ALLOWED)
    seen = []
    for member in (1, 0, 1):
        rs.elect(rs.members[member])
        reply, flags = line.receive()
        assert flags == MORE_TO_COME
        seen.append((reply["primary"], reply["topologyVersion"]["counter"]))
    places = [str(member.address) for member in rs.members]
    assert seen == [(places[1], 2), (places[0], 3), (places[1], 4)]
    assert len(rs.members[2].commands_named("hello")) == 2


def test_a_stream_goes_on_by_itself(rs: ReplicaSet, lines: list[Line]) -> None:
    """Each time the limit is over there is an answer, without a question."""
    line = Line(rs.members[1])
    lines.append(line)
    line.send(await_change(line.ask({"hello": 1}), 1), EXHAUST_ALLOWED)
    assert [line.receive()[1] for _ in range(5)] == [MORE_TO_COME] * 5


def test_a_stream_ends_with_an_error(rs: ReplicaSet, lines: list[Line]) -> None:
    """What is said of hello holds for every answer of a stream; after an error the client may speak again."""
    server = rs.members[1]
    line = Line(server)
    lines.append(line)
    line.send(await_change(line.ask({"hello": 1}), 60_000), EXHAUST_ALLOWED)
    server.wait_for("hello", count=2)
    server.fail_point("failCommand", {"times": 1}, failCommands=["hello"], errorCode=91)
    rs.elect(rs.members[1])
    assert line.receive()[1] == MORE_TO_COME
    reply, flags = line.receive()
    assert (reply["code"], flags) == (91, 0)
    assert line.ask({"ping": 1})["ok"] == 1.0


def test_an_old_version_is_answered_at_once(rs: ReplicaSet, lines: list[Line]) -> None:
    """A stream too begins with what the client does not know."""
    line = Line(rs.members[1])
    lines.append(line)
    before = line.ask({"hello": 1})
    rs.elect(rs.members[1])
    line.send(await_change(before), EXHAUST_ALLOWED)
    reply, flags = line.receive()
    assert (reply["isWritablePrimary"], flags) == (True, MORE_TO_COME)


@pytest.mark.parametrize("end", ["stop", "kill", "drop"])
def test_what_waits_ends_with_its_server(rs: ReplicaSet, lines: list[Line], end: str) -> None:
    """No thread hangs, and the client hears of the end."""
    server = rs.members[2]
    line = Line(server)
    lines.append(line)
    line.send(await_change(line.ask({"hello": 1})), EXHAUST_ALLOWED)
    server.wait_for("hello", count=2)
    {"stop": server.stop, "kill": server.kill, "drop": server.drop_connections}[end]()
    try:
        assert line.sock.recv(1) == b""
    except ConnectionResetError:
        assert end == "kill"


def test_a_client_that_goes_while_it_waits(rs: ReplicaSet) -> None:
    """Its connection is forgotten."""
    server = rs.members[0]
    line = Line(server)
    line.send(await_change(line.ask({"hello": 1})))
    server.wait_for("hello", count=2)
    line.close()
    rs.step_down()
    with_others = Line(server)
    with_others.ask({"ping": 1})
    assert len(server.connections) == 1
    with_others.close()


def test_a_standalone_has_a_version_too(lines: list[Line]) -> None:
    """It never changes, but by what a script says."""
    with MongoTestServer(tls="off") as server:
        lines += [Line(server), Line(server)]
        line, other = lines
        line.send(await_change(line.ask({"hello": 1})), EXHAUST_ALLOWED)
        server.on("insert").fails(11600)
        assert other.ask({"insert": "users", "documents": [{}]})["code"] == 11600
        reply, _ = line.receive()
        assert (reply["isWritablePrimary"], reply["topologyVersion"]["counter"]) == (True, 1)
