"""The initial-dns-seedlist-discovery suite: records from a stub, deployments from the embedded server.

The deployments listen on free ports of 127.0.0.1. Their hello names the hosts that the cases expect, and the client's
look-up of host names knows which name and port is which of them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from bson import ObjectId
from srv_zone import official_zone

from aiomongo_tls import AsyncClient
from aiomongo_tls.client import client as client_module
from aiomongo_tls.core.events.listeners import TopologyListener
from aiomongo_tls.core.events.topology_events import TopologyDescriptionChangedEvent
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.core.uri.srv import complete_options
from aiomongo_tls.deadline import NEVER
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.testing import CertKit, MongoTestServer
from aiomongo_tls.topology.topology import Topology

SUITES = ["initial-dns-seedlist-discovery/tests"]

HOST = "localhost.test.build.10gen.cc"
NAMES = ("localhost", HOST, "localhost.sub.test.build.10gen.cc")
"""The names of 127.0.0.1."""
PORTS = {"replica-set": (27017, 27018, 27019), "sharded": (27017, 27018), "load-balanced": (8000,)}
LIMITS = {
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "helloOk": True,
    "readOnly": False,
}


def hello(kind: str, port: int) -> dict[str, Any]:
    """What a member of a deployment says of itself, by either name of hello."""
    if kind != "replica-set":
        role = {"msg": "isdbgrid"} if kind == "sharded" else {"msg": "isdbgrid", "serviceId": ObjectId()}
        return {**LIMITS, "ismaster": True, "isWritablePrimary": True, **role}
    is_primary = port == PORTS[kind][0]
    return {
        **LIMITS,
        **dict.fromkeys(("ismaster", "isWritablePrimary"), is_primary),
        "secondary": not is_primary,
        "setName": "repl0",
        "setVersion": 1,
        "hosts": [f"localhost:{each}" for each in PORTS[kind]],
        "me": f"localhost:{port}",
        "primary": f"localhost:{PORTS[kind][0]}",
        **({"electionId": ObjectId("7fffffff0000000000000001")} if is_primary else {}),
    }


class Deployments:
    """The deployments that cases ping, each started when it is first asked for."""

    def __init__(self) -> None:
        self.certificates = CertKit()
        self._servers = ExitStack()
        self._ports: dict[tuple[str, bool], Mapping[int, int]] = {}

    def resolver(self, kind: str, *, tls: bool) -> Resolver:
        """The look-up of names that leads into one of them."""
        if (kind, tls) not in self._ports:
            self._ports[kind, tls] = {port: self._start(kind, port, tls=tls) for port in PORTS[kind]}
        ports = self._ports[kind, tls]

        def look_up(host: str, port: int) -> Sequence[Endpoint]:
            if host not in NAMES or port not in ports:
                raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")
            return [Endpoint(socket.AF_INET, ("127.0.0.1", ports[port]))]

        return Resolver(look_up)

    def _start(self, kind: str, port: int, *, tls: bool) -> int:
        server = MongoTestServer(
            ca=self.certificates,
            users=[],
            tls="require" if tls else "off",
            certificate=self.certificates.server(*NAMES) if tls else None,
        )
        self._servers.enter_context(server)
        server.on("hello").replies(hello(kind, port))
        return server.address.port or 0

    def close(self) -> None:
        self._servers.close()


@pytest.fixture(scope="module")
def deployments() -> Iterator[Deployments]:
    deployments = Deployments()
    yield deployments
    deployments.close()


class Watcher(TopologyListener):
    """Waits until the topology has certain hosts."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        self._changed = asyncio.Event()

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        self.hosts = {str(address) for address in event.new_description.server_descriptions()}
        self._changed.set()

    async def until(self, hosts: set[str] | None, count: int | None) -> None:
        while (hosts is not None and self.hosts != hosts) or (count is not None and len(self.hosts) != count):
            self._changed.clear()
            await self._changed.wait()


async def look_up(uri: str, keywords: Mapping[str, Any]) -> ClientOptions:
    zone = official_zone()
    pending = resolve(uri, keywords)
    assert pending.srv is not None
    records = await zone.srv(pending.srv.query_name, NEVER)
    txt = await zone.txt(pending.srv.host, NEVER)
    return complete_options(pending, records, txt, sample=lambda seeds, count: list(seeds[:count]))


def check_options(options: ClientOptions, expected: Mapping[str, Any]) -> None:
    credential, srv = options.credential, options.srv
    assert credential is not None
    assert srv is not None
    found = {
        "ssl": options.tls.enabled,
        "replicaSet": options.replica_set,
        "authSource": credential.source,
        "loadBalanced": options.load_balanced,
        "directConnection": options.direct_connection,
        "srvMaxHosts": srv.max_hosts,
        "srvServiceName": srv.service_name,
        "user": credential.username,
        "password": credential.password,
        **dict.fromkeys(("db", "defaultDatabase", "auth_database"), options.database),
    }
    assert {name: found[name] for name in expected} == expected


async def check_ping(
    case: Mapping[str, Any], resolver: Resolver, monkeypatch: pytest.MonkeyPatch, ca: bytes | None
) -> None:
    zone, watcher = official_zone(), Watcher()
    monkeypatch.setattr(client_module, "Topology", partial(Topology, resolver=resolver, srv_resolver=zone))
    tls = {} if ca is None else {"tlsCAFile": ca}
    async with asyncio.timeout(10), AsyncClient(case["uri"], event_listeners=[watcher], **tls) as client:
        assert (await client.admin.command("ping"))["ok"] == 1
        await watcher.until(set(case["hosts"]) if "hosts" in case else None, case.get("numHosts"))
    assert len(zone.asked) == 2


async def test_srv(
    case: dict[str, Any],
    deployments: Deployments,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A URI is refused before or after the look-up, or has these seeds and options, and leads to these hosts."""
    # There has to be somebody for authSource to mean anything.
    somebody = {} if "@" in case["uri"] else {"username": "ada", "password": "pw"}
    if case.get("error"):
        with pytest.raises(ConfigurationError):
            await look_up(case["uri"], somebody)
        return
    options = await look_up(case["uri"], somebody)
    if "seeds" in case:
        assert {str(seed) for seed in options.seeds} == set(case["seeds"])
    if "numSeeds" in case:
        assert len(options.seeds) == case["numSeeds"]
    check_options(options, {**case["options"], **case.get("parsed_options", {})})
    if case.get("ping", True):
        kind = request.node.callspec.id.split("/")[2]
        resolver = deployments.resolver(kind, tls=options.tls.enabled)
        ca = deployments.certificates.ca_pem if options.tls.enabled else None
        await check_ping(case, resolver, monkeypatch, ca)


def test_the_zone_is_complete() -> None:
    """The stub has the names of the table, and no others."""
    zone = official_zone()
    assert len(zone.hosts) == 22
    assert len(zone.texts) == 9
