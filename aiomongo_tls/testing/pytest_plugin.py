"""The pytest plugin: fixtures `aiomongo_certs`, `aiomongo_server` and `aiomongo_replica_set`, marker `aiomongo`.

    def test_login(aiomongo_server):
        with pymongo.MongoClient(aiomongo_server.uri()) as client: ...

    @pytest.mark.aiomongo(tls="require", users=[])
    async def test_open_house(aiomongo_server): ...

    async def test_failover(aiomongo_replica_set):
        aiomongo_replica_set.kill(aiomongo_replica_set.primary)

The fixtures are synchronous and the server has a thread and a loop of its own, so they work in plain tests and under
pytest-asyncio and anyio in any mode and any scope of loops. Nothing but pytest is imported until a fixture is used:
pytest loads plugins in every run of every project that has this package installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiomongo_tls.testing.certs import CertKit
    from aiomongo_tls.testing.deployment.replica_set import ReplicaSet
    from aiomongo_tls.testing.server import MongoTestServer

_MARKER = (
    "aiomongo(tls='require_client', users=None, certificate=None, minimum_version=None, maximum_version=None, "
    "host='127.0.0.1', topology='standalone'): how the server of the fixture aiomongo_server is made; see "
    "aiomongo_tls.testing.MongoTestServer"
)
_OPTIONS = {"tls", "users", "certificate", "minimum_version", "maximum_version", "host", "topology"}


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def aiomongo_certs() -> CertKit:
    """A certificate authority for the whole run, and certificates from it: `aiomongo_certs.client("ada")`."""
    from aiomongo_tls.testing import CertKit

    return CertKit()


@pytest.fixture(scope="session")
def _aiomongo_servers(aiomongo_certs: CertKit) -> Iterator[dict[Any, MongoTestServer]]:
    """Running servers by how they were made: starting one costs more than resetting it."""
    servers: dict[Any, MongoTestServer] = {}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def aiomongo_server(
    request: pytest.FixtureRequest, aiomongo_certs: CertKit, _aiomongo_servers: dict[Any, MongoTestServer]
) -> Iterator[MongoTestServer]:
    """A running MongoDB server with fresh data, users, script and log; its certificates are from `aiomongo_certs`.

    Without the marker `aiomongo` it demands client certificates and has one user, whose certificate `uri()` and
    `connect()` use. Tests with equal markers share the listening socket, one after the other.
    """
    from aiomongo_tls.testing import MongoTestServer

    options = _options(request)
    key = tuple(sorted((name, _key(value)) for name, value in options.items()))
    server = _aiomongo_servers.get(key)
    if server is None:
        server = _aiomongo_servers[key] = MongoTestServer(ca=aiomongo_certs, **options)
    certificate = server.certificate if server.tls != "off" else None
    server.start()
    yield server
    # A test may have stopped the server or changed its certificate; the next one finds it as it was made.
    if certificate is not None and server.certificate is not certificate:
        server.rotate(certificate)
    server.reset()


@pytest.fixture
def aiomongo_replica_set(aiomongo_certs: CertKit) -> Iterator[ReplicaSet]:
    """A running replica set of three members, made anew for each test; its certificates are from `aiomongo_certs`."""
    from aiomongo_tls.testing import ReplicaSet

    with ReplicaSet(ca=aiomongo_certs) as made:
        yield made


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers say; that of the test wins over those of its class and module."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("aiomongo"))):
        if marker.args or set(marker.kwargs) - _OPTIONS:
            raise pytest.UsageError(f"the marker aiomongo takes the keywords {', '.join(sorted(_OPTIONS))}")
        options |= marker.kwargs
    return options


def _key(value: Any) -> Any:
    """Something hashable that is equal for equal options; certificates count as objects."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list | tuple | set) else value
