"""Tells listeners of the TLS handshake of one connection. Made only where somebody listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.events.tls_events import (
    TLSHandshakeFailedEvent,
    TLSHandshakeStartedEvent,
    TLSHandshakeSucceededEvent,
)
from aiomongo_tls.errors import Phase, TLSError
from aiomongo_tls.net.progress import Progress

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.events.publisher import EventPublisher
    from aiomongo_tls.tls.engine import TLSInfo


class ReportedProgress(Progress):
    """The way to one server, with its times: a beginning of the handshake is told, and then its end, once.

    Args:
        address: the server.
        server_name: the name that it is asked for and verified by.
        connection_id: the number of the connection.
        monitors: whether the connection only asks the server what it is.
        publisher: knows who listens.
        now: the loop's clock.
    """

    __slots__ = ("_began", "_facts", "_is_over", "_now", "_publisher")

    def __init__(
        self,
        address: ServerAddress,
        *,
        server_name: str,
        connection_id: int,
        monitors: bool,
        publisher: EventPublisher,
        now: Callable[[], float],
    ) -> None:
        super().__init__(address)
        self._facts: dict[str, Any] = {
            "address": address,
            "server_name": server_name,
            "connection_id": connection_id,
            "monitors": monitors,
        }
        self._publisher = publisher
        self._now = now
        # When each phase began.
        self._began: dict[Phase, float] = {}
        self._is_over = False

    def enter(self, phase: Phase) -> None:
        """Take note that `phase` begins."""
        super().enter(phase)
        if not self._is_over and phase not in self._began:
            self._began[phase] = self._now()
            if phase is Phase.TLS:
                self._facts["dns_duration"] = self._between(Phase.DNS, Phase.TCP)
                self._facts["tcp_duration"] = self._between(Phase.TCP, Phase.TLS)
                self._publisher.publish(TLSHandshakeStartedEvent(**self._facts))

    def succeeded(self, info: TLSInfo | None) -> None:
        """The server has answered.

        Args:
            info: what was agreed.
        """
        if self._ends() and info is not None:
            self._publisher.publish(
                TLSHandshakeSucceededEvent(
                    **self._facts,
                    tls_duration=self._between(Phase.TLS, Phase.HELLO),
                    version=info.version,
                    cipher=info.cipher,
                    resumed=info.resumed,
                )
            )

    def failed(self, error: BaseException, info: TLSInfo | None) -> None:
        """Opening the connection has failed.

        Args:
            error: why.
            info: what was agreed; then a failure is TLS's only if the error is.
        """
        if Phase.HELLO in self._began and not isinstance(error, TLSError):
            self.succeeded(info)
        elif self._ends():
            failure = error if isinstance(error, Exception) else None
            reason = (getattr(failure, "reason", None) or "lost") if failure is not None else "cancelled"
            self._publisher.publish(
                TLSHandshakeFailedEvent(
                    **self._facts,
                    tls_duration=self._now() - self._began[Phase.TLS],
                    reason=reason,
                    failure=failure,
                )
            )

    def _ends(self) -> bool:
        """Whether this is the end of a handshake that was begun."""
        is_end = Phase.TLS in self._began and not self._is_over
        self._is_over = True
        return is_end

    def _between(self, first: Phase, second: Phase) -> float:
        return self._began[second] - self._began[first]
