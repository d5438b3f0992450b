"""The examination of one server: the steps of a client, each with its finding.

A client has two kinds of connection to a server, and so has the doctor: one that only asks what the server is, as a
monitor's, and one that logs in, as a pool's. The first says what the server is even where the second is refused.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import bson

from aiomongo_tls.core.auth.conversation import decode_reply
from aiomongo_tls.core.reply import raise_for_reply
from aiomongo_tls.core.sdam.server_description import ServerDescription, description_of
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.doctor.faults import CHECKS, finding_of
from aiomongo_tls.doctor.findings import OK, Check, Finding, error, info
from aiomongo_tls.doctor.server import Seen, hello_findings, tls_findings
from aiomongo_tls.errors import MongoError, Phase, TLSError
from aiomongo_tls.net.connection import Connection
from aiomongo_tls.net.dns import Endpoint, Lookup, system_lookup
from aiomongo_tls.net.progress import Progress
from aiomongo_tls.net.transport import Transport

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.doctor.certificates import CertificateContents
    from aiomongo_tls.net.establish import Establisher

_GOODBYE: Final = 0.25
_SHORTEST: Final = 0.05
_STEPS = (Phase.DNS, Phase.TCP, Phase.TLS, Phase.HELLO)


class RecordedLookup:
    """Looks host names up and remembers what was found; on several threads.

    Args:
        lookup: the look-up.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._found: dict[tuple[str, int], list[Endpoint]] = {}

    def __call__(self, host: str, port: int) -> list[Endpoint]:
        """Look a host name up."""
        found = self._found[host, port] = list(self._lookup(host, port))
        return found

    def found(self, address: ServerAddress) -> str:
        """The addresses that a host name stands for, as text."""
        endpoints = self._found.get((address.host, address.port or 0), ())
        return ", ".join(dict.fromkeys(str(endpoint.address[0]) for endpoint in endpoints))


