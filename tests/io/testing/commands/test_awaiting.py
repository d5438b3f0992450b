"""hello that says what the client knows: when it is held, and mongod's refusals."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64, ObjectId

from aiomongo_tls.testing.commands.awaiting import waiting_time
from aiomongo_tls.testing.commands.request import ServerState
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.membership import MemberKind, Membership
from aiomongo_tls.testing.deployment.node import Mongos, Node, Standalone
from aiomongo_tls.testing.failures import CommandError


def nodes() -> list[Node]:
    clock = ClusterClock(ServerState().now)
    member = Membership("rs0", clock, lambda: 0.0, [MemberKind.ELECTABLE]).members[0]
    made = [Standalone(), member, Mongos(clock)]
    for node in made:
        node.changed()
    return made


def version(node: Node, *, ahead: int = 0, process: ObjectId | None = None) -> dict[str, Any]:
    counter = Int64(node.topology_version.counter + ahead)
    return {"processId": process or node.topology_version.process_id, "counter": counter}


def code_of(node: Node, *, allows_stream: bool = False, **fields: Any) -> int | None:
    try:
        waiting_time({"hello": 1, **fields}, node, allows_stream=allows_stream)
    except CommandError as error:
        return error.code
    return None


@pytest.mark.parametrize("node", nodes(), ids=lambda node: type(node).__name__)
def test_when_it_is_held(node: Node) -> None:
    """Only if the client knows all there is; another process or an older version is answered at once."""

    def seconds(known: dict[str, Any], limit: int = 2500) -> float | None:
        return waiting_time({"topologyVersion": known, "maxAwaitTimeMS": limit}, node, allows_stream=True)

    assert seconds(version(node)) == 2.5
    assert seconds(version(node), 0) == 0.0
    assert seconds(version(node, ahead=-1)) is None
    assert seconds(version(node, process=ObjectId(), ahead=5)) is None
    assert waiting_time({"hello": 1}, node, allows_stream=False) is None


@pytest.mark.parametrize(
    ("number", "codes"), list(enumerate([(31368, 31372, 51764), (31368, 31372, 31382), (51760, 51758, 51761)]))
)
def test_what_is_refused(number: int, codes: tuple[int, int, int]) -> None:
    """With the codes of a standalone, a member of a set, a mongos."""
    node = nodes()[number]
    alone, negative, ahead = codes
    assert code_of(node, topologyVersion=version(node)) == alone
    assert code_of(node, maxAwaitTimeMS=5) == alone
    assert code_of(node, topologyVersion=version(node, ahead=-9), maxAwaitTimeMS=5) == negative
    assert code_of(node, topologyVersion=version(node, ahead=1), maxAwaitTimeMS=5) == ahead
    assert code_of(node, topologyVersion=version(node), maxAwaitTimeMS=-1) == 51024
    assert code_of(node, allows_stream=True) == 51756


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (5, 14),
        ({}, 40414),
        ({"processId": ObjectId()}, 40414),
        ({"processId": 5, "counter": 1}, 14),
        ({"processId": ObjectId(), "counter": "1"}, 14),
        ({"processId": ObjectId(), "counter": 1, "more": 1}, 40415),
    ],
)
def test_what_is_no_version(known: Any, code: int) -> None:
    """It is read as strictly as any command."""
    assert code_of(Standalone(), topologyVersion=known, maxAwaitTimeMS=5) == code
