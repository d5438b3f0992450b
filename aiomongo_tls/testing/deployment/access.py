"""`Access`: who may log in to a deployment, with which certificates, and the connection strings that do so."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aiomongo_tls.testing.tls_context import MODES, TLSMode
from aiomongo_tls.testing.users import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import trustme

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.testing.certs import Certificate, CertKit


class Default:
    """The type of `DEFAULT`."""

    def __repr__(self) -> str:
        return "<the server's own client certificate>"


DEFAULT: Final = Default()
"""Stands for the certificate of the server's first user, or one beside a user with a password."""


class Access:
    """Users and certificates, the same for all servers of a deployment.

    Args:
        ca: a `CertKit`, a trustme authority, or None for a new one.
        users: who may log in; None for one user with a certificate.
        tls: how TLS is spoken.

    Raises:
        ValueError: `tls` is none of the three.
    """

    def __init__(
        self,
        ca: CertKit | trustme.CA | None,
        users: Iterable[Certificate | User | str] | None,
        tls: TLSMode,
    ) -> None:
        if tls not in MODES:
            raise ValueError(f"tls={tls!r}: choose one of {', '.join(MODES)}")
        self.tls: TLSMode = tls
        self._ca = ca
        self._users = None if users is None else list(users)

    @cached_property
    def certs(self) -> CertKit:
        """The authority."""
        from aiomongo_tls.testing.certs import CertKit

        return self._ca if isinstance(self._ca, CertKit) else CertKit(self._ca)

    @cached_property
    def client_certificate(self) -> Certificate | None:
        """The first user's certificate; None if users are only known by name."""
        if self._users is None:
            return self.certs.client("tester")
        return next((user for user in self._users if not isinstance(user, str | User)), None)

    @property
    def users(self) -> list[Certificate | User | str]:
        """Who may log in at the start."""
        if self._users is not None:
            return list(self._users)
        return [] if self.tls == "off" or self.client_certificate is None else [self.client_certificate]

    def uri(
        self,
        hosts: Sequence[ServerAddress],
        options: dict[str, Any],
        *,
        client: Certificate | Default | None,
        user: User | None,
        database: str,
        ca_path: str,
    ) -> str:
        """A connection string.

        Args:
            hosts: the servers.
            options: options that are added or replace those it would have; None leaves one out.
            client: the certificate to present.
            user: the user to log in with a password.
            database: the default database in it.
            ca_path: the file with what clients have to trust.
        """
        is_default = isinstance(client, Default)
        if user is None and is_default:
            user = self._first_user
        certificate = self._default_certificate(user) if isinstance(client, Default) else client
        found: dict[str, Any] = {}
        userinfo = ""
        if self.tls != "off":
            found |= {"tls": True, "tlsCAFile": ca_path}
            if certificate is not None:
                found |= {"tlsCertificateKeyFile": certificate.path}
                if user is None:
                    found["authMechanism"] = "MONGODB-X509"
                if certificate.password is not None:
                    found["tlsCertificateKeyFilePassword"] = certificate.password
        if user is not None and user.password is not None:
            userinfo = f"{quote(user.name, safe='')}:{quote(user.password, safe='')}@"
            found["authSource"] = user.database
        found |= options
        query = "&".join(f"{name}={_spelled(value)}" for name, value in found.items() if value is not None)
        places = ",".join(map(str, hosts))
        return f"mongodb://{userinfo}{places}/{quote(database, safe='')}" + (f"?{query}" if query else "")

    @property
    def _first_user(self) -> User | None:
        """The first user, if that one has a password."""
        first = self._users[0] if self._users else None
        return first if isinstance(first, User) and first.password is not None else None

    def _default_certificate(self, user: User | None) -> Certificate | None:
        if user is not None and self.tls != "require_client":
            return None
        certificate = self.client_certificate
        return self.certs.client("tester") if certificate is None and user is not None else certificate


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return quote(str(value), safe="/:")
