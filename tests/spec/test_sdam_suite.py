"""The server discovery and monitoring suite: replies and errors in, descriptions, generations and events out."""

from __future__ import annotations

import json
from typing import Any

from bson import ObjectId, json_util
from descriptions import at

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.error_labels import OVERLOAD
from aiomongo_tls.core.events.topology_events import (
    ServerClosedEvent,
    ServerDescriptionChangedEvent,
    ServerOpeningEvent,
    TopologyDescriptionChangedEvent,
    TopologyOpenedEvent,
)
from aiomongo_tls.core.pool.overload import may_be_overload
from aiomongo_tls.core.reply import raise_for_write
from aiomongo_tls.core.sdam.application_errors import When, effect_of
from aiomongo_tls.core.sdam.changes import changes, opening
from aiomongo_tls.core.sdam.check_failures import check_failure
from aiomongo_tls.core.sdam.server_description import ServerDescription, description_of, load_balancer
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, initial
from aiomongo_tls.core.sdam.transitions import update
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.uri.parser import parse_uri
from aiomongo_tls.errors import AutoReconnect, MongoError, NetworkTimeout, Phase

ROOT = "server-discovery-and-monitoring/tests"
SUITES = [f"{ROOT}/{folder}" for folder in ("errors", "load-balanced", "monitoring", "rs", "sharded", "single")]
TOPOLOGY_ID = ObjectId()
WHEN = {"beforeHandshakeCompletes": When.ESTABLISHING, "afterHandshakeCompletes": When.IN_USE}


class Client:
    """Carries out what the deciding half says, without any server."""

    def __init__(self, uri: str) -> None:
        parsed = parse_uri(uri)
        self.topology = initial(
            parsed.hosts,
            direct_connection=parsed.options.get("directConnection", False),
            replica_set=parsed.options.get("replicaSet"),
            load_balanced=parsed.options.get("loadBalanced", False),
        )
        self.generations = dict.fromkeys(parsed.hosts, 0)
        self.events: list[object] = [*opening(TOPOLOGY_ID, self.topology)]
        if parsed.options.get("loadBalanced"):
            self.take_over(load_balancer(parsed.hosts[0]))

    def take_over(self, server: ServerDescription) -> bool:
        before = self.topology
        result = update(before, server)
        self.topology = result.topology
        self.events += changes(TOPOLOGY_ID, before, self.topology)
        for address in self.topology.servers:
            self.generations.setdefault(address, 0)
        return result.applied

    def answer(self, address: ServerAddress, reply: dict[str, Any]) -> None:
        """A check ended."""
        server = self.topology.servers.get(address)
        if server is None:
            return
        try:
            # The suite's sign of a network error.
            if not reply:
                raise AutoReconnect("connection reset", host=address, phase=Phase.REQUEST)
            self.take_over(description_of(address, reply, round_trip_time=0.005, now=1.0))
        except MongoError as error:
            if self.take_over(check_failure(error, server, now=1.0).description):
                self.generations[address] += 1

    def fail(self, report: dict[str, Any]) -> None:
        """An operation, or an attempt to open a connection, failed."""
        address = at(report["address"])
        error = error_of(report, address)
        if error is None:
            return
        effect = effect_of(
            error,
            topology=self.topology,
            address=address,
            connection_generation=report.get("generation", self.generations[address]),
            pool_generation=self.generations[address],
            when=WHEN[report["when"]],
        )
        if effect.description is not None:
            self.take_over(effect.description)
        if effect.clears_pool:
            self.generations[address] += 1


def error_of(report: dict[str, Any], address: ServerAddress) -> Exception | None:
    establishes = report["when"] == "beforeHandshakeCompletes"
    phase = Phase.HELLO if establishes else Phase.REQUEST
    if report["type"] == "command":
        try:
            raise_for_write(report["response"], host=address)
        except MongoError as error:
            return error
        return None
    cls = NetworkTimeout if report["type"] == "timeout" else AutoReconnect
    error = cls("lost", host=address, phase=phase)
    # As the pool does.
    if establishes and may_be_overload(error):
        for label in OVERLOAD:
            error.add_error_label(label)
    return error


def server_type_name(server: ServerDescription | dict[str, Any]) -> str:
    name = server["type"] if isinstance(server, dict) else server.server_type_name
    # Only clients with one thread for everything tell these two apart.
    return ServerType.UNKNOWN.value if name == ServerType.POSSIBLE_PRIMARY.value else name


