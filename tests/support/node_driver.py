"""The official Node.js driver in a process of its own, for tests: `node.connect(uri).db("app").collection("users")`.

What the process understands stands in tests/interop/nodeclient/driver.mjs. Method names and options are those of the
Node.js driver.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import bson
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion

PATIENCE = 20.0
"""Seconds to wait for an answer, an event, or the end of the process."""

_CODEC = bson.CodecOptions[dict[str, Any]](tz_aware=False, uuid_representation=UuidRepresentation.UNSPECIFIED)
_ASK = json_util.RELAXED_JSON_OPTIONS
_HEAR = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    tz_aware=False,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
)

Event = dict[str, Any]


class NodeError(Exception):
    """An error that the Node.js driver raised.

    Args:
        details: what driver.mjs tells of it.
    """

    def __init__(self, details: Mapping[str, Any]) -> None:
        super().__init__(f"{details['name']}: {details['message']}")
        self.details = details
        self.name: str = details["name"]
        self.message: str = details["message"]
        self.code: Any = details.get("code")
        self.labels: Sequence[str] = details.get("labels", ())

    @property
    def cause(self) -> NodeError | None:
        """What caused it."""
        return NodeError(self.details["cause"]) if "cause" in self.details else None

    @property
    def story(self) -> str:
        """What it and its causes say."""
        return str(self) if self.cause is None else f"{self} <- {self.cause.story}"


@dataclass(frozen=True)
class Exactly:
    """A document whose numbers reach the driver with the types they have here."""

    document: Mapping[str, Any]


class Calls:
    """A chain of method calls in the other process: `users.find({}).sort({"_id": -1}).toArray().get()`.

    Nothing is sent before `get()`, `keep()` or `begin()`.

    Args:
        node: the process.
        on: the number of the object it begins with.
        calls: the calls so far.
    """

    def __init__(self, node: Node, on: int | None, calls: Sequence[Sequence[Any]] = ()) -> None:
        self._node = node
        self._on = on
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., Calls]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args: Calls(self._node, self._on, [*self._calls, [name, *args]])

    def get(self) -> Any:
        """Carry them out and wait for the result.

        Raises:
            NodeError: the driver raised it.
        """
        return self.begin().result(PATIENCE)

    def begin(self) -> Future[Any]:
        """Have them carried out, and go on meanwhile."""
        return self._node.ask(self._on, self._calls)

    def keep(self) -> Kept:
        """Carry them out, and leave the result where it is for further calls."""
        return Kept(self._node, self._node.ask(self._on, self._calls, keep=True).result(PATIENCE))


class Kept(Calls):
    """An object of the other process.

    Args:
        node: the process.
        number: its number there; `kept_as`, lest it hide a method of the driver's.
    """

    def __init__(self, node: Node, number: int) -> None:
        super().__init__(node, number)
        self.kept_as = number

    def events(self, *names: str) -> list[Event]:
        """What happened to it so far, oldest first: events of these names, or all."""
        return self._node.events_of(self.kept_as, names)

    def wait_for(self, *names: str, when: Callable[[list[Event]], object] = bool) -> list[Event]:
        """Wait for events.

        Args:
            names: of which names; all if none.
            when: tells from them whether it was waited long enough.

        Raises:
            TimeoutError: they have not come.
        """
        return self._node.wait_for(self.kept_as, names, when)


class Node:
    """A running Node.js with the driver. A context manager; at its end the process has gone, and said nothing bad.

    Args:
        folder: where `npm ci` has put the driver.
        program: the path of Node.js.
    """

    def __init__(self, folder: Path, program: str = "node") -> None:
        script = Path(__file__).parent.parent / "interop/nodeclient/driver.mjs"
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._asked: dict[int, Future[Any]] = {}
        self._events: list[Event] = []
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [program, "--trace-warnings", str(script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # Life

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Have it close its clients and end by itself, as a program does that has let go of everything.

        Raises:
            AssertionError: it did not end, or complained.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            code = self._process.wait(PATIENCE)
        except (subprocess.TimeoutExpired, OSError):
            self._process.kill()
            code = self._process.wait()
        self._reader.join(PATIENCE)
        self._process.stdout.close()
        with self._said:
            assert (code, self._complaints()) == (0, "")

    def _complaints(self) -> str:
        self._said.seek(0)
        return self._said.read()

    # Questions and answers

    @property
    def scripts(self) -> Calls:
        """The functions of driver.mjs itself."""
        return Calls(self, None)

    def connect(
        self, uri: str, options: Mapping[str, Any] | None = None, *, events: Sequence[str] = (), lazy: bool = False
    ) -> Kept:
        """A connected MongoClient.

        Args:
            uri: its connection string.
            options: its further options.
            events: names of events that are to be heard of.
            lazy: whether the first operation is to connect it.

        Raises:
            NodeError: it could not connect; then it is closed.
        """
        return Kept(self, self.scripts.client(uri, dict(options or {}), list(events), lazy).get())

    def ask(self, on: int | None, calls: Sequence[Sequence[Any]], *, keep: bool = False) -> Future[Any]:
        """Send a question.

        Args:
            on: the number of an object that was kept, None for the functions of driver.mjs.
            calls: the calls, each a name and arguments.
            keep: whether the result stays there; then its number is the answer.
        """
        answer: Future[Any] = Future()
        with self._changed:
            number = next(self._numbers)
            self._asked[number] = answer
            question = {"id": number, "on": on, "calls": _sendable(calls), "keep": keep}
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json_util.dumps(question, json_options=_ASK) + "\n")
                self._process.stdin.flush()
            except OSError as exc:
                raise RuntimeError(f"node has ended: {self._complaints()}") from exc
        return answer

    def events_of(self, number: int, names: Sequence[str]) -> list[Event]:
        """Events of an object that was kept, oldest first."""
        with self._changed:
            return self._events_of(number, names)

    def wait_for(self, number: int, names: Sequence[str], when: Callable[[list[Event]], object]) -> list[Event]:
        """Wait for events of an object that was kept; see `Kept.wait_for()`."""
        found: list[Event] = []

        def enough() -> object:
            found[:] = self._events_of(number, names)
            return when(found)

        with self._changed:
            if not self._changed.wait_for(enough, PATIENCE):
                raise TimeoutError(f"so far happened {found}")
        return found

    def _events_of(self, number: int, names: Sequence[str]) -> list[Event]:
        return [e for e in self._events if e["of"] == number and (not names or e["event"] in names)]

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._take(json.loads(line, object_pairs_hook=_document))
        finally:
            with self._changed:
                for answer in self._asked.values():
                    answer.set_exception(RuntimeError(f"node says nothing any more: {self._complaints()}"))
                self._asked.clear()

    def _take(self, line: dict[str, Any]) -> None:
        with self._changed:
            if "event" in line:
                self._events.append(line)
                self._changed.notify_all()
                return
            answer = self._asked.pop(line["id"])
        if "error" in line:
            answer.set_exception(NodeError(line["error"]))
        else:
            answer.set_result(line.get("kept", line.get("value")))


def _document(pairs: Sequence[tuple[str, Any]]) -> Any:
    return json_util.object_pairs_hook(pairs, json_options=_HEAR)


def _sendable(value: Any) -> Any:
    """What can be written as Extended JSON; objects that were kept become their numbers."""
    if isinstance(value, Kept):
        return {"$kept": value.kept_as}
    if isinstance(value, Exactly):
        return {"$bytes": base64.b64encode(bson.encode(value.document, codec_options=_CODEC)).decode()}
    if isinstance(value, Mapping):
        return {key: _sendable(inner) for key, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_sendable(inner) for inner in cast("Sequence[Any]", value)]
    return value
