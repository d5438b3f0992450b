"""replSetGetStatus, replSetStepDown, replSetFreeze. MongoDB's manual: "Replication commands"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bson import Int64

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.data.values import integer
from aiomongo_tls.testing.deployment.membership import Member, MemberKind, MemberState
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document

STEP_DOWN = 60
"""Seconds for which a primary steps down if the command does not say."""
CATCH_UP = 10
"""Seconds for which a real primary waits for a secondary to catch up; here none is ever behind."""


def get_status(request: Request) -> Document:
    """The set as this member sees it."""
    Fields(request.name, request.document, ("initialSync",))
    own = _member(request)
    group = own.membership
    data = [member for member in group.members if member.kind is not MemberKind.ARBITER]
    return {
        "set": group.name,
        "date": request.server.now(),
        "myState": own.state.value,
        "term": Int64(group.term),
        "syncSourceHost": "",
        "syncSourceId": -1,
        "heartbeatIntervalMillis": Int64(2000),
        "majorityVoteCount": group.majority,
        "writeMajorityCount": min(group.majority, len(data)),
        "votingMembersCount": len(group.members),
        "writableVotingMembersCount": len(data),
        "members": [_row(own, member) for member in group.members],
    }


def _row(own: Member, member: Member) -> Document:
    sees = member is own or (own.is_connected and member.is_connected)
    state = member.state if sees else MemberState.DOWN
    clock = own.membership.clock
    row: Document = {
        "_id": member.number,
        "name": str(member.address),
        "health": float(sees),
        "state": state.value,
        "stateStr": state.name if sees else "(not reachable/healthy)",
    }
    if sees and member.kind is not MemberKind.ARBITER:
        row["optime"] = {"ts": clock.last_write, "t": Int64(own.membership.term)}
        row["optimeDate"] = clock.last_write_date
    if state is MemberState.PRIMARY:
        row["electionTime"] = own.membership.election_time
    row |= {"configVersion": own.membership.set_version, "configTerm": own.membership.term}
    if member is own:
        row["self"] = True
    return row


def step_down(request: Request) -> Document:
    """The primary becomes a secondary, and is not elected again for some time."""
    fields = Fields(request.name, request.document, ("secondaryCatchUpPeriodSecs", "force"))
    member = _member(request)
    force = fields.flag("force")
    seconds = _seconds(request) or STEP_DOWN
    catch_up = fields.whole("secondaryCatchUpPeriodSecs")
    catch_up = (0 if force else CATCH_UP) if catch_up is None else catch_up
    if seconds < 0:
        raise CommandError(ErrorCode.BadValue, "stepdown period must be a positive integer")
    if seconds <= catch_up:
        raise CommandError(ErrorCode.BadValue, "stepdown period must be longer than secondaryCatchUpPeriodSecs")
    if not member.is_writable:
        raise CommandError(ErrorCode.NotWritablePrimary, "not primary so can't step down")
    if not force and not any(other is not member for other in member.membership.ready()):
        raise CommandError(
            ErrorCode.ExceededTimeLimit,
            f"No electable secondaries caught up as of {request.server.now().isoformat()}Z. Please use the "
            "replSetStepDown command with the argument {force: true} to force node to step down.",
        )
    member.membership.step_down(seconds)
    return {}


def freeze(request: Request) -> Document:
    """A secondary is not elected for some time; 0 ends that."""
    Fields(request.name, request.document, ())
    member = _member(request)
    seconds = _seconds(request)
    if seconds < 0:
        raise CommandError(ErrorCode.BadValue, "Don't freeze for a negative time")
    if member.is_writable:
        raise CommandError(
            ErrorCode.NotSecondary, "Cannot freeze node when primary or running for election, state: Primary"
        )
    member.membership.freeze(member, seconds)
    return {"info": "unfreezing"} if not seconds else {}


def _member(request: Request) -> Member:
    if not isinstance(request.node, Member):
        raise CommandError(ErrorCode.NoReplicationEnabled, "not running with --replSet")
    return request.node


def _seconds(request: Request) -> int:
    seconds = integer(request.argument)
    if seconds is None:
        raise CommandError(
            ErrorCode.TypeMismatch,
            f"BSON field '{request.name}.{request.name}' is the wrong type, expected type 'number'",
        )
    return seconds
