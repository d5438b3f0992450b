"""What a client tells of its TLS: its own certificate, what became of the last renewal, each server's certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.certificate import CertificateDetails

if TYPE_CHECKING:
    from datetime import datetime

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.tls.engine import TLSInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTLSStatus:
    """What was agreed with one server, on the newest connection to it.

    Args:
        version: `TLSv1.2` or `TLSv1.3`.
        cipher: OpenSSL's name of the cipher suite.
        resumed: whether an earlier session was resumed, so that no certificates were exchanged.
        server_name: the name that the server was asked for and verified by.
        peer_names: the names that its certificate is for; none where nobody can read it: it was not verified, and the
            extra `x509` is not installed.
        not_after: the last moment of its certificate's validity, in UTC; None where nobody can read it.
    """

    version: str
    cipher: str
    resumed: bool
    server_name: str
    peer_names: tuple[str, ...] = ()
    not_after: datetime | None = None

    @classmethod
    def of(cls, info: TLSInfo) -> ServerTLSStatus:
        """What a handshake has led to.

        Args:
            info: what was agreed in it.
        """
        details = _peer(info)
        return cls(
            version=info.version,
            cipher=info.cipher,
            resumed=info.resumed,
            server_name=info.server_hostname or "",
            peer_names=details.sans if details is not None else (),
            not_after=details.not_after if details is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSStatus:
    """The TLS identity of a client at one moment, and what it knows of its servers.

    The details of one's own certificate need the extra `x509`; without it subject, issuer, names and times are None. So
    they are without a certificate, with a ready `ssl_context`, and before the client's first use.

    Args:
        subject: whose certificate it is, as MongoDB spells it.
        issuer: who signed it, spelled the same way.
        sans: the names it is for (subject alternative names), `URI:spiffe://...` for example; None as said above.
        not_before: the first moment of its validity, in UTC.
        not_after: the last moment of its validity, in UTC.
        fingerprint: SHA-256 of its DER in lower-case hex; also without the extra.
        user: the MongoDB user; with MONGODB-X509 the certificate's subject unless the options name one. None for
            nobody, and where the subject cannot be read.
        last_reload: when a renewed identity was last brought into use, in UTC; None for never.
        last_reload_error: why what was found at the last look is not in use everywhere; None if nothing is wrong.
        on_disk_differs: whether something else was found at the last look than what is in use.
        servers: the servers that a TLS connection was opened to, by address.
    """

    subject: str | None = None
    issuer: str | None = None
    sans: tuple[str, ...] | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    fingerprint: str | None = None
    user: str | None = None
    last_reload: datetime | None = None
    last_reload_error: Exception | None = None
    on_disk_differs: bool = False
    servers: Mapping[ServerAddress, ServerTLSStatus]


def _peer(info: TLSInfo) -> CertificateDetails | None:
    try:
        if info.peer_certificate:
            return CertificateDetails.from_ssl_dict(info.peer_certificate)
        return CertificateDetails.from_der(info.peer_der) if info.peer_der is not None else None
    except (ConfigurationError, ValueError):
        # Without the extra `x509`, or a certificate that it cannot read.
        return None
