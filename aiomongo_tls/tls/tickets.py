"""Session tickets: a connection that offers one leaves out the certificates, on both sides, and most of the work.

What a ticket stands for, and what follows
-------------------------------------------

A resumed handshake proves nothing anew. The server's certificate is not shown, so neither its chain nor the name in it
is looked at again, and the server takes us for whoever we were in the handshake that the ticket descends from. So:

1. *No ticket goes to another host*: it is kept by address **and** server name. Behind one tunnel there may be two
   names, and behind one name two servers.
2. *No ticket serves another identity.* `Tickets` belong to one fingerprint (`TLSSetup`) and end with it. A new
   certificate, authority, revocation list or policy has another fingerprint and begins without tickets. Beneath that
   tickets are kept by the SSLContext object, and by what it verifies: a context that the user supplied may learn to
   check names, or be given a revocation list, while it is in use. Nobody can see that such a context was given another
   certificate of ours; then `reload_tls()` forgets its tickets, and rule 3 does in the end.
3. *Every `LONGEST` a handshake with certificates*, however often tickets were renewed meanwhile (RFC 8446, section
   4.6.1, recommends a limit).
4. *A certificate that has ended opens no connection*: tickets end with the server's certificate and with ours, where it
   can be read (extra `x509`). Otherwise a service would run on with an expired certificate, until the server restarts.

A responder's verdict (OCSP, `tlsRevocation`) is not part of a ticket. It is looked up for every connection, resumed or
not, by the server's certificate, which the session remembers; it is kept until its `nextUpdate` and then asked for
anew. Only a connection that passed brings a ticket home. Lists (`tlsCRLFile`) are OpenSSL's business in handshakes with
certificates; a new list is a new fingerprint, and one that has ended is noticed within `LONGEST`.

How rarely a session is read
----------------------------

Reading `SSLObject.session` loses 7 KB for good on several releases of CPython (cpython#116810); setting one loses
nothing. So a ticket is used many times, and a session is read once in the life of a connection at most: when there is
no ticket for its host, the one it offered was declined, or is past half its life and a new one would last longer. With
TLS 1.3 every connection brings new tickets; with TLS 1.2 the old one often comes back, and is then used to its end.
What a strange server could make of this is bounded as well: one that gives no tickets, that takes each only once, or
several servers behind one address that do not know each other's. `READS` sessions are read at once, then one every
`PAUSE`: 7 KB a minute at the worst.

That one ticket is used for several connections lets whoever listens on the wire see that they come from one client (RFC
8446, appendix C.4); here they come from one address anyway, and say who they are.

A server that merely has lost its keys goes on to a handshake with certificates, without an error. But there are some
that cannot cope with tickets at all. Where a connection that offered one fails in TLS, the ticket is forgotten, so that
the next connection does without; where it failed by an alert, or by what is no TLS, no other is taken for `PAUSE`. An
end of the stream is more often a restart than an opinion, and costs one handshake with certificates.

Time is an argument, in seconds since the epoch: certificates and sessions count by it.
"""

from __future__ import annotations

import math
import ssl
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.tls.engine import TLSEngine, TLSInfo

LONGEST = 3600.0
"""Seconds from one handshake with certificates to the next."""

KEPT = 256
"""Hosts whose tickets are kept; the one that was not asked for the longest goes first."""

READS = 8
"""Sessions that are read for one host in quick succession."""

PAUSE = 60.0
"""Seconds after which another one may be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A session that can be resumed, and for how long.

    Args:
        session: what OpenSSL needs for it.
        proven_at: when certificates were last looked at, in the handshake that it descends from.
        begins: when the server gave it.
        ends: when it is not to be used any more.
        is_renewable: whether a new one from the same server would last longer.
    """

    session: ssl.SSLSession
    proven_at: float
    begins: float
    ends: float
    is_renewable: bool

    def counts(self, now: float) -> bool:
        """Whether it can be used. A clock that was set back makes its age unknown."""
        return self.begins <= now < self.ends

    def is_due(self, now: float) -> bool:
        """Whether it is time for a new one."""
        return self.is_renewable and now >= (self.begins + self.ends) / 2


@dataclass(frozen=True, slots=True)
class _Host:
    """What a ticket is kept by; see 1 and 2 at the head of this module."""

    context: ssl.SSLContext
    address: ServerAddress
    server_name: str | None
    verified: tuple[object, ...]


class _Slot:
    """The ticket of one host, and how many more sessions may be read for it."""

    __slots__ = ("counted_at", "reads", "ticket")

    def __init__(self, now: float) -> None:
        self.ticket: Ticket | None = None
        self.reads = float(READS)
        self.counted_at = now

    def present(self, now: float) -> Ticket | None:
        if self.ticket is not None and not self.ticket.counts(now):
            self.ticket = None
        return self.ticket

    def take_read(self, now: float) -> bool:
        self.reads = min(READS, self.reads + max(now - self.counted_at, 0) / PAUSE)
        self.counted_at = now
        if self.reads < 1:
            return False
        self.reads -= 1
        return True