class StepTimes(Progress):
    """The way to one server, and when each step of it began.

    Args:
        address: the server.
        clock: the loop's clock.
    """

    __slots__ = ("_began", "_clock")

    def __init__(self, address: ServerAddress, clock: Callable[[], float]) -> None:
        super().__init__(address)
        self._clock = clock
        self._began: dict[Phase, float] = {}

    def enter(self, phase: Phase) -> None:
        """Take note that `phase` begins."""
        super().enter(phase)
        self._began.setdefault(phase, self._clock())

    def steps(self) -> list[Phase]:
        """The steps that were begun, in their order."""
        return list(self._began)

    def seconds(self, phase: Phase) -> float | None:
        """How long a step took: until the next one began, or until now; None if it was not begun."""
        if phase not in self._began:
            return None
        later = [at for other, at in self._began.items() if self.steps().index(other) > self.steps().index(phase)]
        return min(later, default=self._clock()) - self._began[phase]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an examination of servers works with.

    Args:
        establisher: opens connections; each server gets its own address put in.
        own: the client's certificate, if there is one that can be read.
        lookup: knows what was looked up.
        deadline: when everything has to be done, on the loop's clock.
        now: the present moment, in UTC.
    """

    establisher: Establisher
    own: CertificateContents | None
    lookup: RecordedLookup
    deadline: Deadline
    now: Callable[[], datetime]


class HostExamination:
    """The examination of one server.

    Args:
        address: the server.
        means: what to work with.

    Attributes:
        address: the server.
        findings: what was found so far.
        description: what the server said of itself; None as long as it has not.
    """

    def __init__(self, address: ServerAddress, means: Means) -> None:
        self.address = address
        self.findings: list[Finding] = []
        self.description: ServerDescription | None = None
        self._means = means
        self._loop = asyncio.get_running_loop()
        self._step = Check.DNS

    async def run(self) -> None:
        """Take all steps, until one fails or the time is up; what was found is in `findings`."""
        try:
            async with asyncio.timeout_at(self._means.deadline.at):
                await self._run()
        except TimeoutError:
            self.findings.append(
                error(
                    self._step,
                    "out-of-time",
                    f"{self._means.deadline.option} has passed before this step was done",
                    host=self.address,
                    fix="give more time, if many servers are slow to answer",
                )
            )

    def out_of_turn(self) -> None:
        """Take note that there was no time left for this server."""
        self.findings.append(
            error(
                Check.DNS,
                "out-of-time",
                f"{self._means.deadline.option} has passed before it was this server's turn",
                host=self.address,
                fix="give more time: other servers are slow to answer",
            )
        )

    async def _run(self) -> None:
        establisher = replace(self._means.establisher, address=self.address)
        credential = establisher.credential
        connection = await self._open(replace(establisher, credential=None, monitors=True), self._of_first)
        if connection is None:
            return
        is_arbiter = self.description is not None and self.description.server_type is ServerType.RS_ARBITER
        if credential is not None and not is_arbiter:
            await self._end(connection)
            connection = await self._open(establisher, self._of_second)
        if connection is not None:
            try:
                await self._ping(connection)
            except BaseException:
                connection.abort()
                raise
            await self._end(connection)

    async def _open(
        self, establisher: Establisher, report: Callable[[Connection, StepTimes], None]
    ) -> Connection | None:
        """Open a connection and report of it; None if it failed."""
        connection = Connection(self.address, 0)
        times = connection.progress = StepTimes(self.address, self._loop.time)
        try:
            await replace(establisher, connect_timeout=self._share(establisher.connect_timeout)).establish(connection)
            report(connection, times)
        except MongoError as exc:
            self._report_failure(exc, connection, times)
            connection.abort()
            return None
        except BaseException:
            self._step = CHECKS[times.phase]
            connection.abort()
            raise
        return connection

    def _share(self, wanted: float | None) -> float:
        """Seconds for one connection: half of what is left, so that a silent server is found out in time."""
        left = (self._means.deadline.at - self._loop.time()) / 2
        share = min(wanted or math.inf, max(left, _SHORTEST))
        # It stands in messages.
        return math.floor(share * 10) / 10 if share >= 0.1 else share

    def _report_failure(self, exc: MongoError, connection: Connection, times: StepTimes) -> None:
        failed = times.phase
        if isinstance(exc, TLSError) and exc.phase is not None:
            # A refusal of our certificate comes while hello is waited for.
            failed = exc.phase
        self._report_steps(connection, times, until=failed)
        self.findings.append(finding_of(exc, CHECKS[failed], host=self.address, elapsed=times.seconds(times.phase)))

    def _report_steps(self, connection: Connection, times: StepTimes, until: Phase) -> None:
        """The steps that went well on the way to another one, if that was not told before."""
        if self.description is not None:
            return
        for phase in _STEPS[: _STEPS.index(until)] if until in _STEPS else _STEPS:
            seconds = times.seconds(phase)
            if seconds is None:
                continue
            if phase is Phase.DNS and (found := self._means.lookup.found(self.address)):
                self.findings.append(
                    info(Check.DNS, OK, "the name was found", host=self.address, found=found, elapsed=seconds)
                )
            elif phase is Phase.TCP:
                self.findings.append(info(Check.TCP, OK, "a connection was made", host=self.address, elapsed=seconds))
            elif phase is Phase.TLS and connection.tls is not None:
                stream = connection.progress.stream
                engine = stream.engine if isinstance(stream, Transport) else None
                seen = Seen(info=connection.tls, chain=engine.verified_chain() if engine is not None else [])
                self.findings += tls_findings(
                    seen, self._means.own, host=self.address, now=self._means.now(), elapsed=seconds
                )

    def _of_first(self, connection: Connection, times: StepTimes) -> None:
        now = self._means.now()
        stream = connection.description
        assert stream is not None, "an open connection has a description"  # noqa: S101
        seconds = connection.round_trip_time
        description = description_of(self.address, stream.hello, round_trip_time=seconds, now=self._loop.time())
        self._report_steps(connection, times, until=Phase.HELLO)
        self.description = description
        self.findings += hello_findings(description, host=self.address, now=now, elapsed=seconds)

    def _of_second(self, connection: Connection, times: StepTimes) -> None:
        establisher = self._means.establisher
        credential = establisher.credential
        assert credential is not None, "nobody logs in as nobody"  # noqa: S101
        user = credential.username or establisher.identity.subject or "the certificate's subject"
        seconds = times.seconds(Phase.AUTH)
        if seconds is None:
            # With speculative authentication hello and login are one question.
            seconds = connection.round_trip_time
        found = f"{user} by {credential.mechanism or 'SCRAM'}"
        self.findings.append(info(Check.AUTH, OK, "logged in", host=self.address, found=found, elapsed=seconds))

    async def _ping(self, connection: Connection) -> None:
        began = self._loop.time()
        self._step = Check.PING
        limit = Deadline(began + self._share(None), self._means.deadline.option)
        try:
            reply = decode_reply(await connection.request(bson.encode({"ping": 1, "$db": "admin"}), deadline=limit))
            raise_for_reply(reply, host=self.address)
        except MongoError as exc:
            connection.abort()
            self.findings.append(finding_of(exc, Check.PING, host=self.address, elapsed=self._loop.time() - began))
        else:
            self.findings.append(
                info(Check.PING, OK, "a command is answered", host=self.address, elapsed=self._loop.time() - began)
            )

    async def _end(self, connection: Connection) -> None:
        """Close a connection in order, if that is quick."""
        try:
            connection.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await connection.wait_closed()
        finally:
            connection.abort()
