"""No message, warning or repr shows a secret, however broken the connection string is."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from aiomongo_tls.core.uri.keywords import read_keywords
from aiomongo_tls.core.uri.notices import Notices
from aiomongo_tls.core.uri.parser import parse_uri, split_uri
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import ConfigurationError

# A password in two halves, so that whatever cuts it still leaves something to be found.
LEFT, RIGHT = "Hunter2aa", "Kestrel9"
SEPARATORS = [*"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\0é", "", "://", "%2", "%zz", "%40", "%ff", "&tls=", "?w=", "]:1"]
HALVES = [LEFT + separator + RIGHT for separator in SEPARATORS]
# Digits pass as a port, after which the rest of the password is read as something else.
RAW = [*HALVES, *(f"27017{separator}{LEFT}={RIGHT}" for separator in "?/@:&;")]
RAW += [f"27017?{LEFT}={RIGHT}&{RIGHT}={LEFT}", f"27017?w={LEFT}", f"27017?maxPoolSize={LEFT}", f"1/{LEFT}?{RIGHT}=1"]
PASSWORDS = [*RAW, *(quote(each, safe="") for each in RAW), *(quote_plus(each) for each in RAW)]

TEMPLATES = [
    "mongodb://ada:{}@h",
    "mongodb://ada:{}@h/app?tls=true",
    "mongodb://ada:{}@h/?foo=1&maxPoolSize=x&authMechanism=MONGODB-X509",
    "mongodb://ada:{}@h/?authMechanism=PLAIN&authSource=",
    "mongodb://ada:{}@h:x/",
    "mongodb://ada:{}@h,,g/",
    "mongodb://ada:{}@h/a b",
    "mongodb://ada:{}@h/?w",
    "mongodb://ada:{}@",
    "mongodb://ada:x@y:{}@h",
    "mongodb//ada:{}@h",
    "mongodb+srv://ada:{}@h:27017",
    "mongodb+srv://ada:{}@h,g/?srvMaxHosts=x",
    "{}",
    "ada:{}@h",
    "mongodb://h/?tlsCertificateKeyFilePassword={}",
    "mongodb://h/?tlsCertificateKeyFilePassword={}&tlsCertificateKeyFilePassword={}",
    "mongodb://h/?tlsCertificateKeyFilePasswort={}",
    "mongodb://h/?ssl_pem_passphrase={}&tlsCertificateKeyFilePassword={}",
    "mongodb://h/?maxPoolSize=5,tlsCertificateKeyFilePassword={}",
    "mongodb://h/?maxPoolSize=5;tlsCertificateKeyFilePassword={}",
    "mongodb://h/?maxPoolSize=5%26tlsCertificateKeyFilePassword%3D{}",
    "mongodb://h/?proxyPassword={}",
    "mongodb://h/?proxyHost=p&proxyUsername=u&proxyPassword={}&proxyPassword={}",
    "mongodb://h/?proxyHost=p&proxyUsername=u&proxyPassword={}",
    "mongodb://h/?password={}",
    "mongodb://h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:{}",
    "mongodb://h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN{}",
    "mongodb://h/?authMechanism=GSSAPI&authMechanismProperties=AWS_SESSION_TOKEN:{},CANONICALIZE_HOST_NAME:{}",
    "mongodb://h/?authMechanismProperties={}",
    "mongodb://h/?authMechanism=MONGODB-X509&tlsCertificateKeyFile=me.pem&tlsCertificateKeyFilePassword={}",
]
# Without an '@' behind it, a password that begins with digits cannot be told from a port.
HOSTLESS = ["mongodb://ada:{}", "mongodb://ada@{}:h", "mongodb://ada:{}/app", "mongodb://ada:{}?tls=true"]


def said(error: BaseException | None) -> Iterator[str]:
    """Everything an error and what it is chained to could show."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), *traceback.format_exception_only(error))
        yield repr(vars(error))
        error = error.__cause__ or error.__context__


def shown(action: Callable[[], Any]) -> tuple[str, str]:
    """What a caller could read of an action: its error and warnings, and the repr of its result."""
    texts: list[str] = []
    result = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = repr(action())
        except ConfigurationError as error:
            texts.extend(said(error))
    texts.extend(str(warning.message) for warning in caught)
    return "\n".join(texts).lower(), result.lower()


