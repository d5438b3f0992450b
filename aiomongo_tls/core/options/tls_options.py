"""What the user wants of TLS, before any file is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_source import HIDDEN, for_repr

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.tls_identity import TLSIdentityProvider
    from aiomongo_tls.core.options.tls_source import Password, TLSSource


@dataclass(frozen=True, slots=True, order=True)
class ServerName:
    """The name by which the servers at one address are known in TLS.

    Args:
        host: a host name, IP address or path of a unix domain socket as `ServerAddress` has it.
        port: the port; 0 for any, None for a unix domain socket.
        name: the name that goes into SNI and that the certificate has to be for.
    """

    host: str
    port: int | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TLSOptions:
    """The TLS options of one client.

    Args:
        enabled: `tls` (or `ssl`), or implied by an option that names a file.
        ca_file: `tlsCAFile`, the certificates to trust instead of the operating system's.
        certificate_key_file: `tlsCertificateKeyFile`, the client's key, with its certificate unless that is apart.
        certificate_file: `tlsCertificateFile`, the client's certificate chain where it is kept apart from the key.
        certificate_key_file_password: `tlsCertificateKeyFilePassword`.
        identity: `tls_identity`, which takes the place of the three before.
        crl_file: `tlsCRLFile`, certificate revocation lists: of the authority that issued the server's certificate, or
            of every authority up to the root; `tls/crl.py` says what is then looked at.
        server_names: `tlsServerNames`, in a fixed order.
        allow_invalid_certificates: `tlsAllowInvalidCertificates` or `tlsInsecure`: nothing is verified. Whoever
            asks for this gives up the host name check as well, as with PyMongo.
        allow_invalid_hostnames: `tlsAllowInvalidHostnames`, `tlsInsecure` or `tlsAllowInvalidCertificates`: the
            certificate may be for another host.
        revocation: `tlsRevocation`, whether the responder (OCSP) that the server's certificate names is asked: `off`;
            `soft`, and a server goes for good if nobody answers; `hard`, and it does not. Needs the extra `x509`.
            Python's `ssl` can neither ask a server for a stapled answer nor read one, so the responder is asked even if
            the server has its answer at hand, and a Must-Staple certificate is one without a staple:
            `tls/revocation.py` has the table.
        disable_ocsp_endpoint_check: `tlsDisableOCSPEndpointCheck`, no responder is asked.
        disable_certificate_revocation_check: `tlsDisableCertificateRevocationCheck`, neither lists nor responders
            count.
        reload_interval: `tlsReloadIntervalMS` in seconds, after which the files are looked at again; None for never.
        expiry_warning: `tlsExpiryWarning`, the share of the client certificate's lifetime below which the log is told;
            0 for never.
        ssl_context: `ssl_context`, a ready `ssl.SSLContext` that takes the place of all but `server_names`.
    """

    enabled: bool = False
    ca_file: TLSSource | None = None
    certificate_key_file: TLSSource | None = None
    certificate_file: TLSSource | None = None
    certificate_key_file_password: Password | None = None
    # A provider need not be hashable.
    identity: TLSIdentity | TLSIdentityProvider | None = field(default=None, hash=False)
    crl_file: TLSSource | None = None
    server_names: tuple[ServerName, ...] = ()
    allow_invalid_certificates: bool = False
    allow_invalid_hostnames: bool = False
    revocation: str = "off"
    disable_ocsp_endpoint_check: bool = False
    disable_certificate_revocation_check: bool = False
    # An ssl.SSLContext; core cannot import ssl to say so.
    ssl_context: Any | None = None
    reload_interval: float | None = 10.0
    expiry_warning: float = 0.2

    def server_name(self, address: ServerAddress) -> str | None:
        """The name by which a server is known in TLS; None if that is the host of its address."""
        by_host: str | None = None
        for entry in self.server_names:
            if entry.host == address.host:
                if entry.port == address.port:
                    return entry.name
                if entry.port == 0:
                    by_host = entry.name
        return by_host

    @property
    def ocsp(self) -> str:
        """How responders are asked in the end: `off`, `soft` or `hard`."""
        disabled = self.disable_ocsp_endpoint_check or self.disable_certificate_revocation_check
        return "off" if disabled or not self.enabled else self.revocation

    def __repr__(self) -> str:
        password = None if self.certificate_key_file_password is None else HIDDEN
        identity = self.identity
        # A provider's own repr may show a token.
        is_value = identity is None or isinstance(identity, TLSIdentity)
        shown = repr(identity) if is_value else f"<{type(identity).__name__}>"
        return (
            f"TLSOptions(enabled={self.enabled}, ca_file={for_repr(self.ca_file)}, "
            f"certificate_key_file={for_repr(self.certificate_key_file)}, "
            f"certificate_file={for_repr(self.certificate_file)}, certificate_key_file_password={password}, "
            f"identity={shown}, crl_file={for_repr(self.crl_file)}, server_names={self.server_names!r}, "
            f"allow_invalid_certificates={self.allow_invalid_certificates}, "
            f"allow_invalid_hostnames={self.allow_invalid_hostnames}, "
            f"revocation={self.revocation!r}, disable_ocsp_endpoint_check={self.disable_ocsp_endpoint_check}, "
            f"disable_certificate_revocation_check={self.disable_certificate_revocation_check}, "
            f"ssl_context={self.ssl_context!r})"
        )
