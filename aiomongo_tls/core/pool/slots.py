"""The books of one pool: who has which connection, who waits, what is being opened. Plain code, no loop, no clock.

Rules (specification: connection monitoring and pooling, "Checking Out a Connection", "Background Thread"):

- A connection counts against `max_pool_size` from the moment it is decided to open it until it is closed.
- Connections are handed out last in, first out, so that those not needed grow old and are closed. Waiters are
  served first come, first served: nobody is given a connection while others wait for one.
- Each waiter is worth at most one connection in the making, `max_connecting` of them at a time. A connection is not
  opened *for* somebody: whoever is first in line gets the next one that is free, returned or new, and a new one that
  nobody waits for any more is idle.
- A failed attempt ends the waiting of everybody who waits at that moment: they decide for themselves whether the
  fault is worth another try.

Every method that changes something returns what is to be done now, in that order. A grant may come too late, because
its waiter gave up in the meantime; then the connection is given back with `give_back()`, and goes to the next one.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from aiomongo_tls.core.options.pool_options import PoolOptions

C = TypeVar("C")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Grant(Generic[C, W]):
    """Hand this connection to this waiter."""

    waiter: W
    connection: C


@dataclass(frozen=True, slots=True)
class Open:
    """Open a new connection; `opened()` or `failed()` must follow."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class Close(Generic[C]):
    """Close this connection, which nobody uses."""

    connection: C


@dataclass(frozen=True, slots=True)
class Fail(Generic[W]):
    """End the waiting of this waiter."""

    waiter: W


Action = Grant[C, W] | Open | Close[C] | Fail[W]
"""Something to be done now."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many connections there are, and who waits."""

    idle: int
    in_use: int
    opening: int
    waiting: int

    @property
    def total(self) -> int:
        """What counts against `max_pool_size`."""
        return self.idle + self.in_use + self.opening


class Slots(Generic[C, W]):
    """The books of one pool.

    Args:
        options: the pool options.
    """

    def __init__(self, options: PoolOptions) -> None:
        self._options = options
        # The oldest first; with the time since when it is idle.
        self._idle: list[tuple[C, float]] = []
        self._in_use: set[C] = set()
        self._opening: set[int] = set()
        # Not a list, because one in the middle may give up; nor a plain dict, which finds its first key the more slowly
        # the more of those before it were deleted.
        self._waiters: OrderedDict[W, None] = OrderedDict()
        self._last_id = 0
        # Whether to open connections that nobody asked for: the last attempt succeeded.
        self._fills = False
        self.is_closed = False

    @property
    def counts(self) -> Counts:
        """How many connections there are, and who waits."""
        return Counts(len(self._idle), len(self._in_use), len(self._opening), len(self._waiters))

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
        if self._is_old(since, now):
            # So are all the others; `plan()` closes them.
            return None
        self._idle.pop()
        self._in_use.add(connection)
        return connection

    def join(self, waiter: W, now: float) -> list[Action[C, W]]:
        """Somebody needs a connection."""
        if self.is_closed:
            return [Fail(waiter)]
        self._waiters[waiter] = None
        return self.plan(now)

    def leave(self, waiter: W) -> None:
        """Somebody who has not been granted a connection waits no longer. What is being opened goes on."""
        self._waiters.pop(waiter, None)

    # Connections come in

    def give_back(self, connection: C, now: float, *, keep: bool = True) -> list[Action[C, W]]:
        """A connection is not used any more. One that is not in use is none of ours, and nothing changes.

        Args:
            connection: the connection.
            now: the time.
            keep: whether it can be used again. If not, the caller closes it.
        """
        if connection not in self._in_use:
            return []
        self._in_use.remove(connection)
        if not keep:
            return self.plan(now)
        if self._waiters or self.is_closed:
            return self._put(connection, now)
        # The common case, on the way of every operation; what else may be due is the keeper's to look for.
        self._idle.append((connection, now))
        return []

    def opened(self, connection_id: int, connection: C, now: float) -> list[Action[C, W]]:
        """An attempt has led to a connection."""
        self._opening.discard(connection_id)
        self._fills = True
        return self._put(connection, now)

    def failed(self, connection_id: int) -> list[Action[C, W]]:
        """An attempt has failed; whoever waits now is told. Connections that nobody asked for wait for `fill()`."""
        self._opening.discard(connection_id)
        self._fills = False
        actions: list[Action[C, W]] = [Fail(waiter) for waiter in self._waiters]
        self._waiters.clear()
        return actions

    def lost(self, connection: C, now: float) -> list[Action[C, W]]:
        """A connection was lost. An idle one leaves at once; one in use when it is given back."""
        for position, (idle, _) in enumerate(self._idle):
            if idle == connection:
                del self._idle[position]
                return self.plan(now)
        return []

    # Decisions

    def plan(self, now: float) -> list[Action[C, W]]:
        """What is to be done now: close what is too old, serve who waits, open what is missing."""
        actions: list[Action[C, W]] = []
        if self.is_closed:
            return actions
        # The oldest are in front.
        while self._idle and self._is_old(self._idle[0][1], now):
            actions.append(Close(self._idle.pop(0)[0]))
        while self._waiters and self._idle:
            connection, _ = self._idle.pop()
            self._in_use.add(connection)
            waiter, _ = self._waiters.popitem(last=False)
            actions.append(Grant(waiter, connection))
        while self._is_one_missing:
            self._last_id += 1
            self._opening.add(self._last_id)
            actions.append(Open(self._last_id))
        return actions

    def fill(self, now: float) -> list[Action[C, W]]:
        """The same, trying again to keep `min_pool_size` connections after a failure."""
        self._fills = True
        return self.plan(now)

    @property
    def next_look(self) -> float | None:
        """When an idle connection becomes too old, None if that cannot happen as things are."""
        limit = self._options.max_idle_time
        return self._idle[0][1] + limit if limit is not None and self._idle else None

    @property
    def is_short(self) -> bool:
        """Whether there are fewer connections than `min_pool_size`, counting those in the making."""
        return self._total < self._options.min_pool_size

    def close(self) -> list[Action[C, W]]:
        """Close what is idle and turn away who waits, now and in the future."""
        self.is_closed = True
        actions: list[Action[C, W]] = [Close(connection) for connection, _ in self._idle]
        actions += [Fail(waiter) for waiter in self._waiters]
        self._idle.clear()
        self._waiters.clear()
        return actions

    def _put(self, connection: C, now: float) -> list[Action[C, W]]:
        if self.is_closed:
            return [Close(connection)]
        self._idle.append((connection, now))
        return self.plan(now)

    @property
    def _total(self) -> int:
        return len(self._idle) + len(self._in_use) + len(self._opening)

    @property
    def _is_one_missing(self) -> bool:
        options = self._options
        opening = len(self._opening)
        if opening >= options.max_connecting or (options.max_pool_size and self._total >= options.max_pool_size):
            return False
        return opening < len(self._waiters) or (self._fills and self.is_short)

    def _is_old(self, since: float, now: float) -> bool:
        limit = self._options.max_idle_time
        return limit is not None and now - since >= limit
