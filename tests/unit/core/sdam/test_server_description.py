"""What is known of one server."""

from __future__ import annotations

import datetime
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from descriptions import at

from aiomongo_tls.core.sdam.server_description import ServerDescription, description_of, load_balancer, unknown
from aiomongo_tls.core.sdam.topology_version import TopologyVersion
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import AutoReconnect, MongoError, NetworkTimeout, NotPrimaryError, OperationFailure

A = at("a")
ELECTION, RUN = ObjectId(), ObjectId()
PRIMARY: dict[str, Any] = {
    "ok": 1.0,
    "isWritablePrimary": True,
    "secondary": False,
    "setName": "rs",
    "setVersion": 3,
    "electionId": ELECTION,
    "me": "A:27017",
    "primary": "A:27017",
    "hosts": ["A:27017", "b:27018"],
    "passives": ["[FE80::1]:27019"],
    "arbiters": ["d"],
    "tags": {"dc": "east"},
    "lastWrite": {"lastWriteDate": datetime.datetime(1970, 1, 1, 0, 1, 0, 500_000)},
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "logicalSessionTimeoutMinutes": 30,
    "topologyVersion": {"processId": RUN, "counter": Int64(7)},
}


def described(reply: dict[str, Any], **timing: Any) -> ServerDescription:
    return description_of(A, reply, **{"round_trip_time": 0.01, "now": 5.0, **timing})


def test_whole_reply() -> None:
    """Every field lands in its place; host names are in lower case."""
    server = described(PRIMARY, min_round_trip_time=0.002)
    assert server == ServerDescription(
        address=A,
        server_type=ServerType.RS_PRIMARY,
        min_wire_version=0,
        max_wire_version=21,
        me=A,
        hosts=frozenset({A, at("b:27018")}),
        passives=frozenset({at("[fe80::1]:27019")}),
        arbiters=frozenset({at("d:27017")}),
        tags={"dc": "east"},
        replica_set_name="rs",
        set_version=3,
        election_id=ELECTION,
        primary=A,
        logical_session_timeout_minutes=30,
        topology_version=TopologyVersion(RUN, 7),
    )
    assert (server.round_trip_time, server.min_round_trip_time, server.last_update_time) == (0.01, 0.002, 5.0)
    assert server.last_write_date == 60.5
    assert server.reply is PRIMARY
    assert server.all_hosts == {A, at("b:27018"), at("[fe80::1]:27019"), at("d")}


def test_smallest_reply() -> None:
    """A reply that says nothing is a standalone's, with the specification's defaults."""
    server = described({"ok": 1})
    assert server == ServerDescription(address=A, server_type=ServerType.STANDALONE)
    assert (server.last_write_date, server.tags, server.all_hosts) == (None, {}, frozenset())


@pytest.mark.parametrize(
    "date",
    [
        datetime.datetime(1970, 1, 1, 1, 1, 0, 500_000, datetime.timezone(datetime.timedelta(hours=1))),
        DatetimeMS(60_500),
    ],
)
def test_last_write_in_any_type_of_date(date: Any) -> None:
    """The date of the last write is read however the codec options decode dates."""
    assert described({"ok": 1, "lastWrite": {"lastWriteDate": date}}).last_write_date == 60.5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hosts": "a"}, "hosts"),
        ({"hosts": [1]}, "hosts"),
        ({"arbiters": ["a:99999"]}, "arbiters"),
        ({"passives": [""]}, "passives"),
        ({"me": 1}, "me ="),
        ({"primary": "a:b:c"}, "primary"),
        ({"setName": 1}, "setName"),
        ({"setVersion": "1"}, "setVersion"),
        ({"electionId": "1"}, "electionId"),
        ({"tags": []}, "tags"),
        ({"lastWrite": 1}, "lastWrite"),
        ({"lastWrite": {"lastWriteDate": 1}}, "lastWriteDate"),
        ({"maxWireVersion": -1}, "maxWireVersion"),
        ({"logicalSessionTimeoutMinutes": "30"}, "logicalSessionTimeoutMinutes"),
        ({"isWritablePrimary": "yes", "setName": "rs"}, "isWritablePrimary"),
    ],
)
def test_field_of_the_wrong_type(fields: dict[str, Any], message: str) -> None:
    """A field that cannot be understood fails the check, and is named."""
    with pytest.raises(MongoError, match=message):
        described({"ok": 1, **fields})


