"""Options as keywords."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.uri.keywords import read_keywords
from aiomongo_tls.core.uri.notices import Notices
from aiomongo_tls.errors import ConfigurationError


def read(**options: Any) -> dict[str, Any]:
    notices = Notices()
    values = dict(read_keywords(options, notices).values())
    notices.emit()
    return values


def test_any_case() -> None:
    """Keywords are found in any case and come out under their canonical names."""
    assert read(TLSCAFILE="ca.pem", maxpoolsize=5, appName="x") == {
        "tlsCAFile": "ca.pem",
        "maxPoolSize": 5,
        "appname": "x",
    }


def test_none_is_not_given_or_no_limit() -> None:
    """None means no limit for times and the pool's size, and otherwise not given."""
    assert read(tls=None, tlsCAFile=None, connectTimeoutMS=None, maxPoolSize=None, heartbeatFrequencyMS=None) == {
        "connectTimeoutMS": 0,
        "maxPoolSize": 0,
    }


def test_unknown_keyword() -> None:
    """An unknown name is an error with a suggestion."""
    with pytest.raises(ConfigurationError, match="unknown option 'max_pool_size'; did you mean maxPoolSize"):
        read(max_pool_size=5)
    with pytest.raises(ConfigurationError, match=r"unknown option 'qqq'$"):
        read(qqq=5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"maxPoolSize": "5"}, r"maxPoolSize: expected an integer of 0 or more, found '5' \(str\)"),
        ({"maxPoolSize": -1}, r"found -1 \(int\)"),
        ({"tls": "true"}, r"tls: expected true or false, found 'true' \(str\)"),
        ({"timeoutMS": float("nan")}, "timeoutMS: expected milliseconds"),
        ({"driver": ("odm", "1", None)}, "driver: expected a DriverInfo, found a value of type tuple"),
        ({"read_preference": "secondary"}, "read_preference: expected a ReadPreference"),
        ({"ssl_context": object()}, "ssl_context: expected an ssl.SSLContext, found a value of type object"),
        ({"document_class": "dict"}, "document_class: expected a class"),
        ({"w": -1}, "w has to be"),
        ({"authSource": ""}, "authSource is empty"),
        ({"authMechanismProperties": "SERVICE_NAME"}, "authMechanismProperties has a part without ':'"),
        ({"readPreference": "x" * 50}, "readPreference.*found a value of type str"),
    ],
)
def test_wrong_value(options: dict[str, Any], says: str) -> None:
    """A value that is not what the option expects is an error that names option, expected and found."""
    with pytest.raises(ConfigurationError, match=says):
        read(**options)


def test_the_same_option_twice() -> None:
    """Two spellings of one option are an error, except tls and ssl that agree."""
    with pytest.raises(ConfigurationError, match="maxPoolSize is given twice"):
        read(maxPoolSize=1, maxpoolsize=2)
    with pytest.raises(ConfigurationError, match="tls and ssl disagree in the keywords"):
        read(tls=True, ssl=False)
    assert read(tls=True, ssl=True) == {"tls": True}


def test_former_names_warn() -> None:
    """A former name works, names today's, and is ignored beside it."""
    with pytest.warns(DeprecationWarning, match="ssl_ca_certs is a former name; use tlsCAFile") as caught:
        assert read(ssl_ca_certs="ca.pem") == {"tlsCAFile": "ca.pem"}
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="ignored"):
        assert read(ssl_ca_certs="old.pem", tlsCAFile="new.pem") == {"tlsCAFile": "new.pem"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_former_names_with_other_values() -> None:
    """ssl_cert_reqs and ssl_match_hostname mean the opposite of their successors."""
    assert read(ssl_cert_reqs=0, ssl_match_hostname=False) == {
        "tlsAllowInvalidCertificates": True,
        "tlsAllowInvalidHostnames": True,
    }
    with pytest.warns(UserWarning, match="CERT_OPTIONAL verifies"):
        assert read(ssl_cert_reqs=1) == {"tlsAllowInvalidCertificates": False}


def test_live_alias_does_not_warn() -> None:
    """Ssl is another name of tls, today as well."""
    assert read(ssl=True) == {"tls": True}
