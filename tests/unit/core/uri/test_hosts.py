"""Host identifiers."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.uri.hosts import parse_address, parse_hosts
from aiomongo_tls.errors import InvalidURI


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("db.example.net", [("db.example.net", 27017)]),
        ("DB.Example.NET:27018", [("db.example.net", 27018)]),
        ("my_db-1", [("my_db-1", 27017)]),
        ("10.0.0.1:1", [("10.0.0.1", 1)]),
        ("h:65535", [("h", 65535)]),
        ("[::1]", [("::1", 27017)]),
        ("[2001:DB8::1]:27018", [("2001:db8::1", 27018)]),
        ("[fe80::1%25Eth0]:5", [("fe80::1%Eth0", 5)]),
        ("[fe80::1%eth0]", [("fe80::1%eth0", 27017)]),
        ("[::ffff:10.0.0.1]", [("::ffff:10.0.0.1", 27017)]),
        ("%2Ftmp%2FMongoDB.sock", [("/tmp/MongoDB.sock", None)]),
        ("rel%2F %2Fm.sock", [("rel/ /m.sock", None)]),
        ("mongodb.sock", [("mongodb.sock", 27017)]),
        ("a,b:2,[::1]:3,%2Fm.sock", [("a", 27017), ("b", 2), ("::1", 3), ("/m.sock", None)]),
        ("bücher.example.com", [("bücher.example.com", 27017)]),
    ],
)
def test_hosts(text: str, addresses: list[tuple[str, int | None]]) -> None:
    """Names in lower case, IPv6 without brackets but with its zone, sockets as they are, 27017 where no port is."""
    assert parse_hosts(text) == tuple(ServerAddress(*address) for address in addresses)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a,",
        ",a",
        "a,,b",
        ":27017",
        "h:",
        "h:0",
        "h:-1",
        "h:+1",
        "h:65536",
        "h:1e3",
        "h:\uff11",
        "h:27017 ",
        "h::1",
        "::1",
        "a b",
        "a\nb",
        "a@b",
        "a#b",
        "/tmp/m.sock",
        "a%41",
        "%2Ftmp%2Fm",
        "%2Ftmp%2Fm.sock:1",
        "m%2Esock",
        "%2Fa%00b.sock",
        "%2F%ff.sock",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1]:0",
        "[localhost]",
        "[]",
        "[::1%25]",
        "[1::2::3]",
        "a[::1]",
    ],
)
def test_what_is_no_host(text: str) -> None:
    """What is not a host is refused by position and never quoted."""
    with pytest.raises(InvalidURI, match="host") as caught:
        parse_hosts(text)
    assert len(text) < 6 or text not in str(caught.value)
    assert caught.value.__context__ is None


def test_position_is_named() -> None:
    """In a list, the message says which host it is."""
    with pytest.raises(InvalidURI, match="host 2 of the list"):
        parse_hosts("a,b:x,c")


def test_default_port() -> None:
    """The caller's port goes to hosts without one."""
    assert parse_hosts("a,b:1,%2Fm.sock", 5) == (
        ServerAddress("a", 5),
        ServerAddress("b", 1),
        ServerAddress("/m.sock", None),
    )


def test_bare_address() -> None:
    """Outside of a URI the path of a socket is not encoded."""
    assert parse_address("/tmp/m.sock") == ServerAddress("/tmp/m.sock", None)
    assert parse_address("[::1]:5") == ServerAddress("::1", 5)
    assert parse_address("LOCALHOST", 9) == ServerAddress("localhost", 9)


@pytest.mark.parametrize("text", ["db/app", "ada:pass@db", "db?tls=true", "/tmp/mongodb"])
def test_bare_address_that_is_half_a_uri(text: str) -> None:
    """A URI without its scheme is recognised."""
    with pytest.raises(InvalidURI, match="mongodb://"):
        parse_address(text)


HOST_NAMES = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?(\.[a-z0-9]{1,10}){0,3}", fullmatch=True)
PORTS = st.integers(1, 65535)
ADDRESSES = st.one_of(
    st.builds(ServerAddress, HOST_NAMES, PORTS),
    st.builds(ServerAddress, st.ip_addresses(v=4).map(str), PORTS),
    st.builds(ServerAddress, st.ip_addresses(v=6).map(str), PORTS),
)
PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SOCKETS = st.builds(lambda path: ServerAddress(f"/{path}.sock", None), PATHS)


@given(st.lists(st.one_of(ADDRESSES, SOCKETS), min_size=1))
def test_round_trip(addresses: list[ServerAddress]) -> None:
    """What an address prints, with a socket's path encoded, is read as the same address."""
    text = ",".join(quote(str(each), safe="") if each.is_unix_socket else str(each) for each in addresses)
    assert parse_hosts(text) == tuple(addresses)


@given(st.ip_addresses(v=6))
def test_every_ipv6_address(address: IPv6Address) -> None:
    """Any spelling of an IPv6 address is taken, in lower case."""
    assert parse_hosts(f"[{address.exploded.upper()}]") == (ServerAddress(address.exploded),)
