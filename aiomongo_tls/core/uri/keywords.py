"""Options as keywords: their types, for editors and type checkers, and their reading, which is strict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from aiomongo_tls.core.uri.kinds import ABSENT, UNUSABLE
from aiomongo_tls.core.uri.option import Repeat
from aiomongo_tls.core.uri.registry import Name, find, suggest
from aiomongo_tls.core.uri.settings import Setting, Settings, fold
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from bson.codec_options import TypeRegistry

    from aiomongo_tls.core.events.listeners import (
        ConnectionPoolListener,
        ServerHeartbeatListener,
        ServerListener,
        TLSHandshakeListener,
        TopologyListener,
    )
    from aiomongo_tls.core.options.driver_info import DriverInfo
    from aiomongo_tls.core.options.read_preference import ReadPreference, TagSets
    from aiomongo_tls.core.options.tls_identity import TLSIdentity, TLSIdentityProvider
    from aiomongo_tls.core.options.tls_source import Password, TLSSource
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.core.uri.notices import Notices


class IdentityOptions(TypedDict, total=False):
    """Every keyword of `AsyncClient.with_identity()`: whom the client is to the server, and whom it trusts.

    They are those of `ConnectOptions`, where None means "not given".
    """

    tlsCAFile: TLSSource | None
    tlsCertificateKeyFile: TLSSource | None
    tlsCertificateFile: TLSSource | None
    tlsCertificateKeyFilePassword: Password | None
    tlsCRLFile: TLSSource | None
    tls_identity: TLSIdentity | TLSIdentityProvider | None
    tlsReloadIntervalMS: int | None
    tlsExpiryWarning: float | None
    tlsServerNames: Mapping[str, str] | str | None
    tlsInsecure: bool | None
    tlsAllowInvalidCertificates: bool | None
    tlsAllowInvalidHostnames: bool | None
    tlsRevocation: Literal["off", "soft", "hard"] | None
    tlsDisableOCSPEndpointCheck: bool | None
    tlsDisableCertificateRevocationCheck: bool | None
    # An ssl.SSLContext; core cannot import ssl to say so.
    ssl_context: Any

    username: str | None
    password: str | None
    authMechanism: (
        Literal[
            "MONGODB-X509",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1",
            "PLAIN",
            "GSSAPI",
            "MONGODB-AWS",
            "MONGODB-OIDC",
            "DEFAULT",
        ]
        | None
    )
    authSource: str | None
    authMechanismProperties: str | Mapping[str, Any] | None
    authOIDCAllowedHosts: Any


class ConnectOptions(IdentityOptions, total=False):
    """Every keyword of `AsyncClient` and `AsyncClient.connect()`; any case works, other spellings are an error.

    None means "not given", and for the options in milliseconds and `maxPoolSize` "no limit". The README's table says
    what each of them does.
    """

    # TLS, besides an identity
    tls: bool | None
    ssl: bool | None
    tlsFailFast: bool | None

    # Time limits
    timeoutMS: float | None
    connectTimeoutMS: float | None
    serverSelectionTimeoutMS: float | None
    socketTimeoutMS: float | None

    # The pool
    maxPoolSize: int | None
    minPoolSize: int | None
    maxConnecting: int | None
    maxIdleTimeMS: float | None
    waitQueueTimeoutMS: float | None
    drainTimeoutMS: float | None
    maxIdleIdentities: int | None

    # Servers
    directConnection: bool | None
    replicaSet: str | None
    loadBalanced: bool | None
    srvServiceName: str | None
    srvMaxHosts: int | None
    srvAllowedHostsSuffix: str | None
    srv_host_validator: Callable[[str], bool] | None
    heartbeatFrequencyMS: float | None
    serverMonitoringMode: Literal["auto", "stream", "poll"] | None
    localThresholdMS: float | None
    serverSelectionTryOnce: bool | None
    server_selector: Callable[[list[ServerDescription]], list[ServerDescription]] | None
    proxyHost: str | None
    proxyPort: int | None
    proxyUsername: str | None
    proxyPassword: str | None

    # Reads and writes
    readPreference: Literal["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"] | None
    readPreferenceTags: str | Sequence[str] | TagSets | None
    maxStalenessSeconds: int | None
    read_preference: ReadPreference | None
    readConcernLevel: str | None
    w: int | str | None
    wTimeoutMS: int | None
    journal: bool | None
    fsync: bool | None
    retryReads: bool | None
    retryWrites: bool | None
    maxAdaptiveRetries: int | None
    enableOverloadRetargeting: bool | None

    # Events
    event_listeners: (
        Sequence[
            ConnectionPoolListener | ServerListener | ServerHeartbeatListener | TopologyListener | TLSHandshakeListener
        ]
        | None
    )

    # Messages
    appname: str | None
    appName: str | None
    driver: DriverInfo | None
    compressors: str | Sequence[str] | None
    zlibCompressionLevel: int | None

    # Documents
    document_class: Callable[..., Any] | None
    tz_aware: bool | None
    tzinfo: datetime.tzinfo | None
    uuidRepresentation: str | int | None
    datetime_conversion: str | int | None
    unicode_decode_error_handler: Literal["strict", "replace", "ignore"] | None
    type_registry: TypeRegistry | None

    # PyMongo's, refused with a word on what to do instead
    connect: bool | None
    server_api: Any
    auto_encryption_opts: Any

    # Former names, which warn
    ssl_ca_certs: TLSSource | None
    ssl_certfile: TLSSource | None
    ssl_keyfile: TLSSource | None
    ssl_pem_passphrase: Password | None
    ssl_crlfile: TLSSource | None
    ssl_cert_reqs: int | str | None
    ssl_match_hostname: bool | None
    wtimeout: int | None
    j: bool | None


def read_keywords(options: Mapping[str, Any], notices: Notices) -> Settings:
    """Read options that were given as keywords.

    Args:
        options: the keywords.
        notices: takes the warnings.

    Raises:
        ConfigurationError: a name is unknown, a value is of the wrong type or range, an option is given twice.
    """
    given: dict[str, list[Setting]] = {}
    for key, value in options.items():
        name = find(key)
        if name is None:
            raise ConfigurationError(f"unknown option {key!r}{suggest(key)}")
        setting = Setting(name, _read_value(name, value, notices))
        if setting.value is not ABSENT:
            given.setdefault(name.option.name, []).append(setting)
    return Settings({name: _only(settings, notices) for name, settings in given.items()})


def _read_value(name: Name, value: Any, notices: Notices) -> Any:
    kind = (name.former and name.former.kind) or name.option.kind
    if value is None:
        return kind.none

    def remark(text: str, category: type[Warning] = UserWarning, *, damaged: bool = False) -> None:
        if damaged:
            raise ConfigurationError(f"{name.spelled} {text}")
        notices.add(f"{name.spelled} {text}", category)

    taken = kind.take(value, remark)
    if taken is UNUSABLE:
        raise ConfigurationError(
            f"{name.spelled}: expected {kind.expected}, found {_described(value, secret=name.option.secret)}"
        )
    return taken


def _described(value: object, *, secret: bool) -> str:
    # Only what is short and plain is quoted: a long string may be a key, an object's repr may tell anything.
    if not secret and (isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= 40)):
        return f"{value!r} ({type(value).__name__})"
    return f"a value of type {type(value).__name__} that is none"


def _only(given: list[Setting], notices: Notices) -> Setting:
    current = [setting for setting in given if setting.name.former is None]
    if len(current) > 1 and given[0].option.repeat is not Repeat.AGREE:
        raise ConfigurationError(f"{given[0].option.name} is given twice as a keyword, in different spellings")
    chosen = fold(given, notices, where="the keywords")
    # Keywords are never unusable here, and `fold` drops nothing else.
    assert chosen is not None  # noqa: S101
    return chosen
