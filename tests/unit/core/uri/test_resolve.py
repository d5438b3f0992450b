"""From URI and keywords to the options of a client, or a refusal."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion, TypeRegistry
from bson.son import SON
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.events.listeners import ConnectionPoolListener
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.core.options.driver_info import DriverInfo
from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.options.read_preference import Nearest, ReadPreference, Secondary
from aiomongo_tls.core.options.srv_options import SRVOptions
from aiomongo_tls.core.uri.registry import OPTIONS
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import ConfigurationError, InvalidURI

X509 = "mongodb://db.example.net/app?tls=true&authMechanism=MONGODB-X509&tlsCAFile=ca.pem&tlsCertificateKeyFile=me.pem"


def query(text: str, **options: Any) -> ClientOptions:
    return resolve(f"mongodb://h/?{text}", options)


class Pools(ConnectionPoolListener):
    """A listener."""


class CommandListener:
    """Called as PyMongo's."""


class PoolsAndCommands(Pools, CommandListener):
    """Listens to more than there is."""


def test_x509() -> None:
    """The URI that the README begins with."""
    options = resolve(X509, {})
    assert options.seeds == (ServerAddress("db.example.net"),)
    assert options.database == "app"
    assert options.tls.enabled
    assert (options.tls.ca_file, options.tls.certificate_key_file) == ("ca.pem", "me.pem")
    assert options.credential is not None
    assert (options.credential.mechanism, options.credential.username) == ("MONGODB-X509", None)
    assert options.credential.source == "$external"


def test_keywords_alone() -> None:
    """Everything can be given as keywords."""
    assert resolve(
        "db.example.net",
        {
            "tls": True,
            "authMechanism": "MONGODB-X509",
            "tlsCAFile": "ca.pem",
            "tlsCertificateKeyFile": "me.pem",
        },
    ) == resolve(X509.replace("/app", "/"), {})


@pytest.mark.parametrize(
    ("host", "port", "seed"),
    [
        (None, None, ServerAddress("localhost", 27017)),
        (None, 5, ServerAddress("localhost", 5)),
        ("db", None, ServerAddress("db", 27017)),
        ("db", 5, ServerAddress("db", 5)),
        ("db:6", 5, ServerAddress("db", 6)),
        ("[::1]:6", None, ServerAddress("::1", 6)),
        ("/tmp/m.sock", None, ServerAddress("/tmp/m.sock", None)),
        (["db:6"], None, ServerAddress("db", 6)),
        (("db",), None, ServerAddress("db")),
        ("mongodb://db", 5, ServerAddress("db", 5)),
        ("mongodb://db:6", 5, ServerAddress("db", 6)),
        (["mongodb://db"], None, ServerAddress("db")),
    ],
)
def test_host_and_port(host: Any, port: int | None, seed: ServerAddress) -> None:
    """A URI, a bare host, a list of one, or nothing; the port goes to a host without one."""
    assert resolve(host, {} if port is None else {"port": port}).seeds == (seed,)


@pytest.mark.parametrize("host", [5, b"db", [], [5], {"db": 1}, ["mongodb://a", "b"], "", "a b"])
def test_no_host(host: Any) -> None:
    """What is no host is refused by name."""
    with pytest.raises(ConfigurationError, match="host"):
        resolve(host, {})


@pytest.mark.parametrize("host", ["mongodb://a,b:5", "a,b:5", ["a", "b:5"], ["a,b:5"], "mongodb://a,b:5,a"])
def test_several_hosts(host: Any) -> None:
    """Several hosts in each way of writing them; one that is there twice counts once."""
    options = resolve(host, {})
    assert options.seeds == (ServerAddress("a"), ServerAddress("b", 5))
    assert options.origin == "a:27017,b:5"
    assert not options.direct_connection


def test_a_replica_set_and_a_load_balancer() -> None:
    """The options replicaSet and loadBalanced land, from the URI and as keywords."""
    assert query("replicaSet=rs0").replica_set == query("", replicaSet="rs0").replica_set == "rs0"
    assert query("loadBalanced=true").load_balanced
    with pytest.raises(ConfigurationError, match="loadBalanced=true and replicaSet"):
        query("loadBalanced=true", replicaSet="rs0")


