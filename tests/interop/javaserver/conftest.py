"""Our client against mongo-java-server: what only this server can show, beside the suite in tests/interop/live.

It is the one that knows hello by its legacy name only, that speaks TLS by Java and Netty, that never asks a client for
its certificate, and that closes the connection where others answer with an error. Runs with the live suite, by
`nox -s javaserver`; without it nothing here is collected, and the live suite's line of the summary says so.

JavaServer.java is its program, pom.xml and jars.txt what that needs; tests/support/live_javaserver.py starts it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_javaserver import JavaServer
from live_server import SERVER_VARIABLE, ToolchainMissing

from aiomongo_tls import AsyncClient, AsyncCollection
from aiomongo_tls.testing import CertKit

Document = dict[str, Any]
Servers = Callable[..., JavaServer]

HERE = Path(__file__).parent
VERSIONS = ["TLSv1.2", "TLSv1.3"]

collect_ignore_glob = [] if os.environ.get(SERVER_VARIABLE) == "javaserver" else ["test_*.py"]

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: runs against a server that nobody here wrote")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            # The live suite counts them with its own.
            item.add_marker("live")


def only(version: str) -> dict[str, str]:
    """The security properties of a Java that speaks one version of TLS."""
    return {"jdk.tls.disabledAlgorithms": ", ".join(other for other in VERSIONS if other != version)}


@pytest.fixture(scope="session")
def kit() -> CertKit:
    """The authority of all servers here."""
    return CertKit()


@pytest.fixture(scope="session")
def server(kit: CertKit) -> Iterator[JavaServer]:
    """The server of most tests, with its data in memory."""
    try:
        made = JavaServer(kit, is_durable=False)
    except ToolchainMissing as error:
        pytest.skip(f"NOT RUN: {error}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def by_version(server: JavaServer, kit: CertKit) -> Iterator[Callable[[str], JavaServer]]:
    """The server that speaks a version of TLS, and no other."""
    made: dict[str, JavaServer] = {}

    def get(version: str) -> JavaServer:
        if version not in made:
            made[version] = JavaServer(kit, is_durable=False, security=only(version))
        return made[version]

    yield get
    for each in made.values():
        each.close()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Both versions of TLS."""
    return str(request.param)


@pytest.fixture
def tls_server(by_version: Callable[[str], JavaServer], version: str) -> JavaServer:
    """A server that speaks only `version`."""
    return by_version(version)


@pytest.fixture
def servers(server: JavaServer) -> Iterator[Servers]:
    """Makes further servers for this test alone; without arguments one like `server`, with an authority of its own."""
    made: list[JavaServer] = []

    def make(kit: CertKit | None = None, **kind: Any) -> JavaServer:
        made.append(JavaServer(kit or CertKit(), **({"is_durable": False} | kind)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
async def client(server: JavaServer) -> AsyncIterator[AsyncClient[Document]]:
    """A client of `server`."""
    async with AsyncClient.connect(server.uri()) as connected:
        yield connected


@pytest.fixture
def name() -> str:
    """The name of a collection that nobody else uses."""
    return f"things{next(_numbers)}"


@pytest.fixture
def things(client: AsyncClient[Document], name: str) -> AsyncCollection[Document]:
    """A collection that nobody else uses."""
    return client["javaserver"][name]
