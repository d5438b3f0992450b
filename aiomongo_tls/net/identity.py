"""Who the client is on its connections: the SSLContext and the certificate in it, made off the event loop.

Reading files, asking for a password and parsing a CA bundle take 1 to 40 ms and may block for longer. All of it happens
in a thread of its own, once, however many connections wait for it. A failure is not kept: files can be mended.
"""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiomongo_tls.errors import MongoError
from aiomongo_tls.net.revocation import RevocationChecker, revocation_checker
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.tls.context import TLSSetup, shared_context

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a client presents itself with.

    Args:
        setup: how to speak TLS; None for connections without.
        has_certificate: whether there is a client certificate to present.
        subject: its subject as an RFC 2253 string, which is its MongoDB user; None where it cannot be read.
        revocation: finds out whether a server's certificate was revoked; None if nobody is asked.
    """

    setup: TLSSetup | None = None
    has_certificate: bool = False
    subject: str | None = None
    revocation: RevocationChecker | None = None

    @property
    def fingerprint(self) -> str | None:
        """What tells this identity's connections from those of another; None without TLS."""
        return self.setup.fingerprint if self.setup is not None else None


def load_identity(options: TLSOptions) -> Identity:
    """Read what the options name. Blocks: call it in a thread.

    Raises:
        ConfigurationError: something cannot be used; names the option, the path and the mend.
    """
    if not options.enabled:
        return Identity()
    setup = shared_context(options)
    leaf = setup.material.leaf_der
    return Identity(
        setup=setup,
        # Nobody can look into a ready SSLContext.
        has_certificate=leaf is not None or options.ssl_context is not None,
        subject=_subject(leaf) if leaf is not None else None,
        revocation=revocation_checker(options, setup.material),
    )


def _subject(leaf: bytes) -> str | None:
    try:
        return CertificateDetails.from_der(leaf).subject
    except ValueError:
        # No extra `x509` (a ConfigurationError), or a certificate that it cannot read. Whoever explains a refusal names
        # the command that shows the subject instead.
        return None


class IdentityLoader:
    """The identity of one client, loaded when it is first needed.

    Args:
        options: the TLS options.
    """

    def __init__(self, options: TLSOptions) -> None:
        self._options = options
        self._loading: asyncio.Future[Identity] | None = None
        self.identity: Identity | None = None if options.enabled else Identity()

    async def load(self) -> Identity:
        """The identity; read now if that has not been done.

        Raises:
            ConfigurationError: something cannot be used; names the option, the path and the mend.
        """
        if self.identity is None:
            if self._loading is None:
                self._loading = in_thread(lambda: load_identity(self._options), name="aiomongo_tls load identity")
                self._loading.add_done_callback(self._settle)
            try:
                # The shield: one caller that gives up does not end the waiting of the others.
                return await asyncio.shield(self._loading)
            except MongoError as exc:
                # Each caller its own, because raising adds to an exception's traceback.
                raise copy(exc) from exc.__cause__
        return self.identity

    def _settle(self, loading: asyncio.Future[Identity]) -> None:
        self._loading = None
        if not loading.cancelled() and loading.exception() is None:
            self.identity = loading.result()
