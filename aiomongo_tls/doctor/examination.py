"""`diagnose()`: the whole examination, from this machine to a ping of every server.

What a client would do is done by the client's own parts: `core/uri` reads the options, `tls/` and `net/identity` the
files, `net/srv` the records, `net/establish` opens the connections, `core/sdam` says which servers there are. Here they
are called one after another, and what each of them says becomes findings.

Everything is bounded by one time limit. A step that waits for somebody else gets half of what is left, so that there
is time to tell of it.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Unpack

from aiomongo_tls.core.auth.metadata import client_document
from aiomongo_tls.core.sdam.selection import suitable_servers
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, initial
from aiomongo_tls.core.sdam.transitions import update
from aiomongo_tls.core.uri.srv import complete_options
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.doctor.environment import environment_findings, look_around
from aiomongo_tls.doctor.faults import finding_of
from aiomongo_tls.doctor.files import FilesReport, examine_files, read_mounts
from aiomongo_tls.doctor.findings import OK, Check, Diagnosis, Finding, error, info, warning
from aiomongo_tls.doctor.host import HostExamination, Means, RecordedLookup
from aiomongo_tls.doctor.options import noting, read_options
from aiomongo_tls.errors import ConfigurationError, MongoError
from aiomongo_tls.net.dns import Resolver
from aiomongo_tls.net.environment import client_environment
from aiomongo_tls.net.establish import Establisher
from aiomongo_tls.net.srv import DNSResolver, SRVResolver
from aiomongo_tls.net.threads import in_thread

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.uri.keywords import ConnectOptions
    from aiomongo_tls.net.identity import Identity

AT_ONCE: Final = 8
"""Servers that are examined at the same time."""
TIMEOUT: Final = 10.0
"""Seconds for everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an examination asks besides servers; for tests.

    Args:
        srv_resolver: asks for SRV and TXT records.
        lookup: looks host names up.
        mountinfo: what /proc/self/mountinfo says; None to read it.
    """

    srv_resolver: SRVResolver = field(default_factory=DNSResolver)
    lookup: RecordedLookup = field(default_factory=RecordedLookup)
    mountinfo: str | None = None


async def diagnose(
    host: str | Sequence[str] | None = None,
    *,
    offline: bool = False,
    timeout: float = TIMEOUT,
    **options: Unpack[ConnectOptions],
) -> Diagnosis:
    """Find out what keeps a client from working, or will: of this machine, the options, the files and the servers.

        diagnosis = await diagnose("mongodb://db.example.net/?tls=true&tlsCAFile=ca.pem")
        for finding in diagnosis.errors:
            print(finding.host, finding.title, finding.fix)

    `aiomongo-tls doctor` prints the same. Faults are findings, not exceptions.

    Args:
        host: as for `AsyncClient`: a URI, the name or address of a host, or a list of these.
        offline: look at this machine, the options and the files only.
        timeout: seconds for everything.
        **options: as for `AsyncClient`; see `ConnectOptions`.

    Returns:
        All findings, in the order of the steps.
    """
    return await Examination(World(), timeout=timeout).run(host, options, offline=offline)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Examination:
    """One examination, on the running event loop.

    Args:
        world: what to ask.
        timeout: seconds for everything.
    """

    def __init__(self, world: World, *, timeout: float = TIMEOUT) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._deadline = Deadline(self._began + timeout, f"--timeout {timeout:g}")
        self._findings: list[Finding] = []

    async def run(
        self, host: str | Sequence[str] | None, options: ConnectOptions, *, offline: bool = False
    ) -> Diagnosis:
        """Take all steps.

        Args:
            host: a URI, the name or address of a host, or a list of these.
            options: keywords.
            offline: stop after the files.
        """
        read = await self._look_here(host, options)
        if read is not None and not offline:
            client, files = read
            found = await self._look_up(client)
            if found is not None and files.identity is not None:
                await self._examine_servers(found, files.identity, files)
        return Diagnosis(findings=tuple(self._findings), elapsed=self._loop.time() - self._began)

    # This machine

    async def _look_here(
        self, host: str | Sequence[str] | None, options: ConnectOptions
    ) -> tuple[ClientOptions, FilesReport] | None:
        """Environment, options, files."""
        step = Check.ENVIRONMENT
        try:
            async with asyncio.timeout_at(self._deadline.at):
                around = await in_thread(lambda: look_around(os.environ), name="aiomongo_tls doctor looks around")
                self._findings += environment_findings(around)
                client, findings = read_options(host, options)
                self._findings += findings
                if client is None:
                    return None
                step = Check.FILES
                mountinfo = self._world.mountinfo
                report = await examine_files(
                    client,
                    mountinfo=read_mounts() if mountinfo is None else mountinfo,
                    limit=self._left() / 2,
                    now=_utc_now,
                )
        except TimeoutError:
            self._findings.append(
                error(
                    step,
                    "out-of-time",
                    f"{self._deadline.option} has passed before this step was done",
                    fix="see whether the files are on a file system that hangs, or a password's function waits",
                )
            )
            return None
        self._findings += report.findings
        return client, report

    # DNS

    async def _look_up(self, options: ClientOptions) -> ClientOptions | None:
        """The options with seeds; None if DNS did not tell any."""
        srv = options.srv
        if srv is None:
            return options
        began = self._loop.time()
        limit = Deadline(began + self._left() / 2, self._deadline.option)
        try:
            records = await self._world.srv_resolver.srv(srv.query_name, limit)
            txt = await self._world.srv_resolver.txt(srv.host, limit)
            findings: list[Finding] = []
            found = noting(lambda: complete_options(options, records, txt, sample=random.sample), Check.DNS, findings)
        except MongoError as exc:
            self._findings.append(_of_records(exc, self._loop.time() - began))
            return None
        hosts = ", ".join(map(str, found.seeds))
        self._findings.append(
            info(Check.DNS, OK, "SRV records", found=f"{hosts} for {srv.host}", elapsed=self._loop.time() - began)
        )
        self._findings += findings
        return found

    # The servers

    async def _examine_servers(self, options: ClientOptions, identity: Identity, files: FilesReport) -> None:
        establisher = Establisher(
            address=options.seeds[0],
            client=client_document(
                client_environment(),
                app_name=options.app_name,
                drivers=(options.driver,) if options.driver is not None else (),
            ),
            identity=identity,
            credential=options.credential,
            resolver=Resolver(self._world.lookup),
            connect_timeout=options.connect_timeout,
            database=options.database,
            load_balanced=options.load_balanced,
            resumes=False,
        )
        means = Means(
            establisher=establisher, own=files.own, lookup=self._world.lookup, deadline=self._deadline, now=_utc_now
        )
        rounds = _Rounds(options, means)
        await rounds.run()
        for address, examination in rounds.examinations.items():
            self._findings += [*examination.findings, *rounds.strangeness_of(address)]
        if rounds.is_known and not options.load_balanced:
            self._findings += _selection_findings(rounds.topology, options)

    def _left(self) -> float:
        return max(self._deadline.at - self._loop.time(), 0.0)


class _Rounds:
    """Examines the seeds, and whatever servers they name, several at the same time."""

    def __init__(self, options: ClientOptions, means: Means) -> None:
        self.topology = initial(
            options.seeds,
            direct_connection=options.direct_connection,
            replica_set=options.replica_set,
            load_balanced=options.load_balanced,
        )
        self.examinations: dict[ServerAddress, HostExamination] = {}
        self.refusals: dict[ServerAddress, Exception] = {}
        self._means = means
        self._is_balanced = options.load_balanced

    @property
    def is_known(self) -> bool:
        """Whether any server has said what it is."""
        return any(examination.description is not None for examination in self.examinations.values())

    def strangeness_of(self, address: ServerAddress) -> list[Finding]:
        """The finding that a server does not belong to the others, when all were examined; none if it does."""
        refusal = self.refusals.get(address)
        is_asked = self.examinations[address].description is not None and not self._is_balanced
        if not is_asked or (refusal is None and address in self.topology.servers):
            return []
        what = str(refusal).removeprefix(f"{address} ") if refusal is not None else "is not among the set's members"
        return [
            warning(
                Check.HELLO,
                "not-a-member",
                f"clients do not use this server: it {what}",
                host=address,
                found=f"the members are {', '.join(map(str, self.topology.servers)) or 'not known'}",
                fix="use the members' own names and the right replicaSet in the URI, or directConnection=true",
            )
        ]

    async def run(self) -> None:
        """Examine until no server is left."""
        waiting = list(self.topology.servers)
        running: dict[asyncio.Task[None], HostExamination] = {}
        try:
            while waiting or running:
                while waiting and len(running) < AT_ONCE:
                    examination = self._begin(waiting.pop(0))
                    if self._is_late():
                        examination.out_of_turn()
                        continue
                    task = asyncio.create_task(examination.run(), name=f"aiomongo_tls doctor {examination.address}")
                    running[task] = examination
                if not running:
                    continue
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    examination = running.pop(task)
                    task.result()
                    waiting += [each for each in self._learn(examination) if each not in waiting]
        finally:
            for task in running:
                task.cancel()

    def _begin(self, address: ServerAddress) -> HostExamination:
        examination = self.examinations[address] = HostExamination(address, self._means)
        return examination

    def _is_late(self) -> bool:
        return self._means.deadline.has_passed(asyncio.get_running_loop().time())

    def _learn(self, examination: HostExamination) -> list[ServerAddress]:
        """Take in what a server said; the servers that nobody has examined yet."""
        if examination.description is None or self._is_balanced:
            return []
        found = update(self.topology, examination.description)
        self.topology = found.topology
        if found.refusal is not None:
            self.refusals[examination.address] = found.refusal
        return [address for address in self.topology.servers if address not in self.examinations]


def _selection_findings(topology: TopologyDescription, options: ClientOptions) -> list[Finding]:
    preference = options.read_preference
    try:
        suitable = suitable_servers(topology, preference, heartbeat_frequency=options.monitoring.heartbeat_frequency)
    except ConfigurationError as exc:
        return [finding_of(exc, Check.HELLO)]
    if suitable:
        return [info(Check.HELLO, OK, "deployment", found=_shown(topology))]
    return [
        error(
            Check.HELLO,
            "no-suitable-server",
            f"no server would serve operations with read preference {preference.mongos_mode}",
            found=_shown(topology),
            fix="see why the members that are missing do not answer; a replica set elects a primary only by a majority",
        )
    ]


def _shown(topology: TopologyDescription) -> str:
    servers = ", ".join(f"{address} is {server.server_type_name}" for address, server in topology.servers.items())
    return f"{topology.topology_type_name}: {servers or 'no servers'}"


def _of_records(exc: MongoError, elapsed: float) -> Finding:
    """The finding for SRV or TXT records that cannot be used."""
    finding = finding_of(exc, Check.DNS, elapsed=elapsed)
    return replace(finding, reason="srv-unusable") if isinstance(exc, ConfigurationError) else finding
