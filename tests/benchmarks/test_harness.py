"""The harness works: what nobody runs for months should be found broken here and not then."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.skipif(sys.platform == "win32", reason="the lean server waits for a pipe and for sockets alike")
def test_a_task_is_measured_with_everybody(tmp_path: Path) -> None:
    """It has a row for each contestant, and the page has a line."""
    command = [sys.executable, str(RUN), "--quick", "--rounds", "1", "--only", "find_one", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "latest.json").read_text())["rows"]
    assert [row["contestant"] for row in rows] == ["bare asyncio", "bare + BSON", "aiomongo_tls", "PyMongo Async"]
    assert "| find_one by _id, 10 |" in (tmp_path / "table.md").read_text()
