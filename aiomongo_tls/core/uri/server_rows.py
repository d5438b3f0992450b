"""The rows of the registry about servers, connections to them and waiting for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.uri.kinds import ANY_OBJECT, BOOLEAN, INT64_MAX, SECRET_TEXT, TEXT, integer, milliseconds, one_of
from aiomongo_tls.core.uri.option import Option, Repeat, Support

TIMEOUTS: Final = (
    Option(
        "timeoutMS", milliseconds(maximum=INT64_MAX), None, "timeout", "Bounds every operation from call to result."
    ),
    Option(
        "connectTimeoutMS",
        milliseconds(),
        10000,
        "connect_timeout",
        "Bounds one attempt to connect, from DNS to authentication.",
    ),
    Option(
        "serverSelectionTimeoutMS",
        milliseconds(1, zero_is_none=False),
        30000,
        "server_selection_timeout",
        "The longest wait for a suitable server.",
    ),
    Option(
        "socketTimeoutMS",
        milliseconds(),
        None,
        "socket_timeout",
        "The longest silence of a server within an operation. timeoutMS is what you want today.",
    ),
)

POOL: Final = (
    Option(
        "maxPoolSize", integer(none=0), 100, "pool.max_pool_size", "The most connections to a server; 0 for no limit."
    ),
    Option("minPoolSize", integer(), 0, "pool.min_pool_size", "Connections to a server that are kept open."),
    Option("maxConnecting", integer(1), 2, "pool.max_connecting", "Connections that are being opened at a time."),
    Option("maxIdleTimeMS", milliseconds(), None, "pool.max_idle_time", "An unused connection is closed after this."),
    Option("waitQueueTimeoutMS", milliseconds(), None, "pool.wait_queue_timeout", "The longest wait for a connection."),
)

SERVERS: Final = (
    Option("port", integer(1, 65535), 27017, "", "The port of a host that names none.", keyword_only=True),
    Option("directConnection", BOOLEAN, False, "direct_connection", "Talk to this one server, whatever it is."),
    Option("replicaSet", TEXT, None, "replica_set", "The name of the replica set.", support=Support.REFUSED),
    Option(
        "loadBalanced",
        BOOLEAN,
        False,
        "load_balanced",
        "The server is a load balancer.",
        support=Support.REFUSED,
    ),
    Option("srvServiceName", TEXT, None, "", "The service in mongodb+srv look-ups.", support=Support.REFUSED),
    Option(
        "srvMaxHosts", integer(), None, "", "The most hosts to take of a mongodb+srv look-up.", support=Support.REFUSED
    ),
    Option(
        "srvAllowedHostsSuffix",
        TEXT,
        None,
        "",
        "PyMongo's bound on the hosts of a mongodb+srv look-up.",
        support=Support.REFUSED,
    ),
    Option(
        "srv_host_validator",
        ANY_OBJECT,
        None,
        "",
        "PyMongo's check of the hosts of a mongodb+srv look-up.",
        keyword_only=True,
        support=Support.REFUSED,
    ),
    Option(
        "heartbeatFrequencyMS",
        milliseconds(500, zero_is_none=False),
        10000,
        "monitoring.heartbeat_frequency",
        "The time between two checks of a server.",
        support=Support.PENDING,
    ),
    Option(
        "serverMonitoringMode",
        replace(one_of(ServerMonitoringMode), land=ServerMonitoringMode),
        "auto",
        "monitoring.server_monitoring_mode",
        "How changes of a server are learned of.",
        support=Support.PENDING,
    ),
    Option(
        "localThresholdMS",
        milliseconds(zero_is_none=False),
        15,
        "monitoring.local_threshold",
        "A server this much slower than the fastest is still used.",
        support=Support.PENDING,
    ),
    Option("serverSelectionTryOnce", BOOLEAN, None, "", "For single-threaded drivers only.", support=Support.IGNORED),
    Option(
        "server_selector",
        ANY_OBJECT,
        None,
        "",
        "PyMongo's hook into server selection.",
        keyword_only=True,
        support=Support.REFUSED,
    ),
    Option("proxyHost", TEXT, None, "", "A SOCKS5 proxy.", support=Support.REFUSED, repeat=Repeat.ERROR),
    Option("proxyPort", integer(0, 65535), None, "", "The proxy's port.", support=Support.REFUSED, repeat=Repeat.ERROR),
    Option("proxyUsername", TEXT, None, "", "The user for the proxy.", support=Support.REFUSED, repeat=Repeat.ERROR),
    Option(
        "proxyPassword",
        SECRET_TEXT,
        None,
        "",
        "The password for the proxy.",
        support=Support.REFUSED,
        secret=True,
        repeat=Repeat.ERROR,
    ),
)
