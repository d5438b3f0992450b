"""What can go wrong in a TLS handshake, as tables: how OpenSSL names it, what it means, what to do.

Three ways to learn of it: our own verification of the server's certificate (X509_V_ERR_* numbers), an alert that
the peer sent (RFC 8446 section 6, RFC 5246 section 7.2), and an error of our own OpenSSL. Names are those of OpenSSL
1.1.1 and 3.x; alerts carry a prefix that depends on the version that brought them in (`SSLV3_ALERT_`, `TLSV1_ALERT_`,
`TLSV13_ALERT_`) and are looked up without it.

Hints are for the person on call. They never propose to switch verification off.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

from aiomongo_tls.errors import (
    ClientCertificateRejected,
    ServerCertificateError,
    TLSError,
    TLSHandshakeTimeout,
    TLSProtocolError,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error means.

    Args:
        error: the class to raise.
        reason: the stable slug.
        message: what happened, in one sentence; `{detail}` is OpenSSL's own text.
        hint: what to do; `{issuer}`, `{san}` and `{client_certificate}` are filled in.
    """

    error: type[TLSError]
    reason: str
    message: str
    hint: str


def _unknown_ca(message: str, hint: str) -> Verdict:
    return Verdict(ServerCertificateError, "unknown-ca", message, hint)


def _invalid(hint: str) -> Verdict:
    return Verdict(
        ServerCertificateError, "certificate-invalid", "the server's certificate cannot be used: {detail}", hint
    )


_MISSING_ISSUER = _unknown_ca(
    "the server's certificate was issued by an authority that is not trusted here",
    "set tlsCAFile to a file with the certificate of {issuer}; if that one is an intermediate authority, the server "
    "should send its certificate, or it has to be in tlsCAFile too",
)
_HOSTNAME = Verdict(
    ServerCertificateError,
    "hostname-mismatch",
    "the server's certificate is for another host",
    "connect by a name that is in the certificate, or have one issued with {san} in its subjectAltName; where a tunnel "
    "or port-forward is in between, tlsServerNames says the server's own name",
)
_OTHER_NAME = Verdict(
    ServerCertificateError,
    "hostname-mismatch",
    "the server's certificate is for another host",
    "correct the name in tlsServerNames, or have a certificate issued with {san} in its subjectAltName",
)
_WEAK = _invalid("have a new certificate issued, with RSA of 2048 bits or an elliptic curve, and SHA-256")


def _list(reason: str, message: str, hint: str) -> Verdict:
    """A revocation list in tlsCRLFile cannot be used. That is no fault of the server's, but it cannot be accepted."""
    return Verdict(ServerCertificateError, reason, message, hint)


_LIST_MISSING = _list(
    "crl-missing",
    "tlsCRLFile has no revocation list of an authority in the chain of the server's certificate",
    "add the list of {issuer} to tlsCRLFile; if it has a root's list, every authority in between needs one too",
)
_LIST_EXPIRED = _list(
    "crl-expired",
    "a revocation list in tlsCRLFile is out of date, and who was revoked since is not on it",
    "fetch the authority's present list for tlsCRLFile (it is in it when the next one is due), or check the clock of "
    "this machine",
)
_LIST_EARLY = _list(
    "crl-expired",
    "a revocation list in tlsCRLFile is not valid yet",
    "check the clock of this machine",
)
_LIST_INVALID = _list(
    "crl-invalid",
    "a revocation list in tlsCRLFile cannot be used: {detail}",
    "fetch the list for tlsCRLFile again, from the authority that issued the server's certificate",
)

REVOKED = Verdict(
    ServerCertificateError,
    "revoked",
    "the server's certificate was revoked by its authority",
    "have the server's certificate replaced; its key may be in wrong hands",
)
CERTIFICATE_INVALID = _invalid("have the server's certificate replaced")

