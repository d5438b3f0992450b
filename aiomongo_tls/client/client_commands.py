"""The methods of a client that ask the server something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.client.command_cursor import AsyncCommandCursor
from aiomongo_tls.client.database_commands import DatabaseCommands
from aiomongo_tls.client.namespace import Configured
from aiomongo_tls.core.commands.administration import with_concern
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.names import check_database_name
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import Retryability

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClientCommands(Configured):
    """The methods of a client that send something."""

    async def ping(self, *, timeoutMS: float | None = None) -> dict[str, Any]:  # noqa: N803 - the option's name
        """Ask the server for a sign of life and return its answer.

            await client.ping(timeoutMS=500)      # is this service ready?

        Args:
            timeoutMS: how long to wait for it, instead of the client's `timeoutMS`; 0 for no limit. A block of
                `aiomongo_tls.timeout()` around it can only be shortened.

        Raises:
            MongoError: there was none.
            TypeError: `timeoutMS` is not a number.
            ValueError: `timeoutMS` is negative.
        """
        return dict(await self._admin({"ping": 1}, None, timeout_ms=timeoutMS))

    async def server_info(self, session: None = None) -> dict[str, Any]:
        """The server's version and how it was built.

        Args:
            session: must be None; there are no sessions yet.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        return dict(await self._admin({"buildInfo": 1}, session))

    async def list_databases(
        self, session: None = None, comment: Any = None, **kwargs: Any
    ) -> AsyncCommandCursor[dict[str, Any]]:
        """The databases, as the server describes them.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: `filter`, `nameOnly`, `authorizedDatabases`.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        document: dict[str, Any] = {"listDatabases": 1}
        document |= {name: value for name, value in {**kwargs, "comment": comment}.items() if value is not None}
        reply = await self._admin(document, session)
        return AsyncCommandCursor[dict[str, Any]].over(self._executor, reply["databases"])

    async def list_database_names(self, session: None = None, comment: Any = None) -> list[str]:
        """The names of the databases.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        cursor = await self.list_databases(session, comment, nameOnly=True)
        return [description["name"] async for description in cursor]

    async def drop_database(
        self, name_or_database: str | DatabaseCommands[Any], session: None = None, comment: Any = None
    ) -> None:
        """Drop a database. It is no error if it is not there.

        Args:
            name_or_database: its name, or an `AsyncDatabase`.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            TypeError: neither a name nor a database.
            MongoError: the server could not be asked, or refused.
        """
        name = name_or_database.name if isinstance(name_or_database, DatabaseCommands) else name_or_database
        document = with_concern({"dropDatabase": 1}, self.write_concern, comment)
        await self._run(self._settings.write_command(check_database_name(name), document), session)

    async def _admin(
        self, document: dict[str, Any], session: object, *, timeout_ms: float | None = None
    ) -> Mapping[str, Any]:
        command = Command(
            database="admin",
            document=document,
            read_preference=ReadPreference.PRIMARY,
            retryability=Retryability.READ,
        )
        return await self._run(command, session, timeout_ms=timeout_ms)
