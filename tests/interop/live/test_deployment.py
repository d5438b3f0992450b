"""What a client makes of the deployment that a real server says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from live_server import LiveServer, Unsupported

from aiomongo_tls import AsyncClient, ConfigurationError, ServerSelectionTimeoutError, ServerType, TopologyType

SET = "rs0"


@pytest.fixture
def member(another: Callable[..., LiveServer]) -> LiveServer:
    """The only member of a replica set."""
    return another(replica_set=SET)


async def test_the_deployment(client: AsyncClient[Any]) -> None:
    """Its type is what hello says, and there is one server to write to."""
    # By its old name, which every server knows.
    hello = await client.admin.command("isMaster")
    description = client.topology_description
    assert description.has_writable_server()
    expected = TopologyType.REPLICA_SET_WITH_PRIMARY if "setName" in hello else None
    if expected is not None:
        assert description.topology_type is expected
        assert description.replica_set_name == hello["setName"]
    else:
        assert description.topology_type in (TopologyType.SINGLE, TopologyType.SHARDED, TopologyType.LOAD_BALANCED)


async def test_a_member_is_found_by_the_name_of_its_set(member: LiveServer) -> None:
    """Discovery over TLS where hello names the TLS port, else without TLS where it names the other one."""
    async with AsyncClient.connect(member.uri(directConnection=True)) as client:
        (host,) = (await client.admin.command("hello"))["hosts"]
    uri = member.uri(replicaSet=SET)
    if host not in uri:
        try:
            uri = member.plain_uri(replicaSet=SET)
        except Unsupported as error:
            pytest.skip(f"hello names {host}: {error}")
    async with AsyncClient.connect(uri) as client:
        await client["app"]["things"].insert_one({"_id": 1})
        description = client.topology_description
        assert description.topology_type is TopologyType.REPLICA_SET_WITH_PRIMARY
        assert {str(address) for address in description.server_descriptions()} == {host}
        assert await client.primary is not None
        for preference in ("secondaryPreferred", "nearest", "primaryPreferred"):
            async with AsyncClient.connect(uri, readPreference=preference) as reader:
                assert await reader["app"]["things"].find_one({}) == {"_id": 1}


async def test_a_direct_connection_to_a_member(member: LiveServer) -> None:
    """Over TLS, whatever other name the member gives itself."""
    async with AsyncClient.connect(member.uri(directConnection=True, replicaSet=SET)) as client:
        await client["app"]["things"].insert_one({"_id": 1})
        (server,) = client.topology_description.server_descriptions().values()
        assert server.server_type is ServerType.RS_PRIMARY
        assert server.replica_set_name == SET


async def test_the_wrong_set(member: LiveServer) -> None:
    """A member of another set is not used, and the error names both."""
    with pytest.raises(ConfigurationError) as caught:
        await AsyncClient.connect(member.uri(replicaSet="other", directConnection=True))
    assert SET in str(caught.value)
    assert "other" in str(caught.value)


async def test_a_member_that_names_the_port_without_tls(member: LiveServer) -> None:
    """A server that has TLS on one port and tells of the other: the error speaks of TLS, and of that host."""
    async with AsyncClient.connect(member.uri(directConnection=True)) as client:
        (host,) = (await client.admin.command("hello"))["hosts"]
    uri = member.uri(replicaSet=SET, serverSelectionTimeoutMS=2000, connectTimeoutMS=500)
    if host in uri:
        pytest.skip("hello names the port with TLS")
    with pytest.raises(ServerSelectionTimeoutError) as caught:
        await AsyncClient.connect(uri)
    assert host in str(caught.value)
    assert "TLS" in str(caught.value)


async def test_a_member_that_is_killed(member: LiveServer) -> None:
    """Its set has no primary until it is back."""
    async with AsyncClient.connect(member.uri(directConnection=True, replicaSet=SET)) as client:
        await client["app"]["things"].insert_one({"_id": 1})
        member.kill()
        await asyncio.to_thread(member.restart)
        assert (await client.ping())["ok"] == 1
        await client["app"]["things"].insert_one({"_id": 2})
