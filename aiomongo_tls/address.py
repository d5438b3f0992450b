"""Where a server is: a host name or IP address with a port, or the path of a unix domain socket."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

DEFAULT_PORT = 27017


@dataclass(frozen=True, slots=True, order=True)
class ServerAddress:
    """The address of one server, comparable and hashable.

    Args:
        host: a host name or IP address in lower case and without brackets, or the path of a unix domain socket.
        port: 1 to 65535, or None for a unix domain socket.
    """

    host: str
    port: int | None = DEFAULT_PORT

    @property
    def is_unix_socket(self) -> bool:
        """Whether this is the path of a unix domain socket."""
        return self.port is None

    @property
    def is_ip(self) -> bool:
        """Whether the host is an IPv4 or IPv6 address, which TLS names by an IP SAN and sends no SNI for."""
        return _is_ip(self.host)

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lru_cache(maxsize=256)
def _is_ip(host: str) -> bool:
    # Asked for each connection, and a few hundredths of what that costs.
    try:
        # A zone ("fe80::1%eth0") belongs to the machine, not to the address.
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
