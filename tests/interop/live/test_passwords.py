"""User and password against a real server, beside a client certificate for TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from live_server import LiveServer

from aiomongo_tls import AsyncClient, AuthenticationFailed, OperationFailure

NAME, PASSWORD = "root", "s3cret"


@pytest.fixture
def guarded(another: Callable[..., LiveServer]) -> LiveServer:
    """A server with a user."""
    return another(user=(NAME, PASSWORD))


def without_user(uri: str) -> str:
    """The same server, as nobody."""
    return uri.replace(urlsplit(uri).netloc, urlsplit(uri).netloc.rpartition("@")[2])


@pytest.fixture
async def mechanisms(guarded: LiveServer) -> list[str]:
    """What the server says it has for the user."""
    async with AsyncClient.connect(without_user(guarded.uri())) as client:
        hello = await client.admin.command({"hello": 1, "saslSupportedMechs": f"admin.{NAME}"})
    found: list[str] = hello.get("saslSupportedMechs", [])
    return found


@pytest.mark.parametrize("mechanism", [None, "SCRAM-SHA-256", "SCRAM-SHA-1"], ids=str)
async def test_logging_in(guarded: LiveServer, mechanisms: list[str], mechanism: str | None) -> None:
    """By the mechanism that is asked for, or the best that the server has."""
    if mechanism is not None and mechanism not in mechanisms:
        pytest.skip(f"hello says that the user has {mechanisms}")
    async with AsyncClient.connect(guarded.uri(authMechanism=mechanism)) as client:
        await client["app"]["things"].insert_one({"_id": 1})
        assert await client["app"]["things"].find_one({}) == {"_id": 1}
        status = await client.admin.command("connectionStatus")
        assert [user["user"] for user in status["authInfo"]["authenticatedUsers"]] == [NAME]


@pytest.mark.parametrize("mechanism", [None, "SCRAM-SHA-256", "SCRAM-SHA-1"], ids=str)
@pytest.mark.parametrize(("name", "password"), [(NAME, "wrong"), ("nobody", PASSWORD)], ids=["password", "name"])
async def test_a_wrong_one(
    guarded: LiveServer, mechanisms: list[str], name: str, password: str, mechanism: str | None
) -> None:
    """Refused at once, naming the user; no password in the text."""
    if mechanism is not None and mechanism not in mechanisms:
        pytest.skip(f"hello says that the user has {mechanisms}")
    uri = without_user(guarded.uri(authMechanism=mechanism))
    with pytest.raises(AuthenticationFailed) as caught:
        await AsyncClient.connect(uri, username=name, password=password)
    assert name in str(caught.value)
    assert password not in str(caught.value)
    assert caught.value.code == 18


async def test_nobody(guarded: LiveServer) -> None:
    """Without a user the server does nothing, and says so."""
    async with AsyncClient(without_user(guarded.uri())) as client:
        with pytest.raises(OperationFailure) as caught:
            await client["app"]["things"].find_one({})
    assert caught.value.code in (13, 18)


async def test_many_connections(guarded: LiveServer) -> None:
    """Each of a pool logs in."""
    async with AsyncClient.connect(guarded.uri()) as client:
        things: Any = client["app"]["things"]
        await asyncio.gather(*(things.insert_one({"_id": n}) for n in range(30)))
        assert await things.count_documents({}) == 30
