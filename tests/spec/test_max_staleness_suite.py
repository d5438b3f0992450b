"""The max staleness suite."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson import json_util
from descriptions import at, preference_from, topology_from

from aiomongo_tls.core.sdam.selection import in_latency_window, suitable_servers
from aiomongo_tls.errors import ConfigurationError

SUITES = ["max-staleness/tests"]
LOCAL_THRESHOLD = 0.015


def test_max_staleness(case: dict[str, Any]) -> None:
    """Servers that lag too far behind are left out; a limit that cannot be kept is an error."""
    case = json_util.loads(json.dumps(case))
    topology = topology_from(case["topology_description"])
    heartbeat_frequency = case.get("heartbeatFrequencyMS", 10000) / 1000
    if case.get("error"):
        # Mode primary takes no limit, so that such a preference cannot even be made.
        with pytest.raises((ConfigurationError, TypeError), match=r"max_?[Ss]taleness"):
            suitable_servers(
                topology, preference_from(case["read_preference"]), heartbeat_frequency=heartbeat_frequency
            )
        return
    preference = preference_from(case["read_preference"])
    suitable = suitable_servers(topology, preference, heartbeat_frequency=heartbeat_frequency)
    assert {server.address for server in suitable} == {at(server["address"]) for server in case["suitable_servers"]}
    assert {server.address for server in in_latency_window(suitable, LOCAL_THRESHOLD)} == {
        at(server["address"]) for server in case["in_latency_window"]
    }
