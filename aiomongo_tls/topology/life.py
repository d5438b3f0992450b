"""The life of a client on one event loop: the deployment is begun once, for all who wait for it, and ended once.

To begin: what DNS says where the URI is mongodb+srv, the TLS files, then the monitors. A fault in it that may pass is
waited out by those who need the deployment; the other ones they are told, and the next who comes begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from copy import copy
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.sdam.failures import is_permanent
from aiomongo_tls.core.sdam.schedule import Backoff
from aiomongo_tls.core.uri.srv import complete_options, rescan_interval
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import InvalidOperation, MongoError, NetworkTimeout, Phase
from aiomongo_tls.net.computations import Computations
from aiomongo_tls.net.identity import IdentityLoader
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.tls.snapshot import snapshot
from aiomongo_tls.topology.announcer import log
from aiomongo_tls.topology.deployment import Connect, Deployment, Means, Sample
from aiomongo_tls.topology.expiry import ExpiryWarning
from aiomongo_tls.topology.rotation import Rotation, utc_now
from aiomongo_tls.topology.srv_monitor import Polling, SRVMonitor

if TYPE_CHECKING:
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.srv_options import SRVOptions
    from aiomongo_tls.net.dns import Resolver
    from aiomongo_tls.net.srv import SRVResolver
    from aiomongo_tls.topology.announcer import Announcer

FIRST_PAUSE = 0.05
"""Seconds at most before the first retry of what is not paced by a monitor."""

LONGEST_PAUSE = 0.5
"""Seconds at most between such retries in the long run."""


class Life:
    """One client on one event loop. Made without I/O, and without a loop.

    Args:
        options: the client options.
        resolver: looks host names up.
        srv_resolver: asks for SRV and TXT records.
        connect: opens connections.
        chance: returns a number from 0 to 1, for the pauses between attempts.
        sample: picks some of a sequence at random.
        announcer: told of all that happens.
        subject_changed: called when a renewed certificate is another user's.

    Attributes:
        deployment: the servers, once they are known by name.
        rotation: brings renewed certificates into use; None without TLS.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        resolver: Resolver,
        srv_resolver: SRVResolver,
        connect: Connect,
        chance: Callable[[], float],
        sample: Sample[Any],
        announcer: Announcer,
        subject_changed: Callable[[], None],
    ) -> None:
        self.deployment: Deployment | None = None
        self.rotation: Rotation | None = None
        self._options = options
        self._resolver = resolver
        self._srv_resolver = srv_resolver
        self._connect = connect
        self._chance = chance
        self._sample = sample
        self._announcer = announcer
        self._subject_changed = subject_changed
        self._identities = IdentityLoader(options.tls)
        self._computations = Computations()
        self._expiry = ExpiryWarning(options.tls.expiry_warning)
        self._beginning: asyncio.Task[Deployment] | None = None
        self._srv_monitor: SRVMonitor | None = None
        # Wakes those who pause.
        self._ended = asyncio.Event()
        # What the beginning is busy with, and why it has failed before.
        self._phase, self._step = Phase.SELECTION, "beginning"
        self._fault: MongoError | None = None
        self._has_warned = False

    async def begin(self, limit: Deadline) -> Deployment:
        """Wait for the deployment; begin it if nobody has.

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
            if self._beginning is None:
                self._beginning = loop.create_task(self._make(), name="aiomongo_tls begin", context=Context())
                self._beginning.add_done_callback(self._begun)
            try:
                async with asyncio.timeout_at(limit.at if limit.is_finite else None):
                    # The shield: one caller that gives up does not end the waiting of the others.
                    deployment = await asyncio.shield(self._beginning)
            except MongoError as exc:
                self._fault = exc
                if is_permanent(exc) or limit.has_passed(loop.time()):
                    # Each caller its own, because raising adds to an exception's traceback.
                    raise copy(exc) from exc.__cause__
            except TimeoutError as exc:
                before = f"; last fault: {self._fault}" if self._fault is not None else ""
                cause = self._fault or exc
                raise NetworkTimeout(
                    f"{limit.option} has passed while {self._step}{before}", phase=self._phase
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
                return deployment
            await self.pause(backoff.pause(), limit)

    def warn(self, limit: Deadline, patience: float) -> None:
        """Say in the log what is waited for: DNS or files, once, or the servers. Plain.

        Args:
            limit: until when whoever waits does so.
            patience: for how many seconds it has waited.
        """
        if self.deployment is not None:
            self.deployment.warn(limit, patience)
        elif not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s: no server is known yet after %g s, trying on until %s has passed; now %s; last fault: %s",
                self._options.origin,
                patience,
                limit.option or "somebody gives up",
                self._step,
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

    def end(self, how: Callable[[Deployment], None]) -> None:
        """End everything. Plain and idempotent.

        Args:
            how: `Deployment.close` or `Deployment.abort`.
        """
        self._ended.set()
        if self._beginning is not None:
            self._beginning.cancel()
        if self._srv_monitor is not None:
            self._srv_monitor.stop()
        if self.rotation is not None:
            self.rotation.stop()
        if self.deployment is not None:
            how(self.deployment)

    async def wait_ended(self) -> None:
        """Wait until nothing is left after `end()`: no task, no socket.

        Here and below nobody waits for what has ended already, not even for one turn of the loop: a caller that is
        cancelled on every turn (anyio) and begins again each time would never get past it.
        """
        if self._beginning is not None and not self._beginning.done():
            await asyncio.wait([self._beginning])
        if self._srv_monitor is not None:
            await self._srv_monitor.wait_stopped()
        if self.rotation is not None:
            await self.rotation.wait_stopped()
        if self.deployment is not None:
            await self.deployment.wait_closed()

    def _check(self) -> None:
        if self._ended.is_set():
            raise InvalidOperation("the client is closed")

    def _begun(self, beginning: asyncio.Task[Deployment]) -> None:
        self._beginning = None
        if not beginning.cancelled():
            # Told to those who wait; there may be none left.
            beginning.exception()

    async def _make(self) -> Deployment:
        options, interval = self._options, 0.0
        if options.srv is not None:
            self._phase, self._step = Phase.DNS, f"looking up the SRV records of {options.srv.host}"
            options, interval = await self._look_up(options, options.srv)
        self._phase, self._step = Phase.TLS, "reading the TLS files; does the password callback wait?"
        tls = options.tls
        # Before they are loaded: what changes in between is noticed at the first look.
        seen = await in_thread(lambda: snapshot(tls), name="aiomongo_tls look at TLS files") if tls.enabled else None
        identity = await self._identities.load()
        self._expiry.look([identity], utc_now())
        means = Means(
            identity=identity,
            resolver=self._resolver,
            computations=self._computations,
            connect=self._connect,
            sample=self._sample,
            announcer=self._announcer,
        )
        deployment = self.deployment = Deployment(options, means)
        deployment.start()
        if options.srv is not None:
            self._poll(deployment, options.srv, interval)
        if tls.enabled:
            self.rotation = Rotation(
                self._identities,
                deployment,
                # What becomes of a ready SSLContext is seen by nobody; its owner has to say so.
                interval=tls.reload_interval if tls.ssl_context is None else None,
                seen=seen,
                expiry=self._expiry,
                subject_changed=self._subject_changed,
            )
            self.rotation.start()
        return deployment

    async def _look_up(self, options: ClientOptions, srv: SRVOptions) -> tuple[ClientOptions, float]:
        """The options with what DNS says, and how many seconds that holds."""
        seconds = options.connect_timeout
        option = f"connectTimeoutMS={(seconds or 0) * 1000:g}"
        limit = Deadline.after(seconds, option, now=asyncio.get_running_loop().time())
        records = await self._srv_resolver.srv(srv.query_name, limit)
        txt = await self._srv_resolver.txt(srv.host, limit)
        return complete_options(options, records, txt, sample=self._sample), rescan_interval(records)

    def _poll(self, deployment: Deployment, srv: SRVOptions, interval: float) -> None:
        """Follow the SRV records, for as long as the topology depends on them."""
        options = deployment.options
        polling = Polling(
            srv=srv,
            resolver=self._srv_resolver,
            frequency=options.monitoring.heartbeat_frequency,
            connect_timeout=options.connect_timeout,
        )
        self._srv_monitor = SRVMonitor(
            polling,
            interval=interval,
            topology_type=lambda: deployment.description.topology_type,
            found=deployment.set_hosts,
        )
        self._srv_monitor.start()
