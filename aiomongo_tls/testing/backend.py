"""What stands behind all connections of an embedded server: data, users, script and log. For any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from aiomongo_tls.testing.commands.awaiting import waiting_time
from aiomongo_tls.testing.commands.dispatch import COMMANDS, answer, refused
from aiomongo_tls.testing.commands.request import ConnectionState, Request, ServerState
from aiomongo_tls.testing.cursors import Cursors
from aiomongo_tls.testing.deployment.node import Node, Placement
from aiomongo_tls.testing.fail_points import FailPoints
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.recording import CommandLog, RecordedCommand
from aiomongo_tls.testing.scenario import Rule, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.failures import Failure

T = TypeVar("T")


class Backend:
    """One server's memory.

    Args:
        new_state: makes the data and users as they are at the start, or gives those that servers share.
        node: what the server is among others.
        lock: guards the state and the node. The server's thread holds it while a command runs, a test's thread while
            it changes something; servers that share data share it.
    """

    def __init__(self, new_state: Callable[[], ServerState], node: Node, lock: threading.RLock) -> None:
        self.log = CommandLog()
        self.scenario = Scenario()
        self.fail_points = FailPoints()
        self.failed_handshakes: list[Exception] = []
        self.node = node
        self._new_state = new_state
        self._state = new_state()
        self._lock = lock

    def reset(self) -> None:
        """Begin afresh: data, users, fail points, script, log."""
        with self._lock:
            self._state = self._new_state()
        self.scenario.clear()
        self.fail_points.turn_off()
        self.log.clear()
        self.failed_handshakes.clear()

    def forget_cursors(self) -> None:
        """Close every cursor, as the end of a process does."""
        with self._lock:
            self._state.cursors = Cursors()

    def with_state(self, function: Callable[[ServerState], T]) -> T:
        """Look at data and users, or change them, while no command runs."""
        with self._lock:
            return function(self._state)

    def record(self, command: RecordedCommand) -> Rule | None:
        """Remember a command; what fail points or else the script say about it, None for nothing."""
        self.log.add(command)
        return self.rule(command)

    def rule(self, command: RecordedCommand) -> Rule | None:
        """What fail points or else the script say about a command, None for nothing."""
        return self.fail_points.rule(command) or self.scenario.take(command)

    def waiting_time(self, command: RecordedCommand) -> float | None:
        """Seconds for which a hello may be held until something changes; None if it is to be answered now."""
        with self._lock:
            try:
                return waiting_time(command.document, self.node, allows_stream=command.exhaust_allowed)
            except CommandError:
                # Carried out, it fails in the same way, and that is the answer.
                return None

    def can_write(self, command: RecordedCommand) -> bool:
        """Whether a command is a write, and one that this server could carry out now."""
        row = COMMANDS.get(command.name)
        if row is None or row.placement is not Placement.WRITE:
            return False
        with self._lock:
            return self.node.is_writable

    def count_change(self) -> None:
        """Count topologyVersion up and tell every hello that waits for it."""
        with self._lock:
            self.node.changed()

    def carry_out(
        self, command: RecordedCommand, connection: ConnectionState, failure: Failure | None = None
    ) -> Document:
        """Carry a command out.

        Args:
            command: the command.
            connection: the connection it came over.
            failure: what a fail point does to it.

        Returns:
            The reply.
        """
        with self._lock:
            reply = answer(self._request(command, connection, failure))
            command.outcome.carried_out = reply["ok"] == 1.0
            return reply

    def interrupt(self, command: RecordedCommand, connection: ConnectionState) -> Document:
        """The reply to a write that is broken off because its server is no primary any more."""
        error = CommandError(ErrorCode.InterruptedDueToReplStateChange, "operation was interrupted")
        with self._lock:
            return refused(self._request(command, connection, None), error)

    def _request(self, command: RecordedCommand, connection: ConnectionState, failure: Failure | None) -> Request:
        return Request(
            name=command.name,
            database=command.database,
            document=command.document,
            connection=connection,
            server=self._state,
            node=self.node,
            exhaust_allowed=command.exhaust_allowed,
            fail_points=self.fail_points,
            failure=failure,
        )
