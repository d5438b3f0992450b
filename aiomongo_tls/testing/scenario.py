"""What a test tells the server to do instead of answering: `server.on("find").fails(11600)`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiomongo_tls.testing.failures import Failure
    from aiomongo_tls.testing.recording import RecordedCommand

LEGACY_HELLO = {"ismaster": "hello"}
"""The spellings of hello count as one, since drivers choose among them."""

GARBAGE = b"\xff" * 32
"""Bytes that are no message: as a header they give a negative length."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answer as usual, or as usual but for what a fail point does."""

    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Replies:
    """Answer with this document."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HangsUp:
    """End the connection without an answer."""

    carried_out: bool = False


@dataclass(frozen=True, slots=True)
class Garbles:
    """Send these bytes where the answer was expected."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StaysSilent:
    """Never answer."""


Act = Answers | Replies | HangsUp | Garbles | StaysSilent
"""What happens to a command."""


@dataclass(slots=True)
class Turns:
    """Which of the commands that come are meant: after so many, so many.

    Args:
        left: how many still; None for no end.
        skip: how many are let pass first.
    """

    left: int | None = None
    skip: int = 0

    @property
    def are_over(self) -> bool:
        """Whether there will be none any more."""
        return self.left == 0

    def take(self) -> bool:
        """Whether the command that has come is one of them."""
        if self.left == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Rule:
    """What to do with commands of one name. Made by `MongoTestServer.on()`; each method returns the rule.

        server.on("find").replies({"cursor": {"id": 0, "ns": "app.users", "firstBatch": []}})
        server.on("insert").fails(11600, labels=["RetryableWriteError"]).times(1)
        server.on("ping").answers_after(0.5)
        server.on("aggregate").answers_after(0.1).hangs_up()

    A rule holds until `reset()`, or for as many commands as `times()` says. Of several rules for one command the oldest
    that is not used up decides.

    Args:
        names: the commands it is for, in lower case.
        where: tells which of them; all if None.
    """

    def __init__(self, names: frozenset[str], where: Callable[[RecordedCommand], bool] | None = None) -> None:
        self._names = names
        self._where = where
        self._act: Act = Answers()
        self._turns = Turns()
        self.delay = 0.0
        self.used = 0

    @property
    def act(self) -> Act:
        """What happens."""
        return self._act

    def replies(self, document: Mapping[str, Any]) -> Self:
        """Answer with this document instead of carrying the command out; `ok: 1` is added if `ok` is not there."""
        self._act = Replies({**document, "ok": document.get("ok", 1.0)})
        return self

    def fails(self, code: int, message: str = "", *, labels: Sequence[str] = (), **details: Any) -> Self:
        """Answer with an error instead of carrying the command out.

        Args:
            code: MongoDB's error code; its name goes with it.
            message: what the server says.
            labels: error labels.
            **details: more fields of the reply.
        """
        error = CommandError(
            code, message or f"a test wanted this command to fail with code {code}", labels=labels, **details
        )
        self._act = Replies(error.reply())
        return self

    def injects(self, failure: Failure) -> Self:
        """Answer as usual but for what a fail point does.

        Args:
            failure: what it does.
        """
        self._act = Answers(failure)
        return self

    def answers_after(self, seconds: float) -> Self:
        """Wait before answering, or before whatever else the rule says.

        The command is carried out after the wait; not at all if the client has gone by then.
        """
        self.delay = seconds
        return self

    def hangs_up(self, *, carried_out: bool = False) -> Self:
        """End the connection without an answer and without close_notify.

        Args:
            carried_out: whether the command is carried out before, so that it happened and nobody was told.
        """
        self._act = HangsUp(carried_out)
        return self

    def garbles(self, data: bytes = GARBAGE) -> Self:
        """Send bytes that are no message where the answer was expected. The command is not carried out.

        Args:
            data: the bytes.
        """
        self._act = Garbles(data)
        return self

    def stays_silent(self) -> Self:
        """Never answer. The command is not carried out."""
        self._act = StaysSilent()
        return self

    def times(self, count: int) -> Self:
        """Hold for this many commands; afterwards the server answers as usual."""
        self._turns.left = count
        return self

    def once(self) -> Self:
        """Hold for one command."""
        return self.times(1)

    def after(self, count: int) -> Self:
        """Let this many commands pass first."""
        self._turns.skip = count
        return self

    def takes(self, command: RecordedCommand) -> bool:
        """Whether this rule decides about a command; if so it is used up by one.

        Raises:
            CommandError: its condition failed.
        """
        name = command.name.lower()
        if "*" not in self._names and LEGACY_HELLO.get(name, name) not in self._names:
            return False
        if self._turns.are_over or not self._is_meant(command) or not self._turns.take():
            return False
        self.used += 1
        return True

    def _is_meant(self, command: RecordedCommand) -> bool:
        try:
            return self._where is None or self._where(command)
        except Exception as exc:
            text = f"the condition of a rule for {command.name} failed: {type(exc).__name__}: {exc}"
            raise CommandError(ErrorCode.InternalError, text) from exc


class Scenario:
    """The rules of a server. For any thread."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        # Reentrant, because a condition may make another rule.
        self._lock = threading.RLock()

    def on(self, names: Sequence[str], where: Callable[[RecordedCommand], bool] | None) -> Rule:
        """Make a rule.

        Args:
            names: names of commands in any case; `*` for every command.
            where: tells which of them; all if None.
        """
        lower = (name.lower() for name in names)
        rule = Rule(frozenset(LEGACY_HELLO.get(name, name) for name in lower), where)
        with self._lock:
            self._rules.append(rule)
        return rule

    def take(self, command: RecordedCommand) -> Rule | None:
        """The rule that decides about a command, None if nothing was said about it."""
        with self._lock:
            return next((rule for rule in self._rules if rule.takes(command)), None)

    def clear(self) -> None:
        """Forget the rules."""
        with self._lock:
            self._rules.clear()