def actions(uri: str) -> list[Callable[[], Any]]:
    return [
        lambda: parse_uri(uri),
        lambda: split_uri(uri, Notices()).settings,
        lambda: resolve(uri, {}),
        lambda: resolve([uri], {"tls": False, "port": 5}),
    ]


@pytest.mark.parametrize("template", TEMPLATES)
def test_errors_and_warnings(template: str) -> None:
    """Neither half of a password shows, in whatever place and form it stands in the URI."""
    for password in PASSWORDS:
        uri = template.replace("{}", password)
        for action in actions(uri):
            text, _ = shown(action)
            assert LEFT.lower() not in text, uri
            assert RIGHT.lower() not in text, uri


@pytest.mark.parametrize("template", HOSTLESS)
def test_password_without_a_host(template: str) -> None:
    """Nor does it where the '@' and the host were forgotten."""
    for password in HALVES:
        for action in actions(template.replace("{}", password)):
            text, _ = shown(action)
            assert LEFT.lower() not in text, password
            assert RIGHT.lower() not in text, password


@pytest.mark.parametrize("template", [template for template in TEMPLATES if "://" in template])
@pytest.mark.parametrize("encode", [quote, quote_plus])
def test_reprs(template: str, encode: Callable[..., str]) -> None:
    """A password that is encoded, and so recognised as one, shows in no repr."""
    for password in RAW:
        uri = template.replace("{}", encode(password, safe=""))
        for action in actions(uri):
            _, result = shown(action)
            assert LEFT.lower() not in result, uri
            assert RIGHT.lower() not in result, uri


SECRET = LEFT


@pytest.mark.parametrize(
    "options",
    [
        {"password": SECRET},
        {"password": SECRET.encode()},
        {"username": "ada", "password": SECRET, "authMechanism": "MONGODB-X509"},
        {"username": "ada", "password": SECRET},
        {"tlsCertificateKeyFilePassword": SECRET},
        {"tlsCertificateKeyFilePassword": [SECRET]},
        {"tlsCertificateKeyFilePassword": bytearray(SECRET.encode())},
        {"ssl_pem_passphrase": SECRET, "tlsCertificateKeyFilePassword": SECRET},
        {"tlsCertificateKeyFile": "me.pem", "tlsCertificateKeyFilePassword": SECRET},
        {"tlsCertificateKeyFile": f"-----BEGIN PRIVATE KEY-----\n{SECRET}", "tls": False},
        {"tlsCertificateKeyFile": f"-----BEGIN PRIVATE KEY-----\n{SECRET}"},
        {"tlsCertificateKeyFile": SECRET.encode()},
        {"tlsCertificateKeyFile": {"key": SECRET}},
        {"tls": f"-----BEGIN PRIVATE KEY-----\n{SECRET * 4}"},
        {"proxyPassword": SECRET},
        {"proxyPassword": [SECRET]},
        {"authMechanismProperties": SECRET},
        {"authMechanismProperties": [SECRET]},
        {"authMechanismProperties": {"AWS_SESSION_TOKEN": SECRET}, "authMechanism": "MONGODB-AWS"},
        {"authMechanismProperties": {"AWS_SESSION_TOKEN": SECRET}},
        {"authMechanismProperties": {SECRET: "x"}, "authMechanism": "GSSAPI", "username": "ada"},
        {"passwort": SECRET},
    ],
)
def test_keywords(options: dict[str, Any]) -> None:
    """A secret that is given as a keyword shows neither when it is right nor when it is wrong."""
    for action in (lambda: resolve("h", options), lambda: read_keywords(options, Notices())):
        assert SECRET.lower() not in "".join(shown(action))


def test_the_sweep_can_fail() -> None:
    """What the sweep looks at does contain what an error, a warning and a repr say."""
    assert "mongodb://" in shown(lambda: parse_uri("http://h"))[0]
    assert "foo" in shown(lambda: parse_uri("mongodb://h/?foo=1"))[0]
    assert "me.pem" in shown(lambda: resolve("h", {"tlsCertificateKeyFile": "me.pem"}))[1]
    assert "kestrel9" in shown(lambda: parse_uri("mongodb://h/?Kestrel9=1"))[0]
    assert "kestrel9" in shown(lambda: parse_uri("mongodb://h/?maxPoolSize=Kestrel9"))[0]
