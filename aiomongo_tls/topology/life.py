"""The life of a topology on one event loop: the deployment is begun once, for all who need it, and ended once.

To begin: what DNS says where the URI is mongodb+srv, the TLS files of the first client, then the monitors; for each
principal besides, its own TLS files. The first client's principal watches the servers for all of them, as long as there
are any, even after that client was closed: its certificate goes on being renewed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiomongo_tls.core.uri.srv import SRVRecords, complete_options, rescan_interval
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import Phase
from aiomongo_tls.net.loops import running_loop
from aiomongo_tls.net.shared_task import SharedTask
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.pool.pool import Pool
from aiomongo_tls.tls.snapshot import snapshot
from aiomongo_tls.topology.beginning import Step
from aiomongo_tls.topology.deployment import Deployment
from aiomongo_tls.topology.principal import Holder, Means, Principal
from aiomongo_tls.topology.rotation import Rotation, utc_now
from aiomongo_tls.topology.srv_monitor import Polling, SRVMonitor

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.srv_options import SRVOptions
    from aiomongo_tls.net.srv import SRVResolver


class Life:
    """A topology on one event loop. Made without I/O, and without a loop.

    Args:
        options: those of the first client.
        means: what connections are opened with.
        srv_resolver: asks for SRV and TXT records.

    Attributes:
        deployment: the servers, once they are known by name.
        watcher: the first client's principal.
    """

    def __init__(self, options: ClientOptions, means: Means, srv_resolver: SRVResolver) -> None:
        self.deployment: Deployment | None = None
        self._options = options
        self._means = means
        self._srv_resolver = srv_resolver
        self._step = Step()
        self._deploying: SharedTask[Deployment] | None = None
        self._srv_monitor: SRVMonitor | None = None
        # What DNS has said.
        self._records: tuple[SRVRecords, Sequence[Sequence[bytes]]] | None = None
        self._rotations: dict[Principal, Rotation] = {}
        # Those of principals that were dropped, until their tasks have ended.
        self._stopped: list[Rotation] = []
        # Nobody acts as them now, but somebody did; the one that has been so for longest comes first.
        self._idle: list[Principal] = []
        self.watcher = Principal(options, means, self._begin, self._step)
        self._principals = [self.watcher]

    # Principals

    def hold(self, options: ClientOptions, holder: Holder) -> Principal:
        """The principal that a client acts as: the one that others with the same options act as, or a new one. Plain.

        Args:
            options: the client's.
            holder: the client.
        """
        for principal in self._principals:
            asked = principal.asked
            if not principal.is_closed and asked.tls == options.tls and asked.credential == options.credential:
                break
        else:
            principal = Principal(options, self._means, self._begin, self._step)
            self._principals.append(principal)
        principal.holders.add(holder)
        self._look_at_idle()
        return principal

    def release(self, principal: Principal, holder: Holder, how: Callable[[Pool], None]) -> None:
        """A client acts as this principal no longer, while other clients go on. Plain and idempotent.

        Its connections are closed, unless others act as it too. Some principals that nobody acts as, and that have
        nothing under way, are kept for those who come back (`maxIdleIdentities`).

        Args:
            principal: the principal.
            holder: the client.
            how: `Pool.close` or `Pool.abort`.
        """
        principal.holders.discard(holder)
        if not principal.holders:
            if how is not Pool.close or principal is self.watcher or not principal.is_at_rest:
                self._drop(principal, how)
            self._look_at_idle()
        if self.deployment is not None:
            # What the client waits for itself.
            self.deployment.wake()

    def _look_at_idle(self) -> None:
        """Drop principals that nobody acts as beyond `maxIdleIdentities`, the longest idle first.

        Those of clients that were never closed are among them, and count from the moment when that is noticed.
        """
        idle = [p for p in self._idle if p in self._principals and not p.holders]
        idle += [p for p in self._principals if p not in idle and p is not self.watcher and not p.holders]
        excess = max(len(idle) - self._options.max_idle_identities, 0)
        for principal in idle[:excess]:
            self._drop(principal, Pool.close)
        self._idle = idle[excess:]

    def _drop(self, principal: Principal, how: Callable[[Pool], None]) -> None:
        if self.deployment is None:
            principal.close(how)
        else:
            self.deployment.detach(principal, how)
        if principal is not self.watcher and principal in self._principals:
            self._principals.remove(principal)
            rotation = self._rotations.pop(principal, None)
            if rotation is not None:
                rotation.stop()
                self._stopped = [other for other in self._stopped if not other.is_gone]
                self._stopped.append(rotation)

    async def wait_released(self, principal: Principal) -> None:
        """Wait until nothing is left of a principal after `release()`: no task, no socket."""
        await principal.wait_closed()
        for rotation in list(self._stopped):
            await rotation.wait_stopped()

    def rotation(self, principal: Principal) -> Rotation | None:
        """What brings a principal's renewed certificates into use; None without TLS, and before its first use."""
        return self._rotations.get(principal)

    # The end

    def end(self, how: Callable[[Pool], None]) -> None:
        """End everything. Plain and idempotent.

        Args:
            how: `Pool.close` or `Pool.abort`.
        """
        for principal in self._principals:
            principal.close(how)
        if self._deploying is not None:
            # Not only those who wait for it: in this very turn of the loop it may be about to begin.
            self._deploying.cancel()
        if self._srv_monitor is not None:
            self._srv_monitor.stop()
        for rotation in self._rotations.values():
            rotation.stop()
        if self.deployment is not None:
            self.deployment.end(how)

    async def wait_ended(self) -> None:
        """Wait until nothing is left after `end()`: no task, no socket.

        Here and below nobody waits for what has ended already, not even for one turn of the loop: a caller that is
        cancelled on every turn (anyio) and begins again each time would never get past it.
        """
        for principal in list(self._principals):
            await principal.beginning.wait_ended()
        if self._deploying is not None and not self._deploying.has_ended:
            await self._deploying.ended()
        if self._srv_monitor is not None:
            await self._srv_monitor.wait_stopped()
        for rotation in (*self._rotations.values(), *self._stopped):
            await rotation.wait_stopped()
        if self.deployment is not None:
            await self.deployment.wait_closed()

    # The beginning

    async def _begin(self, principal: Principal) -> None:
        """Bring a principal into the deployment, which is begun first if nobody has."""
        deployment = self.deployment
        if deployment is None:
            if self._deploying is None or not self._deploying.is_open:
                self._deploying = SharedTask(self._deploy(), name="aiomongo_tls begin deployment")
            deployment = await self._deploying.result()
        if principal is not self.watcher:
            if self._records is not None:
                records, txt = self._records
                principal.options = complete_options(principal.asked, records, txt, sample=self._means.sample)
            await self._load(principal)
        deployment.attach(principal)

    async def _deploy(self) -> Deployment:
        options, interval = self._options, 0.0
        if options.srv is not None:
            self._step.now(Phase.DNS, f"looking up the SRV records of {options.srv.host}")
            options, interval = await self._look_up(options, options.srv)
        self.watcher.options = options
        seen = await self._read(self.watcher)
        means = self._means
        deployment = Deployment(options, self.watcher, sample=means.sample, announcer=means.announcer)
        self.deployment = deployment
        deployment.start()
        if options.srv is not None:
            self._poll(deployment, options.srv, interval)
        self._rotate(self.watcher, seen, deployment.renew_monitor)
        return deployment

    async def _load(self, principal: Principal) -> None:
        """Load the identity of a principal besides the first, and follow its renewals."""
        seen = await self._read(principal)
        if principal not in self._rotations:
            self._rotate(principal, seen)

    async def _read(self, principal: Principal) -> bytes | None:
        """Read a principal's TLS files; what they held before they were loaded."""
        self._step.now(Phase.TLS, "reading the TLS files; does the password callback wait?")
        tls = principal.options.tls
        # Before they are loaded: what changes in between is noticed at the first look.
        seen = await in_thread(lambda: snapshot(tls), name="aiomongo_tls look at TLS files") if tls.enabled else None
        principal.expiry.look([await principal.identities.load()], utc_now())
        return seen

    def _rotate(
        self, principal: Principal, seen: bytes | None, renewed: Callable[[ServerAddress], None] | None = None
    ) -> None:
        tls = principal.options.tls
        if tls.enabled:
            # What becomes of a ready SSLContext is seen by nobody; its owner has to say so.
            interval = tls.reload_interval if tls.ssl_context is None else None
            rotation = self._rotations[principal] = Rotation(principal, interval=interval, seen=seen, renewed=renewed)
            rotation.start()

    async def _look_up(self, options: ClientOptions, srv: SRVOptions) -> tuple[ClientOptions, float]:
        """The options with what DNS says, and how many seconds that holds."""
        seconds = options.connect_timeout
        option = f"connectTimeoutMS={(seconds or 0) * 1000:g}"
        limit = Deadline.after(seconds, option, now=running_loop().time())
        records = await self._srv_resolver.srv(srv.query_name, limit)
        txt = await self._srv_resolver.txt(srv.host, limit)
        self._records = records, txt
        return complete_options(options, records, txt, sample=self._means.sample), rescan_interval(records)

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
