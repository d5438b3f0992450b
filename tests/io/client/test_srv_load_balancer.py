"""A load balancer of which only a TXT record tells: the client that was written without it behaves as with it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from srv_zone import StubResolver

from aiomongo_tls import AsyncClient
from aiomongo_tls.client import client as client_module
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.testing import MongoTestServer
from aiomongo_tls.topology.topology import Topology


async def test_cursors_and_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor keeps its connection, because only that leads to it; a write has a session and a number."""
    with MongoTestServer(topology="load_balanced", tls="off") as server:
        zone = StubResolver(
            {"_mongodb._tcp.lb.example.net": [f"one.lb.example.net:{server.address.port}"]},
            {"lb.example.net": [[b"loadBalanced=true"]]},
        )
        hosts = Resolver(lambda _host, port: [Endpoint(2, ("127.0.0.1", port))])
        monkeypatch.setattr(client_module, "Topology", partial(Topology, resolver=hosts, srv_resolver=zone))
        client: AsyncClient[dict[str, Any]]
        async with asyncio.timeout(10), AsyncClient("mongodb+srv://lb.example.net/?tls=false") as client:
            await client.app.users.insert_many([{"_id": number} for number in range(5)])
            assert client.topology_description.topology_type is TopologyType.LOAD_BALANCED
            (insert,) = server.commands_named("insert")
            assert {"lsid", "txnNumber"} <= insert.document.keys()
            cursor = client.app.users.find(batch_size=2)
            await cursor.next()
            (status,) = client.pool_status().values()
            assert status.in_use == 1
            assert len(await cursor.to_list()) == 4
            (status,) = client.pool_status().values()
            assert status.in_use == 0
