"""How a new description of one server changes the description of all.

What the official suite covers is not repeated here: this is about reasons, requests, SRV records, and what holds after
any sequence of replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from bson import ObjectId
from descriptions import at, server, topology
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.sdam.server_description import ServerDescription, load_balancer, unknown
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, initial
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.sdam.topology_version import TopologyVersion
from aiomongo_tls.core.sdam.transitions import Update, update, with_hosts
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import AutoReconnect, ConfigurationError, NotPrimaryError

A, B, C = at("a"), at("b"), at("c")
RUN = ObjectId()
OLD, NEW = ObjectId("000000000000000000000001"), ObjectId("000000000000000000000002")


def member(
    name: str, server_type: ServerType = ServerType.RS_SECONDARY, hosts: str = "abc", **fields: Any
) -> ServerDescription:
    return server(name, server_type, **{"replica_set_name": "rs", "hosts": frozenset(map(at, hosts)), **fields})


def primary(name: str, hosts: str = "abc", **fields: Any) -> ServerDescription:
    return member(name, ServerType.RS_PRIMARY, hosts, **{"election_id": OLD, "set_version": 1, **fields})


def after(first: TopologyDescription, *servers: ServerDescription) -> Update:
    result = Update(topology=first)
    for each in servers:
        result = update(result.topology, each)
    return result


class TestNotTakenOver:
    """What changes nothing."""

    def test_server_that_was_removed(self) -> None:
        """An answer from a server that does not belong to the topology any more is too late."""
        first = initial([A], replica_set="rs")
        result = update(first, member("b"))
        assert (result.topology is first, result.applied, result.requests_check) == (True, False, ())

    def test_answer_from_before(self) -> None:
        """An answer with an older topologyVersion of the same run is overtaken by what is known."""
        first = after(initial([A]), member("a", topology_version=TopologyVersion(RUN, 2))).topology
        result = update(first, primary("a", topology_version=TopologyVersion(RUN, 1)))
        assert (result.topology is first, result.applied) == (True, False)

    def test_same_answer_again(self) -> None:
        """An equal description is taken over all the same, for its times."""
        first = after(initial([A]), member("a", topology_version=TopologyVersion(RUN, 2), round_trip_time=1.0)).topology
        result = update(first, member("a", topology_version=TopologyVersion(RUN, 2), round_trip_time=2.0))
        assert result.applied
        assert result.topology == first
        assert result.topology.servers[A].round_trip_time == 2.0

    def test_load_balancer(self) -> None:
        """A load balancer stays one, whatever is heard of it."""
        first = initial([A], load_balanced=True)
        assert first.servers[A].server_type is ServerType.UNKNOWN
        described = update(first, load_balancer(A)).topology
        assert described.servers == {A: load_balancer(A)}
        for heard in (unknown(A, error=AutoReconnect("lost")), server("a", ServerType.MONGOS)):
            result = update(described, heard)
            assert (result.topology is described, result.applied) == (True, False)


class TestRefusals:
    """A server that does not belong here is refused with the reason, so that the user learns what to mend."""

    @pytest.mark.parametrize(
        ("first", "heard", "reason"),
        [
            (initial([A], replica_set="x"), primary("a"), "a:27017 is a member of replica set 'rs', not of 'x'"),
            (initial([A], replica_set="x"), member("a"), "a:27017 is a member of replica set 'rs', not of 'x'"),
            (
                initial([A], replica_set="x"),
                server("a", ServerType.STANDALONE),
                "a:27017 is of type Standalone and no member of replica set 'x'",
            ),
            (
                initial([A], replica_set="x"),
                server("a", ServerType.MONGOS),
                "a:27017 is of type Mongos and no member of replica set 'x'",
            ),
            (
                initial([A, B]),
                server("a", ServerType.STANDALONE),
                "a:27017 is a standalone server, which cannot be one of several hosts; connect to it alone",
            ),
            (
                topology(TopologyType.SHARDED, server("a", ServerType.MONGOS), server("b", ServerType.UNKNOWN)),
                member("b"),
                "b:27017 is of type RSSecondary, but the other servers are mongos routers",
            ),
            (
                initial([at("ip")]),
                primary("ip", "ab"),
                "ip:27017 is not among the members that its replica set names: a:27017, b:27017",
            ),
            (
                initial([at("ip")]),
                member("ip", me=A),
                "ip:27017 calls itself a:27017 in its replica set, which is the address to use",
            ),
        ],
    )
    def test_removed(self, first: TopologyDescription, heard: ServerDescription, reason: str) -> None:
        """The server is removed."""
        result = update(first, heard)
        assert result.applied
        assert heard.address not in result.topology.servers
        assert isinstance(result.refusal, ConfigurationError)
        assert str(result.refusal) == reason

    def test_direct_connection_to_another_set(self) -> None:
        """The one server of a direct connection stays, as Unknown with the reason."""
        first = initial([A], direct_connection=True, replica_set="x")
        for heard, reason in (
            (primary("a"), "a:27017 is a member of replica set 'rs', not of 'x'"),
            (server("a", ServerType.STANDALONE), "a:27017 is of type Standalone and no member of replica set 'x'"),
        ):
            result = update(first, heard)
            assert result.topology.servers[A] == unknown(A, error=ConfigurationError(reason))
            assert result.refusal is result.topology.servers[A].error
        assert update(first, member("a", replica_set_name="x")).refusal is None

    def test_direct_connection_to_a_set_that_is_not_initiated(self) -> None:
        """A member without a configuration may become the right one: that is no permanent fault."""
        result = update(initial([A], direct_connection=True, replica_set="x"), server("a", ServerType.RS_GHOST))
        assert isinstance(result.refusal, AutoReconnect)
        assert "no replica set configuration yet" in str(result.topology.servers[A])

    def test_nothing_to_say(self) -> None:
        """A server that belongs here is not refused."""
        assert after(initial([A]), primary("a")).refusal is None


class TestPrimaries:
    """There is at most one."""

    def test_newer_primary(self) -> None:
        """The old primary becomes Unknown with the reason, and is to be checked soon."""
        result = after(
            initial([A, B]), primary("a", last_update_time=1.0), primary("b", election_id=NEW, last_update_time=2.0)
        )
        old = result.topology.servers[A]
        assert (old.server_type, old.last_update_time) == (ServerType.UNKNOWN, 2.0)
        assert isinstance(old.error, NotPrimaryError)
        assert str(old.error) == "a:27017: primary marked stale due to discovery of newer primary"
        assert result.requests_check == (A,)
        assert result.topology.primary is result.topology.servers[B]
        assert result.refusal is None

    def test_newer_primary_without_the_old_one(self) -> None:
        """An old primary that the new one does not name is removed, and needs no check."""
        result = after(initial([A, B]), primary("a"), primary("b", "bc", election_id=NEW))
        assert list(result.topology.servers) == [B, C]
        assert result.requests_check == ()

    def test_stale_primary(self) -> None:
        """A primary of an earlier election becomes Unknown with the reason; the newer one stays."""
        result = after(initial([A, B]), primary("b", election_id=NEW), primary("a"))
        assert str(result.topology.servers[A].error) == (
            "a:27017: primary marked stale due to electionId/setVersion mismatch, "
            "(000000000000000000000001, 1) is stale compared to (000000000000000000000002, 1)"
        )
        assert result.topology.primary is result.topology.servers[B]
        assert result.requests_check == ()

    def test_primary_that_turns_out_stale(self) -> None:
        """A primary that tells of an earlier election than before is none, and then there is none."""
        result = after(initial([A]), primary("a", election_id=NEW), primary("a"))
        assert result.topology.topology_type is TopologyType.REPLICA_SET_NO_PRIMARY

    def test_primary_that_calls_itself_otherwise(self) -> None:
        """Beside a primary, too, a member has to be what it calls itself; if it was the primary, there is none left."""
        beside = after(initial([A, B]), primary("a"), member("b", me=C))
        assert (B in beside.topology.servers, beside.topology.primary) == (False, beside.topology.servers[A])
        result = after(initial([A]), primary("a"), member("a", me=B))
        assert result.topology.topology_type is TopologyType.REPLICA_SET_NO_PRIMARY
        assert list(result.topology.servers) == [B, C]


class TestHosts:
    """Hosts from SRV records."""

    @staticmethod
    def first_ones(hosts: Sequence[ServerAddress], number: int) -> Sequence[ServerAddress]:
        return hosts[:number]

    def polled(self, first: TopologyDescription, hosts: str, max_hosts: int = 0) -> TopologyDescription:
        return with_hosts(first, [at(name) for name in hosts], max_hosts=max_hosts, sample=self.first_ones)

    @pytest.mark.parametrize("topology_type", [TopologyType.SHARDED, TopologyType.UNKNOWN])
    def test_new_and_gone(self, topology_type: TopologyType) -> None:
        """Hosts that are listed stay as they are, new ones are Unknown, others are removed."""
        known = server("b", ServerType.MONGOS)
        result = self.polled(topology(topology_type, server("a", ServerType.MONGOS), known), "bcd")
        assert result.servers == {B: known, C: unknown(C), at("d"): unknown(at("d"))}
        assert result.servers[B] is known

    def test_limit(self) -> None:
        """With srvMaxHosts only the places that became free are drawn for."""
        first = topology(TopologyType.SHARDED, server("a", ServerType.MONGOS), server("b", ServerType.MONGOS))
        assert list(self.polled(first, "bcd", max_hosts=2).servers) == [B, C]
        assert list(self.polled(first, "abcd", max_hosts=2).servers) == [A, B]
        assert list(self.polled(first, "abcd", max_hosts=1).servers) == [A, B]

    @pytest.mark.parametrize("topology_type", sorted(set(TopologyType) - {TopologyType.SHARDED, TopologyType.UNKNOWN}))
    def test_other_deployments(self, topology_type: TopologyType) -> None:
        """A replica set tells its members itself, and a direct connection stays where it is."""
        first = topology(topology_type, server("a", ServerType.UNKNOWN))
        assert self.polled(first, "bc") is first

    def test_only_gone_or_only_new(self) -> None:
        """Hosts may go without others in their place, and come without others going."""
        first = topology(TopologyType.SHARDED, server("a", ServerType.MONGOS), server("b", ServerType.MONGOS))
        assert list(self.polled(first, "b").servers) == [B]
        assert list(self.polled(first, "abc").servers) == [A, B, C]

    def test_nothing_new(self) -> None:
        """The same hosts, or none at all, are no change."""
        first = topology(TopologyType.SHARDED, server("a", ServerType.MONGOS), server("b", ServerType.UNKNOWN))
        assert self.polled(first, "ba") is first
        assert self.polled(first, "") is first


NAMES = "abcd"
replies = st.builds(
    server,
    st.sampled_from(NAMES),
    st.sampled_from(sorted(set(ServerType) - {ServerType.POSSIBLE_PRIMARY, ServerType.LOAD_BALANCER})),
    replica_set_name=st.sampled_from(["rs", "rs", "rs", "other"]),
    hosts=st.frozensets(st.sampled_from([at(name) for name in NAMES])),
    me=st.none() | st.sampled_from([at(name) for name in NAMES]),
    election_id=st.sampled_from([None, OLD, NEW]),
    set_version=st.sampled_from([None, 1, 2]),
    max_wire_version=st.sampled_from([13, 21]),
    topology_version=st.none() | st.builds(TopologyVersion, st.sampled_from([OLD, NEW]), st.integers(0, 3)),
)
firsts = st.builds(
    lambda names, options: initial(
        [at(name) for name in (names if options != {"direct_connection": True} else "a")], **options
    ),
    st.sampled_from(["a", "ab", "abc"]),
    st.sampled_from([{}, {"replica_set": "rs"}, {"direct_connection": True}]),
)
sequences = st.lists(replies, max_size=12)


class TestInvariants:
    """What holds after any sequence of replies."""

    @given(firsts, sequences)
    def test_primaries(self, first: TopologyDescription, heard: list[ServerDescription]) -> None:
        """There is one primary where the type says so, and none where it does not."""
        here = first
        for each in heard:
            here = update(here, each).topology
            primaries = [s for s in here.servers.values() if s.server_type is ServerType.RS_PRIMARY]
            assert len(primaries) <= 1
            if here.topology_type is not TopologyType.SINGLE:
                assert bool(primaries) == (here.topology_type is TopologyType.REPLICA_SET_WITH_PRIMARY)
                assert here.primary is (primaries[0] if primaries else None)

    @given(firsts, sequences)
    def test_types_of_servers(self, first: TopologyDescription, heard: list[ServerDescription]) -> None:
        """A deployment holds only servers that can be in it, and a replica set only members of one name."""
        of_a_set = {ServerType.RS_PRIMARY, ServerType.RS_SECONDARY, ServerType.RS_ARBITER, ServerType.RS_OTHER}
        allowed = {
            TopologyType.UNKNOWN: {ServerType.UNKNOWN, ServerType.RS_GHOST},
            TopologyType.SHARDED: {ServerType.UNKNOWN, ServerType.RS_GHOST, ServerType.MONGOS},
            TopologyType.SINGLE: set(ServerType),
        }
        for here in self.course(first, heard):
            types = {s.server_type for s in here.servers.values()}
            assert types <= allowed.get(here.topology_type, of_a_set | {ServerType.UNKNOWN, ServerType.RS_GHOST})
            if here.topology_type is not TopologyType.SINGLE:
                assert {s.replica_set_name for s in here.servers.values() if s.server_type in of_a_set} <= {
                    here.replica_set_name
                }

    @given(sequences, st.sampled_from([None, "rs"]))
    def test_single(self, heard: list[ServerDescription], replica_set: str | None) -> None:
        """A direct connection keeps its one server and its type."""
        first = initial([A], direct_connection=True, replica_set=replica_set)
        for here in self.course(first, heard):
            assert (here.topology_type, list(here.servers)) == (TopologyType.SINGLE, [A])

    @given(firsts, sequences)
    def test_versions(self, first: TopologyDescription, heard: list[ServerDescription]) -> None:
        """A description is never replaced by an older one of the same run, unless the server is Unknown in between."""
        here = first
        for each in heard:
            before = here.servers.get(each.address)
            here = update(here, each).topology
            now = here.servers.get(each.address)
            if before is None or now is None or now.topology_version is None:
                continue
            assert not now.topology_version.is_older_than(before.topology_version)

    @given(firsts, sequences)
    def test_types_of_deployments(self, first: TopologyDescription, heard: list[ServerDescription]) -> None:
        """What a deployment is found to be it stays; only a primary comes and goes."""
        replica_set = {TopologyType.REPLICA_SET_NO_PRIMARY, TopologyType.REPLICA_SET_WITH_PRIMARY}
        found = first.topology_type
        for here in self.course(first, heard):
            if found is not TopologyType.UNKNOWN:
                assert here.topology_type in (replica_set if found in replica_set else {found})
            found = here.topology_type

    @given(firsts, sequences)
    def test_only_known_addresses(self, first: TopologyDescription, heard: list[ServerDescription]) -> None:
        """Servers stand under their addresses, only they are to be checked, and no description changes in place."""
        here = first
        for each in heard:
            before, servers = here, dict(here.servers)
            result = update(here, each)
            here = result.topology
            assert before.servers == servers
            assert all(address == s.address for address, s in here.servers.items())
            assert set(result.requests_check) <= set(here.servers)
            assert result.applied or here is before

    @staticmethod
    def course(first: TopologyDescription, heard: list[ServerDescription]) -> list[TopologyDescription]:
        course = [first]
        for each in heard:
            course.append(update(course[-1], each).topology)
        return course
