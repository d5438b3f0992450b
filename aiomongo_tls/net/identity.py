"""Who the client is on its connections: the SSLContext and the certificate in it, made off the event loop.

Reading files, asking for a password and parsing a CA bundle take 1 to 40 ms and may block for longer. All of it happens
in a thread of its own, once, however many connections wait for it. A failure is not kept: files can be mended. Where
the identity comes from a provider, or the password from a coroutine function, these are awaited before, on the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.net.asking import ask_for_identity, with_password
from aiomongo_tls.net.revocation import RevocationChecker, revocation_checker
from aiomongo_tls.net.shared_task import SharedTask
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.tls.context import TLSSetup, shared_context
from aiomongo_tls.tls.key_password import AsyncPassword

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.tls_options import TLSOptions

ANSWER_LIMIT = 30.0
"""Seconds that a provider or a password's function may take for one answer."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a client presents itself with.

    Args:
        setup: how to speak TLS; None for connections without.
        has_certificate: whether there is a client certificate to present.
        certificate: what stands in it; None where it cannot be read, which takes the extra `x509`.
        revocation: finds out whether a server's certificate was revoked; None if nobody is asked.
        refresh_at: when the provider of the identity wants to be asked for the next one; None if it did not say.
    """

    setup: TLSSetup | None = None
    has_certificate: bool = False
    certificate: CertificateDetails | None = None
    revocation: RevocationChecker | None = None
    refresh_at: datetime | None = None

    @property
    def fingerprint(self) -> str | None:
        """What tells this identity's connections from those of another; None without TLS."""
        return self.setup.fingerprint if self.setup is not None else None

    @property
    def subject(self) -> str | None:
        """The certificate's subject as an RFC 2253 string, which is its MongoDB user; None where it cannot be read."""
        return self.certificate.subject if self.certificate is not None else None

    def server_name(self, address: ServerAddress) -> str | None:
        """The name to ask a server for and to verify it by; None for the host of its address."""
        return self.setup.options.server_name(address) if self.setup is not None else None


def load_identity(options: TLSOptions) -> Identity:
    """Read what the options name. Blocks: call it in a thread.

    Raises:
        ConfigurationError: something cannot be used; names the option, the path and the mend.
        AsyncPassword: the key's password has to be awaited first.
    """
    if not options.enabled:
        return Identity()
    setup = shared_context(options)
    leaf = setup.material.leaf_der
    return Identity(
        setup=setup,
        # Nobody can look into a ready SSLContext.
        has_certificate=leaf is not None or options.ssl_context is not None,
        certificate=_details(leaf) if leaf is not None else None,
        revocation=revocation_checker(options, setup.material),
    )


def _details(leaf: bytes) -> CertificateDetails | None:
    try:
        return CertificateDetails.from_der(leaf)
    except ValueError:
        # No extra `x509` (a ConfigurationError), or a certificate that it cannot read. Whoever explains a refusal names
        # the command that shows the subject instead.
        return None


class IdentityLoader:
    """The identity of one client, loaded when it is first needed, and anew when somebody asks for that.

    Files are read in a thread. A provider, and the coroutine function of a password, are awaited on the loop, each for
    `limit` seconds at most. When nobody waits any more, what is being loaded is given up.

    Args:
        options: the TLS options.
        limit: seconds that a provider or a password's function may take for one answer, None for any number.
        now: the present moment, in UTC; for tests.

    Attributes:
        identity: the identity that is in use, None before the first was loaded.
    """

    def __init__(
        self, options: TLSOptions, *, limit: float | None = ANSWER_LIMIT, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._options = options
        self._limit = limit
        self._now = now
        self._loading: SharedTask[Identity] | None = None
        self._reloading: SharedTask[Identity] | None = None
        self.identity: Identity | None = None if options.enabled else Identity()

    async def load(self) -> Identity:
        """The identity; loaded now if that has not been done. A failure is not kept.

        Raises:
            ConfigurationError: something cannot be used; names the option, the path and the mend.
            TLSError: a provider or password cannot be had at the moment (`identity-unavailable`).
        """
        if self.identity is not None:
            return self.identity
        if self._loading is None or not self._loading.is_open:
            self._loading = SharedTask(self._load_first(), name="aiomongo_tls load identity")
        return await self._loading.result()

    async def reload(self) -> Identity:
        """Load everything anew: read the files, ask the provider.

        What is in use stays in use. Whoever asks compares the two by `fingerprint`, and puts the new one in its place
        with `adopt()` once it has proved itself.

        Returns:
            An identity that is whole: certificate and key belong together, all of it can be used.

        Raises:
            ConfigurationError: something cannot be used; names the option, the path and the mend.
            TLSError: a provider or password cannot be had at the moment (`identity-unavailable`).
        """
        if self._reloading is not None and self._reloading.is_open:
            # It may have read its files before the change that this caller knows of.
            await self._reloading.ended()
        # One that others have begun meanwhile is as new as one's own.
        if self._reloading is None or not self._reloading.is_open:
            self._reloading = SharedTask(self._load(), name="aiomongo_tls reload identity")
        return await self._reloading.result()

    def adopt(self, identity: Identity) -> bool:
        """Put another identity in the place of the present one.

        Args:
            identity: what `reload()` returned.

        Returns:
            Whether its fingerprint is another one. Where it is not, only the time of the next refresh is new.
        """
        present, self.identity = self.identity, identity
        return present is None or present.fingerprint != identity.fingerprint

    async def _load_first(self) -> Identity:
        identity = await self._load()
        # A reload may have been quicker.
        if self.identity is None:
            self.identity = identity
        return self.identity

    async def _load(self) -> Identity:
        options = self._options
        if options.identity is not None and not isinstance(options.identity, TLSIdentity):
            options = replace(options, identity=await ask_for_identity(options.identity, self._limit))
        got_at = self._now()
        try:
            identity = await _in_thread(options)
        except AsyncPassword:
            identity = await _in_thread(await with_password(options, self._limit))
        return replace(identity, refresh_at=_refresh_at(options, got_at))


async def _in_thread(options: TLSOptions) -> Identity:
    return await in_thread(lambda: load_identity(options), name="aiomongo_tls load identity")


def _refresh_at(options: TLSOptions, got_at: datetime) -> datetime | None:
    after = options.identity.refresh_after if isinstance(options.identity, TLSIdentity) else None
    if after is None or isinstance(after, datetime):
        return after
    try:
        return got_at + timedelta(seconds=after)
    except OverflowError:
        # So many seconds are never.
        return None
