"""The rows of the registry about servers, connections to them and waiting for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiomongo_tls.core.options.monitoring_options import ServerMonitoringMode
from aiomongo_tls.core.uri.kinds import BOOLEAN, FUNCTION, INT64_MAX, SECRET_TEXT, TEXT, integer, milliseconds, one_of
from aiomongo_tls.core.uri.option import Option, Repeat, Support
from aiomongo_tls.core.uri.value_kinds import HOSTS_SUFFIX, SERVICE_NAME

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
    Option(
        "drainTimeoutMS",
        milliseconds(zero_is_none=False),
        5000,
        "pool.drain_timeout",
        "How long a connection waits for the reply to an operation that was given up, to be used again; 0 closes it.",
    ),
    Option(
        "maxIdleIdentities",
        integer(),
        8,
        "max_idle_identities",
        "How many identities of with_identity() keep their connections when no client has them any more.",
    ),
)

SERVERS: Final = (
    Option("port", integer(1, 65535), 27017, "", "The port of a host that names none.", keyword_only=True),
    Option("directConnection", BOOLEAN, False, "direct_connection", "Talk to this one server, whatever it is."),
    Option("replicaSet", TEXT, None, "replica_set", "The name that the replica set must have."),
    Option("loadBalanced", BOOLEAN, False, "load_balanced", "The server is a load balancer."),
    Option(
        "srvServiceName",
        SERVICE_NAME,
        "mongodb",
        "srv.service_name",
        "The service in the look-up of mongodb+srv://.",
        strict=True,
    ),
    Option("srvMaxHosts", integer(), 0, "srv.max_hosts", "The most hosts to take of those that are found; 0 for all."),
    Option(
        "srvAllowedHostsSuffix",
        HOSTS_SUFFIX,
        None,
        "srv.allowed_hosts_suffix",
        "Accept hosts of this domain, instead of the domain of the name in the URI. Keep it narrow: it decides whom "
        "DNS can send you to.",
    ),
    Option(
        "srv_host_validator",
        FUNCTION,
        None,
        "srv.host_validator",
        "Says True or False to each host that is found, instead of any domain.",
        excludes=("srvAllowedHostsSuffix",),
        keyword_only=True,
    ),
    Option(
        "heartbeatFrequencyMS",
        milliseconds(500, zero_is_none=False),
        10000,
        "monitoring.heartbeat_frequency",
        "The time between two checks of a server.",
    ),
    Option(
        "serverMonitoringMode",
        replace(one_of(ServerMonitoringMode), land=ServerMonitoringMode),
        "auto",
        "monitoring.server_monitoring_mode",
        "How changes of a server are learned of.",
    ),
    Option(
        "localThresholdMS",
        milliseconds(zero_is_none=False),
        15,
        "monitoring.local_threshold",
        "A server this much slower than the fastest is still used.",
    ),
    Option("serverSelectionTryOnce", BOOLEAN, None, "", "For single-threaded drivers only.", support=Support.IGNORED),
    Option(
        "server_selector",
        FUNCTION,
        None,
        "server_selector",
        "Gets the list of suitable servers and returns those to choose from.",
        keyword_only=True,
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
