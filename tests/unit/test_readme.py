"""The README keeps its promises: its lines are lines, its tables are generated, its program runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aiomongo_tls import errors
from aiomongo_tls.core.uri.registry import options_table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def first_block(heading: str) -> list[str]:
    """The lines of the first fenced block under a heading."""
    section = README.split(f"\n## {heading}\n", 1)[1]
    return re.split(r"^```.*$", section, flags=re.MULTILINE)[1].strip().splitlines()


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_the_first_block_is_one_line(heading: str) -> None:
    """Trying and testing take one line each."""
    (line,) = first_block(heading)
    assert "-m venv" in line


def test_the_options_table_is_the_registry() -> None:
    """The options table is what the registry of options renders."""
    table = README.split("<!-- options table", 1)[1].split("-->\n", 1)[1].split("<!-- options end -->")[0]
    assert table.strip() == options_table().strip()


def test_the_program_compiles() -> None:
    """The Python blocks are Python."""
    programs = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert len(programs) >= 2
    for program in programs:
        compile(program, "README.md", "exec")


@pytest.mark.parametrize("name", ["ServerCertificateError", "ClientCertificateRejected", "TLSProtocolError"])
def test_every_reason_of_a_class_is_explained(name: str) -> None:
    """Each reason that a class documents has its row in the README."""
    reasons = re.findall(r"`([a-z-]+)`", getattr(errors, name).__doc__.split("`reason` is one of")[1])
    assert reasons
    for reason in reasons:
        assert f"`{reason}`" in README


def test_first_screen_tells_what_is_missing() -> None:
    """Within the first screen (60 lines) stand the demo line, a program, a test, and for whom it is not."""
    screen = "\n".join(README.splitlines()[:60])
    for promise in ("aiomongo-tls demo", "AsyncClient.connect", "aiomongo_server", "Not for you", "Tested against"):
        assert promise in screen
