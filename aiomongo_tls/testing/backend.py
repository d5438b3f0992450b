"""What stands behind all connections of an embedded server: data, users, script and log. For any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from aiomongo_tls.testing.commands.dispatch import answer
from aiomongo_tls.testing.commands.request import ConnectionState, Request, ServerState
from aiomongo_tls.testing.fail_points import FailPoints
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
        new_state: makes the data and users as they are at the start.
    """

    def __init__(self, new_state: Callable[[], ServerState]) -> None:
        self.log = CommandLog()
        self.scenario = Scenario()
        self.fail_points = FailPoints()
        self.failed_handshakes: list[Exception] = []
        self._new_state = new_state
        self._state = new_state()
        # Guards the state: the server's thread holds it while a command runs, a test's thread while it changes users.
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Begin afresh: data, users, fail points, script, log."""
        with self._lock:
            self._state = self._new_state()
        self.scenario.clear()
        self.fail_points.turn_off()
        self.log.clear()
        self.failed_handshakes.clear()

    def with_state(self, function: Callable[[ServerState], T]) -> T:
        """Look at data and users, or change them, while no command runs."""
        with self._lock:
            return function(self._state)

    def record(self, command: RecordedCommand) -> Rule | None:
        """Remember a command; what fail points or else the script say about it, None for nothing."""
        self.log.add(command)
        return self.fail_points.rule(command) or self.scenario.take(command)

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
            return answer(
                Request(
                    name=command.name,
                    database=command.database,
                    document=command.document,
                    connection=connection,
                    server=self._state,
                    fail_points=self.fail_points,
                    failure=failure,
                )
            )
