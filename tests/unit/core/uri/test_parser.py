"""Connection strings."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.uri.parser import parse_uri
from aiomongo_tls.errors import ConfigurationError, InvalidURI


def options(query: str) -> dict[str, Any]:
    return dict(parse_uri(f"mongodb://h/?{query}").options)


def test_all_parts() -> None:
    """Every part of a connection string ends up in its field."""
    parsed = parse_uri("mongodb://ada:s%40cret@A.example:1,[::1]/app.users?w=2&AUTHSOURCE=staff")
    assert parsed.hosts == (ServerAddress("a.example", 1), ServerAddress("::1", 27017))
    assert (parsed.username, parsed.password) == ("ada", "s@cret")
    assert (parsed.database, parsed.collection) == ("app", "users")
    assert parsed.options == {"w": 2, "authSource": "staff"}
    assert not parsed.is_srv
    assert parsed.credential is not None
    assert parsed.credential.source == "staff"


def test_srv() -> None:
    """A mongodb+srv string has one name and no port; looking it up is not the parser's work."""
    parsed = parse_uri("mongodb+srv://ada:pw@cluster.example.net/?retryWrites=true")
    assert parsed.is_srv
    assert [address.host for address in parsed.hosts] == ["cluster.example.net"]


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb+srv://a.example.net:27017",
        "mongodb+srv://a.example.net,b.example.net",
        "mongodb+srv://10.0.0.1",
        "mongodb+srv://[::1]",
        "mongodb+srv://%2Ftmp%2Fm.sock",
        "mongodb+srv://a.example.net/?directConnection=true",
    ],
)
def test_srv_that_cannot_be(uri: str) -> None:
    """mongodb+srv takes exactly one name."""
    with pytest.raises(ConfigurationError):
        parse_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "h",
        "http://h",
        "mongodb:/h",
        "MONGODB://h",
        "mongodb://",
        "mongodb:///db",
        "mongodb://?w=1",
        "mongodb://\ud800",
    ],
)
def test_no_uri(uri: str) -> None:
    """Something else is refused."""
    with pytest.raises(InvalidURI):
        parse_uri(uri)


@pytest.mark.parametrize("path", ["a b", "a%20b", "a%2Fb", "a/b", "a%5Cb", "a%22", "$external", "a%00", "a%", "x@h"])
def test_no_database(path: str) -> None:
    """A database cannot have these characters, encoded or not."""
    with pytest.raises(InvalidURI, match="database"):
        parse_uri(f"mongodb://h/{path}")


def test_slash_before_the_question_mark_is_optional() -> None:
    """Options may follow the hosts directly, and their values may hold slashes."""
    assert parse_uri("mongodb://h?tlsCAFile=/etc/ca.pem").options == {"tlsCAFile": "/etc/ca.pem"}


def test_options_are_typed_and_canonical() -> None:
    """Keys in any case come out under their documented names, values as the option's type."""
    assert options(
        "MAXPOOLSIZE=5&tls=true&compressors=zlib,snappy&readpreferencetags=dc:ny,rack:1&readPreferenceTags="
        "&authMechanismProperties=service_name:x&w=majority&maxStalenessSeconds=-1&appName=caf%C3%A9+1"
    ) == {
        "maxPoolSize": 5,
        "tls": True,
        "compressors": ["zlib", "snappy"],
        "readPreferenceTags": [{"dc": "ny", "rack": "1"}, {}],
        "authMechanismProperties": {"SERVICE_NAME": "x"},
        "w": "majority",
        "maxStalenessSeconds": -1,
        "appname": "café+1",
    }


def test_value_may_hold_an_equals_sign() -> None:
    """The key ends at the first '='."""
    assert options("appname=a=b==") == {"appname": "a=b=="}


def test_separators() -> None:
    """Options are separated by '&', in old strings by ';', never by both."""
    assert options("w=1&journal=true&") == options("w=1;journal=true") == {"w": 1, "journal": True}
    with pytest.raises(InvalidURI, match="%3B"):
        options("tls=true;w=1&journal=true")


