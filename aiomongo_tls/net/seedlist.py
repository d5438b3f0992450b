"""The look-up with which a `mongodb+srv://` client begins: done once, however many operations wait for it.

It belongs to a task of its own, bounded by `connectTimeoutMS`: an operation that gives up ends its own waiting, and the
answer serves the next. A failure is not kept; whoever comes next asks again.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from copy import copy
from dataclasses import dataclass
from random import sample as random_sample
from typing import TYPE_CHECKING

from aiomongo_tls.core.uri.srv import Sample, complete_options, rescan_interval
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import InvalidOperation, MongoError, NetworkTimeout, Phase

if TYPE_CHECKING:
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.net.srv import SRVResolver


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the look-up came to.

    Args:
        options: the client's options, with seeds.
        rescan_interval: seconds until the SRV records are to be looked at again.
    """

    options: ClientOptions
    rescan_interval: float


class Seedlist:
    """The look-up of one client, on one event loop.

    Args:
        options: the client's, with `srv` and without seeds.
        resolver: who is asked.
        sample: chooses the seeds if there are more than `srvMaxHosts`.
    """

    def __init__(self, options: ClientOptions, resolver: SRVResolver, *, sample: Sample = random_sample) -> None:
        if options.srv is None:
            raise ValueError("there is nothing to look up: the scheme is not mongodb+srv")
        self._options = options
        self._srv = options.srv
        self._resolver = resolver
        self._sample = sample
        self._task: asyncio.Task[Seeded] | None = None
        self._waiters: set[asyncio.Future[Seeded]] = set()
        self._is_closed = False
        self.seeded: Seeded | None = None
        """The result, once there is one."""

    async def look_up(self, deadline: Deadline = NEVER) -> Seeded:
        """The result; asked for now if that has not been done.

        Args:
            deadline: when to stop waiting, on the loop's clock.

        Raises:
            ConfigurationError: there is no such name, or what DNS says of it cannot be used.
            ConnectionFailure: no name server could say; trying again may help. NetworkTimeout where the time is up.
            InvalidOperation: the client was closed.
        """
        if self.seeded is not None:
            return self.seeded
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(
                self._ask(), name=f"aiomongo_tls look-up of {self._options.origin}", context=Context()
            )
            self._task.add_done_callback(self._settle)
        waiter: asyncio.Future[Seeded] = loop.create_future()
        self._waiters.add(waiter)
        # No `asyncio.timeout()`: its TimeoutError could not be told from the look-up's own.
        timer = loop.call_at(deadline.at, self._give_up, waiter, deadline) if deadline.is_finite else None
        try:
            return await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()

    def stop(self) -> None:
        """End the look-up and all waiting for it. Plain; idempotent."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()

    async def wait_stopped(self) -> None:
        """Wait until nothing is left after `stop()`: no task, no socket."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _ask(self) -> Seeded:
        limit = self._limit()
        records = await self._resolver.srv(self._srv.query_name, limit)
        txt = await self._resolver.txt(self._srv.host, limit)
        options = complete_options(self._options, records, txt, sample=self._sample)
        return Seeded(options, rescan_interval(records))

    def _limit(self) -> Deadline:
        seconds = self._options.connect_timeout
        return Deadline.after(
            seconds, f"connectTimeoutMS={(seconds or 0) * 1000:g}", now=asyncio.get_running_loop().time()
        )

    def _settle(self, task: asyncio.Task[Seeded]) -> None:
        self._task = None
        error: BaseException | None
        if task.cancelled():
            error = InvalidOperation("the client was closed while its servers were looked up")
        else:
            error = task.exception()
        if error is None:
            self.seeded = task.result()
        for waiter in self._waiters:
            if waiter.done():
                continue
            if self.seeded is not None:
                waiter.set_result(self.seeded)
            elif error is not None:
                # Each its own, because raising adds to an exception's traceback.
                waiter.set_exception(copy(error) if isinstance(error, MongoError) else error)

    def _give_up(self, waiter: asyncio.Future[Seeded], deadline: Deadline) -> None:
        if not waiter.done():
            waiter.set_exception(
                NetworkTimeout(
                    f"{deadline.option or 'the deadline'} has passed while the SRV records of {self._srv.host} were "
                    "looked up",
                    phase=Phase.DNS,
                )
            )
