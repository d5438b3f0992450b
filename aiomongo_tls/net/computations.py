"""What conversations want computed: on threads, each once, and remembered.

Turning a password into a key takes milliseconds to seconds of pure work, and every connection of a client needs the
same key. So the first one that asks starts a thread, all others wait for it, and later ones find the result here.
`pbkdf2_hmac` works without the interpreter's lock, so that the event loop goes on meanwhile.

One of these per client: what one client's password has become is nobody else's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from aiomongo_tls.net.threads import in_thread

if TYPE_CHECKING:
    from aiomongo_tls.core.auth.conversation import Computation

LIMIT = 16
"""Results that are kept. A client has one user; a new salt, after a change of password, makes a new key."""


class Computations:
    """Results by the key of their computation. Belongs to one event loop at a time.

    Args:
        limit: how many results are kept; the one that was not asked for the longest goes first.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._results: dict[Hashable, Any] = {}
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    def __repr__(self) -> str:
        # The keys hold passwords.
        return f"<Computations kept={len(self._results)} running={len(self._running)}>"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being computed."""
        return not self._running

    async def result(self, computation: Computation) -> Any:
        """The result of a computation, found now if it is not known.

        Cancelling this does not end the work, which others may be waiting for.

        Args:
            computation: what to compute.
        """
        key = computation.key
        if key in self._results:
            # Back to the end: the oldest stands at the front.
            result = self._results[key] = self._results.pop(key)
            return result
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = in_thread(computation.run, name="aiomongo_tls compute a key")
            running.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(running)

    def _settle(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        del self._running[key]
        # Asking for the exception also says that it was seen, should everybody have stopped waiting.
        if done.cancelled() or done.exception() is not None:
            return
        while len(self._results) >= self._limit:
            del self._results[next(iter(self._results))]
        self._results[key] = done.result()