@pytest.mark.parametrize("query", ["w", "w=1&journal", "=1", "w=1&=x", "appname=a;b"])
def test_incomplete_pair(query: str) -> None:
    """A pair without '=' or without a key is refused."""
    with pytest.raises(InvalidURI, match="key=value"):
        options(query)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("foo=1", "option foo of the URI is unknown"),
        ("maxPollSize=1", "did you mean maxPoolSize"),
        ("maxPoolSize=x1", "maxPoolSize in the URI is ignored: expected an integer of 0 or more, found 'x1'"),
        ("maxPoolSize=", "found nothing"),
        ("maxPoolSize=1.5", "maxPoolSize"),
        ("maxPoolSize=99999999999", "maxPoolSize"),
        ("tls=True", "expected true or false, found 'True'"),
        ("heartbeatFrequencyMS=499", "heartbeatFrequencyMS"),
        ("serverSelectionTimeoutMS=0", "serverSelectionTimeoutMS"),
        ("maxStalenessSeconds=0", "maxStalenessSeconds"),
        ("zlibCompressionLevel=10", "zlibCompressionLevel"),
        ("authMechanism=MONGODB-CR", "authMechanism"),
        ("appname=" + "a" * 129, "128 bytes"),
        ("appname=%ff", "appname"),
        ("readPreference=secondarypreferred", "readPreference"),
        ("readPreferenceTags=dc", "readPreferenceTags"),
        ("tlsCAFile=", "tlsCAFile"),
        ("username=ada", "username cannot be given in a URI"),
        ("ssl_context=x", "ssl_context cannot be given in a URI"),
        ("w=1&w=1", "w is given more than once in the URI"),
        ("w=", "w"),
    ],
)
def test_what_is_ignored_warns(query: str, says: str) -> None:
    """Unknown keys, unusable values and repetitions are warned of, once and in words that help."""
    with pytest.warns(UserWarning, match=re.escape(says)) as caught:
        parsed = options(query)
    assert len(caught) == 1
    assert parsed == ({"w": 1} if query.startswith("w=1") else {})


def test_partly_usable_compressors() -> None:
    """The known names of a list remain, if there are any."""
    with pytest.warns(UserWarning, match="compressor"):
        assert options("compressors=lz4") == {"compressors": []}
    with pytest.warns(UserWarning, match="snappy, zlib, zstd"):
        assert options("compressors=zlib,lz4") == {"compressors": ["zlib"]}


@pytest.mark.parametrize(("word", "value"), [("1", True), ("yes", True), ("t", True), ("0", False), ("-1", False)])
def test_dated_booleans(word: str, value: bool) -> None:
    """The words that old strings have for true and false work and warn."""
    with pytest.warns(DeprecationWarning, match=f"write {str(value).lower()}"):
        assert options(f"journal={word}") == {"journal": value}


def test_warning_points_at_the_caller() -> None:
    """A warning names the line that called, or Python would hide deprecations."""
    with pytest.warns(UserWarning, match="foo") as caught:
        parse_uri("mongodb://h/?foo=1")
    assert caught[0].filename == __file__


@pytest.mark.parametrize("query", ["tls=true&tls=false", "ssl=true&tls=false", "ssl=false&ssl=true", "tls=true&ssl=0"])
@pytest.mark.filterwarnings("ignore:.*dated word")
def test_tls_and_ssl_have_to_agree(query: str) -> None:
    """However often tls and ssl are given, they have one value."""
    with pytest.raises(ConfigurationError, match="tls and ssl disagree"):
        options(query)


def test_agreeing_tls_and_ssl_do_not_warn() -> None:
    """Repeating the same value is fine."""
    assert options("tls=true&ssl=true&tls=true") == {"tls": True}


