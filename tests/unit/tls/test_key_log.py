"""SSLKEYLOGFILE is honoured, and never in silence."""

from __future__ import annotations

import logging
import ssl
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.testing import CertKit, MongoTestServer
from aiomongo_tls.tls.context import build_context
from aiomongo_tls.tls.key_log import VARIABLE, honour_key_log
from aiomongo_tls.tls.material import load_material


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def test_the_keys_of_a_client_are_logged_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file gets the secrets; the log names it and says what it means, once for all contexts."""
    path = tmp_path / "keys.log"
    monkeypatch.setenv(VARIABLE, str(path))
    for _ in range(2):
        with MongoTestServer(ca=CertKit()) as server:
            async with server.connect() as client:
                await client.ping()
    assert b"CLIENT_TRAFFIC_SECRET_0 " in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("aiomongo_tls.tls", logging.WARNING)
    assert str(path) in record.getMessage()
    assert "decrypt everything" in record.getMessage()


def test_without_the_variable_nothing_is_written(caplog: pytest.LogCaptureFixture) -> None:
    """Nor if it is empty."""
    for environ in ({}, {VARIABLE: ""}):
        made = context()
        honour_key_log(made, environ)
        assert made.keylog_filename is None
    assert not caplog.records


def test_a_file_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is no reason not to connect; the log says that nothing is logged."""
    path = tmp_path / "missing" / "keys.log"
    made = context()
    for _ in range(2):
        honour_key_log(made, {VARIABLE: str(path)})
    assert made.keylog_filename is None
    (record,) = caplog.records
    assert f"{path} cannot be written (No such file or directory)" in record.getMessage()


def test_a_supplied_context_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever makes it decides."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "keys.log"))
    made = context()
    options = TLSOptions(enabled=True, ssl_context=made)
    assert build_context(load_material(options), options) is made
    assert made.keylog_filename is None
    assert not caplog.records


def test_python_that_ignores_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -E` means this variable, too."""
    monkeypatch.setattr(sys, "flags", SimpleNamespace(ignore_environment=1))
    made = context()
    honour_key_log(made, {VARIABLE: str(tmp_path / "keys.log")})
    assert made.keylog_filename is None
