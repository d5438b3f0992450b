"""Renewed certificates are brought into use without a dropped operation.

    look (each tlsReloadIntervalMS, or reload_tls())
      --(nothing is new)---------------------------------------------------------> look again later
      --(it cannot be used: half-written, key of another certificate, ...)-------> one WARNING; the present one stays
      --(whole, another fingerprint)--> prove it at each server: connect, greet, authenticate, close
                                          --(accepted)-> the server's pool and monitor use it from now on
                                          --(refused)--> one WARNING; that server keeps the present one; tried again
                                          --(away)-----> tried again when the next look comes

Rotation is judged by content: files are read and compared, whatever their names, times and inodes do, so that a file
written in place, a rename and the symlink swap of a Kubernetes secret are the same. What is under way is finished on
the old identity; connections that are idle then are closed one by one over a while, so that a thousand clients whose
secret was renewed at the same moment do not come with a thousand handshakes each.

Tried: proving the new identity once for the whole deployment. A set whose members get their new CA one after the other
then loses the members that do not have it yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.errors import MongoError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.tls.snapshot import snapshot

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.net.identity import Identity
    from aiomongo_tls.topology.access import Access
    from aiomongo_tls.topology.principal import Principal

_log = logging.getLogger("aiomongo_tls.tls")


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class Rotation:
    """Looks for a new identity of one principal from `start()` to `stop()`, and brings it into use.

    Args:
        principal: the principal.
        interval: seconds between two looks (`tlsReloadIntervalMS`); None to look only when asked to.
        seen: what the files held before the identity in use was loaded.
        renewed: called with each server that the new identity is presented to from now on.
        now: the present moment, in UTC.

    Attributes:
        last_reload: when an identity was last brought into use; None if it is the first one still.
        last_error: why the last one that was found is not in use everywhere; None if nothing is wrong.
        differs: whether something else was found than what is in use.
    """

    def __init__(
        self,
        principal: Principal,
        *,
        interval: float | None,
        seen: bytes | None = None,
        renewed: Callable[[ServerAddress], None] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.last_reload: datetime | None = None
        self.last_error: Exception | None = None
        self.differs = False
        self._principal = principal
        self._interval = interval
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self._renewed = renewed
        # What the files held when they were last loaded whole.
        self._seen = seen
        # What was found and is not in use at every server.
        self._candidate: Identity | None = None
        # What was last complained of, by server, or None for what cannot be loaded; the same is said once.
        self._complaints: dict[ServerAddress | None, str] = {}

    # Plain, from anywhere on the loop

    def start(self) -> None:
        """Begin to look; does nothing without an interval."""
        if self._interval is not None:
            self._task = asyncio.get_running_loop().create_task(
                self._run(self._interval), name="aiomongo_tls TLS rotation", context=Context()
            )

    def stop(self) -> None:
        """Look no more. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left after `stop()`."""
        return self._task is None or self._task.done()

    async def wait_stopped(self) -> None:
        """Wait until nothing is left after `stop()`."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    # Looking

    async def _run(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - whatever it is, the next look comes
                _log.exception("looking for renewed TLS material has failed")

    async def look(self, *, force: bool = False) -> bool:
        """Look for a new identity, and bring it into use where it proves itself.

        Args:
            force: load it even if no file has changed: a provider or a password's function may have another answer.

        Returns:
            Whether any server uses another identity than before.
        """
        async with self._looking:
            await self._load(force=force)
            is_renewed = self._candidate is not None and await self._prove(self._candidate)
            principal = self._principal
            identities = [principal.identity, *(access.identity for access in principal.accesses.values())]
            principal.expiry.look(identities, self._now())
            return is_renewed

    async def _load(self, *, force: bool) -> None:
        present = self._principal.identity
        if present.setup is None:
            return
        options = present.setup.options
        found = await in_thread(lambda: snapshot(options), name="aiomongo_tls look at TLS files")
        # A provider is not asked again for what it has just given and a server does not accept yet.
        refresh_at = (self._candidate or present).refresh_at
        is_due = refresh_at is not None and refresh_at <= self._now()
        if found == self._seen and not is_due and not force and None not in self._complaints:
            return
        try:
            identity = await self._principal.identities.reload()
        except MongoError as exc:
            self.differs = True
            self._complain(None, exc, "the renewed TLS material cannot be used, the present one stays in use")
            return
        self._complaints.pop(None, None)
        self._seen = found
        if identity.fingerprint == present.fingerprint:
            # The time of the next refresh may be new.
            self._principal.identities.adopt(identity)
        if self._candidate is None or identity.fingerprint != self._candidate.fingerprint:
            self._complaints.clear()
        # Also where some servers use it already: the others are tried again.
        self._candidate = identity

    # Proving

    async def _prove(self, candidate: Identity) -> bool:
        """Try the candidate at every server that does not use it yet; whether one of them does now."""
        accesses = self._principal.accesses
        others = [access for access in accesses.values() if access.identity.fingerprint != candidate.fingerprint]
        accepted = await asyncio.gather(*(self._prove_at(access, candidate) for access in others))
        if accesses and all(accepted):
            self._candidate = None
        self._settle()
        return any(accepted)

    async def _prove_at(self, access: Access, candidate: Identity) -> bool:
        principal, address = self._principal, access.address
        connection = Connection(address, 0)
        try:
            # Of a client that was closed, nothing but monitors is left, and its user may be gone as well.
            await principal.establish(address, candidate, connection, monitors=principal.is_closed)
        except MongoError as exc:
            if is_permanent(exc):
                self._complain(address, exc, "the renewed TLS identity is refused, the present one stays in use")
            else:
                _log.debug("%s: the renewed TLS identity could not be tried: %s", address, exc)
            return False
        connection.close()
        self._complaints.pop(address, None)
        present = principal.identity
        access.adopt(candidate)
        # If the server refused the present one, operations have passed it over.
        principal.ways.clear()
        if self._renewed is not None:
            self._renewed(address)
        if present.fingerprint != candidate.fingerprint:
            principal.identities.adopt(candidate)
            self.last_reload = self._now()
            if candidate.subject != present.subject:
                principal.tell_new_subject()
            _log.info("the TLS identity was renewed: %s, formerly %s", _described(candidate), _described(present))
        return True

    # Words

    def _settle(self) -> None:
        self.differs = self._candidate is not None
        if not self._complaints:
            self.last_error = None

    def _complain(self, where: ServerAddress | None, error: MongoError, what: str) -> None:
        """One WARNING per change of state."""
        self.last_error = error
        if self._complaints.get(where) != str(error):
            self._complaints[where] = str(error)
            _log.warning("%s: %s", what, error)


def _described(identity: Identity) -> str:
    fingerprint = (identity.fingerprint or "")[:16]
    details = identity.certificate
    if details is None:
        # No certificate, or no extra `x509` to read it with.
        return f"fingerprint {fingerprint}"
    return f"{details.subject}, not after {details.not_after:%Y-%m-%d %H:%M} UTC, fingerprint {fingerprint}"
