"""What the user wants of TLS, before any file is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from os import PathLike

TLSSource: TypeAlias = "str | PathLike[str] | bytes"
"""A path, or the PEM or DER content itself; `is_content()` tells them apart."""

Password: TypeAlias = str | bytes | Callable[[], str | bytes]
"""A key's password, or what returns it when the key is read."""

_HIDDEN = "<hidden>"

# How base64 of DER and of PEM begins. Kubernetes keeps secrets like that, and a key in it must not pass for a path.
_BASE64 = re.compile(r"\s*(?:M[A-P]|LS0t)[A-Za-z0-9+/=\s]{60,}")


def is_content(source: TLSSource) -> bool:
    """Whether a TLS source is the content itself: bytes, or a string with a PEM block in it. Otherwise it is a path."""
    return isinstance(source, bytes) or (isinstance(source, str) and "-----BEGIN " in source)


def is_encoded(source: TLSSource) -> bool:
    """Whether a TLS source is content in base64: neither usable nor a path that a message may show."""
    return isinstance(source, str) and _BASE64.fullmatch(source) is not None


def _shown(source: TLSSource | None) -> str:
    return "<content>" if source is not None and (is_content(source) or is_encoded(source)) else repr(source)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TLSOptions:
    """The TLS options of one client.

    Args:
        enabled: `tls` (or `ssl`), or implied by an option that names a file.
        ca_file: `tlsCAFile`, the certificates to trust instead of the operating system's.
        certificate_key_file: `tlsCertificateKeyFile`, the client's key, with its certificate unless that is apart.
        certificate_file: `tlsCertificateFile`, the client's certificate chain where it is kept apart from the key.
        certificate_key_file_password: `tlsCertificateKeyFilePassword`.
        crl_file: `tlsCRLFile`, certificate revocation lists: of the authority that issued the server's certificate, or
            of every authority up to the root; `tls/crl.py` says what is then looked at.
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
        disable_certificate_revocation_check: `tlsDisableCertificateRevocationCheck`, neither lists nor responders count.
        ssl_context: `ssl_context`, a ready `ssl.SSLContext` that takes the place of all the others.
    """

    enabled: bool = False
    ca_file: TLSSource | None = None
    certificate_key_file: TLSSource | None = None
    certificate_file: TLSSource | None = None
    certificate_key_file_password: Password | None = None
    crl_file: TLSSource | None = None
    allow_invalid_certificates: bool = False
    allow_invalid_hostnames: bool = False
    revocation: str = "off"
    disable_ocsp_endpoint_check: bool = False
    disable_certificate_revocation_check: bool = False
    # An ssl.SSLContext; core cannot import ssl to say so.
    ssl_context: Any | None = None

    @property
    def ocsp(self) -> str:
        """How responders are asked in the end: `off`, `soft` or `hard`."""
        disabled = self.disable_ocsp_endpoint_check or self.disable_certificate_revocation_check
        return "off" if disabled or not self.enabled else self.revocation

    def __repr__(self) -> str:
        password = None if self.certificate_key_file_password is None else _HIDDEN
        return (
            f"TLSOptions(enabled={self.enabled}, ca_file={_shown(self.ca_file)}, "
            f"certificate_key_file={_shown(self.certificate_key_file)}, "
            f"certificate_file={_shown(self.certificate_file)}, certificate_key_file_password={password}, "
            f"crl_file={_shown(self.crl_file)}, allow_invalid_certificates={self.allow_invalid_certificates}, "
            f"allow_invalid_hostnames={self.allow_invalid_hostnames}, "
            f"revocation={self.revocation!r}, disable_ocsp_endpoint_check={self.disable_ocsp_endpoint_check}, "
            f"disable_certificate_revocation_check={self.disable_certificate_revocation_check}, "
            f"ssl_context={self.ssl_context!r})"
        )
