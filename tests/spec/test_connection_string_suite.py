"""The connection-string and uri-options suites, run by `parse_uri()`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from aiomongo_tls.core.uri.parser import ConnectionString, parse_uri
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress

SUITES = ["connection-string/tests", "uri-options/tests"]


def host_type(address: ServerAddress) -> str:
    if address.is_unix_socket:
        return "unix"
    if not address.is_ip:
        return "hostname"
    return "ip_literal" if ":" in address.host else "ipv4"


def check_hosts(parsed: ConnectionString, expected: list[dict[str, Any]]) -> None:
    assert [(host_type(address), address.host) for address in parsed.hosts] == [
        (host["type"], host["host"]) for host in expected
    ]
    for address, host in zip(parsed.hosts, expected, strict=True):
        # Null is no assertion; a default may be filled in.
        assert host["port"] is None or host["port"] == address.port


def check_auth(parsed: ConnectionString, expected: dict[str, Any]) -> None:
    namespace = ".".join(part for part in (parsed.database, parsed.collection) if part)
    assert (parsed.username, parsed.password, namespace or None) == (
        expected["username"],
        expected["password"],
        expected["db"],
    )


def check_options(parsed: ConnectionString, expected: dict[str, Any]) -> None:
    options = {name.lower(): value for name, value in parsed.options.items()}
    assert {name.lower(): options.get(name.lower()) for name in expected} == {
        name.lower(): value for name, value in expected.items()
    }


def test_connection_string(case: dict[str, Any]) -> None:
    """A URI is refused, or parsed with the hosts, credentials, options and warnings that the case lists."""
    if not case["valid"]:
        with pytest.raises(ConfigurationError):
            parse_uri(case["uri"])
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parsed = parse_uri(case["uri"])
    if case["warning"] is not None:
        assert bool(caught) == case["warning"], [str(warning.message) for warning in caught]
    if case["hosts"] is not None:
        check_hosts(parsed, case["hosts"])
    if case["auth"] is not None:
        check_auth(parsed, case["auth"])
    check_options(parsed, case["options"] or {})
