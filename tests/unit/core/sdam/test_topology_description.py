"""What is known of a deployment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId
from descriptions import at, server, topology

from aiomongo_tls.core.options.read_preference import Nearest, ReadPreference, Secondary
from aiomongo_tls.core.sdam.topology_description import NO_TOPOLOGY, TopologyDescription, initial
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ConfigurationError

A, B, C = at("a"), at("b"), at("c")
WITH_PRIMARY = TopologyType.REPLICA_SET_WITH_PRIMARY


@pytest.mark.parametrize(
    ("options", "topology_type"),
    [
        ({}, TopologyType.UNKNOWN),
        ({"direct_connection": True}, TopologyType.SINGLE),
        ({"direct_connection": True, "replica_set": "rs"}, TopologyType.SINGLE),
        ({"replica_set": "rs"}, TopologyType.REPLICA_SET_NO_PRIMARY),
        ({"load_balanced": True}, TopologyType.LOAD_BALANCED),
    ],
)
def test_initial(options: dict[str, Any], topology_type: TopologyType) -> None:
    """The options say what a deployment is to begin with; its servers are Unknown."""
    first = initial([A], **options)
    assert first.topology_type is topology_type
    assert first.replica_set_name == options.get("replica_set")
    assert first.servers == {A: server("a", ServerType.UNKNOWN)}
    assert (first.max_set_version, first.max_election_id, first.compatibility_error) == (None, None, None)
    assert not first.has_known_servers
    assert first.common_wire_version is None


def test_a_seed_given_twice() -> None:
    """Seeds are counted once each, in their order."""
    first = initial([B, A, B])
    assert list(first.servers) == [B, A]
    assert first.seed_count == 2


def test_public_face() -> None:
    """PyMongo's names say what is there."""
    primary, secondary = server("a", ServerType.RS_PRIMARY), server("b", ServerType.RS_SECONDARY, max_wire_version=9)
    here = topology(WITH_PRIMARY, primary, secondary, server("c", ServerType.UNKNOWN))
    assert here.topology_type_name == "ReplicaSetWithPrimary"
    assert here.primary is primary
    assert here.known_servers == [primary, secondary]
    assert here.common_wire_version == 9
    assert list(here.server_descriptions()) == [A, B, C]
    here.server_descriptions().clear()
    assert len(here.servers) == 3


class TestReadableAndWritable:
    """The specification's table of readable and writable servers."""

    @pytest.mark.parametrize(
        ("topology_type", "server_type", "readable", "readable_secondary", "writable"),
        [
            (TopologyType.UNKNOWN, ServerType.UNKNOWN, False, False, False),
            (TopologyType.SINGLE, ServerType.UNKNOWN, False, False, False),
            (TopologyType.SINGLE, ServerType.RS_SECONDARY, True, True, True),
            (TopologyType.REPLICA_SET_NO_PRIMARY, ServerType.RS_SECONDARY, False, True, False),
            (WITH_PRIMARY, ServerType.RS_PRIMARY, True, False, True),
            (TopologyType.SHARDED, ServerType.MONGOS, True, True, True),
            (TopologyType.SHARDED, ServerType.UNKNOWN, False, False, False),
            (TopologyType.LOAD_BALANCED, ServerType.LOAD_BALANCER, True, True, True),
        ],
    )
    def test_table(
        self,
        topology_type: TopologyType,
        server_type: ServerType,
        readable: bool,
        readable_secondary: bool,
        writable: bool,
    ) -> None:
        """Topology type, server type and read preference decide."""
        here = topology(topology_type, server("a", server_type))
        assert here.has_readable_server() is readable
        assert here.has_readable_server(ReadPreference.SECONDARY) is readable_secondary
        assert here.has_writable_server() is writable

    def test_tags_and_staleness(self) -> None:
        """The whole read preference counts."""
        stale = server("b", ServerType.RS_SECONDARY, tags={"dc": "east"}, last_write_date=0.0, last_update_time=200.0)
        primary = server("a", ServerType.RS_PRIMARY, last_write_date=200.0, last_update_time=200.0)
        here = topology(WITH_PRIMARY, primary, stale)
        assert here.has_readable_server(Secondary(tag_sets=[{"dc": "east"}]))
        assert not here.has_readable_server(Secondary(tag_sets=[{"dc": "west"}]))
        assert not here.has_readable_server(Secondary(max_staleness=100))
        assert here.has_readable_server(Nearest(max_staleness=100))
        with pytest.raises(ConfigurationError, match="at least 130"):
            here.has_readable_server(Nearest(max_staleness=100), heartbeat_frequency=120.0)


