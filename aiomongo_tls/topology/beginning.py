"""The first use of something that takes time to begin: begun once for all who wait for it, and ended once.

A fault in it that may pass is waited out by those who need it; the other ones they are told, and the next who comes
begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from copy import copy
from typing import TYPE_CHECKING

from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.core.sdam.schedule import Backoff
from aiomongo_tls.errors import InvalidOperation, MongoError, NetworkTimeout, Phase
from aiomongo_tls.topology.announcer import log

if TYPE_CHECKING:
    from aiomongo_tls.deadline import Deadline

FIRST_PAUSE = 0.05
"""Seconds at most before the first retry of what is not paced by a monitor."""

LONGEST_PAUSE = 0.5
"""Seconds at most between such retries in the long run."""


class Step:
    """What a beginning is busy with, for whoever runs out of time or patience meanwhile.

    Attributes:
        phase: the phase of a connection that it belongs to.
        doing: what it is, in words.
    """

    __slots__ = ("doing", "phase")

    def __init__(self) -> None:
        self.phase, self.doing = Phase.SELECTION, "beginning"

    def now(self, phase: Phase, doing: str) -> None:
        """Take note of the next step."""
        self.phase, self.doing = phase, doing


class Beginning:
    """Begins something once. Made without I/O, and without a loop.

    Args:
        begin: begins it; called anew after a failure.
        step: what that is busy with.
        origin: where the servers are looked for, for the log.
        chance: returns a number from 0 to 1, for the pauses between attempts.
    """

    def __init__(
        self, begin: Callable[[], Awaitable[None]], step: Step, *, origin: str, chance: Callable[[], float]
    ) -> None:
        self._begin = begin
        self._step = step
        self._origin = origin
        self._chance = chance
        self._task: asyncio.Task[None] | None = None
        # Wakes those who pause.
        self._ended = asyncio.Event()
        # Why it has failed before.
        self._fault: MongoError | None = None
        self._has_warned = False

    async def wait(self, limit: Deadline) -> None:
        """Wait until it has begun; begin it if nobody has.

        Args:
            limit: when to give up.

        Raises:
            ConfigurationError: a file or what DNS says cannot be used.
            NetworkTimeout: the time was up; names the step. Where it had failed before, the fault is its cause.
            ConnectionFailure: a fault that may pass had not done so when the time was up.
            InvalidOperation: it was ended meanwhile.
        """
        loop = asyncio.get_running_loop()
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, self._chance)
        while True:
            self._check()
            if self._task is None:
                self._task = loop.create_task(self._run(), name="aiomongo_tls begin", context=Context())
                self._task.add_done_callback(self._done)
            try:
                async with asyncio.timeout_at(limit.at if limit.is_finite else None):
                    # The shield: one caller that gives up does not end the waiting of the others.
                    await asyncio.shield(self._task)
            except MongoError as exc:
                self._fault = exc
                if is_permanent(exc) or limit.has_passed(loop.time()):
                    # Each caller its own, because raising adds to an exception's traceback.
                    raise copy(exc) from exc.__cause__
            except TimeoutError as exc:
                before = f"; last fault: {self._fault}" if self._fault is not None else ""
                cause = self._fault or exc
                raise NetworkTimeout(
                    f"{limit.option} has passed while {self._step.doing}{before}", phase=self._step.phase
                ) from cause
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or not task.cancelling():
                    # Not this caller was cancelled but the beginning, by `end()`.
                    self._check()
                raise
            else:
                self._check()
                self._fault = None
                return
            await self.pause(backoff.pause(), limit)

    def warn(self, limit: Deadline, patience: float) -> None:
        """Say in the log, once, what is waited for. Plain.

        Args:
            limit: until when whoever waits does so.
            patience: for how many seconds it has waited.
        """
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s: no server is known yet after %g s, trying on until %s has passed; now %s; last fault: %s",
                self._origin,
                patience,
                limit.option or "somebody gives up",
                self._step.doing,
                self._fault or "none",
            )

    async def pause(self, seconds: float, limit: Deadline) -> None:
        """Pause, until the limit at most.

        Args:
            seconds: for how long.
            limit: when to go on in any case.

        Raises:
            InvalidOperation: it was ended meanwhile.
        """
        until = asyncio.get_running_loop().time() + seconds
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(until, limit.at)):
                await self._ended.wait()
        self._check()

    def end(self) -> None:
        """Begin no more, and wake who waits. Plain and idempotent."""
        self._ended.set()
        if self._task is not None:
            self._task.cancel()

    async def wait_ended(self) -> None:
        """Wait until nothing is left after `end()`."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await self._begin()

    def _check(self) -> None:
        if self._ended.is_set():
            raise InvalidOperation("the client is closed")

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            # Told to those who wait; there may be none left.
            task.exception()
