"""The server selection suite: the logic, the choice within the latency window, average round trip times."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from descriptions import at, preference_from, topology_from

from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.sdam.rtt import RoundTripTimes
from aiomongo_tls.core.sdam.selection import choose, in_latency_window, suitable_servers

SUITES = [
    "server-selection/tests/server_selection",
    "server-selection/tests/in_window",
    "server-selection/tests/rtt",
]
LOCAL_THRESHOLD = 0.015
HEARTBEAT_FREQUENCY = 10.0


def check_logic(case: dict[str, Any]) -> None:
    suitable = suitable_servers(
        topology_from(case["topology_description"]),
        None if case["operation"] == "write" else preference_from(case["read_preference"]),
        deprioritized=[at(server["address"]) for server in case.get("deprioritized_servers", [])],
        heartbeat_frequency=HEARTBEAT_FREQUENCY,
    )
    assert {server.address for server in suitable} == {at(server["address"]) for server in case["suitable_servers"]}
    assert {server.address for server in in_latency_window(suitable, LOCAL_THRESHOLD)} == {
        at(server["address"]) for server in case["in_latency_window"]
    }


def check_choice(case: dict[str, Any]) -> None:
    busy = {at(server["address"]): server["operation_count"] for server in case["mocked_topology_state"]}
    topology = topology_from(case["topology_description"])
    suitable = suitable_servers(topology, ReadPreference.NEAREST, heartbeat_frequency=HEARTBEAT_FREQUENCY)
    window = in_latency_window(suitable, LOCAL_THRESHOLD)
    chance = random.Random(0)
    iterations = case["iterations"]
    chosen = Counter(
        choose(window, lambda server: busy[server.address], chance.sample).address for _ in range(iterations)
    )
    for address, expected in case["outcome"]["expected_frequencies"].items():
        tolerance = 0 if expected in (0, 1) else case["outcome"]["tolerance"]
        assert chosen[at(address)] / iterations == pytest.approx(expected, abs=tolerance)


def check_average(case: dict[str, Any]) -> None:
    times = RoundTripTimes()
    if case["avg_rtt_ms"] != "NULL":
        times.add(case["avg_rtt_ms"])
    times.add(case["new_rtt_ms"])
    assert times.average == pytest.approx(case["new_avg_rtt"])


def test_server_selection(case: dict[str, Any]) -> None:
    """The servers are found, drawn with the frequencies, or measured as the case says."""
    if "operation" in case:
        check_logic(case)
    elif "iterations" in case:
        check_choice(case)
    else:
        check_average(case)
