"""Options about identities and names: as keywords, in a URI, and beside others."""

from __future__ import annotations

import ssl
import warnings
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_options import ServerName, TLSOptions
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import ConfigurationError

IDENTITY = TLSIdentity(key="key.pem", chain="chain.pem")


class Provider:
    """Has the method."""

    async def identity(self) -> TLSIdentity:
        raise AssertionError


class Old:
    """Has something of its name."""

    identity = "not a method"


def tls(host: str | None = None, **options: Any) -> TLSOptions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return resolve(host, {"tls": True, **options}).tls


def refusal(host: str | None = None, **options: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ConfigurationError) as caught:
            resolve(host, options)
    return str(caught.value)


class TestServerNames:
    """tlsServerNames."""

    @pytest.mark.parametrize(
        ("key", "host", "port"),
        [
            ("127.0.0.1:27017", "127.0.0.1", 27017),
            ("127.0.0.1", "127.0.0.1", 0),
            ("DB.internal:27018", "db.internal", 27018),
            ("[::1]:27017", "::1", 27017),
            ("[::1]", "::1", 0),
            ("/tmp/mongodb-27017.sock", "/tmp/mongodb-27017.sock", None),
        ],
    )
    def test_keys_are_addresses(self, key: str, host: str, port: int | None) -> None:
        """With a port or for all ports of a host, in a mapping and in a URI."""
        expected = (ServerName(host, port, "db.example.net"),)
        assert tls(tlsServerNames={key: "db.example.net"}).server_names == expected
        assert tls(tlsServerNames=f"{key}:db.example.net").server_names == expected
        assert tls(f"mongodb://h/?tlsServerNames={key}:db.example.net").server_names == expected

    @pytest.mark.parametrize(
        ("name", "known_as"),
        [
            ("DB.example.net.", "db.example.net"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::1]", "::1"),
            ("db", "db"),
        ],
    )
    def test_names_are_as_certificates_have_them(self, name: str, known_as: str) -> None:
        """Lower case, ASCII, no final dot; IP addresses too."""
        for options in (tls(tlsServerNames={"h:1": name}), tls(f"mongodb://h/?tlsServerNames=h:1:{name}")):
            assert [entry.name for entry in options.server_names] == [known_as]
        assert tls(tlsServerNames={"h": "::1"}).server_names[0].name == "::1"

    def test_the_order_does_not_matter(self) -> None:
        """The same names are the same options."""
        one = tls(tlsServerNames={"a:1": "x", "b:2": "y"})
        assert one == tls("mongodb://h/?tlsServerNames=b:2:y,a:1:x")
        assert tls(tlsServerNames={}) == tls()

    def test_the_address_with_a_port_goes_first(self) -> None:
        """Then its host; then nothing is said."""
        options = tls(tlsServerNames={"127.0.0.1": "any", "127.0.0.1:1": "one", "/tmp/x.sock": "socket"})
        assert options.server_name(ServerAddress("127.0.0.1", 1)) == "one"
        assert options.server_name(ServerAddress("127.0.0.1", 2)) == "any"
        assert options.server_name(ServerAddress("127.0.0.2", 1)) is None
        assert options.server_name(ServerAddress("/tmp/x.sock", None)) == "socket"

    @pytest.mark.parametrize(
        "names",
        [
            {"": "x"},
            {"h:0": "x"},
            {"h:99999": "x"},
            {"a b": "x"},
            {5: "x"},
            {"h": ""},
            {"h": "x:1"},
            {"h": "a b"},
            {"h": ".example.net"},
            {"h": "a..b"},
            {"h": "/tmp/x.sock"},
            {"h": 5},
            {"H": "x", "h": "y"},
        ],
    )
    def test_what_is_no_address_or_name_is_refused(self, names: dict[Any, Any]) -> None:
        """By its place among the entries."""
        text = refusal(tls=True, tlsServerNames=names)
        assert text.startswith("tlsServerNames has ")
        assert f"in entry {len(names)}" in text

    @pytest.mark.parametrize("value", ["h", "", "h:", ":x", "h:1:x,", "h:1:x,h:1:y", "secret"])
    def test_a_uri_with_a_broken_list_is_refused(self, value: str) -> None:
        """Half of the names would be less than was asked for; nothing of it is quoted."""
        text = refusal(f"mongodb://host/?tls=true&tlsServerNames={value}")
        assert "tlsServerNames in the URI has a value that cannot be used" in text
        assert "secret" not in text

    def test_neither_list_nor_mapping(self) -> None:
        """It says what is expected."""
        assert "expected host:port:name or host:name" in refusal(tls=True, tlsServerNames=[("h", "x")])

    @pytest.mark.parametrize("off", [{}, {"tls": False}])
    def test_without_tls_there_is_nothing_to_verify(self, off: dict[str, Any]) -> None:
        """The names do not turn TLS on."""
        assert "tlsServerNames means nothing without TLS" in refusal(tlsServerNames={"h": "x"}, **off)
        assert tls(tlsServerNames={"h": "x"}).enabled

    @pytest.mark.parametrize("off", ["tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames"])
    def test_without_the_check_of_names_they_are_refused(self, off: str) -> None:
        """One of the two is a mistake."""
        text = refusal(tls=True, tlsServerNames={"h": "x"}, **{off: True})
        assert text == f"tlsServerNames and {off}=true contradict each other"
        assert tls(tlsServerNames={"h": "x"}, **{off: False}).server_names

    def test_beside_a_context(self) -> None:
        """A context has no names in it; but it has to check them."""
        context = ssl.create_default_context()
        assert tls(ssl_context=context, tlsServerNames={"h": "x"}).server_names
        context.check_hostname = False
        assert "an ssl_context that checks no host name" in refusal(ssl_context=context, tlsServerNames={"h": "x"})


