"""`aiomongo-tls serve` in a process of its own, for a program that is not written in Python."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from node_driver import Node


@contextmanager
def serve(directory: Path, *arguments: str) -> Iterator[str]:
    """What it prints for PyMongo, while it runs; then it is interrupted, as by Ctrl-C."""
    command = [sys.executable, "-u", "-m", "aiomongo_tls", "serve", "--dir", str(directory), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if "Stop with" in line:
                break
        found = re.search(r"MongoClient\('([^']+)'\)", "".join(said))
        try:
            assert found is not None, said
            yield found[1]
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            code = process.wait(20)
        assert (code, "removed" in rest) == (0, True), rest
    assert not directory.exists()


@pytest.mark.parametrize(
    ("arguments", "kind", "count"),
    [((), "Single", 1), (("--replica-set", "3"), "ReplicaSetWithPrimary", 3), (("--mongos", "2"), "Sharded", 2)],
    ids=["alone", "replica set", "mongos"],
)
def test_a_line_that_was_pasted(node: Node, tmp_path: Path, arguments: tuple[str, ...], kind: str, count: int) -> None:
    """The URI for PyMongo is good for Node.js: certificates by path, logged in by the subject, every server found."""
    with serve(tmp_path / "keys", *arguments) as uri:
        client = node.connect(uri, events=["topologyDescriptionChanged"])
        client.wait_for(
            "topologyDescriptionChanged",
            when=lambda events: "Unknown" not in events[-1]["servers"].values() and len(events[-1]["servers"]) == count,
        )
        assert node.scripts.describe(client).get()["type"] == kind
        users: Any = client.db("app").collection("users")
        users.insertMany([{"_id": n} for n in range(10)]).get()
        assert len(users.find({}, {"batchSize": 3}).toArray().get()) == 10
        status = client.db("admin").command({"connectionStatus": 1}).get()
        assert status["authInfo"]["authenticatedUsers"][0]["user"].startswith("CN=demo")
        client.close().get()