VERIFICATION = {
    2: _MISSING_ISSUER,
    3: _LIST_MISSING,
    5: _LIST_INVALID,
    7: _unknown_ca(
        "the server's certificate names an authority that is trusted here, but was signed with another key",
        "the authority was renewed, or somebody uses its name: get its present certificate for tlsCAFile",
    ),
    8: _LIST_INVALID,
    9: Verdict(
        ServerCertificateError,
        "not-yet-valid",
        "the server's certificate is not valid yet",
        "check the clock of this machine, and the time from which the certificate was issued",
    ),
    10: Verdict(
        ServerCertificateError,
        "certificate-expired",
        "the server's certificate has expired",
        "have it renewed on the server, or check the clock of this machine",
    ),
    11: _LIST_EARLY,
    12: _LIST_EXPIRED,
    15: _LIST_INVALID,
    16: _LIST_INVALID,
    18: _unknown_ca(
        "the server's certificate is self-signed and not trusted here",
        "if it is the right server, get the certificate from those who run it and use it as tlsCAFile",
    ),
    19: _unknown_ca(
        "the server's certificate leads to a root authority that is not trusted here",
        "set tlsCAFile to a file with the certificate of the authority that the server's operators use",
    ),
    20: _MISSING_ISSUER,
    21: _MISSING_ISSUER,
    23: REVOKED,
    26: _invalid("it is not meant for servers: have one issued with serverAuth in its extendedKeyUsage"),
    27: _MISSING_ISSUER,
    33: _LIST_MISSING,
    35: _LIST_INVALID,
    36: _LIST_INVALID,
    44: _LIST_INVALID,
    62: _HOSTNAME,
    64: _HOSTNAME,
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
    79: _invalid("a certificate in the chain is not that of an authority (CA:TRUE); have the chain issued anew"),
}
"""By X509_V_ERR number, which is the same in all versions of OpenSSL."""
BY_ANOTHER_NAME = {_HOSTNAME: _OTHER_NAME}
"""What changes where tlsServerNames names the server."""

REVOCATION_UNKNOWN = Verdict(
    ServerCertificateError,
    "revocation-unknown",
    "whether the server's certificate was revoked could not be found out: {detail}",
    "see that this machine reaches the responder over HTTP, without a proxy, and that the responder is well",
)
MUST_STAPLE_UNKNOWN = Verdict(
    ServerCertificateError,
    "revocation-unknown",
    "whether the server's certificate was revoked could not be found out: {detail}; it is a Must-Staple certificate, "
    "which is worth nothing without an answer",
    "see that this machine reaches the responder over HTTP, without a proxy: an answer that the server staples cannot "
    "be read (Python's ssl has no stapling)",
)
"""By the responder that the certificate names; see `revocation`."""

CLIENT_CERTIFICATE_REQUIRED = Verdict(
    ClientCertificateRejected,
    "client-certificate-required",
    "the server wants a client certificate",
    "set tlsCertificateKeyFile to a file with the client's certificate and private key",
)
CLIENT_CERTIFICATE_NOT_SENT = Verdict(
    ClientCertificateRejected,
    "client-certificate-required",
    "the server got no client certificate, though one is set",
    "OpenSSL does not send a certificate whose kind of key or signature the server does not ask for; "
    "have one of a usual kind issued (RSA of 2048 bits, P-256)",
)
CLIENT_CERTIFICATE_EXPIRED = Verdict(
    ClientCertificateRejected,
    "client-certificate-expired",
    "the server refused the client certificate: it is not valid at this time",
    "renew {client_certificate}, or check the clock of the server",
)
CLIENT_CERTIFICATE_REJECTED = Verdict(
    ClientCertificateRejected,
    "client-certificate-rejected",
    "the server refused the client certificate ({detail})",
    "the server's log says why; often {client_certificate} was revoked or lacks clientAuth in its extendedKeyUsage",
)
_CLIENT_CERTIFICATE_UNKNOWN_CA = Verdict(
    ClientCertificateRejected,
    "client-certificate-unknown-ca",
    "the server does not trust the authority that issued the client certificate",
    "have the certificate issued by the authority in the server's net.tls.CAFile, or have yours added there; if an "
    "intermediate authority issued it, append that one's certificate to tlsCertificateKeyFile",
)
NO_SHARED_CIPHER = Verdict(
    TLSProtocolError,
    "no-shared-cipher",
    "client and server have no cipher suite, group or signature algorithm in common",
    "compare OpenSSL's configuration here (openssl.cnf, security level) with the server's (tlsCipherConfig); "
    "servers in Java answer the same where TLS versions differ",
)
_PROTOCOL_VERSION = Verdict(
    TLSProtocolError,
    "protocol-version",
    "client and server have no TLS version in common",
    "the server needs TLS 1.2 or newer: see its net.tls.disabledProtocols, and a proxy in between",
)
TLS_FAILURE = Verdict(
    TLSProtocolError,
    "tls-failure",
    "TLS failed: {detail}",
    "look into the server's log at this time; a proxy or load balancer in between may break TLS",
)

