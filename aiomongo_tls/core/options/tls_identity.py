"""Who a client is, as a value: for certificates that come from Vault, SPIFFE or a program of one's own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isfinite
from typing import Any, Protocol, Self

from aiomongo_tls.core.options.tls_source import HIDDEN, Password, TLSSource, for_repr, is_content
from aiomongo_tls.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TLSIdentity:
    """A private key, the certificate that belongs to it, and perhaps whom to trust: `tls_identity=TLSIdentity(...)`.

    Each part is a path or the content itself (PEM or DER; the key may be PKCS#12 with the certificate in it). A repr
    shows neither key nor password, and the hash does not depend on them.

    Args:
        key: the private key; it may have the certificates beside it, as in `tlsCertificateKeyFile`.
        chain: the certificate, with those of intermediate authorities; None if they are beside the key.
        ca: the certificates of the authorities to trust, instead of `tlsCAFile`, which then must not be given.
        password: the password of the key: text, bytes, or a plain or coroutine function that returns them.
        refresh_after: when to ask for the next identity: seconds from the moment it was got, or that moment as a
            `datetime` with a time zone. None if it says nothing about that.

    Raises:
        ConfigurationError: a part is of the wrong type, or a moment has no time zone.
    """

    key: TLSSource = field(hash=False)
    chain: TLSSource | None = None
    ca: TLSSource | None = None
    password: Password | None = field(default=None, hash=False)
    refresh_after: float | datetime | None = None

    def __post_init__(self) -> None:
        for name in ("key", "chain", "ca"):
            source: object = getattr(self, name)
            if source is None and name != "key":
                continue
            if not isinstance(source, (str, bytes)) and not hasattr(source, "__fspath__"):
                raise _wrong(name, "a path, or PEM or DER content", source)
            if not source:
                raise ConfigurationError(f"TLSIdentity.{name} is empty; it has to be a path, or PEM or DER content")
        password: object = self.password
        if password is not None and not isinstance(password, (str, bytes)) and not callable(password):
            raise _wrong("password", "text, bytes, or a function that returns them", password)
        _check_refresh(self.refresh_after)

    def public(self) -> Self:
        """The same without password, and without the key where that is given as content: to describe it, not to use."""
        return replace(self, key=b"<removed>" if is_content(self.key) else self.key, password=None)

    def __repr__(self) -> str:
        key = HIDDEN if for_repr(self.key) == "<content>" else repr(self.key)
        password = None if self.password is None else HIDDEN
        return (
            f"TLSIdentity(key={key}, chain={for_repr(self.chain)}, ca={for_repr(self.ca)}, password={password}, "
            f"refresh_after={self.refresh_after!r})"
        )


class TLSIdentityProvider(Protocol):
    """What has an `identity()` can be given as `tls_identity=`: a client for Vault, for SPIFFE's Workload API, ...

        class FromVault:
            async def identity(self) -> TLSIdentity: ...

        client = await AsyncClient.connect(uri, tls_identity=FromVault())

    It is asked when the client connects for the first time, and again whenever the identity is renewed; never by an
    operation.
    """

    async def identity(self) -> TLSIdentity:
        """The identity to use from now on, made or fetched anew.

        It is awaited on the client's event loop and must not block it. It is cancelled when the client is closed, and
        when its answer takes too long.

        Raises:
            ConnectionError: it cannot be had now; `connect()` asks again until its time is up. So with TimeoutError.
                Any other exception is told at once, as the cause of a ConfigurationError.
        """
        ...


def _check_refresh(value: Any) -> None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigurationError("TLSIdentity.refresh_after is a moment without a time zone; add tzinfo, as in UTC")
    elif value is not None:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not isfinite(value) or value < 0:
            raise _wrong("refresh_after", "seconds, 0 or more, or a datetime", value)


def _wrong(name: str, expected: str, found: object) -> ConfigurationError:
    return ConfigurationError(f"TLSIdentity.{name}: expected {expected}, found a value of type {type(found).__name__}")
