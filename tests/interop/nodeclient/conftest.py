"""The official Node.js driver against the embedded server; runs only by `nox -s nodeclient`, which installs it.

The session sets AIOMONGO_TLS_TEST_NODE to the folder that has node_modules. Without it nothing here is collected, so
that a run of all tests needs no Node.js and has no row of skips. AIOMONGO_TLS_TEST_MINIMUM is how many tests have to
run and pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from node_driver import Kept, Node

FOLDER = os.environ.get("AIOMONGO_TLS_TEST_NODE")
AT_LEAST = int(os.environ.get("AIOMONGO_TLS_TEST_MINIMUM", "0"))

collect_ignore_glob = [] if FOLDER else ["test_*.py"]

Connect = Callable[..., Kept]
passed: list[str] = []
versions: dict[str, str] = {}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """One process for the tests of a module."""
    assert FOLDER is not None
    with Node(Path(FOLDER)) as running:
        versions.update(running.scripts.versions().get())
        yield running


# In a test it comes after its servers, which go after its clients: a client that closes later would look for them.
@pytest.fixture
def connect(node: Node) -> Iterator[Connect]:
    """Makes clients, which are closed after the test."""
    made: list[Kept] = []

    def make(
        uri: str, options: Mapping[str, Any] | None = None, *, events: Sequence[str] = (), lazy: bool = False
    ) -> Kept:
        made.append(node.connect(uri, options, events=events, lazy=lazy))
        return made[-1]

    yield make
    for client in made:
        client.close().get()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what ran here."""
    if report.when == "call" and report.passed:
        passed.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Too few tests are a failure."""
    if FOLDER and len(passed) < AT_LEAST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line: what was tested against what, or that nothing was."""
    if not FOLDER:
        terminalreporter.write_line("nodeclient: NOT RUN (nox -s nodeclient)")
        return
    what = f"mongodb {versions.get('driver', '?')} on Node.js {versions.get('node', '?')}"
    terminalreporter.write_line(f"nodeclient: {len(passed)} tests passed with {what}")
    if len(passed) < AT_LEAST:
        terminalreporter.write_line(f"nodeclient: at least {AT_LEAST} have to", red=True)