ALERTS = {
    "certificate_required": CLIENT_CERTIFICATE_REQUIRED,
    "no_certificate": CLIENT_CERTIFICATE_REQUIRED,
    "unknown_ca": _CLIENT_CERTIFICATE_UNKNOWN_CA,
    "certificate_expired": CLIENT_CERTIFICATE_EXPIRED,
    "bad_certificate": CLIENT_CERTIFICATE_REJECTED,
    "unsupported_certificate": CLIENT_CERTIFICATE_REJECTED,
    "certificate_revoked": CLIENT_CERTIFICATE_REJECTED,
    "certificate_unknown": CLIENT_CERTIFICATE_REJECTED,
    "access_denied": CLIENT_CERTIFICATE_REJECTED,
    "handshake_failure": NO_SHARED_CIPHER,
    "insufficient_security": NO_SHARED_CIPHER,
    "protocol_version": _PROTOCOL_VERSION,
    "internal_error": Verdict(
        TLSProtocolError,
        "tls-failure",
        "the server ended the handshake with an internal error",
        "MongoDB Atlas answers like this to addresses that are not on the project's IP access list; "
        "elsewhere the server's log says why",
    ),
    "unrecognized_name": Verdict(
        TLSProtocolError,
        "tls-failure",
        "the server does not know the host name that was asked for (SNI)",
        "connect by the name that the server or the proxy in front of it is configured for",
    ),
}
"""By the name of the alert in its RFC; any other is TLS_FAILURE."""

LOCAL = {
    "UNSUPPORTED_PROTOCOL": _PROTOCOL_VERSION,
    "WRONG_SSL_VERSION": _PROTOCOL_VERSION,
    "WRONG_VERSION_NUMBER": _PROTOCOL_VERSION,
    "VERSION_TOO_LOW": _PROTOCOL_VERSION,
    "NO_PROTOCOLS_AVAILABLE": _PROTOCOL_VERSION,
    "NO_CIPHERS_AVAILABLE": NO_SHARED_CIPHER,
    "UNKNOWN_CIPHER_RETURNED": NO_SHARED_CIPHER,
    "WRONG_CIPHER_RETURNED": NO_SHARED_CIPHER,
    "WRONG_CURVE": NO_SHARED_CIPHER,
    "WRONG_SIGNATURE_TYPE": NO_SHARED_CIPHER,
    "DH_KEY_TOO_SMALL": NO_SHARED_CIPHER,
}
"""By OpenSSL's reason for an error of our own side; any other is TLS_FAILURE."""

NOT_TLS = Verdict(
    TLSProtocolError,
    "not-tls",
    "the server does not speak TLS",
    "check host and port, and that the server has TLS switched on (net.tls.mode)",
)
_CLOSED = "tls-closed"
CLOSED_AT_ONCE = Verdict(
    TLSProtocolError,
    _CLOSED,
    "the server closed the connection instead of answering the TLS handshake",
    "a MongoDB server without TLS does this (see its net.tls.mode and log), and so does a load balancer without a "
    "server behind it, or a firewall",
)
CLOSED_DURING = Verdict(
    TLSProtocolError,
    _CLOSED,
    "the server closed the connection in the middle of the TLS handshake",
    "look into the server's log at this time; a proxy or load balancer in between may have ended it",
)
CLOSED_AFTER = Verdict(
    TLSProtocolError,
    _CLOSED,
    "the server closed the connection right after the TLS handshake",
    "look into the server's log at this time; most often it refused the client certificate, or had not got one",
)
HANDSHAKE_TIMEOUT = Verdict(
    TLSHandshakeTimeout,
    "handshake-timeout",
    "the server stopped answering in the TLS handshake, or right after it",
    "check that this port speaks TLS; the server may hang, or something in between swallow packets (firewall, proxy, "
    "VPN, a too large MTU)",
)

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13|SSL/TLS|TLS)_(?:ALERT_)?(.+)")
# OpenSSL gives these alerts no ALERT in their names, and some errors of its own begin with the same letters.
_BARE = frozenset({"unrecognized_name", "unsupported_extension", "certificate_unobtainable"})


def openssl_reason(exc: BaseException) -> str:
    """OpenSSL's name for an error: `CERTIFICATE_VERIFY_FAILED`; empty where there is none."""
    if not isinstance(exc, ssl.SSLError):
        return ""
    reason: object = getattr(exc, "reason", None)
    if isinstance(reason, str):
        return reason
    # A Python older than its OpenSSL has only the text: "[SSL] tlsv13 alert certificate required (_ssl.c:1000)".
    match = re.search(r"\] (.+?)(?: \(_ssl\.c|$)", str(exc))
    return match[1].upper().replace(" ", "_") if match else ""


def alert_name(reason: str) -> str | None:
    """The RFC's name of the alert that an OpenSSL reason stands for, None if the peer sent none."""
    match = _ALERT.fullmatch(reason)
    if match is None:
        return None
    name = match[1].lower()
    return name if "_ALERT_" in reason or name in _BARE else None
