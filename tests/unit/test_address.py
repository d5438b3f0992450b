"""Server addresses: how they read, compare, and whether TLS names them by an IP SAN."""

from __future__ import annotations

import pytest

from aiomongo_tls.address import DEFAULT_PORT, ServerAddress


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (ServerAddress("db.example.net"), "db.example.net:27017"),
        (ServerAddress("::1", 27018), "[::1]:27018"),
        (ServerAddress("/tmp/mongodb-27017.sock", None), "/tmp/mongodb-27017.sock"),
    ],
)
def test_text(address: ServerAddress, text: str) -> None:
    """An address reads as it would stand in a URI."""
    assert str(address) == text


@pytest.mark.parametrize(
    ("host", "is_ip"), [("127.0.0.1", True), ("fe80::1%eth0", True), ("256.0.0.1", False), ("localhost", False)]
)
def test_is_ip(host: str, is_ip: bool) -> None:
    """IPv4 and IPv6 literals, with or without zone, are told from names."""
    assert ServerAddress(host).is_ip is is_ip


def test_values_compare() -> None:
    """Equal host and port are the same server."""
    assert ServerAddress("a") == ServerAddress("a", DEFAULT_PORT)
    assert len({ServerAddress("a"), ServerAddress("a"), ServerAddress("a", 1)}) == 2
    assert ServerAddress("/run/m.sock", None).is_unix_socket
    assert not ServerAddress("a").is_unix_socket
