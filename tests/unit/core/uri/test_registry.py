"""The rows, and that the parser, the keywords and the options agree with them."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
from bson.codec_options import CodecOptions

from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.options.monitoring_options import MonitoringOptions
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.options.srv_options import SRVOptions
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.uri.keywords import ConnectOptions
from aiomongo_tls.core.uri.option import Option, Support
from aiomongo_tls.core.uri.registry import OPTIONS, find, options_table, suggest
from aiomongo_tls.core.uri.resolve import resolve

# The names of the uri-options specification.
SPECIFIED = re.findall(
    r"\w+",
    """
    appname authMechanism authMechanismProperties authSource compressors connectTimeoutMS directConnection
    enableOverloadRetargeting heartbeatFrequencyMS journal loadBalanced localThresholdMS maxAdaptiveRetries
    maxConnecting maxIdleTimeMS maxPoolSize maxStalenessSeconds minPoolSize proxyHost proxyPassword proxyPort
    proxyUsername readConcernLevel readPreference readPreferenceTags replicaSet retryReads retryWrites
    serverMonitoringMode serverSelectionTimeoutMS serverSelectionTryOnce socketTimeoutMS srvMaxHosts
    srvServiceName ssl timeoutMS tls tlsAllowInvalidCertificates tlsAllowInvalidHostnames tlsCAFile
    tlsCertificateKeyFile tlsCertificateKeyFilePassword tlsDisableCertificateRevocationCheck
    tlsDisableOCSPEndpointCheck tlsInsecure w waitQueueTimeoutMS wTimeoutMS zlibCompressionLevel
    """,
)

FIELDS: dict[str, set[str]] = {
    "": {field.name for field in fields(ClientOptions)},
    "tls": {field.name for field in fields(TLSOptions)},
    "pool": {field.name for field in fields(PoolOptions)},
    "monitoring": {field.name for field in fields(MonitoringOptions)},
    "srv": {field.name for field in fields(SRVOptions)},
    "codec_options": set(CodecOptions._fields),
    "write_concern": {"w", "wtimeout", "j", "fsync"},
    "read_concern": {"level"},
    "read_preference": {"mode", "tag_sets", "max_staleness", "object"},
    "credential": {field.name.removeprefix("mechanism_") for field in fields(MongoCredential)},
}

by_option = pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)


@pytest.mark.parametrize("name", SPECIFIED)
def test_every_specified_option_has_a_row(name: str) -> None:
    """All names of the specification are known, in any case."""
    found = find(name)
    assert found is not None
    assert find(name.upper()) == find(name.lower()) == found


def test_names_are_unique() -> None:
    """No name means two options."""
    names = [
        name.lower()
        for option in OPTIONS.values()
        for name in (option.name, *option.aliases, *(former.name for former in option.formers))
    ]
    assert len(names) == len(set(names))


def test_keywords_are_the_registry_s_names() -> None:
    """The typed keywords and the rows have the same names; `port` is a parameter of the client."""
    typed = {name.lower() for name in ConnectOptions.__annotations__}
    known = {
        name.lower()
        for option in OPTIONS.values()
        for name in (option.name, *option.aliases, *(former.name for former in option.formers))
    }
    assert typed == known - {"port"}


@by_option
def test_option_lands_in_fields_that_exist(option: Option) -> None:
    """Where a row says that a value goes, there is a field; what does nothing goes nowhere."""
    for target in option.targets:
        path, _, field = target.rpartition(".")
        assert field in FIELDS[path]
    if not option.targets:
        assert option.support in (Support.REFUSED, Support.IGNORED) or option.name == "port"


@by_option
def test_default_is_what_leaving_out_means(option: Option) -> None:
    """Giving an option's default changes nothing."""
    context = {"tls": True} if option.name.startswith("tls") and option.name != "tls" else {}
    host = "mongodb+srv://cluster.example.net" if option.name.startswith("srv") else None
    assert resolve(host, {**context, option.name: option.default}) == resolve(host, context)


@by_option
def test_default_is_a_value_of_its_kind(option: Option) -> None:
    """A default is what the option's kind takes."""

    def remark(text: str, category: type[Warning] = UserWarning, *, damaged: bool = False) -> None:
        pytest.fail(text)

    if option.default is not None:
        assert option.kind.take(option.default, remark) == option.default


@by_option
def test_excluded_options_exist(option: Option) -> None:
    """Rows refer to rows."""
    assert set(option.excludes) <= OPTIONS.keys()


@by_option
def test_option_is_in_the_table(option: Option) -> None:
    """The README's table has a line for each option, with its other names."""
    (line,) = [line for line in options_table().splitlines() if line.startswith(f"| `{option.name}`")]
    assert line.count(" | ") == 4
    for name in (*option.aliases, *(former.name for former in option.formers)):
        assert f"`{name}`" in line
    assert option.support in line


def test_table_is_markdown() -> None:
    """One line a row below a head, each with as many cells."""
    lines = options_table().splitlines()
    assert len(lines) == len(OPTIONS) + 2
    assert {len(re.findall(r"\|", line)) for line in lines} == {6}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("max_pool_size", "maxPoolSize"),
        ("tls_ca_file", "tlsCAFile"),
        ("tlsCertificatFile", "tlsCertificateFile"),
        ("timeout_ms", "timeoutMS"),
        ("tlsAllowInvalidHostname", "tlsAllowInvalidHostnames"),
        ("app_name", "appname"),
    ],
)
def test_suggestions(wrong: str, right: str) -> None:
    """Usual slips lead to the right name."""
    assert f"did you mean {right}" in suggest(wrong)


def test_no_suggestion() -> None:
    """What is like nothing gets no suggestion, and former names are never suggested."""
    assert suggest("qqq") == ""
    assert "ssl_" not in suggest("ssl_certfil")


SECRETS: list[tuple[str, Any]] = [
    (name, "hunter2")
    for name in ("password", "tlsCertificateKeyFilePassword", "proxyPassword", "authMechanismProperties")
]


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_secrets_are_marked(name: str, value: Any) -> None:
    """Options that hold secrets are never shown."""
    assert OPTIONS[name].secret
    assert value not in OPTIONS[name].shown(value)


def test_content_is_not_shown_either() -> None:
    """A key that is given in place of its path is not shown."""
    option = OPTIONS["tlsCertificateKeyFile"]
    assert option.shown("me.pem") == "'me.pem'"
    assert option.shown("-----BEGIN PRIVATE KEY-----\nxyz") == option.shown(b"xyz") == "<hidden>"
