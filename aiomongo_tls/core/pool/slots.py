"""The books of one pool: who has which connection, who waits, what is being opened. Plain code, no loop, no clock.

Rules (specification: connection monitoring and pooling, "Checking Out a Connection", "Background Thread", "Clearing a
Connection Pool"):

- A connection counts against `max_pool_size` from the moment it is decided to open it until it is closed.
- Connections are handed out last in, first out, so that those not needed grow old and are closed. Waiters are
  served first come, first served: nobody is given a connection while others wait for one.
- Each waiter is worth at most one connection in the making, `max_connecting` of them at a time. A connection is not
  opened *for* somebody: whoever is first in line gets the next one that is free, returned or new, and a new one that
  nobody waits for any more is idle.
- A failed attempt ends the waiting of one: the first in line, if those attempts that go on are fewer than those who
  wait. The others may be served by a connection that is given back, or by the next attempt.
- Only a ready pool hands out and opens connections. Clearing it makes it paused, turns away who waits, closes what is
  idle or parked and gives up what is being opened. What is in use stays until it is given back. In load balanced mode
  only the connections to one service are cleared, and the pool goes on. It goes on, too, where the server is there and
  only refuses those whom the pool is for (`pauses`).
- A parked connection waits `drain_timeout` seconds at most for its late reply. Nobody else can have it. When somebody
  waits and the pool is full, one that has been parked for `SPARED` seconds makes room: most late replies come sooner
  than a new connection, and a server that hangs must not hold up everybody. Only `look()` decides on that: in the
  middle of a long turn of the event loop the replies may be there and nobody has read them yet.
- `min_pool_size` is kept from when the pool is ready; after a failed attempt not before the time that is given.

Every method that changes something returns what is to be done now, in that order. A grant may come too late, because
its waiter gave up in the meantime; then the connection is given back with `give_back()`, and goes to the next one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from aiomongo_tls.core.events.pool_events import ConnectionClosedReason
from aiomongo_tls.core.pool.actions import Abandon, Action, Close, Fail, Grant, Open
from aiomongo_tls.core.pool.generations import Generations
from aiomongo_tls.core.pool.status import Counts, PoolState, PoolStatus
from aiomongo_tls.errors import InvalidOperation

if TYPE_CHECKING:
    from bson import ObjectId

    from aiomongo_tls.core.options.pool_options import PoolOptions

SPARED = 0.05
"""Seconds for which a parked connection is left alone although somebody waits for its place."""

C = TypeVar("C")
W = TypeVar("W")


class Slots(Generic[C, W]):
    """The books of one pool.

    Args:
        options: the pool options.

    Attributes:
        state: whether connections are handed out.
        generations: which connections are stale.
    """

    def __init__(self, options: PoolOptions) -> None:
        self.state = PoolState.PAUSED
        self.generations = Generations()
        self._options = options
        self._max_idle_time = options.max_idle_time
        # The oldest first; with the time since when it is idle.
        self._idle: list[tuple[C, float]] = []
        self._in_use: set[C] = set()
        # The oldest first, with the time since when it is parked.
        self._parked: OrderedDict[C, float] = OrderedDict()
        self._opening: set[int] = set()
        # In load balanced mode, where each connection in the books leads.
        self._services: dict[C, ObjectId] = {}
        # Not a list, because one in the middle may give up; nor a plain dict, which finds its first key the more slowly
        # the more of those before it were deleted.
        self._waiters: OrderedDict[W, None] = OrderedDict()
        self._last_id = 0
        # From when on connections that nobody asked for may be opened.
        self._fill_at = 0.0

    @property
    def counts(self) -> Counts:
        """How many connections there are, and who waits."""
        return Counts(
            idle=len(self._idle),
            in_use=len(self._in_use),
            parked=len(self._parked),
            opening=len(self._opening),
            waiting=len(self._waiters),
        )

    @property
    def status(self) -> PoolStatus:
        """The pool at this moment."""
        return PoolStatus(
            idle=len(self._idle),
            in_use=len(self._in_use),
            parked=len(self._parked),
            opening=len(self._opening),
            waiting=len(self._waiters),
            max_pool_size=self._options.max_pool_size,
            generation=self.generations.pool,
            state=self.state,
        )

    @property
    def total(self) -> int:
        """What counts against `max_pool_size`."""
        return len(self._idle) + len(self._in_use) + len(self._parked) + len(self._opening)

    @property
    def operation_count(self) -> int:
        """How many operations have a connection or wait for one."""
        return len(self._in_use) + len(self._waiters)

    @property
    def in_use(self) -> list[C]:
        """The connections that were handed out."""
        return list(self._in_use)

    # Connections go out

    def take(self, now: float) -> C | None:
        """An idle connection at once, if there is one and nobody waits; None otherwise, and nothing has changed."""
        if not self._idle or self._waiters:
            return None
        connection, since = self._idle[-1]
        if self._max_idle_time is not None and now >= since + self._max_idle_time:
            # So are all the others; `plan()` closes them.
            return None
        self._idle.pop()
        self._in_use.add(connection)
        return connection

    def join(self, waiter: W, now: float) -> list[Action[C, W]]:
        """Somebody needs a connection."""
        if self.state is not PoolState.READY:
            return [Fail(waiter)]
        self._waiters[waiter] = None
        return self.plan(now)

    def leave(self, waiter: W) -> None:
        """Somebody who has not been granted a connection waits no longer. What is being opened goes on."""
        self._waiters.pop(waiter, None)

    # Connections come in

    def give_back(self, connection: C, now: float) -> Sequence[Action[C, W]]:
        """A connection is not used any more, and the next one may have it.

        Raises:
            InvalidOperation: it is not in use.
        """
        try:
            self._in_use.remove(connection)
        except KeyError:
            self.check_in_use(connection)
        self._idle.append((connection, now))
        # On the way of every operation; without a waiter, what else may be due is the keeper's to look for.
        return self.plan(now) if self._waiters else ()

    def park(self, connection: C, now: float) -> list[Action[C, W]]:
        """A connection is not used any more, and the next one may have it once it is clean: `drained()`.

        Raises:
            InvalidOperation: it is not in use.
        """
        self._end_use(connection)
        self._parked[connection] = now
        return self.plan(now)

    def remove(self, connection: C, now: float) -> list[Action[C, W]]:
        """A connection is not used any more, and nobody may have it: the caller closes it.

        Raises:
            InvalidOperation: it is not in use.
        """
        self._end_use(connection)
        self._forget(connection)
        return self.plan(now)

    def check_in_use(self, connection: C) -> None:
        """See to it that a connection is in use.

        Raises:
            InvalidOperation: it is not: it was given back before, or belongs to another pool.
        """
        if connection not in self._in_use:
            raise InvalidOperation(
                f"{connection!r} is not in use here: it was given back before, or belongs to another pool"
            )

    def drained(self, connection: C, now: float) -> list[Action[C, W]]:
        """A parked connection is clean again."""
        if self._parked.pop(connection, None) is None:
            return []
        self._idle.append((connection, now))
        return self.plan(now)

    def lost(self, connection: C, now: float) -> list[Action[C, W]] | None:
        """A connection was lost. An idle or parked one leaves at once, one in use when it is given back.

        Returns:
            None if it is not an idle or parked one.
        """
        if self._parked.pop(connection, None) is None:
            for position, (idle, _) in enumerate(self._idle):
                if idle == connection:
                    del self._idle[position]
                    break
            else:
                return None
        self._forget(connection)
        return self.plan(now)

    # Attempts end

    def opened(
        self, connection_id: int, connection: C, now: float, service_id: ObjectId | None = None
    ) -> list[Action[C, W]]:
        """An attempt has led to a connection.

        Args:
            connection_id: its number.
            connection: the connection.
            now: the time.
            service_id: the service that it leads to, in load balanced mode.
        """
        self._opening.remove(connection_id)
        self._fill_at = now
        if service_id is not None:
            self._services[connection] = service_id
            self.generations.opened(service_id)
        self._idle.append((connection, now))
        return self.plan(now)

    def failed(self, connection_id: int) -> None:
        """An attempt has failed. Who learns of it depends on what it means for the pool; see `after_failure()`."""
        self._opening.remove(connection_id)

    def after_failure(self, now: float, fill_at: float) -> list[Action[C, W]]:
        """Tell who waits of a failed attempt, and go on.

        Args:
            now: the time.
            fill_at: when connections that nobody asked for may be tried again.
        """
        self._fill_at = fill_at
        actions: list[Action[C, W]] = []
        if len(self._opening) < len(self._waiters):
            actions.append(Fail(self._waiters.popitem(last=False)[0]))
        return actions + self.plan(now)

    # Decisions

    def plan(self, now: float) -> list[Action[C, W]]:
        """What is to be done now: close what is too old, serve who waits, open what is missing."""
        actions: list[Action[C, W]] = []
        if self.state is not PoolState.READY:
            return actions
        self._close_old(now, actions)
        while self._waiters and self._idle:
            connection, _ = self._idle.pop()
            self._in_use.add(connection)
            waiter, _ = self._waiters.popitem(last=False)
            actions.append(Grant(waiter, connection))
        while not self._is_full and self._wants_another(now):
            self._open(actions)
        return actions

    def look(self, now: float) -> list[Action[C, W]]:
        """As `plan()`, and close what is in the way of who waits. To be called when what has come has been read."""
        actions = self.plan(now)
        if self.state is PoolState.READY:
            while self._is_full and self._make_room(now, actions):
                self._open(actions)
        return actions

    @property
    def next_look(self) -> float | None:
        """When `look()` will have something to do although nothing has happened; None if never, as things are."""
        if self.state is not PoolState.READY:
            return None
        times: list[float] = []
        if self._max_idle_time is not None and self._idle:
            times.append(self._idle[0][1] + self._max_idle_time)
        if self._parked:
            since = next(iter(self._parked.values()))
            is_in_the_way = self._is_one_awaited and self._is_full
            times.append(since + (SPARED if is_in_the_way else self._options.drain_timeout))
        if self.is_short and not self._is_full and len(self._opening) < self._options.max_connecting:
            times.append(self._fill_at)
        return min(times, default=None)

    @property
    def is_short(self) -> bool:
        """Whether there are fewer connections than `min_pool_size`, counting those in the making."""
        return self.total < self._options.min_pool_size

    # The pool as a whole

    def ready(self, now: float) -> bool:
        """Begin to hand out connections; `plan()` follows. False if the pool is not paused."""
        if self.state is not PoolState.PAUSED:
            return False
        self.state = PoolState.READY
        self._fill_at = now
        return True

    def clear(self, *, pauses: bool = True) -> list[Action[C, W]]:
        """Make all connections stale.

        Args:
            pauses: whether the pool is paused.
        """
        self.generations.next(None)
        if self.state is PoolState.CLOSED:
            return []
        if pauses:
            self.state = PoolState.PAUSED
        return self._empty(ConnectionClosedReason.STALE)

    def clear_service(self, service_id: ObjectId, now: float) -> list[Action[C, W]]:
        """Make all connections to one service stale."""
        self.generations.next(service_id)
        stale = [
            connection
            for connection, service in self._services.items()
            if service == service_id and connection not in self._in_use
        ]
        self._idle = [entry for entry in self._idle if entry[0] not in stale]
        for connection in stale:
            self._parked.pop(connection, None)
        actions: list[Action[C, W]] = [self._close(connection, ConnectionClosedReason.STALE) for connection in stale]
        return actions + self.plan(now)

    def close(self) -> list[Action[C, W]]:
        """Close what is idle and turn away who waits, now and in the future."""
        self.state = PoolState.CLOSED
        return self._empty(ConnectionClosedReason.POOL_CLOSED)

    # Parts of the above

    def _end_use(self, connection: C) -> None:
        try:
            self._in_use.remove(connection)
        except KeyError:
            self.check_in_use(connection)

    def _forget(self, connection: C) -> None:
        """A connection leaves the books."""
        service_id = self._services.pop(connection, None)
        if service_id is not None:
            self.generations.closed(service_id)

    def _close(self, connection: C, reason: ConnectionClosedReason) -> Close[C]:
        self._forget(connection)
        return Close(connection, reason)

    def _empty(self, reason: ConnectionClosedReason) -> list[Action[C, W]]:
        """Nothing is left but what is in use."""
        actions: list[Action[C, W]] = [self._close(connection, reason) for connection, _ in self._idle]
        actions += [self._close(connection, reason) for connection in self._parked]
        actions += [Abandon(number, reason) for number in sorted(self._opening)]
        actions += [Fail(waiter) for waiter in self._waiters]
        self._idle.clear()
        self._parked.clear()
        self._opening.clear()
        self._waiters.clear()
        return actions

    def _close_old(self, now: float, actions: list[Action[C, W]]) -> None:
        """Close what was idle or parked for too long; the oldest are in front."""
        limit = self._max_idle_time
        while limit is not None and self._idle and now >= self._idle[0][1] + limit:
            actions.append(self._close(self._idle.pop(0)[0], ConnectionClosedReason.IDLE))
        while self._parked and now >= next(iter(self._parked.values())) + self._options.drain_timeout:
            actions.append(self._close(self._parked.popitem(last=False)[0], ConnectionClosedReason.ERROR))

    def _open(self, actions: list[Action[C, W]]) -> None:
        self._last_id += 1
        self._opening.add(self._last_id)
        actions.append(Open(self._last_id))

    def _make_room(self, now: float, actions: list[Action[C, W]]) -> bool:
        """Close the oldest parked connection for somebody who waits, if its time has come."""
        if not self._is_one_awaited or not self._parked or now < next(iter(self._parked.values())) + SPARED:
            return False
        actions.append(self._close(self._parked.popitem(last=False)[0], ConnectionClosedReason.ERROR))
        return True

    @property
    def _is_full(self) -> bool:
        return 0 < self._options.max_pool_size <= self.total

    @property
    def _is_one_awaited(self) -> bool:
        """Whether somebody waits for whom nothing is being opened, although it could be."""
        opening = len(self._opening)
        return opening < len(self._waiters) and opening < self._options.max_connecting

    def _wants_another(self, now: float) -> bool:
        """Whether to open another connection, if there is room for it."""
        if self._is_one_awaited:
            return True
        return self.is_short and now >= self._fill_at and len(self._opening) < self._options.max_connecting