def test_srv_is_pending() -> None:
    """mongodb+srv leaves the seeds open and is otherwise complete: TLS, credential, what the look-up needs."""
    options = resolve(
        "mongodb+srv://ada:pw@Cluster.Example.net/app?srvServiceName=my-db&srvMaxHosts=2&authSource=staff", {}
    )
    assert options.seeds == ()
    assert options.srv == SRVOptions(
        host="cluster.example.net", service_name="my-db", max_hosts=2, given=frozenset({"authSource"})
    )
    assert options.srv.query_name == "_my-db._tcp.cluster.example.net"
    assert options.origin == "mongodb+srv://cluster.example.net"
    assert options.tls.enabled
    assert options.credential is not None
    assert (options.credential.source, options.database) == ("staff", "app")


@pytest.mark.parametrize(
    ("query_text", "keywords"), [("tls=false", {}), ("ssl=false", {}), ("", {"tls": False}), ("", {"ssl": False})]
)
def test_srv_means_tls_unless_told_otherwise(query_text: str, keywords: dict[str, Any]) -> None:
    """TLS is on with mongodb+srv, and off if the user says so; files contradict that, options of TLS need nothing."""
    uri = f"mongodb+srv://c.example.net/?{query_text}"
    assert not resolve(uri, keywords).tls.enabled
    with pytest.raises(ConfigurationError, match="tls=false contradicts"):
        resolve(uri, {**keywords, "tlsCAFile": "ca.pem"})
    assert resolve("mongodb+srv://c.example.net/?tlsInsecure=true", {}).tls.allow_invalid_certificates
    x509 = "mongodb+srv://c.example.net/?authMechanism=MONGODB-X509&tlsCertificateKeyFile=me.pem"
    assert resolve(x509, {}).credential is not None


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("localhost", "localhost"),
        ("mongo.local", "mongo.local"),
        ("c.example.net.", "c.example.net"),
        ("cluster_1.example.net", "cluster_1.example.net"),
        ("CLÜSTER.example.net", "xn--clster-4ya.example.net"),
    ],
)
def test_srv_host_as_dns_has_it(written: str, host: str) -> None:
    """Names of any number of parts, without a final dot, in lower case and ASCII."""
    srv = resolve(f"mongodb+srv://{written}", {}).srv
    assert srv is not None
    assert srv.host == host


