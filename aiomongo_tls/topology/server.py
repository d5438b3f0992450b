"""One server of a deployment, and its monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.topology.monitor import Monitor


class Server:
    """One server, for as long as it belongs to the deployment.

    Args:
        address: the server.
        monitor: what watches it; None behind a load balancer.

    Attributes:
        has_warned: whether the log was told that it is waited for; not again until it was there.
        checked_at: the revision of the deployment at its last check; 0 before, and if an operation knew better since.
    """

    __slots__ = ("address", "checked_at", "has_warned", "monitor")

    def __init__(self, address: ServerAddress, monitor: Monitor | None) -> None:
        self.address = address
        self.monitor = monitor
        self.has_warned = False
        self.checked_at = 0

    @property
    def doing(self) -> str:
        """What is being done to reach it, in words."""
        connection = self.monitor.connection if self.monitor is not None else None
        if connection is None or connection.description is not None:
            return "pausing before the next attempt"
        return f"now {connection.progress.phase.doing}"

    def time_is_up(self, option: str) -> Exception | None:
        """The error for a wait that ends while its first connection is being opened; None if none is."""
        connection = self.monitor.connection if self.monitor is not None else None
        if connection is None or connection.description is not None or not connection.is_usable:
            return None
        return connection.progress.time_is_up(option)

    # Plain

    def start(self) -> None:
        """Begin to watch it. Idempotent."""
        if self.monitor is not None:
            self.monitor.start()

    def renew(self) -> None:
        """Watch it by a new connection, because another identity is presented to it."""
        if self.monitor is not None:
            self.monitor.renew()

    def request_check(self) -> None:
        """Have it checked soon."""
        if self.monitor is not None:
            self.monitor.request_check()

    def cancel_check(self) -> None:
        """Give up the check that is under way."""
        if self.monitor is not None:
            self.monitor.cancel_check()

    def stop(self) -> None:
        """Watch it no more. Idempotent."""
        if self.monitor is not None:
            self.monitor.stop()

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left after `stop()`: no task, no socket."""
        return self.monitor is None or self.monitor.is_gone

    async def wait_closed(self) -> None:
        """Wait until nothing is left after `stop()`: no task, no socket."""
        if self.monitor is not None:
            await self.monitor.wait_stopped()
