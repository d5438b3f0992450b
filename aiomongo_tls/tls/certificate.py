"""What stands in a certificate, for people: subject, names, validity.

Two sources. The `ssl` module tells it of a certificate that was verified (`getpeercert()`), and that is enough for a
connection that works. Anything else, a file or a peer that was not accepted, is only DER, and reading DER is left to
`cryptography` (extra `x509`).
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.subject import subject_rfc2253

if TYPE_CHECKING:
    from cryptography import x509

PIP = 'pip install "aiomongo-tls[x509]"'
"""The line that brings `cryptography`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDetails:
    """What stands in a certificate.

    Args:
        subject: whose it is, as MongoDB spells it; for a client certificate, the name of the user in `$external`.
        issuer: who signed it, spelled the same way.
        sans: the names it is for (subject alternative names): host names and IP addresses; others with their kind
            in front, `URI:spiffe://...`.
        not_before: the first moment of its validity, in UTC.
        not_after: the last moment of its validity, in UTC.
        fingerprint: SHA-256 of its DER, in lower-case hex; None where the DER is not known.
    """

    subject: str
    issuer: str
    sans: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str | None

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a certificate in DER.

        Raises:
            ConfigurationError: `cryptography` is not installed; names the extra that brings it.
            ValueError: it is not a certificate.
        """
        try:
            from cryptography import x509
        except ImportError as exc:
            raise ConfigurationError(
                f"reading a certificate needs the package cryptography: {PIP}", reason="extra-missing"
            ) from exc
        certificate = x509.load_der_x509_certificate(der)
        return cls(
            subject=_name(certificate.subject),
            issuer=_name(certificate.issuer),
            sans=_names_for(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fingerprint=hashlib.sha256(der).hexdigest(),
        )

    @classmethod
    def from_ssl_dict(cls, certificate: Mapping[str, Any], der: bytes | None = None) -> Self:
        """Read what the `ssl` module tells of a certificate.

        Args:
            certificate: what `getpeercert()` returned, of a verified peer (otherwise it is empty).
            der: the same certificate in DER, for its fingerprint.

        Raises:
            ValueError: the mapping is empty: the peer was not verified.
        """
        if not certificate:
            raise ValueError("there are no details of a certificate that was not verified")
        return cls(
            subject=subject_rfc2253(certificate["subject"]),
            issuer=subject_rfc2253(certificate["issuer"]),
            sans=tuple(_san(kind, value) for kind, value in certificate.get("subjectAltName", ())),
            not_before=_time(certificate["notBefore"]),
            not_after=_time(certificate["notAfter"]),
            fingerprint=hashlib.sha256(der).hexdigest() if der is not None else None,
        )

    @property
    def is_self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.subject == self.issuer

    def days_left(self, now: datetime) -> float:
        """Days until it expires, negative afterwards.

        Args:
            now: the present moment, with a time zone.
        """
        return (self.not_after - now) / timedelta(days=1)

    def share_left(self, now: datetime) -> float:
        """The share of its lifetime that is left: 1 when it begins, 0 when it expires, negative afterwards.

        Args:
            now: the present moment, with a time zone.
        """
        lifetime = self.not_after - self.not_before
        # Who issued one without a lifetime has seen to it that none is left.
        return (self.not_after - now) / lifetime if lifetime else -1.0


def _name(name: x509.Name) -> str:
    # An attribute that is not text (x500UniqueIdentifier is a bit string) is shown as its bytes in hex.
    return subject_rfc2253(
        [
            (attribute.oid.dotted_string, value if isinstance(value := attribute.value, str) else value.hex())
            for attribute in level
        ]
        for level in name.rdns
    )


def _names_for(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(_general_name(name) for name in names)


def _general_name(name: x509.GeneralName) -> str:
    from cryptography import x509

    if isinstance(name, x509.DNSName | x509.IPAddress):
        return str(name.value)
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.DirectoryName):
        return f"DirName:{_name(name.value)}"
    return type(name).__name__


def _san(kind: str, value: Any) -> str:
    if kind == "DNS":
        return str(value)
    if kind == "IP Address":
        try:
            # OpenSSL writes 0:0:0:0:0:0:0:1 and a final line break, depending on its version.
            return str(ip_address(value.strip()))
        except ValueError:
            return str(value)
    if kind == "DirName":
        return f"DirName:{subject_rfc2253(value)}"
    return f"{kind}:{value}"


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
