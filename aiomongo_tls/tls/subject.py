r"""A certificate's subject as a string: the name of the MongoDB user that a certificate is.

mongod compares that name as text, so it has to be spelled as mongod spells it: RFC 2253 order (the last part of the
certificate's subject first), OpenSSL's short names (`emailAddress`, where RFC 4514 has only an OID), a backslash before
`,+"\<>;` and before a space or `#` at the edge, and every byte of a character beyond ASCII as `\XX`.

`openssl x509 -noout -subject -nameopt RFC2253` prints the same, but for an attribute without a name in OpenSSL it
prints the value's DER in hex, where mongod (and this) has the value. Control characters are escaped as OpenSSL does;
mongod leaves them as they are, which would not be good in a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# OID, OpenSSL's short name, OpenSSL's long name where it is another one.
_ATTRIBUTES = (
    ("2.5.4.3", "CN", "commonName"),
    ("2.5.4.4", "SN", "surname"),
    ("2.5.4.5", "serialNumber", ""),
    ("2.5.4.6", "C", "countryName"),
    ("2.5.4.7", "L", "localityName"),
    ("2.5.4.8", "ST", "stateOrProvinceName"),
    ("2.5.4.9", "street", "streetAddress"),
    ("2.5.4.10", "O", "organizationName"),
    ("2.5.4.11", "OU", "organizationalUnitName"),
    ("2.5.4.12", "title", ""),
    ("2.5.4.13", "description", ""),
    ("2.5.4.15", "businessCategory", ""),
    ("2.5.4.16", "postalAddress", ""),
    ("2.5.4.17", "postalCode", ""),
    ("2.5.4.18", "postOfficeBox", ""),
    ("2.5.4.20", "telephoneNumber", ""),
    ("2.5.4.32", "owner", ""),
    ("2.5.4.41", "name", ""),
    ("2.5.4.42", "GN", "givenName"),
    ("2.5.4.43", "initials", ""),
    ("2.5.4.44", "generationQualifier", ""),
    ("2.5.4.45", "x500UniqueIdentifier", ""),
    ("2.5.4.46", "dnQualifier", ""),
    ("2.5.4.51", "houseIdentifier", ""),
    ("2.5.4.65", "pseudonym", ""),
    ("2.5.4.72", "role", ""),
    ("2.5.4.97", "organizationIdentifier", ""),
    ("0.9.2342.19200300.100.1.1", "UID", "userId"),
    ("0.9.2342.19200300.100.1.3", "mail", "rfc822Mailbox"),
    ("0.9.2342.19200300.100.1.25", "DC", "domainComponent"),
    ("0.9.2342.19200300.100.1.44", "uid", "uniqueIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress", ""),
    ("1.2.840.113549.1.9.2", "unstructuredName", ""),
    ("1.2.840.113549.1.9.8", "unstructuredAddress", ""),
    ("1.2.643.3.131.1.1", "INN", ""),
    ("1.2.643.100.1", "OGRN", ""),
    ("1.2.643.100.3", "SNILS", ""),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL", "jurisdictionLocalityName"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST", "jurisdictionStateOrProvinceName"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC", "jurisdictionCountryName"),
)

_SHORT_NAMES = {name: short for oid, short, long in _ATTRIBUTES for name in (oid, long) if name}

RelativeName = Iterable[Sequence[str]]
"""One level of a subject: usually one pair of attribute and value."""


def subject_rfc2253(subject: Iterable[RelativeName]) -> str:
    """A subject or issuer as MongoDB spells it: `CN=ada,OU=clients,O=Example`.

    Args:
        subject: in the certificate's own order, each level with its pairs of attribute and value. The attribute is an
            OID or one of OpenSSL's names, as in `ssl.SSLSocket.getpeercert()["subject"]`.
    """
    levels = [[f"{_SHORT_NAMES.get(name, name)}={_escaped(value)}" for name, value in level] for level in subject]
    return ",".join("+".join(reversed(level)) for level in reversed(levels))


def _escaped(value: str) -> str:
    escaped = "".join(map(_escaped_char, value))
    if escaped.endswith(" "):
        escaped = escaped[:-1] + r"\ "
    return "\\" + escaped if escaped.startswith((" ", "#")) else escaped


def _escaped_char(char: str) -> str:
    if char in ',+"\\<>;':
        return "\\" + char
    if " " <= char <= "~":
        return char
    return "".join(f"\\{byte:02X}" for byte in char.encode())
