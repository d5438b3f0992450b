"""What a server's TLS and its reply to hello tell, judged by plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.hello_fields import optional_seconds
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.uri.value_kinds import ascii_domain
from aiomongo_tls.doctor.certificates import (
    CertificateContents,
    chain_findings,
    left,
    membership_finding,
    read_contents,
    shown,
)
from aiomongo_tls.doctor.findings import OK, Check, Finding, info, warning
from aiomongo_tls.errors import ConfigurationError, ProtocolError
from aiomongo_tls.tls.certificate import CertificateDetails

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.sdam.server_description import ServerDescription
    from aiomongo_tls.tls.engine import TLSInfo

CLOCK_LIMIT = 30.0
"""Seconds by which two clocks may differ before it is worth a warning: certificates may live for hours."""
_CLOCK_NOTE = 1.0
_MANY_NAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a server in one TLS handshake.

    Args:
        info: what was agreed.
        chain: the certificates in DER from the server's own to the one that is trusted; none if they were not verified.
    """

    info: TLSInfo
    chain: Sequence[bytes]


def tls_findings(
    seen: Seen, own: CertificateContents | None, *, host: ServerAddress, now: datetime, elapsed: float | None
) -> list[Finding]:
    """Judge a TLS handshake that went well.

    Args:
        seen: what was seen.
        own: the client's certificate, if there is one that can be read.
        host: the server.
        now: the present moment, in UTC.
        elapsed: seconds that the handshake took.
    """
    tls = seen.info
    verified = tls.peer_certificate is not None
    agreed = f"{tls.version}, {tls.cipher}" + ("" if verified else "; the certificate was not verified")
    findings = [info(Check.TLS, OK, "encrypted", host=host, found=agreed, elapsed=elapsed)]
    details = _details(tls)
    if details is None:
        return findings
    names = ", ".join(details.sans[:_MANY_NAMES]) or "no names"
    names += f" and {len(details.sans) - _MANY_NAMES} more" if len(details.sans) > _MANY_NAMES else ""
    findings.append(
        info(
            Check.TLS,
            "server-certificate",
            "server certificate",
            host=host,
            found=f"{shown(details)}, for {names}, {left(details, now)}",
        )
    )
    chain = _chain(seen.chain)
    if chain:
        findings.append(info(Check.TLS, "chain", "chain", host=host, found=" <- ".join(map(shown, chain))))
    findings += chain_findings(chain or [details], now=now, host=host, severe=verified)
    findings += _name_findings(details, tls.server_hostname or "", host)
    membership = membership_finding(own, _contents(tls), host)
    return findings if membership is None else [*findings, membership]


def _name_findings(details: CertificateDetails, name: str, host: ServerAddress) -> list[Finding]:
    """About the names in a certificate that was accepted."""
    if is_for(details, name):
        return []
    if not _is_ip(name) and not any(_is_host_name(san) for san in details.sans):
        # OpenSSL then goes by the common name.
        return [
            warning(
                Check.TLS,
                "no-host-name",
                "the server's certificate has no host name in its subjectAltName, and many programs refuse that",
                host=host,
                expected=f"DNS:{name} in its subjectAltName",
                found=shown(details),
                fix="have one issued with its names in subjectAltName",
            )
        ]
    return [
        warning(
            Check.TLS,
            "hostname-mismatch",
            "the server's certificate is for another host, and the options accept that",
            host=host,
            expected=f"a certificate for {name}",
            found=f"a certificate for {', '.join(details.sans[:_MANY_NAMES])}",
            fix="connect by a name that is in it, or give the server's own name in tlsServerNames",
        )
    ]


def is_for(details: CertificateDetails, name: str) -> bool:
    """Whether a certificate is for a name, by its subjectAltName (RFC 9525: a wildcard stands for one whole label).

    Args:
        details: the certificate.
        name: a host name or IP address.
    """
    if not _is_ip(name):
        # As OpenSSL has it: umlauts as xn--, no dot at the end.
        name = ascii_domain(name.removesuffix(".")) or name
    name = name.lower()
    _, _, domain = name.partition(".")
    accepted = {name} if _is_ip(name) or not domain else {name, f"*.{domain}"}
    return any(san.lower() in accepted for san in details.sans)


def hello_findings(
    description: ServerDescription, *, host: ServerAddress, now: datetime, elapsed: float | None
) -> list[Finding]:
    """Judge a reply to hello.

    Args:
        description: what the server said.
        host: the server.
        now: the moment at which the reply came, in UTC.
        elapsed: seconds that it took.
    """
    of = f" of {description.replica_set_name!r}" if description.replica_set_name is not None else ""
    versions = f"wire versions {description.min_wire_version} to {description.max_wire_version}"
    findings = [
        info(
            Check.HELLO,
            OK,
            "MongoDB answers",
            host=host,
            found=f"{description.server_type_name}{of}, {versions}",
            elapsed=elapsed,
        )
    ]
    if description.server_type is ServerType.RS_GHOST:
        findings.append(
            warning(
                Check.HELLO,
                "not-initiated",
                "the server is to be a member of a replica set but has no configuration of one yet",
                host=host,
                fix="initiate the replica set, or wait until the server has started",
            )
        )
    return [*findings, *_clock_findings(description.reply or {}, host, now, elapsed or 0.0)]


def _clock_findings(reply: Mapping[str, Any], host: ServerAddress, now: datetime, elapsed: float) -> list[Finding]:
    try:
        there = optional_seconds(reply, "localTime")
    except ProtocolError:
        there = None
    if there is None:
        return []
    # It was read off half way between question and answer, give or take.
    skew = there - (now.timestamp() - elapsed / 2)
    if abs(skew) <= max(_CLOCK_NOTE, elapsed):
        return [info(Check.HELLO, "clock", "clock", host=host, found="in step with this machine's")]
    found = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) <= CLOCK_LIMIT:
        return [info(Check.HELLO, "clock", "clock", host=host, found=found)]
    return [
        warning(
            Check.HELLO,
            "clock-skew",
            "the clocks of the server and of this machine differ, and certificates are judged by them",
            host=host,
            expected=f"a difference of at most {CLOCK_LIMIT:.0f} s",
            found=f"the server's clock is {found} ({_moment(there)})",
            fix="see to it that both follow a time server (NTP)",
        )
    ]


def _moment(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "a time beyond all calendars"


def _details(tls: TLSInfo) -> CertificateDetails | None:
    """What the server's certificate says; None if it sent none, or it cannot be read."""
    try:
        if tls.peer_certificate is not None:
            return CertificateDetails.from_ssl_dict(tls.peer_certificate, tls.peer_der)
        return CertificateDetails.from_der(tls.peer_der) if tls.peer_der is not None else None
    except (ConfigurationError, ValueError):
        return None


def _contents(tls: TLSInfo) -> CertificateContents | None:
    try:
        return read_contents(tls.peer_der) if tls.peer_der is not None else None
    except (ConfigurationError, ValueError):
        return None


def _chain(chain: Sequence[bytes]) -> list[CertificateDetails]:
    try:
        return [CertificateDetails.from_der(der) for der in chain]
    except (ConfigurationError, ValueError):
        return []


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_host_name(san: str) -> bool:
    return ":" not in san and not _is_ip(san)
