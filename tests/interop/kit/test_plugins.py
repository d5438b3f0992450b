"""The fixtures work the same under every way of running tests; without the extra they say what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# pytest-asyncio warns if it is not set.
LOOP_SCOPE = ["-o", "asyncio_default_fixture_loop_scope=function"]


def run_pytest(tmp_path: Path, *arguments: str, python: tuple[str, ...] = (), **environment: str) -> str:
    """Run pytest as a user would, in another directory, with warnings as errors; its output."""
    command = [sys.executable, "-X", "dev", *(python or ("-m", "pytest")), "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(
        [*command, "-q", "-rs", "-c", os.devnull, "--rootdir", str(tmp_path), *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "arguments", "outcome"),
    [
        ("asyncio", ["-p", "no:anyio", "-o", "asyncio_mode=strict", *LOOP_SCOPE], "12 passed"),
        ("asyncio-session", ["-p", "no:anyio", "-o", "asyncio_mode=strict", *LOOP_SCOPE], "12 passed"),
        ("auto", ["-p", "no:anyio", "-o", "asyncio_mode=auto", *LOOP_SCOPE], "12 passed"),
        ("anyio", ["-p", "no:asyncio"], "12 passed"),
        ("plain", ["-p", "no:asyncio", "-p", "no:anyio"], "8 passed, 4 skipped"),
    ],
)
def test_one_file_under_every_plugin(tmp_path: Path, kind: str, arguments: list[str], outcome: str) -> None:
    """The same file passes, unchanged, under pytest-asyncio in both modes and two loop scopes, anyio, and neither."""
    output = run_pytest(tmp_path, *arguments, str(HERE / "check_kit.py"), KIT_ASYNC=kind)
    assert outcome in output, output
    assert "failed" not in output


def test_without_the_extra(tmp_path: Path) -> None:
    """The fixture's error is the pip line."""
    (tmp_path / "test_it.py").write_text("def test_it(aiomongo_server): pass\n")
    script = "import sys, pytest; sys.modules['trustme'] = None; sys.exit(pytest.main(sys.argv[1:]))"
    output = run_pytest(tmp_path, "-p", "no:asyncio", "-p", "no:anyio", "test_it.py", python=("-c", script))
    assert 'pip install "aiomongo-tls[testing]"' in output
    assert "1 error" in output


def test_the_plugin_costs_nothing_until_it_is_used(tmp_path: Path) -> None:
    """Every pytest loads it in every project; it imports nothing but pytest."""
    script = """
import sys, pytest
before = set(sys.modules)
import aiomongo_tls.testing.pytest_plugin
print(sorted(name for name in set(sys.modules) - before if not name.startswith("aiomongo_tls")))
print(sorted(name for name in sys.modules if name.startswith("aiomongo_tls.")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    foreign, own = done.stdout.splitlines()
    assert foreign == "[]"
    assert own == "['aiomongo_tls.testing', 'aiomongo_tls.testing.pytest_plugin']"


def test_a_marker_with_a_typing_error(tmp_path: Path) -> None:
    """The error names the keywords that there are."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.aiomongo(tsl='off')\ndef test_it(aiomongo_server): pass\n"
    )
    output = run_pytest(tmp_path, "-p", "no:asyncio", "-p", "no:anyio", "test_it.py")
    assert "certificate, host, maximum_version, minimum_version, tls, topology, users" in output


def test_the_marker_is_known(tmp_path: Path) -> None:
    """It is registered, so that --strict-markers takes it and --markers explains it."""
    output = run_pytest(tmp_path, "-p", "no:asyncio", "--markers")
    assert "@pytest.mark.aiomongo(tls='require_client'" in output