@pytest.mark.parametrize(
    ("reply", "cls"),
    [({"ok": 0, "errmsg": "no", "code": 1}, OperationFailure), ({"ok": 0, "code": 91}, NotPrimaryError)],
)
def test_failed_command(reply: dict[str, Any], cls: type[MongoError]) -> None:
    """A reply without `ok: 1` fails the check."""
    with pytest.raises(cls):
        described(reply)


def test_writable_primary_before_ismaster() -> None:
    """The old name counts only where the new one is missing."""
    assert described({**PRIMARY, "isWritablePrimary": False, "ismaster": True}).server_type is ServerType.RS_OTHER


@pytest.mark.parametrize(
    ("server_type", "data_bearing", "writable"),
    [
        (ServerType.UNKNOWN, False, False),
        (ServerType.STANDALONE, True, True),
        (ServerType.MONGOS, True, True),
        (ServerType.RS_PRIMARY, True, True),
        (ServerType.RS_SECONDARY, True, False),
        (ServerType.RS_ARBITER, False, False),
        (ServerType.RS_OTHER, False, False),
        (ServerType.RS_GHOST, False, False),
        (ServerType.LOAD_BALANCER, True, True),
    ],
)
def test_what_a_type_means(server_type: ServerType, data_bearing: bool, writable: bool) -> None:
    """A type says whether operations, and whether writes, can be sent to the server."""
    server = ServerDescription(address=A, server_type=server_type)
    assert (server.is_data_bearing, server.is_readable, server.is_writable) == (data_bearing, data_bearing, writable)
    assert server.is_server_type_known is (server_type is not ServerType.UNKNOWN)
    assert server.server_type_name == str(server_type)


class TestEquality:
    """Descriptions that say the same are equal."""

    @pytest.mark.parametrize(
        "change",
        [
            {"round_trip_time": 9.0},
            {"min_round_trip_time": 9.0},
            {"last_write_date": 9.0},
            {"last_update_time": 9.0},
            {"reply": None},
        ],
    )
    def test_what_differs_at_every_check(self, change: dict[str, Any]) -> None:
        """Times and the reply itself are no difference."""
        server = described(PRIMARY)
        assert replace(server, **change) == server
        assert hash(replace(server, **change)) == hash(server)

    @pytest.mark.parametrize(
        "change",
        [
            {"address": at("b")},
            {"server_type": ServerType.RS_SECONDARY},
            {"error": ValueError()},
            {"min_wire_version": 1},
            {"max_wire_version": 1},
            {"me": None},
            {"hosts": frozenset()},
            {"passives": frozenset()},
            {"arbiters": frozenset()},
            {"tags": {}},
            {"replica_set_name": "x"},
            {"set_version": None},
            {"election_id": None},
            {"primary": None},
            {"logical_session_timeout_minutes": None},
            {"topology_version": None},
        ],
    )
    def test_what_the_specification_compares(self, change: dict[str, Any]) -> None:
        """Every field that the specification marks is a difference."""
        server = described(PRIMARY)
        assert replace(server, **change) != server

    def test_same_error_again(self) -> None:
        """A server that fails twice in the same way is no news; one that fails in another way is."""
        assert unknown(A, error=AutoReconnect("reset", host=A)) == unknown(A, error=AutoReconnect("reset", host=A))
        assert unknown(A, error=AutoReconnect("reset", host=A)) != unknown(A, error=NetworkTimeout("reset", host=A))
        assert unknown(A, error=AutoReconnect("reset", host=A)) != unknown(A, error=AutoReconnect("refused", host=A))

    def test_other_things(self) -> None:
        """A description equals no other thing."""
        assert unknown(A) != A


def test_values() -> None:
    """A description cannot be changed, not even through its tags."""
    server = described(PRIMARY)
    with pytest.raises(FrozenInstanceError):
        server.error = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        server.tags["dc"] = "west"  # type: ignore[index]


def test_texts() -> None:
    """A description prints what one looks for first."""
    assert str(described(PRIMARY)) == "a:27017 RSPrimary rtt=10.0ms"
    assert str(unknown(A, error=AutoReconnect("reset"))) == "a:27017 Unknown error=reset"
    assert str(load_balancer(A)) == "a:27017 LoadBalancer"
