"""Install the Node.js driver as package-lock.json says, and print where it is; the checkout stays as it is.

    AIOMONGO_TLS_TEST_NODE=$(python tests/interop/nodeclient/install.py) pytest tests/interop/nodeclient

It stays in the user's cache: $XDG_CACHE_HOME/aiomongo-tls or ~/.cache/aiomongo-tls. A toolchain that is not there is
told by the exit code 77; one that does not work is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MISSING = 77
"""The exit code that says that Node.js is not here or too old."""

_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json")


class ToolchainMissing(Exception):
    """Node.js is not here, or too old for the driver."""


def installed() -> Path:
    """The folder that has node_modules; filled first if it is not there yet.

    Raises:
        ToolchainMissing: Node.js is not here, or too old.
        subprocess.CalledProcessError: npm failed.
    """
    npm = _npm()
    content = b"".join((_HERE / name).read_bytes() for name in _FILES)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiomongo-tls"
    folder = cache / f"nodeclient-{hashlib.sha256(content).hexdigest()[:16]}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    # It gets its name when it is complete, so that a run that was broken off leaves nothing that looks installed.
    with tempfile.TemporaryDirectory(prefix="nodeclient-", dir=cache) as begun:
        made = Path(begun) / "made"
        made.mkdir()
        for name in _FILES:
            shutil.copy(_HERE / name, made)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=made, check=True, stdout=sys.stderr)
        try:
            made.rename(folder)
        except OSError:
            # Somebody else was quicker.
            if not folder.exists():
                raise
    return folder


def _npm() -> str:
    """The path of npm, beside a Node.js that is new enough."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise ToolchainMissing("node and npm are not both on PATH")
    lock = json.loads((_HERE / "package-lock.json").read_text())
    driver = lock["packages"]["node_modules/mongodb"]
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if _numbers(answer) < _numbers(driver["engines"]["node"]):
        text = f"node is {answer.strip()}, and mongodb {driver['version']} wants {driver['engines']['node']}"
        raise ToolchainMissing(text)
    return npm


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def main() -> int:
    """Print the folder."""
    try:
        print(installed())
    except ToolchainMissing as error:
        print(error)
        return MISSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
