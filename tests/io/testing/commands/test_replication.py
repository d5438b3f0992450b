"""replSetGetStatus, replSetStepDown and replSetFreeze, without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bson
import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing.commands.dispatch import answer
from aiomongo_tls.testing.commands.request import ConnectionState, Request, ServerState
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.membership import MemberKind, Membership
from aiomongo_tls.testing.deployment.node import Mongos, Node

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def state() -> ServerState:
    return ServerState()


@pytest.fixture
def group(state: ServerState) -> Membership:
    """Two members with data and an arbiter, the first one primary."""
    kinds = [MemberKind.ELECTABLE, MemberKind.ELECTABLE, MemberKind.ARBITER]
    made = Membership("rs0", ClusterClock(state.now), lambda: 100.0, kinds)
    for number, member in enumerate(made.members):
        member.started(ServerAddress("h", number + 1))
    made.elect(made.members[0])
    return made


@pytest.fixture
def ask(state: ServerState) -> Ask:
    def carry_out(node: Node, document: dict[str, Any], database: str = "admin") -> dict[str, Any]:
        request = Request(
            name=next(iter(document)),
            database=database,
            document=bson.decode(bson.encode({**document, "$db": database})),
            connection=ConnectionState(id=1),
            server=state,
            node=node,
        )
        return bson.decode(bson.encode(answer(request)))

    return carry_out


def test_status(ask: Ask, group: Membership) -> None:
    """Each member as the one that is asked sees it."""
    group.members[1].isolated()
    status = ask(group.members[0], {"replSetGetStatus": 1})
    assert (status["set"], status["myState"], status["term"], status["majorityVoteCount"]) == ("rs0", 1, 1, 2)
    rows = [(row["name"], row["stateStr"], row["health"], row.get("self", False)) for row in status["members"]]
    assert rows == [
        ("h:1", "PRIMARY", 1.0, True),
        ("h:2", "(not reachable/healthy)", 0.0, False),
        ("h:3", "ARBITER", 1.0, False),
    ]
    seen = ask(group.members[1], {"replSetGetStatus": 1})
    assert [row["health"] for row in seen["members"]] == [0.0, 1.0, 0.0]
    assert seen["myState"] == 2


def test_step_down(ask: Ask, group: Membership) -> None:
    """The primary is none any more and waits for the given time."""
    first, second, _ = group.members
    assert ask(second, {"replSetStepDown": 60})["code"] == 10107
    assert ask(first, {"replSetStepDown": 60})["ok"] == 1.0
    assert group.primary is None
    assert first.waits_until == 160.0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"replSetStepDown": -1, "force": True}, 2),
        ({"replSetStepDown": 10}, 2),
        ({"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 6}, 2),
        ({"replSetStepDown": "x"}, 14),
        ({"replSetStepDown": 60, "unknown": 1}, 40415),
        ({"replSetFreeze": 5}, 95),
        ({"replSetFreeze": -5}, 2),
    ],
)
def test_what_a_primary_refuses(ask: Ask, group: Membership, command: dict[str, Any], code: int) -> None:
    """With mongod's codes, and it stays primary."""
    reply = ask(group.members[0], command)
    assert (reply["ok"], reply["code"]) == (0.0, code)
    assert group.primary is group.members[0]


def test_nobody_to_take_over(ask: Ask, group: Membership) -> None:
    """Without `force` the primary stays if no other member can be elected."""
    first, second, _ = group.members
    assert ask(second, {"replSetFreeze": 60})["ok"] == 1.0
    assert ask(first, {"replSetStepDown": 60})["code"] == 262
    assert ask(first, {"replSetStepDown": 60, "force": True})["ok"] == 1.0
    assert ask(second, {"replSetFreeze": 0})["info"] == "unfreezing"
    assert list(group.ready()) == [second]


def test_elsewhere(ask: Ask, state: ServerState) -> None:
    """Other servers are no members of a set."""
    for command in ("replSetGetStatus", "replSetStepDown", "replSetFreeze"):
        assert ask(Mongos(ClusterClock(state.now)), {command: 1})["code"] == 76


def test_what_a_reply_tells_of_the_time(ask: Ask, group: Membership) -> None:
    """Errors too; a write moves operationTime on, a client's `$clusterTime` does not."""
    first, second, _ = group.members
    before = ask(first, {"ping": 1})
    after = ask(first, {"insert": "users", "documents": [{}]}, "app")
    assert after["operationTime"] > before["operationTime"]
    refused = ask(second, {"insert": "users", "documents": [{}]}, "app")
    assert (refused["code"], refused["operationTime"]) == (10107, after["operationTime"])
    assert refused["topologyVersion"] == second.topology_version.document
    later = bson.Timestamp(after["operationTime"].time + 50, 1)
    heard = ask(first, {"ping": 1, "$clusterTime": {"clusterTime": later}})
    assert heard["$clusterTime"]["clusterTime"] == later
    assert heard["operationTime"] == after["operationTime"]


def test_a_load_balanced_service(ask: Ask, state: ServerState) -> None:
    """It tells who of all has answered, once, and lets nobody in who does not know of the load balancer."""
    node = Mongos(ClusterClock(state.now), load_balanced=True)
    reply = ask(node, {"hello": 1, "loadBalanced": True})
    assert (reply["serviceId"], reply["msg"]) == (node.service_id, "isdbgrid")
    assert ask(node, {"hello": 1})["code"] == 354
    assert "serviceId" not in ask(Mongos(ClusterClock(state.now)), {"hello": 1, "loadBalanced": True})
