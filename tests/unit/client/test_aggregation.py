"""Aggregations, over a topology without a network."""

from __future__ import annotations

from typing import Any

import pytest
from fake_topology import FakeTopology, replica_set

from aiomongo_tls.client.aggregation import aggregated
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.client.settings import Settings
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.server_type import ServerType


@pytest.fixture
def topology() -> FakeTopology:
    """Nothing is known yet: it is opened to find out."""
    made = replica_set({"cursor": {"id": 0, "ns": "app.users", "firstBatch": []}}, server_type=ServerType.UNKNOWN)
    made.is_idle = False
    return made


async def test_one_deadline_for_finding_out_and_for_the_command(topology: FakeTopology) -> None:
    """TimeoutMS is the time of the whole operation."""
    options = ClientOptions(timeout=5.0, read_preference=ReadPreference.SECONDARY)
    executor = Executor(options, topology, lambda: bytes(16))  # type: ignore[arg-type]
    stages: list[dict[str, Any]] = [{"$match": {}}, {"$out": "others"}]
    await aggregated(executor, Settings.of(options), "app", "users", stages, None, {})
    opening, command = topology.deadlines
    assert opening is command
    executor.abort()
