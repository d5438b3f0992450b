"""Which server serves an operation: what the official suites leave out."""

from __future__ import annotations

import random

import pytest
from descriptions import at, server, topology
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.options.read_preference import Nearest, ReadPreference, Secondary
from aiomongo_tls.core.sdam.selection import choose, in_latency_window, suitable_servers
from aiomongo_tls.core.sdam.server_description import ServerDescription
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, initial
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import ConfigurationError

PRIMARY = server("a", ServerType.RS_PRIMARY, round_trip_time=0.01, last_write_date=100.0, last_update_time=100.0)
SECONDARY = server("b", ServerType.RS_SECONDARY, round_trip_time=0.02, last_write_date=100.0, last_update_time=100.0)
RS = topology(TopologyType.REPLICA_SET_WITH_PRIMARY, PRIMARY, SECONDARY, server("c", ServerType.RS_ARBITER))


def select(
    here: TopologyDescription,
    preference: ReadPreference | None,
    deprioritized: str = "",
    heartbeat_frequency: float = 10.0,
) -> list[ServerDescription]:
    return suitable_servers(
        here,
        preference,
        deprioritized=[at(name) for name in deprioritized],
        heartbeat_frequency=heartbeat_frequency,
    )


def test_incompatible_server() -> None:
    """While any server is too old or too new nothing is selected."""
    here = topology(
        TopologyType.SHARDED, server("a", ServerType.MONGOS), server("b", ServerType.MONGOS, max_wire_version=7)
    )
    with pytest.raises(ConfigurationError, match="b:27017 reports wire version 7"):
        select(here, None)


def test_nothing_known() -> None:
    """Of seeds alone none is suitable."""
    assert select(initial([at("a")]), ReadPreference.NEAREST) == []


@pytest.mark.parametrize(
    ("preference", "deprioritized", "expected"),
    [
        (None, "a", [PRIMARY]),
        (ReadPreference.PRIMARY, "a", [PRIMARY]),
        (ReadPreference.PRIMARY_PREFERRED, "a", [SECONDARY]),
        (ReadPreference.PRIMARY_PREFERRED, "ab", [PRIMARY]),
        (ReadPreference.SECONDARY_PREFERRED, "b", [PRIMARY]),
        (ReadPreference.SECONDARY, "b", [SECONDARY]),
        (ReadPreference.NEAREST, "a", [SECONDARY]),
        (ReadPreference.NEAREST, "", [PRIMARY, SECONDARY]),
        (ReadPreference.NEAREST, "abc", [PRIMARY, SECONDARY]),
    ],
)
def test_deprioritized(
    preference: ReadPreference | None, deprioritized: str, expected: list[ServerDescription]
) -> None:
    """A server that failed before is taken only where no other will do."""
    assert select(RS, preference, deprioritized) == expected


class TestStaleness:
    """How far secondaries may lag behind."""

    def test_deprioritized_primary(self) -> None:
        """Staleness is measured by the primary, also where that is passed over."""
        behind = server("b", ServerType.RS_SECONDARY, last_write_date=0.0, last_update_time=100.0)
        here = topology(TopologyType.REPLICA_SET_WITH_PRIMARY, PRIMARY, behind)
        # Only the primary is left, passed over or not.
        assert select(here, Nearest(max_staleness=90), "a") == [PRIMARY]

    def test_no_last_write(self) -> None:
        """A secondary that does not tell its last write cannot be trusted to be fresh."""
        silent = server("b", ServerType.RS_SECONDARY)
        assert (
            select(topology(TopologyType.REPLICA_SET_WITH_PRIMARY, PRIMARY, silent), Secondary(max_staleness=90)) == []
        )
        assert select(topology(TopologyType.REPLICA_SET_NO_PRIMARY, silent), Secondary(max_staleness=90)) == []
        silent_primary = server("a", ServerType.RS_PRIMARY)
        here = topology(TopologyType.REPLICA_SET_WITH_PRIMARY, silent_primary, SECONDARY)
        assert select(here, Nearest(max_staleness=90)) == [silent_primary]

    def test_limit_is_inclusive(self) -> None:
        """A secondary exactly at the limit is taken, whatever floats make of its dates."""
        first = 1_700_000_000.123
        here = topology(
            TopologyType.REPLICA_SET_NO_PRIMARY,
            server("a", ServerType.RS_SECONDARY, last_write_date=first + 80),
            server("b", ServerType.RS_SECONDARY, last_write_date=first),
            server("c", ServerType.RS_SECONDARY, last_write_date=first - 0.001),
        )
        assert [each.address for each in select(here, Secondary(max_staleness=90))] == [at("a"), at("b")]

    def test_compared_with_secondaries(self) -> None:
        """Without a primary the latest secondary is the measure, not a hidden member and not one that does not tell."""
        here = topology(
            TopologyType.REPLICA_SET_NO_PRIMARY,
            server("a", ServerType.RS_SECONDARY, last_write_date=100.0),
            server("b", ServerType.RS_OTHER, last_write_date=900.0),
            server("c", ServerType.RS_SECONDARY),
        )
        assert [each.address for each in select(here, Secondary(max_staleness=90))] == [at("a")]

    @pytest.mark.parametrize(("limit", "heartbeat_frequency"), [(89, 10.0), (90, 80.001), (129, 120.0)])
    def test_limit_that_cannot_be_kept(self, limit: int, heartbeat_frequency: float) -> None:
        """The error names option, value and the least that is possible."""
        with pytest.raises(ConfigurationError, match=f"maxStalenessSeconds is {limit}, but has to be at least"):
            select(RS, Nearest(max_staleness=limit), heartbeat_frequency=heartbeat_frequency)

    def test_only_replica_sets(self) -> None:
        """A mongos judges staleness itself."""
        here = topology(TopologyType.SHARDED, server("a", ServerType.MONGOS))
        assert len(select(here, Nearest(max_staleness=1))) == 1


