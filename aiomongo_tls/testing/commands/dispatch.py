"""The table of commands, and the way from a request to a reply."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiomongo_tls.testing.commands import (
    aggregation,
    authentication,
    collections,
    diagnostics,
    handshake,
    indexes,
    modification,
    reads,
    replication,
    sasl,
    sessions,
    writes,
)
from aiomongo_tls.testing.commands.authorization import authorize
from aiomongo_tls.testing.commands.error_labels import finished
from aiomongo_tls.testing.commands.generic import check_generic
from aiomongo_tls.testing.deployment.node import Placement
from aiomongo_tls.testing.failures import NOT_PRIMARY, CommandError, ErrorCode, not_here
from aiomongo_tls.testing.roles import Privilege

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiomongo_tls.testing.commands.request import Request
    from aiomongo_tls.testing.data.values import Document

_log = logging.getLogger("aiomongo_tls.testing")


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table.

    Args:
        run: makes the reply, without `ok`.
        needs_user: whether somebody has to be logged in, if the server has access control.
        admin_only: whether it may only be sent to the database `admin`.
        needs: the privileges of which any allows it; without any, every user may run it.
        placement: which members of a replica set carry it out.
    """

    run: Callable[[Request], Document]
    needs_user: bool = True
    admin_only: bool = False
    needs: tuple[Privilege, ...] = ()
    placement: Placement = Placement.ANYWHERE


_READ = (Privilege.READ,)
_WRITE = (Privilege.WRITE,)
_LIST = (Privilege.READ, Privilege.MANAGE)
_CHANGE = (Privilege.WRITE, Privilege.MANAGE)
_MANAGE = (Privilege.MANAGE,)
_USERS = (Privilege.USERS,)
_MONITOR = (Privilege.MONITOR,)
_CLUSTER = (Privilege.CLUSTER,)
_ON_READER = Placement.READ
_ON_PRIMARY = Placement.WRITE

COMMANDS: Mapping[str, Command] = {
    "hello": Command(handshake.hello, needs_user=False),
    "isMaster": Command(handshake.hello, needs_user=False),
    "ismaster": Command(handshake.hello, needs_user=False),
    "authenticate": Command(authentication.authenticate, needs_user=False),
    "saslStart": Command(sasl.sasl_start, needs_user=False),
    "saslContinue": Command(sasl.sasl_continue, needs_user=False),
    "logout": Command(authentication.logout, needs_user=False),
    "connectionStatus": Command(authentication.connection_status, needs_user=False),
    "createUser": Command(authentication.create_user, needs=_USERS, placement=_ON_PRIMARY),
    "dropUser": Command(authentication.drop_user, needs=_USERS, placement=_ON_PRIMARY),
    "ping": Command(diagnostics.ping, needs_user=False),
    "buildInfo": Command(diagnostics.build_info, needs_user=False),
    "buildinfo": Command(diagnostics.build_info, needs_user=False),
    "whatsmyuri": Command(diagnostics.whats_my_uri, needs_user=False),
    "hostInfo": Command(diagnostics.host_info, needs=_MONITOR),
    "getParameter": Command(diagnostics.get_parameter, admin_only=True, needs=_MONITOR),
    "configureFailPoint": Command(diagnostics.configure_fail_point, admin_only=True),
    "replSetGetStatus": Command(replication.get_status, admin_only=True, needs=_MONITOR),
    "replSetStepDown": Command(replication.step_down, admin_only=True, needs=_CLUSTER),
    "replSetFreeze": Command(replication.freeze, admin_only=True, needs=_CLUSTER),
    "getLog": Command(diagnostics.get_log, admin_only=True, needs=_MONITOR),
    "getCmdLineOpts": Command(diagnostics.get_cmd_line_opts, admin_only=True, needs=_MONITOR),
    "startSession": Command(sessions.start),
    "endSessions": Command(sessions.end, needs_user=False),
    "refreshSessions": Command(sessions.end, needs_user=False),
    "killSessions": Command(sessions.kill),
    "killAllSessions": Command(sessions.kill_all, needs=_CLUSTER),
    "find": Command(reads.find, needs=_READ, placement=_ON_READER),
    "getMore": Command(reads.get_more, needs=_LIST),
    "killCursors": Command(reads.kill_cursors, needs=_LIST),
    "count": Command(reads.count, needs=_READ, placement=_ON_READER),
    "distinct": Command(reads.distinct, needs=_READ, placement=_ON_READER),
    "insert": Command(writes.insert, needs=_WRITE, placement=_ON_PRIMARY),
    "update": Command(writes.update, needs=_WRITE, placement=_ON_PRIMARY),
    "delete": Command(writes.delete, needs=_WRITE, placement=_ON_PRIMARY),
    "findAndModify": Command(modification.find_and_modify, needs=_WRITE, placement=_ON_PRIMARY),
    "findandmodify": Command(modification.find_and_modify, needs=_WRITE, placement=_ON_PRIMARY),
    "aggregate": Command(aggregation.aggregate, needs=_READ, placement=_ON_READER),
    "create": Command(collections.create, needs=_CHANGE, placement=_ON_PRIMARY),
    "drop": Command(collections.drop, needs=_CHANGE, placement=_ON_PRIMARY),
    "dropDatabase": Command(collections.drop_database, needs=_MANAGE, placement=_ON_PRIMARY),
    "renameCollection": Command(collections.rename_collection, admin_only=True, needs=_CHANGE, placement=_ON_PRIMARY),
    "listCollections": Command(collections.list_collections, needs=_LIST, placement=_ON_READER),
    "listDatabases": Command(collections.list_databases, admin_only=True, placement=_ON_READER),
    "createIndexes": Command(indexes.create_indexes, needs=_CHANGE, placement=_ON_PRIMARY),
    "listIndexes": Command(indexes.list_indexes, needs=_LIST, placement=_ON_READER),
    "dropIndexes": Command(indexes.drop_indexes, needs=_CHANGE, placement=_ON_PRIMARY),
}
"""Every command by its name, spelled as the server accepts it."""

