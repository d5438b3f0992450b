"""What becomes of each TLS handshake. No specification has these events; names and order are those of heartbeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSHandshakeEvent:
    """Something that happened in one TLS handshake. Durations are in seconds.

    Args:
        address: the server.
        server_name: the name that it is asked for (SNI) and verified by.
        connection_id: the number of the connection in its pool, or of the monitor's connection; 0 for one that proves a
            renewed certificate or measures round trips.
        monitors: whether the connection only asks the server what it is.
        dns_duration: how long the look-up of the host took.
        tcp_duration: how long it took until a TCP connection was there.
    """

    address: ServerAddress
    server_name: str
    connection_id: int
    monitors: bool
    dns_duration: float
    tcp_duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSHandshakeStartedEvent(TLSHandshakeEvent):
    """The TCP connection is there, and the handshake begins. One of the other two events follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSHandshakeSucceededEvent(TLSHandshakeEvent):
    """The handshake is done, and the server has answered on the connection.

    With TLS 1.3 a server looks at the client's certificate when the client is done already. So this is told when the
    answer to the first command has come, or something other than TLS has kept it from coming.

    Args:
        address: the server.
        server_name: the name that it was asked for (SNI) and verified by.
        connection_id: the number of the connection in its pool, or of the monitor's connection; 0 for one that proves a
            renewed certificate or measures round trips.
        monitors: whether the connection only asks the server what it is.
        dns_duration: how long the look-up of the host took.
        tcp_duration: how long it took until a TCP connection was there.
        tls_duration: how long the handshake took, without the first command.
        version: `TLSv1.2` or `TLSv1.3`.
        cipher: OpenSSL's name of the cipher suite.
        resumed: whether an earlier session was resumed, so that no certificates were exchanged.
    """

    tls_duration: float
    version: str
    cipher: str
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSHandshakeFailedEvent(TLSHandshakeEvent):
    """The handshake failed, or the server has refused the client's certificate right after it.

    Args:
        address: the server.
        server_name: the name that it was asked for (SNI) and verified by.
        connection_id: the number of the connection in its pool, or of the monitor's connection; 0 for one that proves a
            renewed certificate or measures round trips.
        monitors: whether the connection only asks the server what it is.
        dns_duration: how long the look-up of the host took.
        tcp_duration: how long it took until a TCP connection was there.
        tls_duration: how long it took from the first message of the handshake until the client gave up.
        reason: the error's `reason` (`unknown-ca`); `cancelled` where nobody needed the connection any more, `lost`
            where it was lost without a reason of TLS.
        failure: the error; None for `cancelled`.
    """

    tls_duration: float
    reason: str
    failure: Exception | None
