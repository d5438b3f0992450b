"""Fail points: what a client tells the server itself to do wrong, with `configureFailPoint` on `admin`.

Three of MongoDB's are here, those that drivers are tested with:

- `failCommand` decides before a command is carried out: it waits, hangs up or answers with an error; or it lets the
  command be carried out and adds a write concern error. Error labels that it gives replace the server's own.
- `onPrimaryTransactionalWrite` is asked by each write with a transaction number, `failGetMoreAfterCursorCheckout` by
  each getMore that found its cursor.

As on a real server, keys of `data` that nobody knows are ignored, values of a wrong type count as absent, and
configureFailPoint itself never fails. `data.baseBackoffMS`, which a real server takes from its parameter
`externalClientBaseBackoffMS`, is this server's addition.

Two differences are known. A command that waits is not carried out if its client has gone by then; a real server
carries a write out. Documents of one insert come to `onPrimaryTransactionalWrite` one by one; to a real server those
that it writes together are one.

Why failCommand ends up as a `Rule`: what it does to a command is what a script does, only chosen by a client. The
listener's thread must not sleep for `blockTimeMS`, and rules are where waiting already is.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from aiomongo_tls.testing.data.values import integer, is_array, is_document, truthy
from aiomongo_tls.testing.failures import CommandError, ErrorCode, Failure, not_here
from aiomongo_tls.testing.scenario import Rule, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.recording import RecordedCommand

FAIL_COMMAND: Final = "failCommand"
TRANSACTIONAL_WRITE: Final = "onPrimaryTransactionalWrite"
GET_MORE: Final = "failGetMoreAfterCursorCheckout"

_ALIASES = {"ismaster": "isMaster", "findandmodify": "findAndModify", "buildinfo": "buildInfo"}
# Other spellings of one command. `hello` is a command of its own.
_NOT_HERE = ("threadName", "errorExtraInfo", "tassert")
_WITH_WRITE_CONCERN = frozenset(
    {
        *("insert", "update", "delete", "findAndModify", "bulkWrite", "create", "drop", "dropDatabase"),
        *("createIndexes", "dropIndexes", "renameCollection", "createUser", "updateUser", "dropUser"),
        *("commitTransaction", "abortTransaction", "collMod"),
    }
)
_LARGEST = 2**31 - 1


@dataclass(slots=True)
class _FailPoint:
    """One fail point: whether it is on, for how often, and what it does."""

    is_on: bool = False
    turns: Turns = field(default_factory=Turns)
    data: Document = field(default_factory=dict[str, Any])
    entered: int = 0


class FailPoints:
    """The fail points of one server. For any thread."""

    def __init__(self) -> None:
        self._points = {name: _FailPoint() for name in (FAIL_COMMAND, TRANSACTIONAL_WRITE, GET_MORE)}
        self._lock = threading.Lock()

    def configure(self, command: Mapping[str, Any]) -> int:
        """Turn a fail point on or off.

        Args:
            command: what `configureFailPoint` was given: the name under that key, `mode`, `data`.

        Returns:
            How often the fail point has acted so far.

        Raises:
            CommandError: there is no such fail point, or the mode or the data are none.
        """
        name = command.get("configureFailPoint")
        point = self._points.get(name) if isinstance(name, str) else None
        if point is None:
            here = ", ".join(self._points)
            raise CommandError(ErrorCode.FailPointSetFailed, f"{name} not found; this server has {here}")
        turns = _mode(command)
        data = command.get("data", {})
        if not is_document(data):
            raise CommandError(ErrorCode.TypeMismatch, "the 'data' option must be a JSON object")
        for key in _NOT_HERE:
            if key in data:
                raise not_here(f"the key {key} of fail points")
        with self._lock:
            point.is_on, point.turns, point.data = turns is not None, turns or Turns(), dict(data)
            return point.entered

    def turn_off(self) -> None:
        """Turn all of them off."""
        with self._lock:
            for point in self._points.values():
                point.is_on = False

    def entered(self, name: str) -> int:
        """How often a fail point has acted."""
        return self._points[name].entered

    def is_on(self, name: str) -> bool:
        """Whether a fail point may still act."""
        point = self._points[name]
        return point.is_on and not point.turns.are_over

    def enter(self, name: str, is_meant: Callable[[Document], bool] = lambda data: True) -> Document | None:
        """Come to a fail point.

        Args:
            name: which.
            is_meant: tells from its data whether it is for this occasion; if not, it does not count.

        Returns:
            Its data if it acts, else None.
        """
        point = self._points[name]
        if not point.is_on:
            return None
        with self._lock:
            if not point.is_on or not is_meant(point.data) or not point.turns.take():
                return None
            point.entered += 1
            return point.data

    def rule(self, command: RecordedCommand) -> Rule | None:
        """What `failCommand` wants to happen to a command, None for nothing."""
        data = self.enter(FAIL_COMMAND, lambda data: _acts_on(data, command))
        return None if data is None else _rule(data)


def _mode(command: Mapping[str, Any]) -> Turns | None:
    """When a fail point acts; None for never."""
    if "mode" not in command:
        raise CommandError(ErrorCode.IllegalOperation, "When setting a failpoint, you must supply a 'mode'")
    mode = command["mode"]
    if mode == "off":
        return None
    if mode == "alwaysOn":
        return Turns()
    if isinstance(mode, str):
        raise CommandError(ErrorCode.BadValue, f"unknown mode: {mode}")
    if not is_document(mode):
        raise CommandError(ErrorCode.TypeMismatch, "'mode' must be a string or JSON object")
    if "times" in mode:
        return Turns(left=_count(mode, "times"))
    if "skip" in mode:
        return Turns(skip=_count(mode, "skip"))
    if "activationProbability" in mode:
        raise not_here("the mode activationProbability of fail points")
    raise CommandError(ErrorCode.BadValue, "'mode' must be one of 'off', 'alwaysOn', {times: <count>}, {skip: <count>}")


def _count(mode: Mapping[str, Any], name: str) -> int:
    count = integer(mode[name])
    if count is None:
        raise CommandError(ErrorCode.TypeMismatch, f'Expected field "{name}" to have a value of type integer')
    if count < 0:
        raise CommandError(ErrorCode.BadValue, f"'{name}' option to 'mode' must be positive")
    if count > _LARGEST:
        raise CommandError(ErrorCode.BadValue, f"'{name}' option to 'mode' is too large")
    return count


def concerns(data: Document, command: str, *, namespace: str, client: Document | None) -> bool:
    """Whether a fail point's data name a command.

    Args:
        data: the data of the fail point.
        command: the command's name.
        namespace: the database and collection it is for.
        client: the metadata that the client sent in its first hello.
    """
    application: Any = (client or {}).get("application")
    name = application.get("name", "") if is_document(application) else ""
    if "appName" in data and data["appName"] != name:
        return False
    if "namespace" in data and data["namespace"] != namespace:
        return False
    if "failAllCommands" in data:
        return True
    names: Any = data.get("failCommands")
    return is_array(names) and _ALIASES.get(command, command) in {
        _ALIASES.get(other, other) for other in names if isinstance(other, str)
    }


def _acts_on(data: Document, command: RecordedCommand) -> bool:
    if command.name == "configureFailPoint":
        return False
    target = command.document.get("collection") if command.name == "getMore" else command.document.get(command.name)
    namespace = f"{command.database}.{target}" if isinstance(target, str) else command.database
    if not concerns(data, command.name, namespace=namespace, client=command.client):
        return False
    if (
        _is_set(data, "closeConnection")
        or _is_set(data, "blockConnection")
        or integer(data.get("errorCode")) is not None
    ):
        return True
    return "writeConcernError" in data and _takes_write_concern(command)


def _is_set(data: Document, key: str) -> bool:
    value = data.get(key)
    return value is True or (integer(value) is not None and truthy(value))


def _takes_write_concern(command: RecordedCommand) -> bool:
    if command.name == "aggregate":
        stages: Any = command.document.get("pipeline")
        last = stages[-1] if is_array(stages) and stages else None
        return is_document(last) and bool(last.keys() & {"$out", "$merge"})
    return _ALIASES.get(command.name, command.name) in _WITH_WRITE_CONCERN


def _rule(data: Document) -> Rule:
    """What `failCommand` does. Hanging up goes before an error, and that before a write concern error."""
    rule = Rule(frozenset({"*"}))
    labels = data.get("errorLabels")
    labels = tuple(map(str, labels)) if is_array(labels) else None
    if _is_set(data, "blockConnection"):
        milliseconds = integer(data.get("blockTimeMS"))
        if milliseconds is None:
            text = "must specify 'blockTimeMS' when 'blockConnection' is true"
            return rule.injects(Failure(error=CommandError(ErrorCode.InvalidOptions, text), labels=labels))
        if milliseconds < 0:
            text = "'blockTimeMS' must be non-negative"
            return rule.injects(Failure(error=CommandError(ErrorCode.InvalidOptions, text), labels=labels))
        rule.answers_after(milliseconds / 1000)
    if _is_set(data, "closeConnection"):
        return rule.hangs_up()
    code = integer(data.get("errorCode"))
    if code is not None:
        details = {"baseBackoffMS": data["baseBackoffMS"]} if "baseBackoffMS" in data else {}
        error = CommandError(code, "Failing command via 'failCommand' failpoint", **details)
        return rule.injects(Failure(error=error, labels=labels))
    concern = data.get("writeConcernError")
    return rule.injects(Failure(write_concern_error=concern, labels=None if concern is None else labels))


class ActiveFailPoint:
    """A fail point that `MongoTestServer.fail_point()` has turned on. Leaving the `with` block turns it off.

    Args:
        points: the fail points of the server.
        name: which.
        before: how often it had acted before.
    """

    def __init__(self, points: FailPoints, name: str, before: int) -> None:
        self._points = points
        self._name = name
        self._before = before

    @property
    def used(self) -> int:
        """How often it has acted since it was turned on."""
        return self._points.entered(self._name) - self._before

    def off(self) -> None:
        """Turn it off."""
        self._points.configure({"configureFailPoint": self._name, "mode": "off"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.off()
