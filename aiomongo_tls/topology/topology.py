"""The topology of one client: for now one server and its pool.

Rules for waiting (`core/sdam/failures` is the table behind them):

- A permanent fault is raised at once, by `open()` and by every later operation; each of them makes a fresh attempt, so
  recovery needs no help.
- A transient fault is retried after a short pause until the operation's deadline or `serverSelectionTimeoutMS`,
  whichever is earlier. All operations pause until the same moment: a thousand of them that wait for a server which
  refuses make one round of attempts per pause, not a thousand. After two seconds one WARNING says what is waited for;
  there is no second one until the server was there again.
- While the server was fine at last sight, only the operation's own deadline bounds the waiting for a connection:
  `serverSelectionTimeoutMS` limits the search for a server, not the queue at a busy one.
- An operation whose own deadline passes while its first connection is being opened is told so, with the phase reached.
  In all other cases running out of time is a `ServerSelectionTimeoutError`, with the last fault as its cause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from random import random
from typing import TYPE_CHECKING

from aiomongo_tls.core.auth.metadata import client_document
from aiomongo_tls.core.pool.key import PoolKey
from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.core.sdam.schedule import Backoff
from aiomongo_tls.deadline import NEVER, Deadline
from aiomongo_tls.errors import (
    InvalidOperation,
    MongoError,
    NetworkTimeout,
    Phase,
    PoolClosedError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from aiomongo_tls.net.computations import Computations
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.environment import client_environment
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.identity import Identity, IdentityLoader
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.pool.registry import PoolRegistry

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.auth.hello import StreamDescription
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.net.connection import Connection

_log = logging.getLogger("aiomongo_tls.topology")

FIRST_PAUSE = 0.05
"""Seconds at most before the first retry."""

LONGEST_PAUSE = 0.5
"""Seconds at most between retries in the long run."""

PATIENCE = 2.0
"""Seconds of waiting after which a WARNING says what for."""

CLOSE_LIMIT = 1.0
"""Seconds that saying goodbye may take."""


class Topology:
    """The server that a client is told of. Made without I/O; belongs to the event loop that it is first used on.

    Args:
        options: the client options.
        resolver: looks host names up.
        chance: returns a number from 0 to 1, for the pauses between attempts.
        patience: seconds of waiting after which a WARNING says what for.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        resolver: Resolver | None = None,
        chance: Callable[[], float] = random,
        patience: float = PATIENCE,
    ) -> None:
        self._options = options
        self._address = options.seeds[0]
        self._resolver = resolver or Resolver()
        self._patience = patience
        self._identities = IdentityLoader(options.tls)
        self._computations = Computations()
        self._pools = PoolRegistry(self._make_pool)
        self._pool: Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        # Wakes those who pause between two attempts.
        self._closed = asyncio.Event()
        # Whether the last that was heard of the server was good.
        self._is_proven = False
        # When whoever has met a fault tries again.
        self._retry_at = 0.0
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, chance)
        # The last fault of the server, for the warning.
        self._fault: Exception | None = None
        self._has_warned = False
        self._description: StreamDescription | None = None

    @property
    def description(self) -> StreamDescription | None:
        """What the server said of itself in the hello of the newest connection; None before there was one."""
        return self._description

    async def open(self, deadline: Deadline = NEVER) -> None:
        """See to it that there is a connection: opened, greeted, authenticated.

        Args:
            deadline: when to give up, besides `serverSelectionTimeoutMS`.

        Raises:
            ServerSelectionTimeoutError: the time is up; the last fault is its cause.
            MongoError: as `check_out()`.
        """
        self.check_in(await self.check_out(deadline))

    def try_check_out(
        self, preference: ReadPreference | None = None, deprioritized: Collection[ServerAddress] = ()
    ) -> Connection | None:
        """An idle connection, if there is one and nobody waits.

        Args:
            preference: which servers will do; None for a write.
            deprioritized: servers that are chosen only where no other will do.

        Raises:
            InvalidOperation: the client is closed, or belongs to another event loop.
        """
        self._enter()
        return self._pool.try_check_out() if self._pool is not None else None

    async def check_out(
        self,
        deadline: Deadline = NEVER,
        preference: ReadPreference | None = None,
        deprioritized: Collection[ServerAddress] = (),
    ) -> Connection:
        """Get a connection, waiting for the server if need be.

        Args:
            deadline: when to give up; while the server is being looked for, `serverSelectionTimeoutMS` as well.
            preference: which servers will do; None for a write.
            deprioritized: servers that are chosen only where no other will do.

        Returns:
            A connection that is the caller's until it is given to `check_in()`.

        Raises:
            TLSError: a permanent fault of TLS.
            AuthenticationFailed: the server refused the credential.
            ConfigurationError: a file cannot be used, or the server is too old or too new.
            NetworkTimeout: the deadline passed while the first connection was being opened.
            WaitQueueTimeoutError: all connections were in use until the time was up.
            ServerSelectionTimeoutError: the server was not there until the time was up; the last fault is its cause.
            InvalidOperation: the client is closed, or belongs to another event loop.
        """
        loop = self._enter()
        limit = deadline.tightened(self._selection_limit(loop.time()))
        warn_at = loop.time() + self._patience
        warning: asyncio.TimerHandle | None = None
        last: MongoError | None = None
        try:
            while True:
                if warning is None and not self._is_proven:
                    warning = loop.call_at(warn_at, self._warn, limit)
                try:
                    connection = await self._take(deadline if self._is_proven else limit)
                except (InvalidOperation, PoolClosedError, WaitQueueTimeoutError):
                    raise
                except MongoError as exc:
                    now = loop.time()
                    is_last = limit.has_passed(now)
                    if is_permanent(exc, tls_fail_fast=self._options.tls_fail_fast):
                        self._is_proven = False
                        raise
                    if last is None and deadline.has_passed(now):
                        # The operation was in too much of a hurry; that tells nothing about the server.
                        raise
                    self._is_proven = False
                    if last is None or not (is_last and isinstance(exc, TimeoutError)):
                        # An attempt that the limit cut short tells less than the one before, which came to an end.
                        self._fault = last = exc
                else:
                    self._is_proven = True
                    self._fault = None
                    self._has_warned = False
                    self._backoff.reset()
                    return connection
                if not is_last:
                    await self._pause(limit)
                if limit.has_passed(loop.time()):
                    raise self._not_found(limit, last) from last
        finally:
            if warning is not None:
                warning.cancel()

    def try_check_out_from(self, address: ServerAddress) -> Connection | None:
        """An idle connection to one server, for the later commands of a cursor."""
        return self.try_check_out()

    async def check_out_from(self, address: ServerAddress, deadline: Deadline = NEVER) -> Connection:
        """Get a connection to one server, for the later commands of a cursor."""
        return await self.check_out(deadline)

    def handle_error(self, connection: Connection, error: Exception) -> None:
        """Take note of what an error says about the server. Plain."""

    def check_in(self, connection: Connection) -> None:
        """Give a connection back, in whatever state it is. Plain: nothing can get in between."""
        if self._pool is not None:
            self._pool.check_in(connection)

    async def close(self) -> None:
        """Close every connection in order; takes `CLOSE_LIMIT` at most. Idempotent.

        A caller that is cancelled meanwhile finds everything closed nevertheless, at once instead of in order.

        Raises:
            InvalidOperation: the client belongs to another event loop, which is still in use.
        """
        if self._loop is None or self._loop.is_closed():
            # Nothing was opened, or it went with its loop.
            self._is_closed = True
            return
        self._check_loop()
        self._is_closed = True
        self._closed.set()
        self._pools.close()
        await self._pools.wait_closed(CLOSE_LIMIT)

    def abort(self) -> None:
        """Close every connection at once, without a word to the server. Idempotent."""
        self._is_closed = True
        if self._loop is None or self._loop.is_closed():
            return
        self._check_loop()
        self._closed.set()
        self._pools.abort()

    def _enter(self) -> asyncio.AbstractEventLoop:
        """Check that this can be used here and now."""
        if self._is_closed:
            raise InvalidOperation("the client is closed")
        return self._check_loop()

    def _check_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise InvalidOperation(
                    "this client was first used on another event loop, where its connections are; "
                    "make one client per event loop"
                )
            self._loop = loop
        return loop

    def _selection_limit(self, now: float) -> Deadline:
        seconds = self._options.server_selection_timeout
        return Deadline.after(seconds, f"serverSelectionTimeoutMS={(seconds or 0) * 1000:g}", now=now)

    async def _take(self, limit: Deadline) -> Connection:
        """One try: the pool's next connection, or the error of its attempt to open one."""
        pool = self._pool
        if pool is None:
            try:
                async with asyncio.timeout_at(limit.at if limit.is_finite else None):
                    identity = await self._identities.load()
            except TimeoutError as exc:
                raise NetworkTimeout(
                    f"{limit.option} has passed while the TLS files were read; does the password callback wait?",
                    host=self._address,
                    phase=Phase.TLS,
                ) from exc
            # It may have been closed meanwhile.
            self._enter()
            key = PoolKey(self._address, identity.fingerprint, self._options.credential)
            pool = self._pool = self._pools.get(key)
        return await pool.check_out(limit)

    def _make_pool(self, key: PoolKey) -> Pool:
        options = self._options
        establisher = Establisher(
            address=key.address,
            client=client_document(
                client_environment(),
                app_name=options.app_name,
                drivers=(options.driver,) if options.driver is not None else (),
            ),
            identity=self._identities.identity or Identity(),
            credential=key.credential,
            resolver=self._resolver,
            connect_timeout=options.connect_timeout,
            database=options.database,
            computations=self._computations,
        )

        async def establish(connection: Connection) -> None:
            await establisher.establish(connection)
            self._description = connection.description

        def on_fault(connection: Connection, error: Exception) -> None:
            # All who wait learn of it, and pause until the same moment.
            pool.clear(error)
            pool.ready()

        pool = Pool(key, options.pool, establish, on_fault=on_fault)
        pool.ready()
        return pool

    async def _pause(self, limit: Deadline) -> None:
        """Pause with all who have met a fault, until the limit at most; closing the client ends it."""
        now = self._enter().time()
        if self._retry_at <= now:
            self._retry_at = now + self._backoff.pause()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(self._retry_at, limit.at)):
                await self._closed.wait()
        self._enter()

    def _warn(self, limit: Deadline) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        attempts = self._pool.attempts if self._pool is not None else []
        doing = f"now {attempts[0].progress.phase.doing}" if attempts else "pausing before the next attempt"
        _log.warning(
            "%s: no connection yet after %g s, trying on until %s has passed; %s; last fault: %s",
            self._address,
            self._patience,
            limit.option or "somebody gives up",
            doing,
            self._fault or "none",
        )

    def _not_found(self, limit: Deadline, last: Exception) -> ServerSelectionTimeoutError:
        return ServerSelectionTimeoutError(
            f"no server could be used until {limit.option} had passed; last fault: {last}",
            {self._address: last},
            host=self._address,
        )
