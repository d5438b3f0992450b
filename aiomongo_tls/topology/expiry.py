"""Warns of a client certificate that will soon expire: it should have been renewed by now.

Asked when an identity is loaded and at each look for a renewed one. Share of the lifetime and not days, because a
certificate of a year and one of an hour are both renewed in their last third. Principals of one topology have in common
what was said: they may present the same certificate, and one that comes back for each request loads it each time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.net.identity import Identity
    from aiomongo_tls.tls.certificate import CertificateDetails

_log = logging.getLogger("aiomongo_tls.tls")


class _State(Enum):
    EXPIRES = 1
    EXPIRED = 2


REMEMBERED = 1000
"""Certificates of which it is remembered that they were warned of."""


class Said:
    """What was said, of which certificates, by fingerprint; the last thousand of them."""

    def __init__(self) -> None:
        self._states: dict[str | None, _State] = {}

    def is_new(self, fingerprint: str | None, state: _State) -> bool:
        """Whether this was not said before; now it is."""
        if self._states.get(fingerprint) is state:
            return False
        self._states[fingerprint] = state
        if len(self._states) > REMEMBERED:
            del self._states[next(iter(self._states))]
        return True


class ExpiryWarning:
    """Warns once of each certificate whose time is nearly over, and once more when it is.

    Without the extra `x509` nobody can read when that is, and nothing is said.

    Args:
        share: the share of its lifetime (`tlsExpiryWarning`), from 0 to 1, that has to be left; 0 for no warning.
        said: what was said by others already.
    """

    def __init__(self, share: float, said: Said | None = None) -> None:
        self._share = share
        self._said = said or Said()

    def look(self, identities: Iterable[Identity], now: datetime) -> None:
        """Warn if that is due. Plain.

        Args:
            identities: those in use.
            now: the present moment, in UTC.
        """
        if not self._share:
            return
        in_use = {
            identity.certificate.fingerprint: identity.certificate
            for identity in identities
            if identity.certificate is not None
        }
        for fingerprint, certificate in in_use.items():
            state = self._state(certificate, now)
            if state is not None and self._said.is_new(fingerprint, state):
                _log.warning(
                    "the client certificate %s (fingerprint %s) %s at %s UTC; renew it",
                    certificate.subject,
                    (fingerprint or "")[:16],
                    self._told(certificate, now),
                    certificate.not_after.strftime("%Y-%m-%d %H:%M"),
                )

    def _state(self, certificate: CertificateDetails, now: datetime) -> _State | None:
        left = certificate.share_left(now)
        if left < 0:
            return _State.EXPIRED
        return _State.EXPIRES if left < self._share else None

    def _told(self, certificate: CertificateDetails, now: datetime) -> str:
        if certificate.not_after < now:
            return f"expired {_duration(now - certificate.not_after)} ago,"
        left = _duration(certificate.not_after - now)
        return f"has {left} and less than tlsExpiryWarning={self._share:g} of its lifetime left and expires"


def _duration(time: timedelta) -> str:
    minutes = time // timedelta(minutes=1)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    return f"{minutes // 60} hours" if minutes >= 120 else f"{minutes} minutes"
