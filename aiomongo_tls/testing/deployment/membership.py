"""A replica set as plain state: its members, who is primary, who may become it.

A change goes through three steps: the state changes, every member that hello shows differently now counts its
`topologyVersion` up, and `on_change` is called, by which `elections` may bring about the next change.

A member that is cut off knows nothing new, so each one has its own view of who is primary. One that cannot see a
majority of the voting members is no primary, as on a real server, which needs ten seconds to find out and here none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from bson import Int64, ObjectId, Timestamp

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.testing.data.values import Document, integer, is_document
from aiomongo_tls.testing.deployment.cluster_clock import NEVER
from aiomongo_tls.testing.deployment.node import Node, Placement, read_concern, write_concern
from aiomongo_tls.testing.failures import CommandError, ErrorCode, code_name, not_here

if TYPE_CHECKING:
    from aiomongo_tls.testing.deployment.cluster_clock import ClusterClock

_BEFORE_ALL_ELECTIONS = 0x7FFFFFFF << 64
# Election ids are made of this and the term.


class MemberKind(Enum):
    """What a member is for."""

    ELECTABLE = "electable"
    PASSIVE = "passive"
    """Has priority 0 and is never elected."""
    ARBITER = "arbiter"
    """Votes and has no data."""


class MemberState(Enum):
    """A member's state as replSetGetStatus has it."""

    PRIMARY = 1
    SECONDARY = 2
    ARBITER = 7
    DOWN = 8


class Member(Node):
    """One member of a replica set. Made by `Membership`.

    Args:
        membership: the set.
        number: its place in the set's configuration.
        kind: what it is for.
        tags: its tags.
    """

    no_such_version: ClassVar[tuple[int, int, int]] = (31368, 31372, 31382)

    def __init__(self, membership: Membership, number: int, kind: MemberKind, tags: Mapping[str, str]) -> None:
        super().__init__(membership.clock)
        self.membership = membership
        self.number = number
        self.kind = kind
        self.tags = dict(tags)
        self.address = ServerAddress("", 0)
        self.is_up = False
        self.is_isolated = False
        # Not a candidate before this moment: it stepped down, or was frozen.
        self.waits_until = 0.0
        self.shown: tuple[bool, ServerAddress | None] = (False, None)

    @property
    def is_connected(self) -> bool:
        """Whether the other members see it."""
        return self.is_up and not self.is_isolated

    @property
    def is_writable(self) -> bool:
        """Whether it is the primary."""
        return self.membership.primary is self

    @property
    def state(self) -> MemberState:
        """Its state."""
        if not self.is_up:
            return MemberState.DOWN
        if self.kind is MemberKind.ARBITER:
            return MemberState.ARBITER
        return MemberState.PRIMARY if self.is_writable else MemberState.SECONDARY

    @property
    def known_primary(self) -> Member | None:
        """Who is primary as far as this member knows."""
        return self.membership.primary if self.is_connected else None

    def hello(self, primary: str) -> Document:
        """The whole set as this member sees it."""
        group = self.membership
        is_arbiter = self.kind is MemberKind.ARBITER
        reply: Document = {"hosts": group.hosts(MemberKind.ELECTABLE)}
        for name, kind in (("passives", MemberKind.PASSIVE), ("arbiters", MemberKind.ARBITER)):
            if hosts := group.hosts(kind):
                reply[name] = hosts
        reply |= {"setName": group.name, "setVersion": group.set_version}
        reply |= {primary: self.is_writable, "secondary": not self.is_writable and not is_arbiter}
        if self.known_primary is not None:
            reply["primary"] = str(self.known_primary.address)
        if is_arbiter:
            reply["arbiterOnly"] = True
        if self.kind is MemberKind.PASSIVE:
            reply["passive"] = True
        if self.tags:
            reply["tags"] = dict(self.tags)
        reply["me"] = str(self.address)
        if self.is_writable:
            reply["electionId"] = group.election_id
        reply["lastWrite"] = self._last_write()
        return reply

    def _last_write(self) -> Document:
        group = self.membership
        if self.kind is MemberKind.ARBITER:
            return {"opTime": {"ts": Timestamp(0, 0), "t": Int64(-1)}, "lastWriteDate": NEVER}
        optime = {"ts": group.clock.last_write, "t": Int64(group.term)}
        date = group.clock.last_write_date
        return {"opTime": optime, "lastWriteDate": date, "majorityOpTime": optime, "majorityWriteDate": date}

    def check(self, placement: Placement, command: Document) -> None:
        """Writes need the primary, and so do reads without a preference for something else."""
        if placement is Placement.ANYWHERE or self.is_writable:
            return
        if placement is Placement.WRITE:
            raise CommandError(ErrorCode.NotWritablePrimary, "not primary")
        if self.kind is MemberKind.ARBITER:
            raise CommandError(ErrorCode.NotPrimaryOrSecondary, "node is not in primary or recovering state")
        preference: Any = command.get("$readPreference")
        if not is_document(preference) or preference.get("mode", "primary") == "primary":
            raise CommandError(ErrorCode.NotPrimaryNoSecondaryOk, "not primary and secondaryOk=false")
        if read_concern(command).get("level") == "linearizable":
            raise CommandError(
                ErrorCode.NotWritablePrimary, "cannot satisfy linearizable read concern on non-primary node"
            )

    def check_concerns(self, command: Document) -> None:
        """Refuse what a replica set can do and this one cannot."""
        if read_concern(command).get("level") == "snapshot":
            raise not_here("the read concern snapshot")

    def unmet(self, command: Document) -> Document | None:
        """Whether as many members have the write as its write concern asks for."""
        concern = write_concern(command)
        wanted: Any = concern.get("w", 1)
        data = [member for member in self.membership.members if member.kind is not MemberKind.ARBITER]
        if isinstance(wanted, str) and wanted != "majority":
            text = f"No write concern mode named '{wanted}' found in replica set configuration"
            return _write_concern_error(ErrorCode.UnknownReplWriteConcern, text)
        nodes = integer(wanted)
        if nodes is None:
            return None
        if nodes > len(data):
            return _write_concern_error(ErrorCode.UnsatisfiableWriteConcern, "Not enough data-bearing nodes")
        if nodes > sum(member.is_connected for member in data):
            # Without wtimeout a real server waits until the member is back.
            error = _write_concern_error(ErrorCode.WriteConcernFailed, "waiting for replication timed out")
            return {**error, "errInfo": {"wtimeout": True, "writeConcern": concern}}
        return None

    def started(self, address: ServerAddress) -> None:
        """It joins the set."""
        super().started(address)
        self.address = address
        self.is_up = True
        self.is_isolated = False
        self.membership.refresh()

    def stopped(self) -> None:
        """It leaves; as primary it is none any more."""
        self.is_up = False
        self.membership.refresh()

    def isolated(self) -> None:
        """It sees nobody and nobody sees it; as primary it is none any more."""
        self.is_isolated = True
        self.membership.refresh()

    def healed(self) -> None:
        """It learns what has happened meanwhile."""
        self.is_isolated = False
        self.membership.refresh()