ELSEWHERE = frozenset(
    {
        *("abortTransaction", "commitTransaction", "collMod", "collStats", "compact", "convertToCapped", "currentOp"),
        *("dbStats", "dbHash", "explain", "fsync", "geoSearch", "killOp"),
        *("mapReduce", "planCacheClear", "profile", "reIndex", "rotateCertificates"),
        *("serverStatus", "setParameter", "shutdown", "top", "updateUser", "usersInfo", "validate", "grantRolesToUser"),
        *("createRole", "dropRole", "rolesInfo", "createSearchIndexes", "dropSearchIndex"),
        *("listCommands", "killAllSessionsByPattern", "setFeatureCompatibilityVersion", "dropAllUsersFromDatabase"),
    }
)
"""Commands of a real server that are not here."""


def answer(request: Request) -> Document:
    """Carry out a command.

    Args:
        request: the command.

    Returns:
        The whole reply; an error is a reply too.
    """
    try:
        reply = {**_run(request), "ok": 1.0}
    except CommandError as error:
        return refused(request, error)
    except Exception as exc:  # noqa: BLE001 - a mistake here must not take the server down, and must be seen
        _log.exception("the embedded server failed to answer %s", request.name)
        reply = CommandError(ErrorCode.InternalError, f"{type(exc).__name__} in the embedded server: {exc}").reply()
    return _complete(request, reply)


def refused(request: Request, error: CommandError) -> Document:
    """The reply to a command that is not carried out, or only in part.

    Args:
        request: the command.
        error: why.
    """
    reply = error.reply()
    node = request.node
    if error.code in NOT_PRIMARY and node.clock is not None and not node.is_router:
        reply["topologyVersion"] = node.topology_version.document
    return _complete(request, reply)


def _complete(request: Request, reply: Document) -> Document:
    return {**finished(reply, request), **request.node.gossip()}


def _run(request: Request) -> Document:
    command = COMMANDS.get(request.name)
    nobody = request.server.access_control and request.connection.user is None
    # Without a user there is no telling whose session it would be.
    if command is not None and (command.needs_user or not nobody):
        request.session = sessions.identify(request)
    if request.failure is not None and request.failure.error is not None:
        raise request.failure.error
    if command is None:
        if request.name in ELSEWHERE:
            raise not_here(f"the command {request.name}")
        raise CommandError(ErrorCode.CommandNotFound, f"no such command: '{request.name}'")
    if command.needs_user and nobody:
        raise CommandError(ErrorCode.Unauthorized, f"Command {request.name} requires authentication")
    if command.admin_only and request.database != "admin":
        raise CommandError(ErrorCode.Unauthorized, f"{request.name} may only be run against the admin database.")
    authorize(request, command.needs)
    check_generic(request)
    node = request.node
    node.check(command.placement, request.document)
    request.retryable_write = sessions.begin(request)
    request.writes_before = request.connection.writes
    reply = command.run(request)
    if command.placement is Placement.WRITE:
        node.wrote()
        unmet = node.unmet(request.document)
        if unmet is not None:
            reply["writeConcernError"] = unmet
    return reply
