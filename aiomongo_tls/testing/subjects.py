"""Distinguished names and the names of servers, from what people write to what `cryptography` signs."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID

SubjectLike = str | Mapping[str, str]
"""A subject as MongoDB writes it, most specific part first (`"CN=ada,O=Example"`), or as a mapping in that order."""

ATTRIBUTES: Mapping[str, x509.ObjectIdentifier] = {
    "CN": NameOID.COMMON_NAME,
    "SN": NameOID.SURNAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "C": NameOID.COUNTRY_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "street": NameOID.STREET_ADDRESS,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "title": NameOID.TITLE,
    "GN": NameOID.GIVEN_NAME,
    "initials": NameOID.INITIALS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
"""OpenSSL's short names, which mongod uses in the names of users."""


def name_of(subject: SubjectLike) -> x509.Name:
    """Read a subject.

    Args:
        subject: a string in RFC 2253's form with OpenSSL's short names, or a mapping of short names to values.

    Returns:
        The name in the order of certificates, least specific part first.

    Raises:
        ValueError: it is not a distinguished name, or has an attribute that is not known here.
    """
    if not subject:
        raise ValueError("a certificate needs a subject: MongoDB's users are the subjects of their certificates")
    if isinstance(subject, str):
        try:
            return x509.Name.from_rfc4514_string(subject, dict(ATTRIBUTES))
        except ValueError as exc:
            reason = f": {exc}" if str(exc) else ""
            raise ValueError(f"{subject!r} is no subject of a certificate such as CN=ada,O=Example{reason}") from exc
    unknown = subject.keys() - ATTRIBUTES.keys()
    if unknown:
        raise ValueError(f"unknown attributes of a subject: {sorted(unknown)}; known are {sorted(ATTRIBUTES)}")
    return x509.Name([x509.NameAttribute(ATTRIBUTES[short], value) for short, value in reversed(list(subject.items()))])


def general_name(name: str) -> x509.GeneralName:
    """A host name or an IP address as it stands in a certificate's subject alternative names.

    Args:
        name: a host name, a wildcard (`*.example.com`), an IPv4 or IPv6 address.
    """
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        # Names with other letters than ASCII stand in certificates as A-labels.
        return x509.DNSName(name if name.isascii() else name.encode("idna").decode("ascii"))
