"""What the embedded server needs of a store: databases with collections in them. Narrow, so another can replace it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aiomongo_tls.testing.data.collection import Collection
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAMESPACE = 255
"""Bytes of the longest `database.collection`."""


class Store(Protocol):
    """Databases and collections by name. One thread at a time."""

    def databases(self) -> list[str]:
        """The names of the databases that have a collection, sorted."""
        ...

    def collections(self, database: str) -> Mapping[str, Collection]:
        """The collections of a database by name."""
        ...

    def find(self, database: str, name: str) -> Collection | None:
        """A collection, None if there is none of that name."""
        ...

    def create(self, database: str, name: str) -> Collection:
        """A collection, which is made if it is not there."""
        ...

    def replace(self, database: str, name: str, collection: Collection) -> None:
        """Put a collection in the place of another one."""
        ...

    def drop(self, database: str, name: str) -> bool:
        """Remove a collection; whether it was there."""
        ...

    def drop_database(self, database: str) -> None:
        """Remove a database."""
        ...


class MemoryStore:
    """A store in memory, gone with its server."""

    def __init__(self) -> None:
        self._databases: dict[str, dict[str, Collection]] = {}

    def databases(self) -> list[str]:
        """The names of the databases that have a collection, sorted."""
        return sorted(self._databases)

    def collections(self, database: str) -> Mapping[str, Collection]:
        """The collections of a database by name."""
        return self._databases.get(database, {})

    def find(self, database: str, name: str) -> Collection | None:
        """A collection, None if there is none of that name."""
        return self._databases.get(database, {}).get(name)

    def create(self, database: str, name: str) -> Collection:
        """A collection, which is made if it is not there.

        Raises:
            CommandError: the name is not one that a collection may have.
        """
        found = self.find(database, name)
        if found is None:
            check_names(database, name)
            found = Collection(f"{database}.{name}")
            self._databases.setdefault(database, {})[name] = found
        return found

    def replace(self, database: str, name: str, collection: Collection) -> None:
        """Put a collection in the place of another one."""
        self._databases.setdefault(database, {})[name] = collection

    def drop(self, database: str, name: str) -> bool:
        """Remove a collection; whether it was there."""
        collections = self._databases.get(database, {})
        was_there = collections.pop(name, None) is not None
        if not collections:
            self._databases.pop(database, None)
        return was_there

    def drop_database(self, database: str) -> None:
        """Remove a database."""
        self._databases.pop(database, None)


def check_names(database: str, name: str) -> None:
    """Refuse names that the server refuses.

    Raises:
        CommandError: 73 InvalidNamespace.
    """
    if not database or set(database) & set('/\\. "$\0') or len(database.encode()) > 63:
        raise CommandError(ErrorCode.InvalidNamespace, f"Invalid database name: '{database}'")
    if not name or name.startswith((".", "system.")) or "$" in name or "\0" in name:
        raise CommandError(ErrorCode.InvalidNamespace, f"Invalid namespace specified '{database}.{name}'")
    if len(f"{database}.{name}".encode()) > MAX_NAMESPACE:
        raise CommandError(ErrorCode.InvalidNamespace, f"the name of a namespace has at most {MAX_NAMESPACE} bytes")
