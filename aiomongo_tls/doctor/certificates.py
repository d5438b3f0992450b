"""What is good and bad about certificates, as plain functions of their content and of the time.

Reading DER is `cryptography`'s business; `read_contents()` turns it into values, and the rest looks at those only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.auth.x509_cause import create_user
from aiomongo_tls.doctor.findings import Check, Finding, error, info, warning
from aiomongo_tls.tls.certificate import CertificateDetails

if TYPE_CHECKING:
    from cryptography import x509

    from aiomongo_tls.address import ServerAddress

EXPIRY_SHARE = 0.2
"""A certificate should have been renewed when less than this share of its lifetime is left."""
EXPIRY_DAYS = timedelta(days=30)
"""That is for certificates of some months; those of an authority, for decades, have time until this is left."""

_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
_ANY_USAGE = "2.5.29.37.0"
# O, OU and DC: what mongod compares in order to tell members of its cluster from clients.
_MEMBERSHIP = ("2.5.4.10", "2.5.4.11", "0.9.2342.19200300.100.1.25")
_MANY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateContents:
    """What of a certificate the doctor looks at.

    Args:
        details: subject, names, validity.
        usages: the object identifiers in its extendedKeyUsage; None if it has none, which allows everything.
        signs: whether its keyUsage allows digital signatures, as TLS needs them; also if it has no keyUsage.
        is_authority: whether it may issue others (CA:TRUE).
        membership: the parts O, OU and DC of its subject.
    """

    details: CertificateDetails
    usages: frozenset[str] | None
    signs: bool
    is_authority: bool
    membership: frozenset[tuple[str, str]]


def read_contents(der: bytes) -> CertificateContents:
    """Read a certificate.

    Args:
        der: the certificate in DER.

    Raises:
        ConfigurationError: `cryptography` is not installed; names the extra that brings it.
        ValueError: it is not a certificate.
    """
    details = CertificateDetails.from_der(der)
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    usages = _extension(certificate, x509.ExtendedKeyUsage)
    key_usage = _extension(certificate, x509.KeyUsage)
    constraints = _extension(certificate, x509.BasicConstraints)
    return CertificateContents(
        details=details,
        usages=frozenset(usage.dotted_string for usage in usages) if usages is not None else None,
        signs=key_usage is None or key_usage.digital_signature,
        is_authority=constraints is not None and constraints.ca,
        membership=frozenset(
            (attribute.oid.dotted_string, str(attribute.value))
            for attribute in certificate.subject
            if attribute.oid.dotted_string in _MEMBERSHIP
        ),
    )


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def client_findings(
    own: CertificateContents,
    where: str,
    *,
    now: datetime,
    is_user: bool,
    database: str | None = None,
    share: float = EXPIRY_SHARE,
) -> list[Finding]:
    """Judge a client's certificate.

    Args:
        own: the certificate.
        where: the option and the file that it is from.
        now: the present moment, in UTC.
        is_user: whether it is to log in by MONGODB-X509.
        database: a database that the user may want to work with.
        share: `tlsExpiryWarning`; the doctor warns when a client does.
    """
    details = own.details
    is_ending = details.not_after - now < share * (details.not_after - details.not_before)
    findings = [
        info(
            Check.FILES,
            "client-certificate",
            "client certificate",
            found=f"{shown(details)}, issued by {_issuer(details)}, {left(details, now)}",
        ),
        *_time_findings(details, now, f"the client certificate in {where}", "client-certificate", is_ending=is_ending),
    ]
    if own.usages is not None and not own.usages & {_CLIENT_AUTH, _ANY_USAGE}:
        findings.append(
            error(
                Check.FILES,
                "no-client-auth",
                "the client certificate is not meant for clients, so that servers refuse it",
                expected="clientAuth in its extendedKeyUsage",
                found=", ".join(sorted(map(_usage, own.usages))),
                fix="have it issued anew with clientAuth in its extendedKeyUsage",
            )
        )
    if not own.signs:
        findings.append(
            error(
                Check.FILES,
                "no-digital-signature",
                "the client certificate may not be used for signatures, so that TLS cannot use it",
                expected="digitalSignature in its keyUsage",
                fix="have it issued anew with digitalSignature in its keyUsage",
            )
        )
    if is_user:
        findings.append(_user_finding(details, database))
    return findings


def _user_finding(details: CertificateDetails, database: str | None) -> Finding:
    if not details.subject:
        return error(
            Check.FILES,
            "empty-subject",
            "the client certificate has an empty subject, and its subject is the name of its MongoDB user",
            expected="a subject such as CN=ada,OU=clients,O=Example",
            fix="have it issued anew with a subject; names in subjectAltName do not count",
        )
    return info(
        Check.FILES,
        "mongodb-user",
        "MongoDB user",
        found=f"{details.subject} in $external",
        fix=f"if there is no such user yet: {create_user(details.subject, database)}",
    )


def leaf_finding(first: CertificateContents, where: str) -> Finding:
    """The finding that a client's own certificate does not stand first.

    Args:
        first: the one that does.
        where: the option and the file that it is from.
    """
    return warning(
        Check.FILES,
        "leaf-not-first",
        f"the client's own certificate does not stand first in {where}",
        expected="the client's certificate, then those of intermediate authorities",
        found=f"{shown(first.details)} first",
        fix="put it first: aiomongo_tls finds it anywhere, but most other programs send the first one",
    )


def authority_findings(authorities: Sequence[CertificateContents], where: str, *, now: datetime) -> list[Finding]:
    """Judge the certificates that are trusted.

    Args:
        authorities: the certificates.
        where: the option and the file that they are from.
        now: the present moment, in UTC.
    """
    names = [shown(each.details) for each in authorities[:_MANY]]
    if len(authorities) > _MANY:
        names.append(f"and {len(authorities) - _MANY} more")
    findings = [
        info(
            Check.FILES,
            "authorities",
            "authorities trusted",
            found=f"{len(authorities)} in {where}: {'; '.join(names)}",
        )
    ]
    over = [each for each in authorities if each.details.not_after < now]
    if over and len(over) == len(authorities):
        findings.append(
            error(
                Check.FILES,
                "ca-expired",
                f"every authority in {where} has expired",
                expected=f"certificates that are valid now, {moment(now)}",
                found="; ".join(_expiry(each.details) for each in over[:_MANY]),
                fix="get the authority's present certificate",
            )
        )
        return findings
    for each in authorities:
        findings += _time_findings(each.details, now, f"an authority in {where}", "ca", severe=False)
    return findings


def chain_findings(
    chain: Sequence[CertificateDetails], *, now: datetime, host: ServerAddress, severe: bool
) -> list[Finding]:
    """Judge the times of the certificates that a server presents.

    Args:
        chain: the certificates, the server's own first.
        now: the present moment, in UTC.
        host: the server.
        severe: whether an expired certificate is an error.
    """
    findings: list[Finding] = []
    for place, details in enumerate(chain):
        what = "the server's certificate" if place == 0 else "an authority of the server's certificate"
        found = _time_findings(details, now, what, "certificate", check=Check.TLS, host=host, severe=severe)
        findings += found
    return findings


def membership_finding(
    own: CertificateContents | None, server: CertificateContents | None, host: ServerAddress
) -> Finding | None:
    """The finding that the client's subject looks like that of a member of the server's cluster; None if it does not.

    mongod takes whoever has the O, OU and DC of its own certificate for a member of its cluster: a client like that is
    refused as a user, or has the rights of a server.

    Args:
        own: the client's certificate, if there is one that can be read.
        server: the server's.
        host: the server.
    """
    if own is None or server is None or not own.membership or own.membership != server.membership:
        return None
    return warning(
        Check.TLS,
        "looks-like-member",
        "the server may take this client for a member of its own cluster: the O, OU and DC of their subjects are equal",
        host=host,
        expected="a client certificate with another O, OU or DC than the server's",
        found=f"{shown(own.details)}; the server is {shown(server.details)}",
        fix="have the client certificate issued with another OU (or O, or DC)",
    )


def _time_findings(
    details: CertificateDetails,
    now: datetime,
    what: str,
    slug: str,
    *,
    check: Check = Check.FILES,
    host: ServerAddress | None = None,
    severe: bool = True,
    is_ending: bool | None = None,
) -> list[Finding]:
    fault = error if severe else warning
    if now > details.not_after:
        return [
            fault(
                check,
                f"{slug}-expired",
                f"{what} has expired",
                host=host,
                expected=f"a certificate that is valid now, {moment(now)}",
                found=_expiry(details),
                fix="have it renewed, or check the clock of this machine",
            )
        ]
    if now < details.not_before:
        return [
            fault(
                check,
                "not-yet-valid" if slug == "certificate" else f"{slug}-not-yet-valid",
                f"{what} is not valid yet",
                host=host,
                expected=f"a certificate that is valid now, {moment(now)}",
                found=f"{shown(details)}, valid from {moment(details.not_before)}",
                fix="check the clock of this machine, and the time from which it was issued",
            )
        ]
    if not (expires_soon(details, now) if is_ending is None else is_ending):
        return []
    return [
        warning(
            check,
            f"{slug}-expiring",
            f"{what} expires soon",
            host=host,
            found=f"{_expiry(details)}: {left(details, now)}",
            fix="have it renewed, and see why that has not happened by itself",
        )
    ]


def expires_soon(details: CertificateDetails, now: datetime) -> bool:
    """Whether a server's or authority's certificate should have been renewed by now.

    Args:
        details: the certificate.
        now: the present moment, in UTC.
    """
    return details.not_after - now < min(EXPIRY_SHARE * (details.not_after - details.not_before), EXPIRY_DAYS)


def left(details: CertificateDetails, now: datetime) -> str:
    """How much time a certificate has left, in words.

    Args:
        details: the certificate.
        now: the present moment, in UTC.
    """
    hours = (details.not_after - now) / timedelta(hours=1)
    if hours < 0:
        return "no time left"
    return f"{hours / 24:.0f} days left" if hours >= 72 else f"{hours:.1f} hours left"


def shown(details: CertificateDetails) -> str:
    """Whose certificate it is, in words."""
    return details.subject or "a certificate with an empty subject"


def moment(when: datetime) -> str:
    """A moment, as messages have it."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _expiry(details: CertificateDetails) -> str:
    return f"{shown(details)}, valid until {moment(details.not_after)}"


def _issuer(details: CertificateDetails) -> str:
    return "itself" if details.is_self_signed else details.issuer


def _usage(identifier: str) -> str:
    return {"1.3.6.1.5.5.7.3.1": "serverAuth", _CLIENT_AUTH: "clientAuth"}.get(identifier, identifier)
