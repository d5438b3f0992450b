"""What follows from the answer of a responder (OCSP), or from there being none: the table behind `tlsRevocation`.

| the responder says                                     | `soft`       | `soft`, Must-Staple  | `hard`               |
|--------------------------------------------------------|--------------|----------------------|----------------------|
| good                                                   | go on        | go on                | go on                |
| revoked                                                | `revoked`    | `revoked`            | `revoked`            |
| nothing in time, nothing that counts, "unknown"; or    | go on        | `revocation-unknown` | `revocation-unknown` |
| the certificate names no responder that can be asked   |              |                      |                      |

What stands in quotes is the `reason` of the ServerCertificateError that is raised.

Stapling. A server that has its responder's answer at hand can send it along in the TLS handshake (RFC 6066). Python's
`ssl` can neither ask for that nor read it (cpython#88946), so that a responder has to be asked even then, and a
firewall between this program and the responder counts. A Must-Staple certificate (RFC 7633) says that it is worth
nothing without such an answer. The responder's own word is as good, so its answer is taken for the staple; but where
there is none, `soft` is not soft. mongosh, which can staple, ends the connection if the staple is missing, whatever
the responder would have said; with `soft` or `hard` we connect if the responder says good. With `off`, the default, and
with `tlsDisableOCSPEndpointCheck` nobody is asked and a Must-Staple certificate is one like any other.

It is found out when a connection is opened, also where its TLS session is resumed; one that is open lives on. What a
responder has said counts until its nextUpdate, so that hours may pass before anybody hears of a revocation.

Lists (`tlsCRLFile`) and responders are independent of each other: OpenSSL looks at the lists in the TLS handshake, the
responder is asked after it, and either can refuse. A client's certificate is the server's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.errors import ConfigurationError, ServerCertificateError
from aiomongo_tls.tls import verdicts
from aiomongo_tls.tls.certificate import CertificateDetails

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.tls.ocsp import Answer, NoAnswer

HARD = "hard"


def revoked(host: ServerAddress, leaf: bytes, answer: Answer) -> ServerCertificateError:
    """The error for a certificate that its authority has revoked.

    Args:
        host: the server.
        leaf: its certificate, in DER.
        answer: what the responder said.
    """
    why = f" ({answer.why})" if answer.why else ""
    verdict = verdicts.REVOKED
    return ServerCertificateError(
        verdict.message,
        reason=verdict.reason,
        host=host,
        expected="a certificate that its authority's responder (OCSP) calls good",
        presented=f"{_shown(leaf)}, revoked on {answer.revoked_at:%Y-%m-%d %H:%M} UTC{why}",
        hint=verdict.hint,
    )


def refusal(
    policy: str, host: ServerAddress, leaf: bytes, missing: NoAnswer, *, must_staple: bool
) -> ServerCertificateError | None:
    """The error for a certificate of whose status nothing is known; None if the connection may go on.

    Args:
        policy: `soft` or `hard`.
        host: the server.
        leaf: its certificate, in DER.
        missing: why there is no answer.
        must_staple: whether it says that it is worth nothing without an answer.
    """
    if policy != HARD and not must_staple:
        return None
    verdict = verdicts.REVOCATION_UNKNOWN if policy == HARD else verdicts.MUST_STAPLE_UNKNOWN
    return ServerCertificateError(
        verdict.message.format(detail=missing),
        reason=verdict.reason,
        host=host,
        expected="an answer of the responder (OCSP) that the certificate names",
        presented=_shown(leaf),
        hint=verdict.hint,
    )


def _shown(leaf: bytes) -> str:
    try:
        details = CertificateDetails.from_der(leaf)
    except (ConfigurationError, ValueError):
        return "a certificate that cannot be read"
    return f"{details.subject or 'a certificate with an empty subject'}, issued by {details.issuer}"
