"""The embedded server's side of TLS: its SSLContext."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from aiomongo_tls.testing.certs import Certificate

TLSMode = Literal["require_client", "require", "off"]
"""TLS with client certificates demanded, TLS with client certificates looked at if there are any, no TLS."""

MODES = ("require_client", "require", "off")
"""The values of `TLSMode`."""


def server_context(
    certificate: Certificate,
    clients: bytes,
    *,
    mode: TLSMode,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """Build the context of a server.

    Args:
        certificate: what the server presents.
        clients: PEM of the authority whose client certificates it accepts.
        mode: whether a client certificate is demanded; one that is presented is verified in any case, as by mongod.
        minimum: the oldest version of TLS to speak.
        maximum: the newest.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, password=certificate.password)
    context.load_verify_locations(cadata=clients.decode())
    context.verify_mode = ssl.CERT_REQUIRED if mode == "require_client" else ssl.CERT_OPTIONAL
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    return context