class TestServerSelector:
    """The application's own filter."""

    def test_filter(self) -> None:
        """It sees what is suitable, before the latency window, in a list of its own."""
        seen: list[list[ServerDescription]] = []

        def highest(servers: list[ServerDescription]) -> list[ServerDescription]:
            seen.append(list(servers))
            return [servers.pop()]

        def run() -> list[ServerDescription]:
            return suitable_servers(RS, ReadPreference.NEAREST, heartbeat_frequency=10.0, server_selector=highest)

        assert run() == run() == [SECONDARY]
        assert seen == [[PRIMARY, SECONDARY]] * 2

    def test_not_asked_for_nothing(self) -> None:
        """It is not asked while there is nothing to choose from."""
        here = initial([at("a")])
        assert suitable_servers(here, None, heartbeat_frequency=10.0, server_selector=lambda s: [s[0]]) == []


class TestLatencyWindow:
    """Servers that answer about as quickly as the quickest."""

    def times(self, *milliseconds: float | None) -> list[ServerDescription]:
        return [
            server(f"s{number}", ServerType.MONGOS, round_trip_time=None if each is None else each / 1000)
            for number, each in enumerate(milliseconds)
        ]

    @pytest.mark.parametrize(
        ("milliseconds", "kept"),
        [([], []), ([50], [0]), ([5, 20, 20.1], [0, 1]), ([30, 5, 10], [1, 2]), ([None], [0]), ([None, 30, 5], [0, 2])],
    )
    def test_window(self, milliseconds: list[float | None], kept: list[int]) -> None:
        """The limit is inclusive; a server without a time is kept."""
        servers = self.times(*milliseconds)
        assert in_latency_window(servers, 0.015) == [servers[number] for number in kept]

    @given(st.lists(st.floats(0, 10), min_size=1, max_size=6), st.floats(0, 1))
    def test_quickest(self, seconds: list[float], threshold: float) -> None:
        """The quickest is always in, and nobody who is slower by more than the threshold."""
        servers = self.times(*(each * 1000 for each in seconds))
        times = [each.round_trip_time or 0.0 for each in servers]
        window = [each.round_trip_time or 0.0 for each in in_latency_window(servers, threshold)]
        assert min(times) in window
        assert max(window) <= min(times) + threshold


class TestChoice:
    """One server for one operation."""

    def test_only_one(self) -> None:
        """Where there is one server nothing is drawn and nothing counted."""
        assert choose([PRIMARY], {}.__getitem__, lambda _servers, _number: []) is PRIMARY

    @pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (2, 2)])
    def test_less_to_do(self, first: int, second: int) -> None:
        """Of two that are drawn the one with less to do is taken; where both have the same, the first drawn."""
        busy = {PRIMARY.address: first, SECONDARY.address: second}
        drawn = choose(
            [PRIMARY, SECONDARY], lambda server: busy[server.address], lambda servers, number: list(servers)[:number]
        )
        assert drawn is (SECONDARY if second < first else PRIMARY)

    def test_every_server_is_chosen(self) -> None:
        """Idle servers share the work."""
        servers = [server(name, ServerType.MONGOS) for name in "abcd"]
        sample = random.Random(1).sample
        assert {choose(servers, lambda _: 0, sample).address for _ in range(200)} == {at(name) for name in "abcd"}