def _write_concern_error(code: int, message: str) -> Document:
    return {"code": int(code), "codeName": code_name(code), "errmsg": message}


class Membership:
    """A replica set's state.

    Args:
        name: the set's name.
        clock: the set's clock.
        now: the present moment in seconds; never goes backwards.
        kinds: the members, in the order of the configuration.
        tags: the tags of each; none if it is shorter.

    Attributes:
        on_change: called at the end of every change.
        election_time: when the present primary was elected, by the set's clock.
    """

    def __init__(
        self,
        name: str,
        clock: ClusterClock,
        now: Callable[[], float],
        kinds: Sequence[MemberKind],
        tags: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.name = name
        self.clock = clock
        self.now = now
        self.set_version = 1
        self.term = 0
        self.primary: Member | None = None
        self.election_time = clock.time
        self.on_change: Callable[[], None] = lambda: None
        self.members = [
            Member(self, number, kind, tags[number] if number < len(tags) else {}) for number, kind in enumerate(kinds)
        ]
        # Elections go round; the last one's winner is asked last.
        self._last_winner = len(kinds) - 1

    @property
    def election_id(self) -> ObjectId:
        """The id of the present primary's election."""
        return ObjectId((_BEFORE_ALL_ELECTIONS | self.term).to_bytes(12))

    @property
    def majority(self) -> int:
        """Votes that win an election."""
        return len(self.members) // 2 + 1

    @property
    def has_majority(self) -> bool:
        """Whether enough members see each other to have a primary."""
        return sum(member.is_connected for member in self.members) >= self.majority

    def hosts(self, kind: MemberKind) -> list[str]:
        """The addresses of the members of a kind, as hello lists them."""
        return [str(member.address) for member in self.members if member.kind is kind]

    def candidates(self) -> Iterator[Member]:
        """Who could be elected, the next in turn first, those included who wait."""
        count = len(self.members)
        for step in range(1, count + 1):
            member = self.members[(self._last_winner + step) % count]
            if member.is_connected and member.kind is MemberKind.ELECTABLE:
                yield member

    def ready(self) -> Iterator[Member]:
        """Who could be elected now, the next in turn first."""
        now = self.now()
        return (member for member in self.candidates() if member.waits_until <= now)

    def elect(self, member: Member) -> None:
        """Make a member primary. One that was primary is none any more, and knows.

        Args:
            member: a connected one that is electable, in a set that has a majority.
        """
        self.term += 1
        self.primary = member
        member.waits_until = 0.0
        self._last_winner = member.number
        # A new primary writes a first entry of its term.
        self.election_time = self.clock.tick()
        self.refresh()

    def step_down(self, seconds: float) -> None:
        """The primary becomes a secondary.

        Args:
            seconds: for how long it is no candidate.
        """
        if self.primary is not None:
            self.primary.waits_until = self.now() + seconds
            self.primary = None
            self.refresh()

    def freeze(self, member: Member, seconds: float) -> None:
        """A member is no candidate for some time.

        Args:
            member: the member.
            seconds: for how long; 0 ends it.
        """
        member.waits_until = self.now() + seconds
        self.refresh()

    def refresh(self) -> None:
        """Draw the consequences of a change."""
        if self.primary is not None and not (self.primary.is_connected and self.has_majority):
            self.primary = None
        for member in self.members:
            known = member.known_primary
            shown = (member.is_writable, known.address if known is not None else None)
            if shown != member.shown:
                member.shown = shown
                member.changed()
        self.on_change()