@pytest.mark.parametrize(
    ("uri", "keywords", "says"),
    [
        ("mongodb+srv://a..example.net", {}, "is no DNS name"),
        (f"mongodb+srv://{'a' * 64}.example.net", {}, "is no DNS name"),
        ("mongodb+srv://ü..example.net", {}, "is no DNS name"),
        ("mongodb+srv://c.example.net/?srvServiceName=a_b", {}, "srvServiceName in the URI has a value"),
        ("mongodb+srv://c.example.net", {"srvServiceName": "-a"}, "srvServiceName: expected a service name"),
        ("mongodb+srv://c.example.net", {"srvServiceName": "a" * 63}, "srvServiceName: expected a service name"),
        ("mongodb+srv://c.example.net", {"srvServiceName": "27017"}, "srvServiceName: expected a service name"),
        ("mongodb+srv://c.example.net", {"srvMaxHosts": -1}, "srvMaxHosts"),
        ("mongodb+srv://c.example.net", {"srvAllowedHostsSuffix": ".net"}, "srvAllowedHostsSuffix: expected a domain"),
        ("mongodb+srv://c.example.net", {"srvAllowedHostsSuffix": "."}, "srvAllowedHostsSuffix: expected a domain"),
        ("mongodb+srv://c.example.net", {"srv_host_validator": "x"}, "srv_host_validator: expected a function"),
        (
            "mongodb+srv://c.example.net",
            {"srv_host_validator": bool, "srvAllowedHostsSuffix": "example.net"},
            "cannot be given together",
        ),
        ("mongodb+srv://c.example.net", {"directConnection": True}, "directConnection=true cannot be used with"),
        ("mongodb+srv://c.example.net/?srvMaxHosts=1", {"replicaSet": "rs0"}, "srvMaxHosts and replicaSet"),
        ("mongodb://h", {"srvServiceName": "mongodb"}, "goes with mongodb"),
        ("mongodb://h", {"srvMaxHosts": 0}, "goes with mongodb"),
        ("mongodb://h", {"srvAllowedHostsSuffix": "example.net"}, "goes with mongodb"),
        ("mongodb://h", {"srv_host_validator": bool}, "goes with mongodb"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is ignored. expected a service name")
def test_srv_refusals(uri: str, keywords: dict[str, Any], says: str) -> None:
    """What cannot be looked up, or goes with mongodb+srv only, is refused by name before any I/O."""
    with pytest.raises(ConfigurationError, match=says):
        resolve(uri, keywords)


@pytest.mark.parametrize("suffix", ["Atlas.Example.net", ".atlas.example.net", "atlas.example.net."])
def test_allowed_hosts_suffix(suffix: str) -> None:
    """The suffix may begin with a dot or not; the names that are for private use are enough alone."""
    srv = resolve("mongodb+srv://c.example.net", {"srvAllowedHostsSuffix": suffix}).srv
    assert srv is not None
    assert srv.allowed_hosts_suffix == "atlas.example.net"
    srv = resolve("mongodb+srv://c.example.net/?srvAllowedHostsSuffix=.internal", {"srv_host_validator": None}).srv
    assert srv is not None
    assert (srv.allowed_hosts_suffix, srv.host_validator) == ("internal", None)


def test_functions_and_listeners() -> None:
    """A selector, a validator and listeners are taken as they are; the listeners become a tuple."""
    listener = Pools()
    options = query("", server_selector=sorted, event_listeners=[listener])
    assert options.server_selector is sorted
    assert options.event_listeners == (listener,)
    assert query("", event_listeners=()).event_listeners == ()
    srv = resolve("mongodb+srv://c.example.net", {"srv_host_validator": bool}).srv
    assert srv is not None
    assert srv.host_validator is bool


@pytest.mark.parametrize(
    ("listeners", "says"),
    [
        (Pools(), "event_listeners: expected a list of listeners"),
        ([object()], "event_listeners has a object in it: expected instances of subclasses .*ConnectionPoolListener"),
        ([Pools], "event_listeners has a type in it"),
        ([CommandListener()], "event_listeners has a CommandListener in it: events of commands are not supported yet"),
        ([Pools(), PoolsAndCommands()], "has a PoolsAndCommands in it: events of commands are not supported yet"),
    ],
)
def test_no_listeners(listeners: Any, says: str) -> None:
    """What would not be told what it waits for is refused, by its class."""
    with pytest.raises(ConfigurationError, match=says):
        query("", event_listeners=listeners)


def test_keywords_win_over_the_uri() -> None:
    """The same option in both: the keyword counts."""
    options = query("maxPoolSize=5&minPoolSize=3&appname=uri", maxPoolSize=7, appname="keyword")
    assert (options.pool.max_pool_size, options.pool.min_pool_size, options.app_name) == (7, 3, "keyword")


def test_conflicts_are_looked_for_in_the_merged_options() -> None:
    """An option of the URI and a keyword can contradict each other, and a keyword can end a contradiction."""
    with pytest.raises(ConfigurationError, match="tlsInsecure"):
        query("tls=true&tlsInsecure=true", tlsAllowInvalidHostnames=False)
    with pytest.raises(ConfigurationError, match="minPoolSize"):
        query("minPoolSize=5", maxPoolSize=4)
    assert query("minPoolSize=5&maxPoolSize=4", maxPoolSize=6).pool.max_pool_size == 6


def test_times_are_seconds() -> None:
    """Milliseconds become seconds, 0 and None no limit."""
    options = query(
        "connectTimeoutMS=1500&serverSelectionTimeoutMS=250&socketTimeoutMS=0&timeoutMS=1&maxIdleTimeMS=2000"
        "&waitQueueTimeoutMS=3&heartbeatFrequencyMS=500&localThresholdMS=0"
    )
    assert (options.connect_timeout, options.server_selection_timeout, options.socket_timeout) == (1.5, 0.25, None)
    assert (options.timeout, options.pool.max_idle_time, options.pool.wait_queue_timeout) == (0.001, 2.0, 0.003)
    assert (options.monitoring.heartbeat_frequency, options.monitoring.local_threshold) == (0.5, 0.0)
    assert query("drainTimeoutMS=250").pool.drain_timeout == 0.25
    assert (query("").pool.drain_timeout, query("", drainTimeoutMS=0).pool.drain_timeout) == (5.0, 0.0)
    assert resolve(None, {"connectTimeoutMS": None}).connect_timeout is None
    assert resolve(None, {"connectTimeoutMS": 0}).connect_timeout is None
    assert resolve(None, {"connectTimeoutMS": 2.5}).connect_timeout == 0.0025


def test_the_other_options_land() -> None:
    """Values end up where their rows say."""
    options = query(
        "maxConnecting=1&serverMonitoringMode=poll&retryReads=false&retryWrites=false&directConnection=true"
        "&maxAdaptiveRetries=0&enableOverloadRetargeting=true&zlibCompressionLevel=9&tlsFailFast=false",
        driver=DriverInfo("odm"),
    )
    assert options.pool.max_connecting == 1
    assert options.monitoring.server_monitoring_mode is ServerMonitoringMode.POLL
    assert (options.retry_reads, options.retry_writes, options.direct_connection) == (False, False, True)
    assert (options.max_adaptive_retries, options.enable_overload_retargeting) == (0, True)
    assert (options.zlib_compression_level, options.tls_fail_fast) == (9, False)
    assert options.driver == DriverInfo("odm")


def test_concerns() -> None:
    """Write and read concern are made of their options."""
    options = query("w=2&wTimeoutMS=500&journal=true&readConcernLevel=majority")
    assert options.write_concern == WriteConcern(w=2, wtimeout=500, j=True)
    assert options.read_concern == ReadConcern("majority")


def test_read_preference() -> None:
    """The three options of the URI, or one object."""
    uri = "readPreference=secondary&readPreferenceTags=dc:ny&readPreferenceTags=&maxStalenessSeconds=120"
    assert query(uri).read_preference == Secondary([{"dc": "ny"}, {}], 120)
    assert query(uri, read_preference=Nearest()).read_preference == Nearest()
    assert query("readPreference=primary").read_preference == ReadPreference.PRIMARY
    assert query("readPreferenceTags=").read_preference == ReadPreference.PRIMARY
    with pytest.raises(ConfigurationError, match="read_preference and readPreference"):
        query("", read_preference=Nearest(), readPreference="nearest")
    for text in ("readPreferenceTags=dc:ny", "maxStalenessSeconds=90", "readPreference=primary&readPreferenceTags=a:b"):
        with pytest.raises(ConfigurationError, match="other than primary"):
            query(text)


def test_codec_options() -> None:
    """How documents are decoded."""
    registry = TypeRegistry()
    codec = query(
        "tz_aware=true&uuidRepresentation=standard&datetime_conversion=DATETIME_AUTO",
        document_class=SON,
        tzinfo=datetime.UTC,
        type_registry=registry,
        unicode_decode_error_handler="ignore",
    ).codec_options
    assert codec.document_class is SON
    assert codec.tz_aware
    assert codec.tzinfo is datetime.UTC
    assert codec.uuid_representation == UuidRepresentation.STANDARD
    assert codec.datetime_conversion is DatetimeConversion.DATETIME_AUTO
    assert codec.unicode_decode_error_handler == "ignore"
    assert codec.type_registry is registry


def test_codec_options_that_do_not_go_together() -> None:
    """Tzinfo needs tz_aware, and a document class is a mapping."""
    with pytest.raises(ConfigurationError, match="tz_aware=True"):
        query("", tzinfo=datetime.UTC)
    with pytest.raises(ConfigurationError, match="document_class"):
        query("", document_class=list)


@pytest.mark.parametrize(
    "options",
    [
        {"tlsCAFile": "ca.pem"},
        {"tlsCAFile": Path("ca.pem")},
        {"tlsCertificateKeyFile": b"pem"},
        {"tlsCertificateKeyFile": "me.pem", "tlsCertificateKeyFilePassword": lambda: "pw"},
        {"tlsCertificateKeyFile": "tls.key", "tlsCertificateFile": "tls.crt"},
        {"tlsCRLFile": "crl.pem"},
        {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
    ],
)
def test_files_imply_tls(options: dict[str, Any]) -> None:
    """An option that is useless without TLS turns it on, and contradicts tls=false."""
    assert resolve(None, options).tls.enabled
    assert resolve(None, {**options, "tls": True}).tls.enabled
    with pytest.raises(ConfigurationError, match="tls=false contradicts"):
        resolve(None, {**options, "tls": False})


def test_tls_is_off_by_default() -> None:
    """Without any option of TLS there is none."""
    assert not resolve(None, {}).tls.enabled
    assert not resolve(None, {"tls": False, "tlsInsecure": False}).tls.enabled


@pytest.mark.parametrize(
    ("options", "certificates", "hostnames"),
    [
        ({}, False, False),
        ({"tlsInsecure": True}, True, True),
        ({"tlsInsecure": False}, False, False),
        ({"tlsAllowInvalidCertificates": True}, True, True),
        ({"tlsAllowInvalidHostnames": True}, False, True),
        ({"tlsAllowInvalidCertificates": False, "tlsAllowInvalidHostnames": True}, False, True),
        ({"tlsAllowInvalidHostnames": True, "tlsAllowInvalidCertificates": False}, False, True),
        ({"tlsAllowInvalidHostnames": True, "tlsAllowInvalidCertificates": True}, True, True),
    ],
)
def test_insecure_options(options: dict[str, bool], certificates: bool, hostnames: bool) -> None:
    """Whoever gives up the certificate gives up the host name, but not the other way round."""
    tls = resolve(None, {"tls": True, **options}).tls
    assert (tls.allow_invalid_certificates, tls.allow_invalid_hostnames) == (certificates, hostnames)


# What would quietly give less security than was asked for: (query, keywords, what the message names).
DOWNGRADES: list[tuple[str, dict[str, Any], str]] = [
    ("authMechanism=MONGODB-X509", {}, "tls=true"),
    ("authMechanism=MONGODB-X509&tls=false", {}, "tls=true"),
    ("authMechanism=MONGODB-X509&tls=true", {}, "tlsCertificateKeyFile"),
    ("authMechanism=MONGODB-X509&tlsCAFile=ca.pem", {}, "tlsCertificateKeyFile"),
    ("tlsInsecure=true", {}, "tlsInsecure means nothing without TLS; add tls=true"),
    ("tlsAllowInvalidCertificates=true", {}, "tls=true"),
    ("tlsAllowInvalidHostnames=false", {}, "tls=true"),
    ("tls=false&tlsAllowInvalidHostnames=true", {}, "tls=true"),
    ("tlsDisableOCSPEndpointCheck=true", {}, "tls=true"),
    ("tlsRevocation=hard", {}, "tlsRevocation means nothing without TLS; add tls=true"),
    ("tls=false&tlsRevocation=soft", {}, "tls=true"),
    ("tls=true&tlsRevocation=Hard", {}, "tlsRevocation in the URI"),
    (
        "tls=true&tlsAllowInvalidCertificates=true&tlsAllowInvalidHostnames=false",
        {},
        "tlsAllowInvalidHostnames=false cannot be had beside tlsAllowInvalidCertificates=true",
    ),
    ("tls=true&tlsAllowInvalidCertificates=true", {"tlsAllowInvalidHostnames": False}, "tlsAllowInvalidHostnames=fals"),
    ("tls=true&authSource=$external", {}, "authSource=$external authenticates nobody by itself; add authMechanism"),
    ("authMechanismProperties=SERVICE_NAME:x", {}, "authMechanismProperties authenticates nobody by itself"),
    ("tls=true", {"tls": False}, "tls in the URI and tls as a keyword disagree"),
    ("ssl=false", {"tls": True}, "tls in the URI and tls as a keyword disagree"),
    ("tlsCertificateFile=chain.pem", {}, "tlsCertificateKeyFile"),
    ("tls=true&tlsCertificateKeyFilePassword=pw", {}, "tlsCertificateKeyFile"),
    ("tlsCAFile=ca.pem", {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}, "tlsCAFile has no effect beside"),
    ("tlsInsecure=true", {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}, "tlsInsecure has no effect beside"),
    # A warning is enough for the specifications, not for us.
    ("tls=True", {}, "tls in the URI has a value that cannot be used: expected true or false"),
    ("tls=true&tls=yes!", {}, "tls in the URI"),
    ("authMechanism=X509", {}, "authMechanism in the URI"),
    ("tlsCAFile=", {}, "tlsCAFile in the URI"),
    ("tls=true&tlsInsecure=no!", {}, "tlsInsecure in the URI"),
    ("journal=on", {}, "journal in the URI"),
    ("wTimeoutMS=-500", {}, "wTimeoutMS in the URI"),
    ("w=", {}, "w in the URI"),
    ("w=-1", {}, "w has to be"),
]


@pytest.mark.parametrize(("text", "keywords", "says"), DOWNGRADES)
def test_no_silent_downgrade(text: str, keywords: dict[str, Any], says: str) -> None:
    """What would quietly be less than was asked for is refused, naming option and mend."""
    with pytest.raises(ConfigurationError) as caught:
        query(text, **keywords)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("tls=True", {"tls": True}),
        ("tls=true", {"tls": True}),
        ("tls=true&tlsInsecure=true", {}),
        ("tlsAllowInvalidHostnames=true", {"tls": True}),
        ("authSource=admin", {}),
        ("authMechanism=MONGODB-X509&authSource=$external", {"tlsCertificateKeyFile": "me.pem"}),
        ("journal=on", {"journal": True}),
        ("authMechanism=MONGODB-X509", {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}),
        ("authMechanism=MONGODB-X509", {"tlsCertificateKeyFile": "me.pem"}),
        ("tls=true", {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*in the URI is ignored")
def test_twins_of_the_downgrades(text: str, keywords: dict[str, Any]) -> None:
    """The same options with what they lacked are fine."""
    assert isinstance(query(text, **keywords), ClientOptions)


@pytest.mark.parametrize(
    ("uri", "keywords", "says"),
    [
        ("mongodb://h/?proxyHost=p", {}, "proxyHost"),
        ("mongodb://ada:pw@h/?authMechanism=PLAIN", {}, "PLAIN"),
        ("mongodb://h/?authMechanism=MONGODB-AWS", {}, "MONGODB-AWS"),
        ("mongodb://h", {"connect": True}, "connect"),
        ("mongodb://h", {"server_api": object()}, "server_api"),
        ("mongodb://h", {"auto_encryption_opts": object()}, "auto_encryption_opts"),
    ],
)
def test_not_here_yet(uri: str, keywords: dict[str, Any], says: str) -> None:
    """What is not implemented is refused by name before anything is opened."""
    with pytest.raises(ConfigurationError, match=f"{says}.*not supported yet"):
        resolve(uri, keywords)


def test_asking_for_nothing_is_fine() -> None:
    """An option that is not here yet, with the value that it has anyway, is not refused."""
    assert query("loadBalanced=false", connect=False, proxyHost=None, compressors=[]) == query("")


def test_ignored_with_a_warning() -> None:
    """Compression is left out with a warning, which points at the caller."""
    with pytest.warns(UserWarning, match="compressors is ignored") as caught:
        options = resolve("mongodb://h/?compressors=zlib", {})
    assert options.compressors == ()
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="serverSelectionTryOnce is ignored"):
        query("serverSelectionTryOnce=false")


def test_credential_of_uri_and_keywords() -> None:
    """The parts of a credential may come from either side, and keywords win and are taken as they are."""
    options = query("authMechanism=MONGODB-X509", username="CN=a+b%20", tlsCertificateKeyFile="me.pem")
    assert options.credential is not None
    assert options.credential.username == "CN=a+b%20"
    with pytest.raises(ConfigurationError, match="password has no place here"):
        query("authMechanism=MONGODB-X509", password="pw", tlsCertificateKeyFile="me.pem")
    with pytest.raises(ConfigurationError, match="a user name is needed"):
        query("authMechanism=SCRAM-SHA-256")
    options = query("authMechanism=SCRAM-SHA-256", username="a%b,c", password="p+w")
    assert options.credential is not None
    assert (options.credential.username, options.credential.password) == ("a%b,c", "p+w")


@pytest.mark.parametrize(
    ("uri", "keywords", "mechanism", "source"),
    [
        ("mongodb://ada:pw@h", {}, None, "admin"),
        ("mongodb://ada:pw@h/app?authMechanism=DEFAULT", {}, None, "app"),
        ("mongodb://ada:pw@h/app?authMechanism=SCRAM-SHA-1&authSource=staff", {}, "SCRAM-SHA-1", "staff"),
        ("mongodb://h", {"username": "ada", "password": "pw", "tls": True}, None, "admin"),
        (
            "mongodb://ada:pw@h/?authMechanism=SCRAM-SHA-256",
            {"tlsCertificateKeyFile": "me.pem"},
            "SCRAM-SHA-256",
            "admin",
        ),
    ],
)
def test_a_user_with_a_password(uri: str, keywords: dict[str, Any], mechanism: str | None, source: str) -> None:
    """SCRAM, chosen or agreed on, with and without TLS and a certificate for it."""
    credential = resolve(uri, keywords).credential
    assert credential is not None
    assert (credential.username, credential.password) == ("ada", "pw")
    assert (credential.mechanism, credential.source) == (mechanism, source)


@pytest.mark.parametrize("text", ["mongodb://ada@h", "mongodb://ada@h/?authMechanism=DEFAULT"])
def test_a_user_without_a_password(text: str) -> None:
    """Authenticates nobody, which is said before anything is sent."""
    with pytest.raises(ConfigurationError, match="add the password"):
        resolve(text, {})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_former_files_from_both_sides() -> None:
    """ssl_certfile in the URI and ssl_keyfile as a keyword are chain and key."""
    tls = query("ssl_certfile=chain.pem", ssl_keyfile="key.pem").tls
    assert (tls.certificate_file, tls.certificate_key_file) == ("chain.pem", "key.pem")
    assert query("ssl_certfile=both.pem").tls.certificate_key_file == "both.pem"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_former_insecure_options_need_tls_too() -> None:
    """PyMongo 4 drops ssl_cert_reqs in a URI with a warning and connects in plain text; we do not."""
    with pytest.raises(ConfigurationError, match="tls=true"):
        query("ssl_cert_reqs=CERT_REQUIRED")
    assert query("ssl=true&ssl_cert_reqs=CERT_NONE").tls.allow_invalid_certificates
    assert query("ssl=true", ssl_cert_reqs=ssl.CERT_NONE).tls.allow_invalid_certificates


def test_broken_uri() -> None:
    """The syntax of the URI is the parser's business."""
    with pytest.raises(InvalidURI):
        resolve("mongodb://h:x", {})


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text()), st.builds(object)
)


@given(st.sampled_from(sorted(OPTIONS)), VALUES)
@pytest.mark.filterwarnings("ignore")
def test_any_keyword_value_is_taken_or_refused(name: str, value: Any) -> None:
    """Whatever a keyword's value, the only errors are configuration errors."""
    refusal = ""
    try:
        resolve("mongodb://h/?tls=true", {name: value})
    except ConfigurationError as exc:
        refusal = str(exc)
    assert not refusal or name in refusal or "authentication" in refusal
