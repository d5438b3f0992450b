"""`Elections`: keeps a replica set supplied with a primary.

A real set notices after ten seconds that its primary is gone, and then votes. Here a primary that goes is replaced in
the same moment, or `delay` seconds later, by the next member in turn: which one it will be is no matter of chance.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.testing.deployment.membership import Member, Membership


class Elections:
    """The living half of a replica set.

    Args:
        membership: its state.
        lock: the lock around that state.
        delay: seconds from the loss of a primary to the election of another.
    """

    def __init__(self, membership: Membership, lock: threading.RLock, delay: float = 0.0) -> None:
        self.membership = membership
        self.delay = delay
        self._changed = threading.Condition(lock)
        self._is_running = False
        # Since when there is no primary, though there could be one.
        self._vacant_since: float | None = None
        self._timer: threading.Timer | None = None
        membership.on_change = self._tend

    def begin(self) -> None:
        """Elect from now on; the first time without delay."""
        with self._changed:
            self._is_running = True
            self._vacant_since = self.membership.now() - self.delay
            self._tend()

    def end(self) -> None:
        """Elect no more."""
        with self._changed:
            self._is_running = False
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            # It may be waiting for the lock just now.
            timer.join()

    def elect(self, member: Member) -> None:
        """Make a member primary at once.

        Raises:
            ValueError: it cannot be.
        """
        with self._changed:
            if not self.membership.has_majority:
                raise ValueError("no majority of the members is up and connected, so none can be elected")
            if member not in self.membership.candidates():
                raise ValueError(f"{member.address} cannot be elected: it is down, cut off, passive or an arbiter")
            self.membership.elect(member)

    def wait_for_primary(self, timeout: float) -> Member:
        """Wait until there is a primary.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: there was none in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.membership.primary is not None, timeout):
                raise TimeoutError(f"{self.membership.name} has no primary after {timeout} s")
            assert self.membership.primary is not None  # noqa: S101 - waited for it
            return self.membership.primary

    def _tend(self) -> None:
        """Elect if it is time to, or see to it that it will be done. Under the lock."""
        self._changed.notify_all()
        group = self.membership
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_running or group.primary is not None or not group.has_majority:
            self._vacant_since = None
            return
        now = group.now()
        if self._vacant_since is None:
            self._vacant_since = now
        due = self._vacant_since + self.delay
        waiting = [member.waits_until for member in group.candidates()]
        if not waiting:
            return
        due = max(due, min(waiting))
        if due > now:
            self._timer = threading.Timer(due - now, self._on_time)
            self._timer.daemon = True
            self._timer.name = f"elections of {group.name}"
            self._timer.start()
            return
        group.elect(next(group.ready()))

    def _on_time(self) -> None:
        with self._changed:
            if self._timer is threading.current_thread():
                self._timer = None
                self._tend()