def check_server(client: Client, address: ServerAddress, expected: dict[str, Any]) -> None:
    server = client.topology.servers[address]
    told = {
        "type": server_type_name(server),
        "setName": server.replica_set_name,
        "setVersion": server.set_version,
        "electionId": server.election_id,
        "logicalSessionTimeoutMinutes": server.logical_session_timeout_minutes,
        "minWireVersion": server.min_wire_version or None,
        "maxWireVersion": server.max_wire_version or None,
        "topologyVersion": server.topology_version and server.topology_version.document,
        "pool": {"generation": client.generations[address]},
    }
    assert {name: told[name] for name in expected if name in told} == expected_fields(expected)
    if "error" in expected:
        assert expected["error"] in str(server.error)


def expected_fields(expected: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in expected.items() if name != "error"}
    return fields | {"type": server_type_name(expected)} if "type" in fields else fields


def check_outcome(client: Client, outcome: dict[str, Any]) -> None:
    topology = client.topology
    told = {
        "topologyType": topology.topology_type_name,
        "setName": topology.replica_set_name,
        "logicalSessionTimeoutMinutes": topology.logical_session_timeout_minutes,
        "maxSetVersion": topology.max_set_version,
        "maxElectionId": topology.max_election_id,
        "compatible": topology.compatibility_error is None,
    }
    assert {name: told[name] for name in outcome if name not in ("servers", "events")} == {
        name: value for name, value in outcome.items() if name not in ("servers", "events")
    }
    if "servers" in outcome:
        assert set(topology.servers) == {at(address) for address in outcome["servers"]}
        for address, expected in outcome["servers"].items():
            check_server(client, at(address), expected)
    if "events" in outcome:
        assert [event_document(event) for event in client.events] == [normalized(e) for e in outcome["events"]]
        client.events.clear()


def server_document(server: ServerDescription) -> dict[str, Any]:
    document = {
        "address": str(server.address),
        "type": server_type_name(server),
        "hosts": sorted(map(str, server.hosts)),
        "passives": sorted(map(str, server.passives)),
        "arbiters": sorted(map(str, server.arbiters)),
        "setName": server.replica_set_name,
        "primary": server.primary and str(server.primary),
    }
    return {name: value for name, value in document.items() if value is not None}


def topology_document(topology: TopologyDescription) -> dict[str, Any]:
    document: dict[str, Any] = {
        "topologyType": topology.topology_type_name,
        "servers": [server_document(server) for server in topology.servers.values()],
    }
    return document | ({"setName": topology.replica_set_name} if topology.replica_set_name else {})


def event_document(event: object) -> dict[str, Any]:
    match event:
        case TopologyOpenedEvent():
            return {"topology_opening_event": {}}
        case TopologyDescriptionChangedEvent(previous_description=previous, new_description=new):
            documents = {"previousDescription": topology_document(previous), "newDescription": topology_document(new)}
            return {"topology_description_changed_event": documents}
        case ServerOpeningEvent(server_address=address):
            return {"server_opening_event": {"address": str(address)}}
        case ServerClosedEvent(server_address=address):
            return {"server_closed_event": {"address": str(address)}}
        case ServerDescriptionChangedEvent(server_address=address, previous_description=previous, new_description=new):
            documents = {"previousDescription": server_document(previous), "newDescription": server_document(new)}
            return {"server_description_changed_event": {"address": str(address), **documents}}
        case _:
            raise AssertionError(event)


def normalized(event: dict[str, Any]) -> dict[str, Any]:
    """An expected event without the id, which every driver chooses itself."""

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(item) for item in value]
        if not isinstance(value, dict):
            return value
        document = {name: known(item) for name, item in value.items() if name != "topologyId"}
        return document | {"type": server_type_name(document)} if "type" in document else document

    return known(event)


def test_sdam(case: dict[str, Any]) -> None:
    """After each phase servers, topology, generations and events are as the case says."""
    case = json_util.loads(json.dumps(case))
    client = Client(case["uri"])
    for phase in case["phases"]:
        for address, reply in phase.get("responses", []):
            client.answer(at(address), reply)
        for report in phase.get("applicationErrors", []):
            client.fail(report)
        check_outcome(client, phase["outcome"])
