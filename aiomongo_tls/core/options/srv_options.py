"""Where a mongodb+srv client learns of its servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

TXT_OPTIONS: Final = ("authSource", "replicaSet", "loadBalanced")
"""What the TXT record may say (initial DNS seedlist discovery specification, "Default Connection String Options")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SRVOptions:
    """The look-up of a `mongodb+srv://` URI (initial DNS seedlist discovery specification).

    Args:
        host: the name in the URI, in lower case and as DNS has it: without a final dot, umlauts as `xn--`.
        service_name: `srvServiceName`, the service that the SRV records are looked up for.
        max_hosts: `srvMaxHosts`, the most hosts to take; 0 for all.
        allowed_hosts_suffix: `srvAllowedHostsSuffix` in lower case and without a leading dot: hosts below this domain
            are accepted, instead of those below the domain of `host`.
        host_validator: `srv_host_validator`, says of each host in lower case whether it is accepted, instead of
            either domain.
        given: which of `TXT_OPTIONS` the URI or a keyword gave; the TXT record cannot change them.
    """

    host: str
    service_name: str = "mongodb"
    max_hosts: int = 0
    allowed_hosts_suffix: str | None = None
    host_validator: Callable[[str], bool] | None = None
    given: frozenset[str] = frozenset()

    @property
    def query_name(self) -> str:
        """The name whose SRV records are asked for; the TXT record is that of `host` itself."""
        return f"_{self.service_name}._tcp.{self.host}"