class TestIdentity:
    """tls_identity."""

    @pytest.mark.parametrize("identity", [IDENTITY, Provider()])
    def test_it_is_a_certificate_and_turns_tls_on(self, identity: Any) -> None:
        """As the file options are and do."""
        options = resolve("mongodb://h/?authMechanism=MONGODB-X509", {"tls_identity": identity})
        assert options.tls.identity is identity
        assert options.tls.enabled
        assert "tls=false contradicts tls_identity" in refusal(tls=False, tls_identity=identity)

    @pytest.mark.parametrize("value", [Provider, "vault", {"key": "k"}, object(), Old()])
    def test_anything_else_is_refused(self, value: Any) -> None:
        """A class in place of its instance too; what it is is not shown."""
        text = refusal(tls_identity=value)
        assert "tls_identity: expected a TLSIdentity, or an object with `async def identity(self)`" in text

    @pytest.mark.parametrize("option", ["tlsCertificateKeyFile", "tlsCertificateFile", "tlsCertificateKeyFilePassword"])
    def test_beside_the_files_it_is_refused(self, option: str) -> None:
        """Also if the URI has them."""
        both = f"tls_identity and {option} cannot be given together"
        assert both in refusal(tls_identity=IDENTITY, **{option: "x"})
        assert both in refusal(f"mongodb://h/?{option}=x", tls_identity=Provider())

    def test_whom_to_trust_is_said_once(self) -> None:
        """By tlsCAFile, or by the identity."""
        assert tls(tls_identity=IDENTITY, tlsCAFile="ca.pem").ca_file == "ca.pem"
        text = refusal(tls_identity=TLSIdentity(key="k", ca="ca.pem"), tlsCAFile="ca.pem")
        assert text.startswith("tlsCAFile and the ca of tls_identity")

    def test_beside_a_context_it_has_no_place(self) -> None:
        """The context has its certificate loaded."""
        text = refusal(tls_identity=IDENTITY, ssl_context=ssl.create_default_context())
        assert "tls_identity has no effect beside ssl_context" in text

    def test_a_uri_cannot_carry_it(self) -> None:
        """It is told and ignored, and then there is no certificate."""
        assert "needs a client certificate" in refusal(
            "mongodb://h/?tls=true&tls_identity=x&authMechanism=MONGODB-X509"
        )
