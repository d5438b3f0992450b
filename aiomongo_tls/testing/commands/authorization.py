"""Whether the user of a connection may run a command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.data.values import is_array, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode
from aiomongo_tls.testing.roles import Privilege, allows

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request


def authorize(request: Request, privileges: tuple[Privilege, ...]) -> None:
    """Refuse a command that none of the user's roles allows.

    Args:
        request: the command.
        privileges: any of these allows it; without any, every user may run it.

    Raises:
        CommandError: 13, it is not allowed.
    """
    roles = request.connection.roles
    if roles is None or not request.server.access_control:
        return
    for database, wanted in _wants(request, privileges):
        if wanted and not any(allows(roles, privilege, database) for privilege in wanted):
            raise CommandError(
                ErrorCode.Unauthorized, f"not authorized on {database} to execute command {request.name}"
            )


def may_see(request: Request, database: str) -> bool:
    """Whether a database is listed for the user.

    Args:
        request: the command that lists.
        database: the database.
    """
    roles = request.connection.roles
    if roles is None or not request.server.access_control:
        return True
    return any(allows(roles, privilege, database) for privilege in (Privilege.READ, Privilege.MANAGE))


def _wants(request: Request, privileges: tuple[Privilege, ...]) -> Iterator[tuple[str, tuple[Privilege, ...]]]:
    """What is needed where: a command may reach into other databases than its own."""
    if request.name == "renameCollection":
        for namespace in (request.argument, request.document.get("to")):
            yield str(namespace).partition(".")[0], privileges
        return
    yield request.database, privileges
    pipeline: Any = request.document.get("pipeline")
    if request.name == "aggregate" and is_array(pipeline):
        for stage in pipeline:
            if is_document(stage) and ("$out" in stage or "$merge" in stage):
                yield _target(request.database, stage), (Privilege.WRITE,)


def _target(database: str, stage: dict[str, Any]) -> str:
    """The database that a stage writes to: `$out: {db, coll}`, `$merge: {into: {db, coll}}`, or names alone."""
    into: Any = stage.get("$out", stage.get("$merge"))
    if is_document(into) and "into" in into:
        into = into["into"]
    return str(into.get("db", database)) if is_document(into) else database