def test_former_names() -> None:
    """PyMongo 3's names are read as today's, with a warning that names these."""
    with pytest.warns(DeprecationWarning, match="is a former name; use") as caught:
        parsed = options(
            "ssl=true&ssl_ca_certs=ca.pem&ssl_certfile=c.pem&ssl_keyfile=k.pem&ssl_pem_passphrase=pw&ssl_crlfile=crl"
            "&ssl_match_hostname=false"
        )
    assert parsed == {
        "tls": True,
        "tlsCAFile": "ca.pem",
        "tlsCertificateFile": "c.pem",
        "tlsCertificateKeyFile": "k.pem",
        "tlsCertificateKeyFilePassword": "pw",
        "tlsCRLFile": "crl",
        "tlsAllowInvalidHostnames": True,
    }
    text = " ".join(str(warning.message) for warning in caught)
    assert all(name in text for name in parsed if name != "tls")
    assert len(caught) == 6


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lone_certfile_holds_the_key() -> None:
    """ssl_certfile alone was one file with certificate and key."""
    assert options("ssl_certfile=me.pem") == {"tlsCertificateKeyFile": "me.pem"}
    assert options("ssl_certfile=c&tlsCertificateKeyFile=k") == {
        "tlsCertificateFile": "c",
        "tlsCertificateKeyFile": "k",
    }


@pytest.mark.parametrize(
    ("word", "allow"), [("CERT_NONE", True), ("none", True), ("0", True), ("ssl.CERT_REQUIRED", False), ("2", False)]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cert_reqs(word: str, allow: bool) -> None:
    """ssl_cert_reqs is the opposite of tlsAllowInvalidCertificates, in any spelling."""
    assert options(f"ssl_cert_reqs={word}") == {"tlsAllowInvalidCertificates": allow}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cert_optional_says_what_it_does() -> None:
    """CERT_OPTIONAL verifies, and says so."""
    with pytest.warns(UserWarning, match="CERT_REQUIRED"):
        assert options("ssl_cert_reqs=cert_optional") == {"tlsAllowInvalidCertificates": False}
    with pytest.warns(UserWarning, match="expected CERT_NONE"):
        assert options("ssl_cert_reqs=maybe") == {}


def test_former_name_beside_today() -> None:
    """A former name is ignored beside today's, wherever it stands."""
    for query in ("wtimeout=5&wTimeoutMS=10", "wTimeoutMS=10&wtimeout=5"):
        with pytest.warns(DeprecationWarning, match="wtimeout is a former name of wTimeoutMS and ignored"):
            assert options(query) == {"wTimeoutMS": 10}


def test_unusable_value_beside_a_usable_one() -> None:
    """What cannot be used neither counts nor hides what can."""
    with pytest.warns(UserWarning, match="maxPoolSize"):
        assert options("maxPoolSize=5&maxPoolSize=x") == {"maxPoolSize": 5}


def test_result_cannot_be_changed() -> None:
    """A parsed string is a value."""
    parsed = parse_uri("mongodb://h/?w=1")
    with pytest.raises(TypeError):
        parsed.options["w"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        parsed.database = "x"  # type: ignore[misc]


# Bricks of connection strings, so that random strings get beyond the first check.
SIGNS = st.sampled_from("@:/?&=;,%[]+\\\0é")
WORDS = st.sampled_from(
    ["mongodb://", "mongodb+srv://", "%40", "%2F", ".sock", "[::1]", "localhost:27017", "db", "w=1", "tls=true"]
)
PAIRS = st.sampled_from(
    ["authMechanism=MONGODB-X509", "authMechanism=PLAIN", "authSource=", "readPreferenceTags=a:b", "tlsInsecure=true"]
)
BRICKS = st.one_of(SIGNS, WORDS, PAIRS, st.text(max_size=3))
URIS = st.one_of(
    st.text(),
    st.lists(BRICKS).map("".join),
    st.lists(BRICKS).map(lambda parts: "mongodb://" + "".join(parts)),
    st.lists(BRICKS).map(lambda parts: "mongodb://h/?" + "".join(parts)),
)


@given(URIS)
def test_any_string_is_parsed_or_refused(uri: str) -> None:
    """Whatever the string, the only errors are configuration errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = parse_uri(uri)
        except ConfigurationError:
            return
    assert parsed.hosts
    repr(parsed)