class Tickets:
    """The tickets of one identity, for all of its connections and from any thread.

    Args:
        ends: when the client's own certificate ends; infinity if it has none, or nobody can read it.
        limit: how many hosts' tickets are kept.
    """

    def __init__(self, ends: float = math.inf, *, limit: int = KEPT) -> None:
        self._ends = ends
        self._limit = limit
        self._lock = Lock()
        self._slots: dict[_Host, _Slot] = {}

    def resumption(
        self, context: ssl.SSLContext, address: ServerAddress, server_name: str | None, now: float
    ) -> Resumption:
        """What a new connection offers, and where it brings its own ticket.

        Args:
            context: the connection's.
            address: the server.
            server_name: the name to ask it for and to verify it by; None if that is the host of its address.
            now: the present moment.
        """
        lists = context.cert_store_stats()["crl"]
        host = _Host(
            context, address, server_name, (context.verify_mode, context.check_hostname, context.verify_flags, lists)
        )
        with self._lock:
            slot = self._slots.pop(host, None)
            if slot is None:
                while len(self._slots) >= self._limit:
                    del self._slots[next(iter(self._slots))]
                slot = _Slot(now)
            self._slots[host] = slot
            return Resumption(self._lock, slot, slot.present(now), self._ends)

    def clear(self) -> None:
        """Forget all of them; connections under way bring none home either."""
        with self._lock:
            self._slots.clear()


class Resumption:
    """The part of one connection: it offers a ticket if there is one, and brings one home if one is needed."""

    __slots__ = ("_ends", "_lock", "_offered", "_slot")

    def __init__(self, lock: Lock, slot: _Slot, offered: Ticket | None, ends: float) -> None:
        self._lock = lock
        self._slot = slot
        self._offered = offered
        self._ends = ends

    @property
    def session(self) -> ssl.SSLSession | None:
        """The session to be offered."""
        return self._offered.session if self._offered is not None else None

    def succeeded(self, engine: TLSEngine, now: float) -> None:
        """Take note that the server has answered the first command, and is no impostor as far as anybody knows.

        With TLS 1.3 its tickets come after the handshake; they are here when an answer is.

        Args:
            engine: the connection's.
            now: the present moment.
        """
        resumed = engine.resumed
        with self._lock:
            if not self._is_needed(resumed, now):
                return
        session, info = engine.read_session(), engine.info
        offered = self._offered if resumed else None
        ticket: Ticket | None = None
        if session is not None and info is not None:
            ticket = _ticket(session, info, offered.proven_at if offered is not None else now, self._ends)
        if offered is not None and (ticket is None or ticket.ends <= offered.ends):
            # The same again (TLS 1.2): there is nothing better to be had.
            ticket = replace(offered, is_renewable=False)
        with self._lock:
            self._slot.ticket = ticket
            self._slot.present(now)

    def failed(self, cause: BaseException | None, now: float) -> None:
        """Take note that the connection failed in TLS.

        Args:
            cause: what OpenSSL or the socket raised.
            now: the present moment.
        """
        if self._offered is None:
            return
        with self._lock:
            self._slot.ticket = None
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                self._slot.reads = 0
                self._slot.counted_at = now

    def _is_needed(self, resumed: bool, now: float) -> bool:
        present = self._slot.present(now)
        if present is not None and (present is not self._offered or (resumed and not present.is_due(now))):
            # Good enough; or another connection was quicker.
            return False
        return self._slot.take_read(now)


def _ticket(session: ssl.SSLSession, info: TLSInfo, proven_at: float, ends: float) -> Ticket | None:
    """What a session is good for; None if it cannot be resumed.

    Args:
        session: the session of a connection on which the server has sent something.
        info: what was agreed on it.
        proven_at: when certificates were looked at.
        ends: when our own certificate ends.
    """
    is_tls13 = info.version == "TLSv1.3"
    # TLS 1.2 also knows sessions that the server remembers by their number.
    if not session.has_ticket and (is_tls13 or not session.id):
        return None
    lifetime = session.timeout
    # The server's hint; without one, 0, a ticket of TLS 1.3 is not to be used at all (RFC 8446, section 4.6.1).
    if is_tls13 or session.ticket_lifetime_hint:
        lifetime = min(lifetime, session.ticket_lifetime_hint)
    limit = min(proven_at + LONGEST, ends)
    if info.peer_certificate:
        limit = min(limit, ssl.cert_time_to_seconds(info.peer_certificate["notAfter"]))
    own_end = session.time + lifetime
    return Ticket(session, proven_at, session.time, min(own_end, limit), own_end < limit)
