"""Warns of a client certificate that will soon expire: it should have been renewed by now.

Asked when an identity is loaded and at each look for a renewed one. Share of the lifetime and not days, because a
certificate of a year and one of an hour are both renewed in their last third.
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


class ExpiryWarning:
    """Warns once of each certificate whose time is nearly over, and once more when it is.

    Without the extra `x509` nobody can read when that is, and nothing is said.

    Args:
        share: the share of its lifetime (`tlsExpiryWarning`), from 0 to 1, that has to be left; 0 for no warning.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        # What was said of the certificates in use, by fingerprint.
        self._said: dict[str | None, _State] = {}

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
        self._said = {fingerprint: said for fingerprint, said in self._said.items() if fingerprint in in_use}
        for fingerprint, certificate in in_use.items():
            state = self._state(certificate, now)
            if state is not None and self._said.get(fingerprint) != state:
                self._said[fingerprint] = state
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
