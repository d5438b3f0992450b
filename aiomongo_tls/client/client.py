"""AsyncClient, AsyncDatabase, AsyncCollection: what a user holds.

The three stand in one file because each knows the others by type: a client makes databases, a database makes
collections, a collection has its database and a database its client. What they send is in the families that they
inherit from.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Generic, NoReturn, cast, overload

from aiomongo_tls.client.client_commands import ClientCommands
from aiomongo_tls.client.client_servers import ClientServers
from aiomongo_tls.client.collection_changes import CollectionChanges
from aiomongo_tls.client.collection_indexes import CollectionIndexes
from aiomongo_tls.client.collection_reads import CollectionReads
from aiomongo_tls.client.collection_writes import CollectionWrites
from aiomongo_tls.client.connecting import Connecting
from aiomongo_tls.client.database_commands import DatabaseCommands
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.client.not_here import refuse_session, refuses_what_is_not_here
from aiomongo_tls.client.settings import Settings
from aiomongo_tls.core.commands.administration import create_document, with_concern
from aiomongo_tls.core.commands.document_type import DocumentType, OtherDocumentType
from aiomongo_tls.core.commands.names import check_collection_name, check_database_name
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.errors import CollectionInvalid, ConfigurationError, InvalidOperation
from aiomongo_tls.topology.topology import Topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    from bson.codec_options import CodecOptions, TypeRegistry

    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
    from aiomongo_tls.core.options.read_preference import ReadPreference
    from aiomongo_tls.core.uri.keywords import ConnectOptions, IdentityOptions


def _new_session_id() -> bytes:
    return uuid.uuid4().bytes


def _attribute(owner: object, name: str) -> str:
    """The name of a database or collection that is asked for as an attribute."""
    # What begins with an underscore is asked for by Python and its tools (copy, inspect, debuggers) all the time.
    if name.startswith("_"):
        raise AttributeError(f"{type(owner).__name__} has no attribute {name!r}; for that name write [{name!r}]")
    return name


@refuses_what_is_not_here
class AsyncCollection(
    CollectionReads[DocumentType],
    CollectionWrites[DocumentType],
    CollectionChanges[DocumentType],
    CollectionIndexes[DocumentType],
):
    """A collection. Get it from a database: `database["users"]` or `database.users`.

    It is cheap, does no I/O, and need not be closed. `collection.archive` is the collection `users.archive`.

    Args:
        database: its database.
        name: its name.
        create: must be false; `await database.create_collection(name)` creates one.
        codec_options: how documents are made from BSON and the other way round; the database's if None.
        read_preference: where to read from; the database's if None.
        write_concern: how well confirmed a write must be; the database's if None.
        read_concern: how well confirmed a read must be; the database's if None.
        session: must be None; there are no sessions yet.

    Raises:
        InvalidName: a name that MongoDB does not allow.
        TypeError: an argument of the wrong type.
    """

    def __init__(
        self,
        database: AsyncDatabase[Any],
        name: str,
        create: bool | None = False,
        codec_options: CodecOptions[DocumentType] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
        session: None = None,
    ) -> None:
        refuse_session(session)
        if create:
            raise InvalidOperation("to create a collection, `await database.create_collection(name)`")
        settings = database._settings.changed(  # noqa: SLF001 - made by its parent
            codec_options, read_preference, write_concern, read_concern
        )
        executor = database._executor  # noqa: SLF001
        super().__init__(executor, settings, database.name, check_collection_name(name))
        self._database: AsyncDatabase[Any] = database

    @property
    def database(self) -> AsyncDatabase[DocumentType]:
        """The database that it belongs to."""
        return self._database

    @overload
    def with_options(
        self,
        codec_options: None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncCollection[DocumentType]: ...

    @overload
    def with_options(
        self,
        codec_options: CodecOptions[OtherDocumentType],
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncCollection[OtherDocumentType]: ...

    def with_options(
        self,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncCollection[Any]:
        """The same collection with other options; what is None stays.

        Args:
            codec_options: how documents are made from BSON and the other way round.
            read_preference: where to read from.
            write_concern: how well confirmed a write must be.
            read_concern: how well confirmed a read must be.

        Raises:
            TypeError: an argument of the wrong type.
        """
        settings = self._settings.changed(codec_options, read_preference, write_concern, read_concern)
        return self._with(self._name, settings)

    async def drop(
        self, session: None = None, comment: Any = None, encrypted_fields: Mapping[str, Any] | None = None
    ) -> None:
        """Drop the collection with its indexes. It is no error if it is not there.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            encrypted_fields: must be None; queryable encryption is not here yet.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        database = self._database.with_options(write_concern=self.write_concern)
        await database.drop_collection(self._name, session, comment, encrypted_fields)

    async def rename(self, new_name: str, session: None = None, comment: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Give the collection another name in its database, and return the reply. This object keeps the old name.

        Args:
            new_name: the name.
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.
            kwargs: `dropTarget=True` to drop a collection that has the name.

        Raises:
            InvalidName: a name that MongoDB does not allow.
            MongoError: the server could not be asked, or refused.
        """
        target = f"{self._database_name}.{check_collection_name(new_name)}"
        document = with_concern(
            {"renameCollection": self.full_name, "to": target, **kwargs}, self.write_concern, comment
        )
        return dict(await self._run(self._settings.write_command("admin", document), session))

    async def options(self, session: None = None, comment: Any = None) -> dict[str, Any]:
        """The options that the collection was created with; empty if it is not there.

        Args:
            session: must be None; there are no sessions yet.
            comment: a comment for the server's logs.

        Raises:
            MongoError: the server could not be asked, or refused.
        """
        cursor = await self._database.list_collections(session, {"name": self._name}, comment)
        (description,) = await cursor.to_list() or [{}]
        options: dict[str, Any] = description.get("options", {})
        return options

    def _with(self, name: str, settings: Settings) -> AsyncCollection[Any]:
        return AsyncCollection(self._database, name, False, *settings.values)

    def __getitem__(self, name: str) -> AsyncCollection[DocumentType]:
        return self._with(f"{self._name}.{name}", self._settings)

    def __getattr__(self, name: str) -> AsyncCollection[DocumentType]:
        return self[_attribute(self, name)]

    if not TYPE_CHECKING:  # Type checkers know by themselves that this is no method.

        def __call__(self, *_args: object, **_kwargs: object) -> NoReturn:
            """Says that a method of this name does not exist."""
            method = self._name.rpartition(".")[2]
            owner = "AsyncCollection" if "." in self._name else "AsyncDatabase"
            raise TypeError(f"{owner} has no method {method!r}; what was called is the collection {self.full_name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsyncCollection):
            return NotImplemented
        return self._name == other._name and self._database == other._database

    def __hash__(self) -> int:
        return hash((self._database, self._name))

    def __bool__(self) -> NoReturn:
        raise NotImplementedError("a collection is neither true nor false; write `collection is not None`")

    def __repr__(self) -> str:
        return f"AsyncCollection({self._database!r}, {self._name!r})"


@refuses_what_is_not_here
class AsyncDatabase(DatabaseCommands[DocumentType]):
    """A database. Get it from a client: `client["app"]` or `client.app`.

    It is cheap, does no I/O, and need not be closed.

    Args:
        client: its client.
        name: its name.
        codec_options: how documents are made from BSON and the other way round; the client's if None.
        read_preference: where to read from; the client's if None.
        write_concern: how well confirmed a write must be; the client's if None.
        read_concern: how well confirmed a read must be; the client's if None.

    Raises:
        InvalidName: a name that MongoDB does not allow.
        TypeError: an argument of the wrong type.
    """

    def __init__(
        self,
        client: AsyncClient[Any],
        name: str,
        codec_options: CodecOptions[DocumentType] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> None:
        settings = client._settings.changed(  # noqa: SLF001 - made by its parent
            codec_options, read_preference, write_concern, read_concern
        )
        executor = client._executor  # noqa: SLF001
        super().__init__(executor, settings, check_database_name(name))
        self._client: AsyncClient[Any] = client

    @property
    def client(self) -> AsyncClient[DocumentType]:
        """The client that it belongs to."""
        return self._client

    @overload
    def with_options(
        self,
        codec_options: None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[DocumentType]: ...

    @overload
    def with_options(
        self,
        codec_options: CodecOptions[OtherDocumentType],
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[OtherDocumentType]: ...

    def with_options(
        self,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[Any]:
        """The same database with other options; what is None stays.

        Args:
            codec_options: how documents are made from BSON and the other way round.
            read_preference: where to read from.
            write_concern: how well confirmed a write must be.
            read_concern: how well confirmed a read must be.

        Raises:
            TypeError: an argument of the wrong type.
        """
        settings = self._settings.changed(codec_options, read_preference, write_concern, read_concern)
        return AsyncDatabase(self._client, self._name, *settings.values)

    @overload
    def get_collection(
        self,
        name: str,
        codec_options: None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncCollection[DocumentType]: ...

    @overload
    def get_collection(
        self,
        name: str,
        codec_options: CodecOptions[OtherDocumentType],
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncCollection[OtherDocumentType]: ...

    def get_collection(
        self,
        name: str,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncCollection[Any]:
        """A collection of this database, with options of its own where they are given.

        Args:
            name: its name.
            codec_options: how documents are made from BSON and the other way round.
            read_preference: where to read from.
            write_concern: how well confirmed a write must be.
            read_concern: how well confirmed a read must be.

        Raises:
            InvalidName: a name that MongoDB does not allow.
            TypeError: an argument of the wrong type.
        """
        return AsyncCollection(self, name, False, codec_options, read_preference, write_concern, read_concern)

    async def create_collection(
        self,
        name: str,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
        session: None = None,
        check_exists: bool | None = True,
        **kwargs: Any,
    ) -> AsyncCollection[DocumentType]:
        """Create a collection with options. One without any is created by its first insert.

        Args:
            name: its name.
            codec_options: how documents are made from BSON and the other way round.
            read_preference: where to read from.
            write_concern: how well confirmed a write must be.
            read_concern: how well confirmed a read must be.
            session: must be None; there are no sessions yet.
            check_exists: whether to look first whether it exists.
            kwargs: the options under the server's names: `capped`, `size`, `max`, `timeseries`, `clusteredIndex`,
                `validator`, `viewOn`, `pipeline`, `collation`, ...

        Raises:
            CollectionInvalid: it exists.
            InvalidName: a name that MongoDB does not allow.
            MongoError: the server could not be asked, or refused.
        """
        collection: AsyncCollection[Any] = self.get_collection(
            name, codec_options, read_preference, write_concern, read_concern
        )
        document = create_document(name, kwargs, collection.write_concern)
        refuse_session(session)
        if check_exists and name in await self.list_collection_names(filter={"name": name}):
            raise CollectionInvalid(f"the collection {collection.full_name!r} exists")
        await self._run(self._settings.write_command(self._name, document), session)
        return collection

    def __getitem__(self, name: str) -> AsyncCollection[DocumentType]:
        return AsyncCollection(self, name)

    def __getattr__(self, name: str) -> AsyncCollection[DocumentType]:
        return self[_attribute(self, name)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsyncDatabase):
            return NotImplemented
        return self._client is other._client and self._name == other._name

    def __hash__(self) -> int:
        return hash((id(self._client), self._name))

    def __bool__(self) -> NoReturn:
        raise NotImplementedError("a database is neither true nor false; write `database is not None`")

    def __repr__(self) -> str:
        return f"AsyncDatabase({self._client!r}, {self._name!r})"


@refuses_what_is_not_here
class AsyncClient(ClientCommands, ClientServers, Generic[DocumentType]):
    """A client of a MongoDB server, for one event loop.

        async with AsyncClient.connect(uri) as client:
            await client["app"]["users"].insert_one({"name": "Ada"})

    The constructor checks its arguments and does no I/O: the client connects in `async with`, by `aconnect()`, or at
    its first operation. `connect()` connects before it returns, and says so if it cannot.

    One client serves a whole program: it holds a pool of connections that any number of tasks share. Close it at the
    end.

    Args:
        host: a URI, the name or address of a host, or a list of hosts; localhost if None.
        port: the port of a host that names none.
        document_class: the class of the documents that are returned; `dict` if None.
        tz_aware: whether dates have a time zone.
        connect: must not be true: a constructor cannot connect.
        type_registry: types of your own in documents.
        options: all options of a URI as keywords, and some that only Python can say (`ssl_context`, ...); they win
            over the URI. See the README's table.

    Raises:
        ConfigurationError: the arguments cannot be used; says which, and the mend.
    """

    @overload
    def __init__(
        self: AsyncClient[OtherDocumentType],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        document_class: type[OtherDocumentType],
        connect: bool | None = None,
        **options: Any,
    ) -> None: ...

    @overload
    def __init__(
        self: AsyncClient[dict[str, Any]],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        **options: Unpack[ConnectOptions],
    ) -> None: ...

    def __init__(
        self,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        document_class: Any = None,
        tz_aware: bool | None = None,
        connect: bool | None = None,
        type_registry: TypeRegistry | None = None,
        **options: Any,
    ) -> None:
        given = {
            "port": port,
            "document_class": document_class,
            "tz_aware": tz_aware,
            # False is what a constructor does anyway.
            "connect": connect or None,
            "type_registry": type_registry,
        }
        options |= {name: value for name, value in given.items() if value is not None}
        # What with_identity() changes a part of.
        self._given: tuple[Any, dict[str, Any]] = host, options
        self._identities: tuple[IdentityOptions, ...] = ()
        self._options: ClientOptions = resolve(host, options)
        executor = Executor(self._options, Topology(self._options), _new_session_id)
        super().__init__(executor, Settings.of(self._options))

    def with_identity(self, **identity: Unpack[IdentityOptions]) -> AsyncClient[DocumentType]:
        """A client of the same servers as somebody else: with another certificate, or another user.

            async with client.with_identity(tlsCertificateKeyFile="tenant.pem") as tenant:
                await tenant.app.orders.find_one()

        It shares what is known of the servers, and the connections that watch them, with this client. Connections and
        sessions are its own: none ever serves another identity. What goes wrong with one identity does not disturb the
        others. It is the first client of all that watches the servers, with its certificate, even after it was closed,
        as long as there are others: what that one cannot reach, none of them can.

        Each client is closed by itself, in any order. Up to `maxIdleIdentities` identities that are in no client any
        more keep their connections, for the next client that asks for the same. Two clients of one identity have their
        connections in common: what the one has under way when it is closed comes to its end.

        Args:
            identity: the options of TLS and authentication that are others. A certificate takes the place of the
                present one with its key, password or `ssl_context`; a username, password or mechanism takes that of the
                whole present credential.

        Returns:
            A client, not connected yet: it connects in `async with`, by `aconnect()`, or at its first operation.

        Raises:
            ConfigurationError: the options cannot be used, or belong to no identity; says which, and the mend.
            InvalidOperation: this client is closed.
        """
        client = cast(AsyncClient[DocumentType], AsyncClient.__new__(AsyncClient))
        client._be(self, identity)  # noqa: SLF001 - of the same class
        return client

    def _be(self, other: AsyncClient[DocumentType], identity: IdentityOptions) -> None:
        """Use another client's servers, in the place of the constructor."""
        self._given, self._identities = other._given, (*other._identities, identity)
        self._options = resolve(*self._given, self._identities)
        topology = other._executor.topology.with_identity(self._options)
        super().__init__(Executor(self._options, topology, _new_session_id), Settings.of(self._options))

    # Life

    @overload
    @classmethod
    def connect(
        cls,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        document_class: type[OtherDocumentType],
        **options: Any,
    ) -> Connecting[AsyncClient[OtherDocumentType]]: ...

    @overload
    @classmethod
    def connect(
        cls,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        **options: Unpack[ConnectOptions],
    ) -> Connecting[AsyncClient[dict[str, Any]]]: ...

    @classmethod
    def connect(
        cls, host: str | Sequence[str] | None = None, port: int | None = None, **options: Any
    ) -> Connecting[AsyncClient[Any]]:
        """A client that is connected: TLS verified, authenticated, a connection in its pool.

            client = await AsyncClient.connect(uri)      # close it yourself
            async with AsyncClient.connect(uri) as client: ...

        It ends within `timeoutMS` and `serverSelectionTimeoutMS`, whichever is shorter. A fault that waiting may mend
        (connection refused, a timeout) is waited out until then; one that it cannot mend (a wrong certificate, an
        unknown user) is raised at once. Failing or cancelled, it leaves nothing open.

        Args:
            host: a URI, the name or address of a host, or a list of hosts; localhost if None.
            port: the port of a host that names none.
            options: keywords as for the class itself.

        Returns:
            A coroutine, which is also an asynchronous context manager.

        Raises:
            ConfigurationError: the arguments cannot be used (raised by the call); a file cannot be (when awaited).
            TLSError: a permanent fault of TLS, with its reason and a hint.
            AuthenticationFailed: the server refused the credential.
            ServerSelectionTimeoutError: the server was not there in time; the last fault is its cause.
            NetworkTimeout: `timeoutMS` passed first; says how far connecting had come.
        """
        client = cls(host, port, **options)
        return Connecting(client.__aenter__(), f"{cls.__name__}.connect")

    async def aconnect(self) -> None:
        """Connect now instead of at the first operation. See `connect()` for how long it takes and what it raises."""
        await self._executor.open()

    async def close(self) -> None:
        """Close the client: end its sessions on the server, close its connections with a goodbye. Idempotent.

        It takes a second at most. A cancelled caller gets its CancelledError when it is done; no task and no socket is
        left. What is still under way fails. A closed client cannot be opened again.
        """
        await self._executor.close()

    async def aclose(self) -> None:
        """Close the client; the same as `close()`, for `contextlib.aclosing`."""
        await self.close()

    def abort(self) -> None:
        """Close the client at once, without a word to the server and without waiting. Idempotent."""
        self._executor.abort()

    async def __aenter__(self) -> Self:
        try:
            await self.aconnect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def options(self) -> ClientOptions:
        """What the client was told, validated and complete."""
        return self._options

    # Databases

    @overload
    def get_database(
        self,
        name: str | None = None,
        codec_options: None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[DocumentType]: ...

    @overload
    def get_database(
        self,
        name: str | None = None,
        *,
        codec_options: CodecOptions[OtherDocumentType],
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[OtherDocumentType]: ...

    def get_database(
        self,
        name: str | None = None,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[Any]:
        """A database, with options of its own where they are given.

        Args:
            name: its name; the one in the URI if None.
            codec_options: how documents are made from BSON and the other way round.
            read_preference: where to read from.
            write_concern: how well confirmed a write must be.
            read_concern: how well confirmed a read must be.

        Raises:
            ConfigurationError: no name, here or in the URI.
            InvalidName: a name that MongoDB does not allow.
            TypeError: an argument of the wrong type.
        """
        if name is None:
            name = self.get_default_database().name
        return AsyncDatabase(self, name, codec_options, read_preference, write_concern, read_concern)

    def get_default_database(
        self,
        default: str | None = None,
        codec_options: CodecOptions[Any] | None = None,
        read_preference: ReadPreference | None = None,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
    ) -> AsyncDatabase[DocumentType]:
        """The database in the URI: `mongodb://host/app` means `app`.

        Args:
            default: the name to use if the URI has none.
            codec_options: how documents are made from BSON and the other way round.
            read_preference: where to read from.
            write_concern: how well confirmed a write must be.
            read_concern: how well confirmed a read must be.

        Raises:
            ConfigurationError: no name, here or in the URI.
            InvalidName: a name that MongoDB does not allow.
            TypeError: an argument of the wrong type.
        """
        name = self._options.database or default
        if name is None:
            raise ConfigurationError("no database is named: put it into the URI (mongodb://host/name), or give a name")
        return AsyncDatabase(self, name, codec_options, read_preference, write_concern, read_concern)

    def __getitem__(self, name: str) -> AsyncDatabase[DocumentType]:
        return AsyncDatabase(self, name)

    def __getattr__(self, name: str) -> AsyncDatabase[DocumentType]:
        return self[_attribute(self, name)]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client cannot be pickled: it has connections and secrets; make one in the other process")

    def __repr__(self) -> str:
        srv = self._options.srv
        hosts = srv.host if srv is not None else ",".join(str(seed) for seed in self._options.seeds)
        return f"AsyncClient({hosts!r}, tls={self._options.tls.enabled})"


AsyncMongoClient = AsyncClient
"""PyMongo's name of the client."""
