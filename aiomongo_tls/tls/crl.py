"""How far the revocation lists in `tlsCRLFile` reach: to the server's certificate, or up to the root.

OpenSSL can look at the list of the authority that issued the server's certificate (VERIFY_CRL_CHECK_LEAF), or at one
for each certificate on the way up to the root, the root included (VERIFY_CRL_CHECK_CHAIN), and then a missing one is
an error. Nobody should have to say which, because the lists show it:

| lists in tlsCRLFile                                            | looked at |
|----------------------------------------------------------------|-----------|
| of a root in tlsCAFile, and of another authority besides       | the chain |
| of the authorities that issue servers' certificates            | the leaf  |
| of roots only (the servers' certificates come from them)       | the leaf  |

Whoever gives the list of a root that has an authority below wants to know of that authority's revocation. So if a list
in between is not there, that is said (`crl-missing`) and not passed over. Where only some roots in tlsCAFile have their
list, those of the others are missing. Without tlsCAFile, where the roots are the system's, it is always the leaf.

Names are compared byte by byte. An authority writes its own name in its list as in its certificate, so that this is
enough; where it is not, the leaf is checked.
"""

from __future__ import annotations

from aiomongo_tls.tls import pem

# What begins a tbsCertificate of version 2 and newer (RFC 5280, section 4.1): [0] EXPLICIT Version.
_VERSION = b"\xa0"
_INTEGER = b"\x02"


def reaches_a_root(ca: bytes | None, crl: bytes) -> bool:
    """Whether the lists are for the whole chain.

    Args:
        ca: PEM of the certificates to trust, None for the system's.
        crl: PEM of the revocation lists.
    """
    issuers = {_issuer_of_list(block.der) for block in pem.blocks(crl)}
    roots = {subject for issuer, subject in map(_names, pem.blocks(ca or b"")) if issuer == subject}
    return bool(issuers & roots) and bool(issuers - roots)


def _issuer_of_list(der: bytes) -> bytes:
    """The issuer in a CertificateList (RFC 5280, section 5.1): version (not in the first one), algorithm, issuer."""
    fields = pem.inside(pem.inside(der)[0])
    return fields[2 if fields[0].startswith(_INTEGER) else 1]


def _names(block: pem.PemBlock) -> tuple[bytes, bytes]:
    """The issuer and the subject in a Certificate: (version), serial number, algorithm, issuer, validity, subject."""
    fields = pem.inside(pem.inside(block.der)[0])
    first = 3 if fields[0].startswith(_VERSION) else 2
    return fields[first], fields[first + 2]
