"""A client of the embedded server: TLS, MONGODB-X509."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiomongo_tls import AsyncClient, AsyncCollection
from aiomongo_tls.testing import MongoTestServer


@pytest.fixture
async def client(aiomongo_server: MongoTestServer) -> AsyncIterator[AsyncClient[dict[str, Any]]]:
    async with aiomongo_server.connect(serverSelectionTimeoutMS=5000) as connected:
        yield connected


@pytest.fixture
def users(client: AsyncClient[dict[str, Any]]) -> AsyncCollection[dict[str, Any]]:
    return client["app"]["users"]
