"""Descriptions of servers and deployments, from a few words or from the documents of MongoDB's selection tests."""

from __future__ import annotations

from typing import Any

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.read_preference import MODES, ReadPreference
from aiomongo_tls.core.sdam.server_description import ServerDescription
from aiomongo_tls.core.sdam.topology_description import TopologyDescription
from aiomongo_tls.core.sdam.topology_type import TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.uri.hosts import parse_address


def at(text: str) -> ServerAddress:
    return parse_address(text)


def server(name: str, server_type: ServerType, **fields: Any) -> ServerDescription:
    """A description of a server that we are compatible with, or know nothing of."""
    known = {"max_wire_version": 21} if server_type is not ServerType.UNKNOWN else {}
    return ServerDescription(address=at(name), server_type=server_type, **{**known, **fields})


def topology(topology_type: TopologyType, *servers: ServerDescription, **fields: Any) -> TopologyDescription:
    """A description of a deployment with these servers."""
    return TopologyDescription(topology_type=topology_type, servers={each.address: each for each in servers}, **fields)


def server_from(document: dict[str, Any]) -> ServerDescription:
    """A description from `address`, `type`, `avg_rtt_ms`, `tags`, `lastUpdateTime`, `lastWrite`."""
    time = document.get("avg_rtt_ms")
    written = document.get("lastWrite", {}).get("lastWriteDate")
    return ServerDescription(
        address=at(document["address"]),
        server_type=ServerType(document["type"]),
        round_trip_time=None if time is None else time / 1000,
        tags=document.get("tags") or {},
        last_update_time=document.get("lastUpdateTime", 0) / 1000,
        last_write_date=None if written is None else written / 1000,
        max_wire_version=document.get("maxWireVersion", 21),
    )


def topology_from(document: dict[str, Any]) -> TopologyDescription:
    """A description from `type` and `servers`."""
    return topology(TopologyType(document["type"]), *(server_from(each) for each in document["servers"]))


def preference_from(document: dict[str, Any]) -> ReadPreference:
    """A read preference from `mode` in any case, `tag_sets`, `maxStalenessSeconds`."""
    mode = document.get("mode", "primary")
    cls = MODES[mode[0].lower() + mode[1:]]
    options: dict[str, Any] = {}
    # A list with the empty set alone is no choice.
    if document.get("tag_sets") not in (None, [], [{}]):
        options["tag_sets"] = document["tag_sets"]
    if document.get("maxStalenessSeconds", 0) > 0:
        options["max_staleness"] = document["maxStalenessSeconds"]
    return cls(**options)
