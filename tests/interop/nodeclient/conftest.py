"""The official Node.js driver against the embedded server; runs only by `nox -s nodeclient`, which installs it.

The session sets AIOMONGO_TLS_TEST_NODE to the folder that has node_modules. Without it nothing here is collected, so
that a run of all tests needs no Node.js and has no row of skips.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from node_driver import Kept, Node

FOLDER = os.environ.get("AIOMONGO_TLS_TEST_NODE")

collect_ignore_glob = [] if FOLDER else ["test_*.py"]

Connect = Callable[..., Kept]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """One process for the tests of a module."""
    assert FOLDER is not None
    with Node(Path(FOLDER)) as running:
        yield running


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
