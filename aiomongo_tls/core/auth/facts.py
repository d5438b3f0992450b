"""What is known about a connection besides its bytes, for errors that explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """What the layers below can tell about one connection. Nothing here is sent; it goes into errors.

    Args:
        host: the server.
        tls: whether the connection uses TLS.
        certificate: whether a client certificate is there to be presented.
        subject: the client certificate's subject as an RFC 2253 string, which is the name of its MongoDB user; None
            where it cannot be read (the extra `x509` reads it).
        database: a database the user will want to work with, for the roles in the advice.
    """

    host: ServerAddress | None = None
    tls: bool = False
    certificate: bool = False
    subject: str | None = None
    database: str | None = None
