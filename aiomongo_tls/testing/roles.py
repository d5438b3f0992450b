"""What users may do: MongoDB's built-in roles, cut down to kinds of commands."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Privilege(Enum):
    """A kind of commands that a role allows on a database."""

    READ = "read"
    WRITE = "write"
    """Documents; collections and indexes, too."""
    MANAGE = "manage"
    """Collections and indexes; dropping a database."""
    USERS = "users"
    MONITOR = "monitor"
    """Questions about the server."""
    CLUSTER = "cluster"
    """Who is primary."""


_ALL: Final = frozenset(Privilege)
_READ: Final = frozenset({Privilege.READ})
_WRITE: Final = frozenset({Privilege.READ, Privilege.WRITE})
_MANAGE: Final = frozenset({Privilege.MANAGE})
_USERS: Final = frozenset({Privilege.USERS})

_OF_A_DATABASE: Final[Mapping[str, frozenset[Privilege]]] = {
    "read": _READ,
    "readWrite": _WRITE,
    "dbAdmin": _MANAGE,
    "userAdmin": _USERS,
    "dbOwner": _WRITE | _MANAGE | _USERS,
}
_OF_ALL_DATABASES: Final[Mapping[str, frozenset[Privilege]]] = {
    "readAnyDatabase": _READ,
    "readWriteAnyDatabase": _WRITE,
    "dbAdminAnyDatabase": _MANAGE,
    "userAdminAnyDatabase": _USERS,
    "clusterMonitor": frozenset({Privilege.MONITOR}),
    "clusterManager": frozenset({Privilege.CLUSTER, Privilege.MONITOR}),
    "clusterAdmin": frozenset({Privilege.CLUSTER, Privilege.MONITOR}),
    "root": _ALL,
}
ROLES: Final = (*_OF_A_DATABASE, *_OF_ALL_DATABASES)
"""The names of the roles that are here. Those for all databases belong to `admin`."""


def qualified(role: str, database: str) -> tuple[str, str]:
    """A role and its database.

    Args:
        role: its name, or `name@database`.
        database: the database where the role does not say.

    Raises:
        ValueError: there is no such role, or not in that database.
    """
    name, _, elsewhere = role.partition("@")
    where = elsewhere or ("admin" if name in _OF_ALL_DATABASES else database)
    if name not in ROLES:
        raise ValueError(f"no role named {name!r}; here are {', '.join(ROLES)}")
    if name in _OF_ALL_DATABASES and where != "admin":
        raise ValueError(f"no role named {name!r} in the database {where!r}; it belongs to admin")
    return name, where


def allows(roles: tuple[tuple[str, str], ...], privilege: Privilege, database: str) -> bool:
    """Whether somebody with these roles has a privilege on a database.

    Args:
        roles: roles, each with its database.
        privilege: the privilege.
        database: the database concerned.
    """
    return any(
        privilege in _OF_ALL_DATABASES.get(name, ())
        or (where == database and privilege in _OF_A_DATABASE.get(name, ()))
        for name, where in roles
    )
