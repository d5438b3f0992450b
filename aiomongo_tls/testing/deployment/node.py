"""What every kind of server says of itself in hello, and which commands it takes.

A `Node` is part of a server's state: it is asked and changed under the lock around that state.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from bson import ObjectId

from aiomongo_tls.testing.data.values import is_document
from aiomongo_tls.testing.deployment.topology_version import TopologyVersion
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock


class Placement(Enum):
    """Which members of a replica set carry a command out."""

    ANYWHERE = "anywhere"
    READ = "read"
    """The primary; a secondary if the command's `$readPreference` allows it."""
    WRITE = "write"
    """The primary."""


def _nothing() -> None:
    pass


class Node:
    """A server's place in its deployment.

    Attributes:
        topology_version: counts the changes that hello shows.
        on_change: called after such a change, under the lock.
        clock: the clock of the replica set or cluster; None for a standalone.
    """

    no_such_version: ClassVar[tuple[int, int, int]] = (31368, 31372, 51764)
    """Codes for a topologyVersion that came alone, is negative, or is ahead of the server."""

    is_router: ClassVar[bool] = False
    """Whether it is a mongos, which calls no write retryable and dates no error: its shards had a second try."""

    def __init__(self, clock: ClusterClock | None = None) -> None:
        self.topology_version = TopologyVersion()
        self.on_change: Callable[[], None] = _nothing
        self.clock = clock

    @property
    def is_writable(self) -> bool:
        """Whether it carries out writes."""
        return True

    @property
    def takes_transaction_numbers(self) -> bool:
        """Whether writes can be numbered, which makes them retryable."""
        return self.clock is not None

    def hello(self, primary: str) -> Document:
        """What hello says of the server's role, without topologyVersion.

        Args:
            primary: the name of the field that says whether it takes writes; `ismaster` in the old spelling.
        """
        return {primary: True}

    def greets(self, *, load_balanced: bool) -> Document:
        """What it adds to the first hello of a connection.

        Args:
            load_balanced: whether the client said that it expects a load balancer.

        Raises:
            CommandError: it does not take such a client.
        """
        return {}

    def check(self, placement: Placement, command: Document) -> None:
        """Refuse a command that another server has to carry out.

        Raises:
            CommandError: 10107, 13435, 13436.
        """

    def check_concerns(self, command: Document) -> None:
        """Refuse read and write concerns that such a server refuses before anything is done.

        Raises:
            CommandError: it cannot satisfy them.
        """

    def unmet(self, command: Document) -> Document | None:
        """The `writeConcernError` for a write that was carried out; None if its write concern is satisfied."""
        return None

    def wrote(self) -> None:
        """Take note of a write."""
        if self.clock is not None:
            self.clock.tick()

    def hears(self, command: Document) -> None:
        """Take what a command tells of the time.

        Raises:
            CommandError: it cannot be true.
        """
        if self.clock is not None and "$clusterTime" in command:
            self.clock.hear(command["$clusterTime"])

    def gossip(self) -> Document:
        """What it adds to every reply."""
        return {} if self.clock is None else self.clock.gossip()

    def started(self, address: ServerAddress) -> None:
        """Clients can connect now: a new process.

        Args:
            address: where.
        """
        self.topology_version = TopologyVersion()

    def stopped(self) -> None:
        """Its process has ended."""

    def isolated(self) -> None:
        """It is cut off from everybody."""

    def healed(self) -> None:
        """It is not cut off any more."""

    def changed(self) -> None:
        """Hello shows something new."""
        self.topology_version = self.topology_version.next()
        self.on_change()


class Standalone(Node):
    """A server alone."""

    def check_concerns(self, command: Document) -> None:
        """Refuse what needs a replica set."""
        level = read_concern(command).get("level")
        if level in ("linearizable", "snapshot"):
            raise CommandError(
                ErrorCode.NotAReplicaSet, f"node needs to be a replica set member to use read concern: {level}"
            )
        nodes = write_concern(command).get("w")
        if (isinstance(nodes, int | float) and nodes > 1) or (isinstance(nodes, str) and nodes != "majority"):
            raise CommandError(ErrorCode.BadValue, "cannot use 'w' > 1 or a tag when a host is not replicated")


class Mongos(Node):
    """A router of a sharded cluster, reached directly or through a load balancer.

    Args:
        clock: the cluster's.
        load_balanced: whether clients come through a load balancer.
    """

    no_such_version: ClassVar[tuple[int, int, int]] = (51760, 51758, 51761)
    is_router: ClassVar[bool] = True

    def __init__(self, clock: ClusterClock, *, load_balanced: bool = False) -> None:
        super().__init__(clock)
        self.load_balanced = load_balanced
        self.service_id = ObjectId()

    def hello(self, primary: str) -> Document:
        """A mongos takes writes and says that it is one."""
        return {primary: True, "msg": "isdbgrid"}

    def greets(self, *, load_balanced: bool) -> Document:
        """Behind a load balancer a client has to know, and is told who of all answers."""
        if not self.load_balanced:
            return {}
        if not load_balanced:
            raise CommandError(
                ErrorCode.LoadBalancerSupportMismatch,
                "The server is being accessed through a load balancer, but this driver does not have load "
                "balancing enabled",
            )
        return {"serviceId": self.service_id}

    def started(self, address: ServerAddress) -> None:
        """A new process is a new service."""
        super().started(address)
        self.service_id = ObjectId()


def read_concern(command: Document) -> Document:
    """The read concern of a command; empty without one."""
    return _document(command.get("readConcern"))


def write_concern(command: Document) -> Document:
    """The write concern of a command; empty without one."""
    return _document(command.get("writeConcern"))


def _document(value: Any) -> Document:
    return value if is_document(value) else {}
