"""The subject of a certificate as a MongoDB user name."""

from __future__ import annotations

import ssl

import pytest

from aiomongo_tls.tls import subject
from aiomongo_tls.tls.subject import subject_rfc2253


def levels(*pairs: tuple[str, str]) -> list[list[tuple[str, str]]]:
    return [[pair] for pair in pairs]


# The right-hand sides were copied from `openssl x509 -noout -subject -nameopt RFC2253` (OpenSSL 3.0).
GOLDEN = [
    (levels(("O", "Example"), ("OU", "clients"), ("CN", "ada")), "CN=ada,OU=clients,O=Example"),
    (
        levels(("C", "DE"), ("ST", "Bayern"), ("L", "München"), ("O", "Ex, Inc."), ("OU", "a")),
        r"OU=a,O=Ex\, Inc.,L=M\C3\BCnchen,ST=Bayern,C=DE",
    ),
    (levels(("CN", " lead"), ("O", "trail "), ("OU", "#hash")), r"OU=\#hash,O=trail\ ,CN=\ lead"),
    (
        levels(
            ("CN", 'q"x\\y<z>;=w'),
            ("emailAddress", "a@b.c"),
            ("serialNumber", "12"),
            ("DC", "ex"),
            ("DC", "net"),
            ("UID", "u1"),
        ),
        r"UID=u1,DC=net,DC=ex,serialNumber=12,emailAddress=a@b.c,CN=q\"x\\y\<z\>\;=w",
    ),
    ([[("CN", "a"), ("OU", "b")], [("O", "c")]], "O=c,OU=b+CN=a"),
    (levels(("O", "a+b")), r"O=a\+b"),
    (levels(("CN", "日本")), r"CN=\E6\97\A5\E6\9C\AC"),
    (levels(("CN", "😀")), r"CN=\F0\9F\98\80"),
    (levels(("CN", "a\nb\tc")), r"CN=a\0Ab\09c"),
    (levels(("CN", " ")), r"CN=\ "),
    (levels(("CN", "x"), ("O", "  two  ")), r"O=\  two \ ,CN=x"),
    (levels(("CN", "a b#c=d")), "CN=a b#c=d"),
    ([], ""),
]


@pytest.mark.parametrize(("name", "expected"), GOLDEN)
def test_a_subject_is_spelled_as_openssl_spells_it(name: list[list[tuple[str, str]]], expected: str) -> None:
    """The user name has to be equal to mongod's as text."""
    assert subject_rfc2253(name) == expected


@pytest.mark.parametrize(
    ("attribute", "short"),
    [
        ("2.5.4.3", "CN"),
        ("commonName", "CN"),
        ("stateOrProvinceName", "ST"),
        ("streetAddress", "street"),
        ("surname", "SN"),
        ("givenName", "GN"),
        ("userId", "UID"),
        ("domainComponent", "DC"),
        ("1.2.840.113549.1.9.1", "emailAddress"),
        ("emailAddress", "emailAddress"),
        ("2.5.4.97", "organizationIdentifier"),
        ("jurisdictionCountryName", "jurisdictionC"),
    ],
)
def test_attributes_get_openssl_short_names(attribute: str, short: str) -> None:
    """OIDs (cryptography) and long names (ssl) lead to the same string."""
    assert subject_rfc2253([[(attribute, "x")]]) == f"{short}=x"


def test_an_unknown_attribute_keeps_its_oid_and_shows_its_value() -> None:
    """It is the dotted OID and the text, as with mongod."""
    assert subject_rfc2253([[("1.2.3.4", "foo")]]) == "1.2.3.4=foo"


def test_the_table_agrees_with_openssl() -> None:
    """Each row is what the OpenSSL of this Python says."""
    for oid, short, long in subject._ATTRIBUTES:
        _, openssl_short, openssl_long, openssl_oid = ssl._ssl.txt2obj(oid)  # type: ignore[attr-defined]
        assert (openssl_oid, openssl_short, openssl_long) == (oid, short, long or short)
