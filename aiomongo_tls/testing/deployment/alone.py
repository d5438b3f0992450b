"""A single server seen as each kind of deployment: `MongoTestServer(topology=...)`."""

from __future__ import annotations

import time
from typing import Literal

from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.elections import Elections
from aiomongo_tls.testing.deployment.membership import MemberKind, Membership
from aiomongo_tls.testing.deployment.node import Mongos, Standalone
from aiomongo_tls.testing.deployment.seat import Seat, Shared

Topology = Literal["standalone", "replica_set", "mongos", "load_balanced"]
"""As what a server shows itself."""

TOPOLOGIES = ("standalone", "replica_set", "mongos", "load_balanced")
"""The values of `Topology`."""

SET_NAME = "rs0"
"""The name of a replica set that was given none."""


def seat_alone(topology: Topology, shared: Shared) -> Seat:
    """The seat of a server that is a whole deployment.

    Args:
        topology: which kind.
        shared: its data and users.

    Raises:
        ValueError: there is no such kind.
    """
    if topology == "standalone":
        return Seat(node=Standalone(), shared=shared)
    clock = ClusterClock(shared.state().now)
    if topology == "replica_set":
        membership = Membership(SET_NAME, clock, time.monotonic, [MemberKind.ELECTABLE])
        elections = Elections(membership, shared.lock)
        options = {"replicaSet": SET_NAME}
        return Seat(node=membership.members[0], shared=shared, uri_options=options, elections=elections)
    if topology == "mongos":
        return Seat(node=Mongos(clock), shared=shared)
    if topology == "load_balanced":
        return Seat(node=Mongos(clock, load_balanced=True), shared=shared, uri_options={"loadBalanced": True})
    raise ValueError(f"topology={topology!r}: choose one of {', '.join(TOPOLOGIES)}")
