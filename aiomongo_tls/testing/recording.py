"""What the embedded server remembers of the commands it received."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


_SENSITIVE = {"saslStart", "saslContinue", "authenticate", "createUser", "updateUser"}


@dataclass(slots=True)
class Outcome:
    """What became of a command.

    Args:
        carried_out: whether it was carried out; not if it was refused or failed as a whole.
        answered: whether a reply was handed over to the connection; that it arrived nobody here can know.
    """

    carried_out: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RecordedCommand:
    """One command as it was received. Its repr leaves out the fields of commands that may hold a password or a proof.

    Args:
        name: its name as it was spelled: `find`, `isMaster`.
        database: the database it was sent to.
        document: the whole command, `$db` and `lsid` included; document sequences stand in it as arrays.
        connection_id: the server's number for the connection.
        client: the metadata that the client sent in its first hello, None if it has not said hello.
        user: who was logged in on the connection when the command came.
        wants_reply: whether the client waits for a reply (not for an unacknowledged write).
        op_query: whether it came as OP_QUERY, the wire format of old.
        exhaust_allowed: whether the client takes a stream of replies.
        outcome: what has become of it so far. A write that was carried out and not answered is one whose client
            cannot know.
    """

    name: str
    database: str
    document: dict[str, Any]
    connection_id: int
    client: dict[str, Any] | None
    user: str | None
    wants_reply: bool = True
    op_query: bool = False
    exhaust_allowed: bool = False
    outcome: Outcome = field(default_factory=Outcome, compare=False)

    def __repr__(self) -> str:
        shown: object = self.document
        if self.name in _SENSITIVE:
            shown = "<hidden>"
        elif "speculativeAuthenticate" in self.document:
            shown = self.document | {"speculativeAuthenticate": "<hidden>"}
        return (
            f"RecordedCommand(name={self.name!r}, database={self.database!r}, document={shown!r}, "
            f"connection_id={self.connection_id}, user={self.user!r})"
        )


LIMIT = 20_000
"""Commands that are remembered; of more than these the oldest are forgotten, so that a server can run for days."""


class CommandLog:
    """The commands in the order of their arrival. For any thread."""

    def __init__(self) -> None:
        self._commands: deque[RecordedCommand] = deque(maxlen=LIMIT)
        self._changed = threading.Condition()

    def add(self, command: RecordedCommand) -> None:
        """Remember a command and wake who waits for it."""
        with self._changed:
            self._commands.append(command)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget all."""
        with self._changed:
            self._commands.clear()

    def all(self) -> list[RecordedCommand]:
        """A copy of the log."""
        with self._changed:
            return list(self._commands)

    def wait_for(self, wanted: Callable[[RecordedCommand], bool], count: int, timeout: float) -> list[RecordedCommand]:
        """The commands that are wanted, as soon as there are enough.

        Args:
            wanted: tells which.
            count: how many there have to be.
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: there were not that many in time.
        """
        found: list[RecordedCommand] = []

        def enough() -> bool:
            found[:] = filter(wanted, self._commands)
            return len(found) >= count

        with self._changed:
            if not self._changed.wait_for(enough, timeout):
                names = [command.name for command in self._commands]
                raise TimeoutError(f"{len(found)} of {count} commands came within {timeout} s; so far came {names}")
            return found