class TestTakesOperations:
    """Whose pool is to be ready."""

    @pytest.mark.parametrize("server_type", ServerType)
    def test_data_bearing_servers(self, server_type: ServerType) -> None:
        """Operations go to servers with data; a direct connection takes whatever answers."""
        one = server("a", server_type)
        assert topology(WITH_PRIMARY, one).takes_operations(A) is one.is_data_bearing
        assert topology(TopologyType.SINGLE, one).takes_operations(A) is one.is_server_type_known

    def test_removed(self) -> None:
        """Operations do not go to a server that is not there."""
        assert not NO_TOPOLOGY.takes_operations(A)


class TestCompatibility:
    """Wire versions that we and every server have in common."""

    def test_too_old(self) -> None:
        """An old server makes the whole deployment unusable, and is named."""
        here = topology(
            WITH_PRIMARY, server("a", ServerType.RS_PRIMARY), server("b", ServerType.RS_ARBITER, max_wire_version=7)
        )
        assert here.compatibility_error is not None
        assert here.compatibility_error.startswith(
            "Server at b:27017 reports wire version 7, "
            "but this version of aiomongo_tls requires at least 8 (MongoDB 4.2)."
        )
        with pytest.raises(ConfigurationError, match="b:27017"):
            here.check_compatible()

    def test_too_new(self) -> None:
        """So does one that is too new."""
        here = topology(
            TopologyType.SINGLE, server("a", ServerType.STANDALONE, min_wire_version=30, max_wire_version=31)
        )
        assert here.compatibility_error is not None
        assert here.compatibility_error.startswith(
            "Server at a:27017 requires wire version 30, but this version of aiomongo_tls only supports up to 29."
        )

    def test_what_is_not_known(self) -> None:
        """A server that has not answered, and a load balancer, are no obstacle."""
        topology(TopologyType.UNKNOWN, server("a", ServerType.UNKNOWN)).check_compatible()
        topology(
            TopologyType.LOAD_BALANCED, server("a", ServerType.LOAD_BALANCER, max_wire_version=0)
        ).check_compatible()


@pytest.mark.parametrize(
    ("timeouts", "shortest"),
    [([], None), ([30], 30), ([30, 10, 20], 10), ([30, None], None), ([None], None)],
)
def test_session_timeout(timeouts: list[int | None], shortest: int | None) -> None:
    """The shortest timeout of the servers with data counts; one without sessions spoils it, an arbiter does not."""
    servers = [
        server(f"s{number}", ServerType.RS_SECONDARY, logical_session_timeout_minutes=minutes)
        for number, minutes in enumerate(timeouts)
    ]
    here = topology(TopologyType.REPLICA_SET_NO_PRIMARY, *servers, server("arbiter", ServerType.RS_ARBITER))
    assert here.logical_session_timeout_minutes == shortest


def test_equality() -> None:
    """Descriptions that say the same are equal, however long ago and however far away the servers are."""
    here = topology(WITH_PRIMARY, server("a", ServerType.RS_PRIMARY))
    again = topology(WITH_PRIMARY, server("a", ServerType.RS_PRIMARY, round_trip_time=1.0, last_update_time=1.0))
    assert here == again
    assert hash(here) == hash(again)
    assert here != topology(WITH_PRIMARY, server("a", ServerType.RS_PRIMARY, set_version=2))
    assert here != replace(here, replica_set_name="rs")
    assert here != replace(here, max_election_id=ObjectId())
    assert here != replace(here, topology_type=TopologyType.REPLICA_SET_NO_PRIMARY)


def test_values() -> None:
    """Neither a description nor its servers can be changed, nor through the dictionary it was made of."""
    servers = {A: server("a", ServerType.STANDALONE)}
    here = TopologyDescription(topology_type=TopologyType.SINGLE, servers=servers)
    servers.clear()
    assert list(here.servers) == [A]
    with pytest.raises(TypeError):
        del here.servers[A]  # type: ignore[attr-defined]


def test_texts() -> None:
    """A description prints its servers."""
    here = replace(topology(WITH_PRIMARY, server("a", ServerType.RS_PRIMARY)), replica_set_name="rs")
    assert str(here) == "ReplicaSetWithPrimary rs [a:27017 RSPrimary]"
    assert str(NO_TOPOLOGY) == "Unknown []"
