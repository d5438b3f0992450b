"""`ReplicaSet`: a replica set inside the test process, for any client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from aiomongo_tls.testing.deployment.access import Access
from aiomongo_tls.testing.deployment.alone import SET_NAME
from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock
from aiomongo_tls.testing.deployment.deployment import Deployment
from aiomongo_tls.testing.deployment.elections import Elections
from aiomongo_tls.testing.deployment.membership import Member, MemberKind, Membership
from aiomongo_tls.testing.deployment.seat import Seat, Shared
from aiomongo_tls.testing.server import MongoTestServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import trustme

    from aiomongo_tls.testing.certs import Certificate, CertKit
    from aiomongo_tls.testing.tls_context import TLSMode
    from aiomongo_tls.testing.users import User

MOST_MEMBERS = 50
"""Members that a replica set has at most."""


class ReplicaSet(Deployment):
    """A replica set whose members share one store, so that replication takes no time and nothing is rolled back.

        with ReplicaSet(members=3) as rs, pymongo.MongoClient(rs.uri()) as client:
            client.app.users.insert_one({"name": "Ada"})
            rs.kill(rs.primary)                 # another member is primary at once
            client.app.users.find_one()

        async with ReplicaSet(election_delay=0.2) as rs, rs.connect() as client: ...

    Every member has its own thread, port and certificate. Elections are deterministic: a primary that is gone or steps
    down is followed by the next member in the order of the configuration that can be elected, at once or after
    `election_delay`. Without a majority of members that are up and connected there is no primary.

    Args:
        members: how many members can be elected.
        name: the set's name.
        ca: where certificates come from, as in `MongoTestServer`.
        users: who may log in, as in `MongoTestServer`.
        tls: how TLS is spoken, as in `MongoTestServer`.
        passives: how many more members have data and priority 0.
        arbiters: how many more members only vote.
        tags: the tags of each member, for read preferences.
        election_delay: seconds without a primary before each election but the first.
        hosts: the addresses that members listen on; each on 127.0.0.1 by default, with a port of its own. On Linux
            every address in 127.0.0.0/8 will do.
        names: what members are called in hello and in `uri()` if that is not the address they listen on, for clients
            whose look-ups the test answers.

    Raises:
        ValueError: there is no such set.
    """

    def __init__(
        self,
        members: int = 3,
        *,
        name: str = SET_NAME,
        ca: CertKit | trustme.CA | None = None,
        users: Iterable[Certificate | User | str] | None = None,
        tls: TLSMode = "require_client",
        passives: int = 0,
        arbiters: int = 0,
        tags: Sequence[Mapping[str, str]] = (),
        election_delay: float = 0.0,
        hosts: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> None:
        count = members + passives + arbiters
        if members < 1 or min(passives, arbiters) < 0 or count > MOST_MEMBERS:
            raise ValueError(f"a replica set has 1 to {MOST_MEMBERS} members, and one at least that can be elected")
        for option, values in (("hosts", hosts), ("names", names)):
            if values and len(values) != count:
                raise ValueError(f"{option} has {len(values)} entries for {count} members")
        shared = Shared(Access(ca, users, tls))
        super().__init__(shared, {"replicaSet": name})
        kinds = [MemberKind.ELECTABLE] * members + [MemberKind.PASSIVE] * passives + [MemberKind.ARBITER] * arbiters
        self._membership = Membership(name, ClusterClock(shared.state().now), time.monotonic, kinds, tags)
        self._elections = Elections(self._membership, shared.lock, election_delay)
        for number, member in enumerate(self._membership.members):
            host = hosts[number] if hosts else "127.0.0.1"
            called = names[number] if names else None
            options = {"directConnection": True}
            seat = Seat(node=member, shared=shared, uri_options=options, is_alone=False, name=called)
            certificate = self.certificate_for(f"{name}-{number}", host, called)
            self.servers.append(MongoTestServer(host=host, seat=seat, certificate=certificate))

    # Life

    def start(self) -> Self:
        """Start every member and elect the first one that can be; `with` and `async with` do it too.

        Raises:
            OSError: an address is taken.
        """
        super().start()
        self._elections.begin()
        return self

    def stop(self) -> None:
        """Stop every member. Data and ports stay for `start()`."""
        # First of all, or every member would become primary in turn.
        self._elections.end()
        super().stop()

    def reset(self) -> None:
        """Begin afresh on the same ports: everything up and connected, the first member primary, nobody frozen."""
        super().reset()
        with self._shared.lock:
            first = self._membership.members[0]
            for member in self._membership.members:
                self._membership.freeze(member, 0)
            if self._membership.primary is not first:
                self._elections.elect(first)

    def __repr__(self) -> str:
        places = ", ".join(f"{member.address} {member.state.name}" for member in self._membership.members)
        return f"<ReplicaSet {self.name}: {places}>"

    # Who is who

    @property
    def name(self) -> str:
        """The set's name."""
        return self._membership.name

    @property
    def members(self) -> list[MongoTestServer]:
        """The members, in the order of the configuration."""
        return list(self.servers)

    @property
    def primary(self) -> MongoTestServer | None:
        """The primary; None while there is none."""
        with self._shared.lock:
            primary = self._membership.primary
        return None if primary is None else self.servers[primary.number]

    @property
    def secondaries(self) -> list[MongoTestServer]:
        """The members that are secondaries now: up and connected, with data."""
        with self._shared.lock:
            return [
                self.servers[member.number]
                for member in self._membership.members
                if member.is_connected and not member.is_writable and member.kind is not MemberKind.ARBITER
            ]

    @property
    def arbiters(self) -> list[MongoTestServer]:
        """The members that only vote."""
        return [self.servers[m.number] for m in self._membership.members if m.kind is MemberKind.ARBITER]

    def wait_for_primary(self, timeout: float = 10.0) -> MongoTestServer:
        """Wait until there is a primary. It blocks for as long as `election_delay` may take.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: there was none in time.
        """
        return self.servers[self._elections.wait_for_primary(timeout).number]

    # Elections

    def step_down(self, seconds: float = 60.0) -> None:
        """The primary becomes a secondary, as after `replSetStepDown` with `force`; does nothing without a primary.

        Its connections stay open. Writes that it has begun fail with 11602, those that come later with 10107. If no
        other member can be elected there is no primary for that time.

        Args:
            seconds: for how long it cannot be elected again.
        """
        with self._shared.lock:
            self._membership.step_down(seconds)

    def freeze(self, member: MongoTestServer, seconds: float) -> None:
        """A secondary is not elected for some time, as after `replSetFreeze`.

        Args:
            member: the secondary.
            seconds: for how long; 0 ends it.

        Raises:
            ValueError: it is the primary.
        """
        with self._shared.lock:
            node = self._node(member)
            if node.is_writable:
                raise ValueError(f"{member.address} is the primary; step_down() comes before freeze()")
            self._membership.freeze(node, seconds)

    def elect(self, member: MongoTestServer) -> None:
        """Make a member primary at once, frozen or not. The primary steps down before.

        Args:
            member: the member.

        Raises:
            ValueError: it cannot be elected.
        """
        self._elections.elect(self._node(member))

    def _node(self, member: MongoTestServer) -> Member:
        return self._membership.members[self.servers.index(self._own(member))]
