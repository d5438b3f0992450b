"""A replica set as plain state: who is primary, what each member says, what it refuses."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bson import ObjectId, Timestamp

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.membership import Member, MemberKind, Membership
from aiomongo_tls.testing.deployment.node import Placement
from aiomongo_tls.testing.failures import CommandError

DATA, PASSIVE, ARBITER = MemberKind.ELECTABLE, MemberKind.PASSIVE, MemberKind.ARBITER


class World:
    """A set of which every member is up, and its time."""

    def __init__(self, *kinds: MemberKind, tags: Any = ()) -> None:
        self.seconds = 1000.0
        self.wall = datetime.datetime(2026, 5, 6, 7, 8, 9, 500_000)
        self.clock = ClusterClock(lambda: self.wall)
        self.set = Membership("rs0", self.clock, lambda: self.seconds, kinds or (DATA, DATA, DATA), tags)
        self.members = self.set.members
        for number, member in enumerate(self.members):
            member.started(ServerAddress("h", 1 + number))

    @property
    def counters(self) -> list[int]:
        return [member.topology_version.counter for member in self.members]

    def hello(self, member: Member) -> dict[str, Any]:
        return member.hello("isWritablePrimary")


def code_of(member: Member, placement: Placement, **command: Any) -> int | None:
    try:
        member.check(placement, command)
    except CommandError as error:
        return error.code
    return None


def test_what_a_primary_says() -> None:
    """Everything that drivers read, in the form they read it."""
    world = World()
    world.set.elect(world.members[0])
    assert world.hello(world.members[0]) == {
        "hosts": ["h:1", "h:2", "h:3"],
        "setName": "rs0",
        "setVersion": 1,
        "isWritablePrimary": True,
        "secondary": False,
        "primary": "h:1",
        "me": "h:1",
        "electionId": ObjectId("7fffffff0000000000000001"),
        "lastWrite": {
            "opTime": {"ts": world.clock.last_write, "t": 1},
            "lastWriteDate": datetime.datetime(2026, 5, 6, 7, 8, 9),
            "majorityOpTime": {"ts": world.clock.last_write, "t": 1},
            "majorityWriteDate": datetime.datetime(2026, 5, 6, 7, 8, 9),
        },
    }


def test_what_the_others_say() -> None:
    """Secondaries, passive members and arbiters know the primary and say what they are."""
    world = World(DATA, DATA, PASSIVE, ARBITER, tags=[{}, {"dc": "east"}])
    world.set.elect(world.members[0])
    _, secondary, passive, arbiter = (world.hello(member) for member in world.members)
    for reply in (secondary, passive, arbiter):
        assert reply["hosts"] == ["h:1", "h:2"]
        assert (reply["passives"], reply["arbiters"]) == (["h:3"], ["h:4"])
        assert (reply["isWritablePrimary"], reply["primary"]) == (False, "h:1")
        assert "electionId" not in reply
    assert (secondary["secondary"], secondary["tags"]) == (True, {"dc": "east"})
    assert (passive["secondary"], passive["passive"]) == (True, True)
    assert (arbiter["secondary"], arbiter["arbiterOnly"]) == (False, True)
    assert arbiter["lastWrite"]["opTime"] == {"ts": Timestamp(0, 0), "t": -1}


def test_versions_count_what_hello_shows() -> None:
    """Each change of primary counts once at every member that sees it, and a write counts nowhere."""
    world = World()
    assert world.counters == [0, 0, 0]
    world.set.elect(world.members[0])
    assert world.counters == [1, 1, 1]
    world.members[0].wrote()
    world.set.refresh()
    assert world.counters == [1, 1, 1]
    world.set.step_down(60)
    world.set.elect(world.members[1])
    assert world.counters == [3, 3, 3]


def test_a_member_that_is_cut_off() -> None:
    """As primary it is none any more, and of the next election it hears when it is back."""
    world = World()
    first, second, _ = world.members
    world.set.elect(first)
    first.isolated()
    assert world.set.primary is None
    assert "primary" not in world.hello(first)
    world.set.elect(second)
    assert "primary" not in world.hello(first)
    assert world.counters == [2, 3, 3]
    first.healed()
    assert world.hello(first)["primary"] == "h:2"
    assert world.counters == [3, 3, 3]


def test_a_new_process_begins_to_count_afresh() -> None:
    """Its topologyVersion has another processId."""
    world = World()
    first = world.members[0]
    before = first.topology_version
    first.stopped()
    first.started(first.address)
    assert first.topology_version.process_id != before.process_id


def test_a_majority_is_needed() -> None:
    """A primary that sees too few members is none, whoever else is gone."""
    world = World()
    first, second, third = world.members
    world.set.elect(first)
    second.stopped()
    assert world.set.primary is first
    third.isolated()
    assert world.set.primary is None
    assert not world.set.has_majority


def test_arbiters_count_and_are_not_elected() -> None:
    """They vote; passive members do as well."""
    world = World(DATA, PASSIVE, ARBITER)
    assert list(world.set.candidates()) == [world.members[0]]
    world.members[0].stopped()
    assert world.set.has_majority
    assert list(world.set.candidates()) == []


def test_elections_go_round() -> None:
    """The member behind the last primary is asked first, those who wait are passed over."""
    world = World()
    first, second, third = world.members
    assert next(world.set.ready()) is first
    world.set.elect(first)
    world.set.step_down(60)
    assert list(world.set.ready()) == [second, third]
    world.set.freeze(second, 30)
    assert list(world.set.ready()) == [third]
    assert list(world.set.candidates()) == [second, third, first]
    world.seconds += 30
    assert list(world.set.ready()) == [second, third]
    world.seconds += 30
    assert list(world.set.ready()) == [second, third, first]


def test_election_ids_grow_with_the_term() -> None:
    """A later primary has the larger one; setVersion stays, since the configuration does."""
    world = World()
    ids = []
    for member in world.members:
        world.set.elect(member)
        ids.append(world.hello(member)["electionId"])
    assert ids == sorted(ids)
    assert len(set(ids)) == 3
    assert world.set.set_version == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({}, 13435),
        ({"$readPreference": {"mode": "primary"}}, 13435),
        ({"$readPreference": {"mode": "secondary"}}, None),
        ({"$readPreference": {"mode": "primaryPreferred"}}, None),
        ({"$readPreference": {"mode": "nearest"}, "readConcern": {"level": "linearizable"}}, 10107),
    ],
)
def test_reads_of_a_secondary(command: dict[str, Any], code: int | None) -> None:
    """They need a read preference that allows it."""
    world = World()
    world.set.elect(world.members[0])
    assert code_of(world.members[0], Placement.READ, **command) is None
    assert code_of(world.members[1], Placement.READ, **command) == code


def test_writes_need_the_primary() -> None:
    """Everybody else answers 10107; what is for any member is taken by any."""
    world = World(DATA, DATA, ARBITER)
    first, second, arbiter = world.members
    world.set.elect(first)
    assert code_of(first, Placement.WRITE) is None
    assert code_of(second, Placement.WRITE) == code_of(arbiter, Placement.WRITE) == 10107
    assert code_of(arbiter, Placement.READ, **{"$readPreference": {"mode": "nearest"}}) == 13436
    assert [code_of(member, Placement.ANYWHERE) for member in world.members] == [None] * 3


@pytest.mark.parametrize(
    ("concern", "code"), [({}, None), ({"w": "majority"}, None), ({"w": 2}, None), ({"w": 3}, 100), ({"w": "x"}, 79)]
)
def test_write_concerns(concern: dict[str, Any], code: int | None) -> None:
    """What cannot be satisfied is told behind the write; arbiters do not count."""
    world = World(DATA, DATA, ARBITER)
    error = world.members[0].unmet({"writeConcern": concern})
    assert (error and error["code"]) == code


def test_a_write_concern_that_waits_for_a_dead_member() -> None:
    """It is over at once, as after wtimeout."""
    world = World()
    world.members[2].stopped()
    error = world.members[0].unmet({"writeConcern": {"w": 3, "wtimeout": 50}})
    assert error is not None
    assert (error["code"], error["errInfo"]["wtimeout"]) == (64, True)


# The clock


def test_the_clock_never_goes_back() -> None:
    """Seconds of the day, and a counter within each of them."""
    world = World()
    clock = ClusterClock(lambda: world.wall)
    first = clock.time
    assert clock.tick() == Timestamp(first.time, first.inc + 1) == clock.last_write
    world.wall += datetime.timedelta(seconds=2)
    assert clock.tick() == Timestamp(first.time + 2, 1)
    world.wall -= datetime.timedelta(seconds=5)
    assert clock.tick() == Timestamp(first.time + 2, 2)


def test_the_clock_hears_of_others() -> None:
    """A client's time counts if it is later and not absurd; operationTime stays that of the last write."""
    clock = World().clock
    ahead = Timestamp(clock.time.time + 100, 7)
    clock.hear({"clusterTime": ahead})
    clock.hear({"clusterTime": Timestamp(5, 1)})
    assert clock.time == ahead > clock.last_write
    assert clock.gossip()["$clusterTime"]["clusterTime"] == ahead
    for wrong, code in (({}, 14), ("x", 14), ({"clusterTime": Timestamp(2**32 - 1, 1)}, 205)):
        with pytest.raises(CommandError) as caught:
            clock.hear(wrong)
        assert caught.value.code == code
