"""Our client against a server that nobody here wrote: which one the environment says (tests/support/live_server.py).

Without one the folder is not even collected; one line of the summary says so. Every run has databases of its own, with
names that begin with a word of the run, and drops them at its end; every test has a collection of its own. What a
server cannot do is found out with PyMongo (tests/support/live_capabilities.py) and skips the tests that need it.

`AIOMONGO_TLS_TEST_MINIMUM` is how many tests have to pass for the run to be a success: without it a server that can do
nothing would be one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pymongo
import pytest
import uvloop
from live_capabilities import Capabilities
from live_server import NOT_RUN, LiveServer, ToolchainMissing, Unsupported, is_chosen, start

from aiomongo_tls import AsyncClient, AsyncCollection, AsyncDatabase
from aiomongo_tls.testing import CertKit

Document = dict[str, Any]

MINIMUM_VARIABLE = "AIOMONGO_TLS_TEST_MINIMUM"
HERE = Path(__file__).parent

collect_ignore_glob = [] if is_chosen() else ["test_*.py"]

# What touches connections and TLS is run on both event loops.
ON_BOTH_LOOPS = {"test_tls", "test_identities", "test_resumption", "test_rotation", "test_restart", "test_concurrency"}

_SERVER = pytest.StashKey[str]()
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: runs against a server that nobody here wrote")
    config.addinivalue_line("markers", "needs(*names): what the server must be able to do (live_capabilities.ATTEMPTS)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("live")


def pytest_asyncio_loop_factories(config: object, item: pytest.Item) -> Mapping[str, Callable[[], Any]]:
    loops: dict[str, Callable[[], Any]] = {"asyncio": asyncio.new_event_loop}
    return loops | {"uvloop": uvloop.new_event_loop} if item.path.stem in ON_BOTH_LOOPS else loops


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[LiveServer]:
    """The server of this run."""
    try:
        made = start()
    except ToolchainMissing as error:
        pytestconfig.stash[_SERVER] = f"NOT RUN ({error})"
        pytest.skip(f"NOT RUN: {error}")
    try:
        pytestconfig.stash[_SERVER] = f"{made.name}: {_told(made)}"
        yield made
    finally:
        made.close()


def _told(server: LiveServer) -> str:
    """What the server says that it is."""
    with pymongo.MongoClient[Document](server.uri(), serverSelectionTimeoutMS=20_000) as client:
        build = client.admin.command("buildInfo")
        # By its old name, which every server knows.
        hello = client.admin.command("isMaster")
    # A server that is not MongoDB's own tells its version in a field of its own.
    own = [name for name, value in build.items() if name.endswith("Version") and isinstance(value, str)]
    return ", ".join(
        [
            f"buildInfo version {build['version']}",
            *(f"{name} {build[name]}" for name in (*own, "modules") if build.get(name)),
            f"wire version {hello['maxWireVersion']}",
            f"replica set {hello['setName']}" if "setName" in hello else hello.get("msg", "standalone"),
        ]
    )


@pytest.fixture(scope="session")
def witness(server: LiveServer) -> Iterator[pymongo.MongoClient[Document]]:
    """PyMongo, connected to the same server."""
    with pymongo.MongoClient[Document](server.uri(), serverSelectionTimeoutMS=20_000) as client:
        yield client


@pytest.fixture(scope="session")
def run(witness: pymongo.MongoClient[Document]) -> Iterator[str]:
    """The word with which the names of this run's databases begin; they are dropped at its end."""
    word = f"aiomongo_tls_{uuid.uuid4().hex[:10]}"
    yield word
    for name in witness.list_database_names():
        if name.startswith(word):
            witness.drop_database(name)


@pytest.fixture(scope="session")
def capabilities(witness: pymongo.MongoClient[Document], run: str) -> Capabilities:
    """What the server can do."""
    return Capabilities(witness, f"{run}_capabilities")


@pytest.fixture(autouse=True)
def has_what_is_needed(request: pytest.FixtureRequest) -> None:
    """Skips a test that needs what the server cannot do."""
    for mark in request.node.iter_markers("needs"):
        capabilities: Capabilities = request.getfixturevalue("capabilities")
        for name in mark.args:
            if reason := capabilities.missing(name):
                pytest.skip(reason)


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[AsyncClient[Document]]:
    """A client of the server."""
    async with AsyncClient.connect(server.uri()) as connected:
        yield connected


@pytest.fixture
def database(client: AsyncClient[Document], run: str) -> AsyncDatabase[Document]:
    """The database of the run."""
    return client[run]


@pytest.fixture
def name(run: str, witness: pymongo.MongoClient[Document]) -> Iterator[str]:
    """The name of a collection that nobody else uses, dropped after the test."""
    made = f"things{next(_numbers)}"
    yield made
    witness[run].drop_collection(made)


@pytest.fixture
def things(database: AsyncDatabase[Document], name: str) -> AsyncCollection[Document]:
    """A collection that nobody else uses."""
    return database[name]


@pytest.fixture
def kit(server: LiveServer) -> CertKit:
    """The authority of the server's certificate and of its clients'."""
    if server.kit is None:
        pytest.skip("a given URI comes without the authority that could issue certificates for it")
    return server.kit


@pytest.fixture
def demanding(server: LiveServer, kit: CertKit) -> LiveServer:
    """A server that accepts nobody without a certificate."""
    if not server.demands_client_certificate:
        pytest.skip("the server does not ask for client certificates")
    return server


@pytest.fixture
def another(server: LiveServer) -> Iterator[Callable[..., LiveServer]]:
    """Makes further servers of the same kind, for this test alone."""
    made: list[LiveServer] = []

    def make(**kind: Any) -> LiveServer:
        try:
            made.append(server.another(**kind))
        except Unsupported as error:
            pytest.skip(str(error))
        return made[-1]

    yield make
    for each in made:
        each.close()


def _outcomes(config: pytest.Config) -> dict[str, int]:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return {
        outcome: sum("live" in getattr(report, "keywords", ()) for report in reporter.stats.get(outcome, ()))
        for outcome in ("passed", "failed", "error", "skipped")
    }


def _is_short(config: pytest.Config) -> bool:
    return _outcomes(config)["passed"] < int(os.environ.get(MINIMUM_VARIABLE) or 0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if is_chosen() and _is_short(session.config) and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not is_chosen():
        terminalreporter.write_line(NOT_RUN)
        return
    counts = ", ".join(f"{count} {outcome}" for outcome, count in _outcomes(config).items())
    terminalreporter.write_line(f"live suite: {counts}; {config.stash.get(_SERVER, 'no server was started')}")
    if _is_short(config):
        terminalreporter.write_line(f"live suite: FAILED, at least {os.environ[MINIMUM_VARIABLE]} tests have to pass")
