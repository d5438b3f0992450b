"""Where the prose tests of the specifications stand: those of deployments, which need no real cluster here.

Each row: specification, prose test, and the test for it, or in brackets why there is none. That what is named is there
is a test, too. Chapters of other specifications get their rows with their features. Where a prose test counts events of
commands, ours counts the commands that the servers have received, since command monitoring is not here yet.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

_MONITORING = "io/deployments/test_prose_monitoring.py"
_POOL = "io/deployments/test_prose_pool.py"
_SELECTION = "io/deployments/test_prose_selection.py"
_AGAIN = "io/deployments/test_prose_retries.py"
_RETRIES = "io/client/test_retries.py"
_SRV = "unit/core/uri/test_srv.py"
_POLLING = "io/topology/test_srv_monitor.py"

TABLE: list[tuple[str, str, str]] = [
    # Server discovery and monitoring: README, and the test plan in server-discovery-and-monitoring-tests.md
    ("sdam", "streaming 1", f"{_MONITORING}::test_streaming_1_heartbeats_are_processed_every_500_ms"),
    ("sdam", "RTT 1", f"{_MONITORING}::test_rtt_1_the_round_trip_time_is_updated_continuously"),
    ("sdam", "heartbeat 1", f"{_MONITORING}::test_heartbeat_1_the_event_comes_before_the_socket"),
    ("sdam", "all servers unavailable", f"{_MONITORING}::test_all_servers_unavailable"),
    ("sdam", "network error writing to primary", f"{_MONITORING}::test_network_error_writing_to_primary"),
    ("sdam", "not writable primary when reading", f"{_MONITORING}::test_not_writable_primary_when_reading"),
    ("sdam", "node is recovering when reading", f"{_MONITORING}::test_node_is_recovering_when_reading"),
    (
        "sdam",
        "node is recovering from a write concern error",
        f"{_MONITORING}::test_node_is_recovering_from_a_write_concern_error",
    ),
    ("sdam", "parsing errors: commands", "unit/core/sdam/test_application_errors.py::test_by_message"),
    ("sdam", "parsing errors: QueryFailure", "(a reply to OP_QUERY, which is not spoken)"),
    ("sdam", "topology discovery, existing behavior", f"{_MONITORING}::test_topology_discovery"),
    ("sdam", "direct connection", f"{_MONITORING}::test_direct_connection_to_a_secondary"),
    (
        "sdam",
        "minHeartbeatFrequencyMS",
        f"{_MONITORING}::test_monitors_sleep_at_least_half_a_second_between_checks",
    ),
    ("sdam", "connection pool management", f"{_MONITORING}::test_connection_pool_management"),
    ("sdam", "connection pool backpressure", f"{_POOL}::test_connection_pool_backpressure"),
    ("survive step down", "getMore iteration", f"{_MONITORING}::test_step_down_get_more_iteration"),
    ("survive step down", "the three errors", f"{_MONITORING}::test_step_down_errors"),
    # Connection monitoring and pooling
    ("cmap", "1", f"{_POOL}::test_1_pool_options_are_the_client_s"),
    ("cmap", "2", f"{_POOL}::test_2_pool_options_are_the_same_for_all_pools"),
    ("cmap", "3", f"{_POOL}::test_3_pool_options_in_the_uri"),
    ("cmap", "4", f"{_POOL}::test_4_listeners"),
    ("cmap", "5", f"{_POOL}::test_5_a_connection_that_cannot_be_set_up"),
    # Server selection
    ("selection", "validation of read preferences", "unit/core/uri/test_resolve.py::test_read_preference"),
    ("selection", "round trip time is reset", "unit/core/sdam/test_rtt.py::test_reset"),
    ("selection", "read preference for mongos", f"{_SELECTION}::test_passing_the_read_preference_to_mongos"),
    ("selection", "random selection of single-threaded drivers", "(there are no threads to be single of)"),
    ("selection", "operationCount-based selection", f"{_SELECTION}::test_operation_count_based_selection"),
    ("selection", "application-provided selector", f"{_SELECTION}::test_application_provided_server_selector"),
    # Max staleness
    ("staleness", "basic", f"{_SELECTION}::test_max_staleness_basic"),
    ("staleness", "mode primary", f"{_SELECTION}::test_no_max_staleness_with_mode_primary"),
    ("staleness", "-1", f"{_SELECTION}::test_no_max_staleness_as_minus_one"),
    ("staleness", "no validation", f"{_SELECTION}::test_max_staleness_is_validated_by_its_use"),
    ("staleness", "heartbeatFrequencyMS", f"{_SELECTION}::test_heartbeat_frequency_in_the_uri"),
    ("staleness", "lastWriteDate", f"{_SELECTION}::test_parse_last_write_date"),
    ("staleness", "direct connection to mongos", f"{_SELECTION}::test_passing_the_read_preference_to_mongos"),
    ("staleness", "mongos: mode, validation, too small", "(tests of the server, for its own repository)"),
    # SRV seedlist and polling
    ("srv", "seedlist 1", f"{_SRV}::test_names_of_one_and_two_parts"),
    ("srv", "seedlist 2 to 4", f"{_SRV}::test_hosts_elsewhere"),
    ("srv", "polling 1 to 5", f"{_POLLING}::test_hosts_follow_the_records"),
    ("srv", "polling 6 to 8", f"{_POLLING}::test_failures_leave_the_topology"),
    ("srv", "polling 9", f"{_POLLING}::test_load_balancers_are_not_polled"),
    ("srv", "polling 10 to 12", f"{_POLLING}::test_srv_max_hosts"),
    ("srv", "polling 13", f"{_POLLING}::test_custom_service_name"),
    # Retryable reads
    ("reads", "1", f"{_AGAIN}::test_pool_cleared_error"),
    ("reads", "2.1, 2.2", f"{_RETRIES}::test_a_sharded_cluster"),
    ("reads", "3.1 to 3.3", f"{_RETRIES}::test_retargeting"),
    ("reads", "4, 5", f"{_AGAIN}::test_errors_that_follow_an_overload"),
    # Retryable writes
    ("writes", "1", f"{_AGAIN}::test_retryable_writes_1_a_storage_engine_without_transaction_numbers"),
    ("writes", "2", f"{_AGAIN}::test_pool_cleared_error"),
    ("writes", "3", f"{_RETRIES}::test_the_write_concern_s_error_comes_first"),
    ("writes", "4, 5", f"{_RETRIES}::test_a_sharded_cluster"),
    ("writes", "6, cases 1 to 3", f"{_RETRIES}::test_which_error_is_raised"),
    ("writes", "6, case 4", f"{_RETRIES}::test_overload_caps_what_follows"),
    ("writes", "6, cases 4 and 5", f"{_AGAIN}::test_errors_that_follow_an_overload"),
    # Client backpressure
    ("backpressure", "1", f"{_AGAIN}::test_backpressure_1_pauses_grow"),
    ("backpressure", "1, by the clock", f"{_AGAIN}::test_backpressure_1_pauses_are_made"),
    ("backpressure", "2", "(removed from the specification)"),
    ("backpressure", "3, 4", f"{_RETRIES}::test_overload"),
    ("backpressure", "5", f"{_AGAIN}::test_backpressure_5_the_server_s_own_base"),
    # Load balancers
    (
        "load balancers",
        "all suites behind one",
        "(unified format, whose runner is not here yet; it has no prose tests)",
    ),
    ("load balancers", "end to end", "io/deployments/test_load_balanced.py::test_a_cursor_stays_with_its_mongos"),
]


@cache
def _names(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("specification", "prose_test", "where"), TABLE)
def test_prose(specification: str, prose_test: str, where: str) -> None:
    """What the table names is there; where it names nothing it says why."""
    if where.startswith("("):
        assert where.endswith(")")
        return
    path, _, name = where.partition("::")
    assert name in _names(TESTS / path)
