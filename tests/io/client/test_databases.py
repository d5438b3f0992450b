"""Databases, collections and indexes as things, end to end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.son import SON

from aiomongo_tls import (
    ASCENDING,
    DESCENDING,
    AsyncClient,
    AsyncCollection,
    AsyncDatabase,
    CollectionInvalid,
    ConfigurationError,
    DuplicateKeyError,
    IndexModel,
    InvalidName,
    OperationFailure,
    WriteConcern,
    WriteConcernError,
)
from aiomongo_tls.testing import MongoTestServer

Client = AsyncClient[dict[str, Any]]


def last(server: MongoTestServer, name: str) -> dict[str, Any]:
    return server.commands_named(name)[-1].document


# The client's questions


async def test_ping_and_server_info(client: Client) -> None:
    """What the server says of itself."""
    assert await client.ping() == {"ok": 1.0}
    info = await client.server_info()
    assert isinstance(info["version"], str)


async def test_databases_come_and_go(client: Client, aiomongo_server: MongoTestServer) -> None:
    """Listed, described, dropped by name or by object."""
    await client["one"]["c"].insert_one({})
    await client["two"]["c"].insert_one({})
    assert sorted(await client.list_database_names()) == ["one", "two"]
    assert last(aiomongo_server, "listDatabases")["nameOnly"] is True
    async with await client.list_databases() as cursor:
        assert sorted(description["name"] for description in await cursor.to_list()) == ["one", "two"]
    await client.drop_database("one", comment="why")
    await client.drop_database(client["two"])
    await client.drop_database("nothing")
    assert await client.list_database_names() == []
    assert aiomongo_server.commands_named("dropDatabase")[0].document["comment"] == "why"
    with pytest.raises(InvalidName):
        await client.drop_database("a b")
    with pytest.raises(TypeError):
        await client.drop_database(5)  # type: ignore[arg-type]


async def test_the_default_database(aiomongo_server: MongoTestServer) -> None:
    """The one in the URI."""
    async with AsyncClient.connect(aiomongo_server.uri(database="shop")) as client:
        assert client.get_default_database().name == "shop"
        assert client.get_default_database("other").name == "shop"
        assert client.get_database().name == "shop"
        assert client.get_database("other").name == "other"
    unnamed = AsyncClient()
    assert unnamed.get_default_database("other").name == "other"
    for ask in (unnamed.get_default_database, unnamed.get_database):
        with pytest.raises(ConfigurationError, match="no database"):
            ask()


# Names and objects


def test_attributes_and_items() -> None:
    """Two spellings of the same; names that Python uses itself are not taken for collections."""
    client = AsyncClient()
    assert client["app"]["users"] == client.app.users
    assert client.app.users.archive.full_name == "app.users.archive"
    assert client["app"]["users"]["archive"].name == "users.archive"
    assert client.app.get_collection("users").database == client["app"]
    assert client.app.client is client
    for owner in (client, client.app, client.app.users):
        with pytest.raises(AttributeError, match="_x"):
            owner._x  # noqa: B018
    for wrong in ("", "a$b", ".a"):
        with pytest.raises(InvalidName):
            client.app[wrong]
    with pytest.raises(InvalidName):
        client["a.b"]
    with pytest.raises(TypeError):
        client.app[5]  # type: ignore[index]


def test_objects_are_equal_by_what_they_name() -> None:
    """And can be keys; they are neither true nor false."""
    client, other = AsyncClient(), AsyncClient()
    assert len({client.app.users, client["app"]["users"], client.app.orders}) == 2
    assert client.app != other.app
    assert client.app != "app"
    assert client.app.users != client.shop.users
    for thing in (client.app, client.app.users):
        with pytest.raises(NotImplementedError, match="is not None"):
            bool(thing)
    shown = "AsyncDatabase(AsyncClient('localhost:27017', tls=False), 'app')"
    assert repr(client.app.users) == f"AsyncCollection({shown}, 'users')"


def test_nothing_is_iterable_by_mistake() -> None:
    """`in`, `list()` and `*` would otherwise go on for ever, asking for `users.0`, `users.1`, ..."""
    client = AsyncClient()
    for thing in (client, client["app"], client["app"]["users"]):
        assert not isinstance(thing, Iterable)
        with pytest.raises(TypeError, match="iterable"):
            iter(thing)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="iterable"):
            assert "x" in thing  # type: ignore[operator]


def test_calling_a_collection_says_that_there_is_no_such_method() -> None:
    """The usual way to notice a typing error."""
    client = AsyncClient()
    with pytest.raises(TypeError, match="AsyncDatabase has no method 'colection_names'"):
        client.app.colection_names()  # type: ignore[operator]
    with pytest.raises(TypeError, match="AsyncCollection has no method 'insert'"):
        client.app.users.insert({})  # type: ignore[operator]


def test_options_of_ones_own() -> None:
    """with_options and the constructors of PyMongo; the original stays as it was."""
    client = AsyncClient()
    users = client.app.users
    majority = WriteConcern("majority")
    assert users.with_options(write_concern=majority).write_concern == majority
    assert users.with_options(write_concern=majority).archive.write_concern == majority
    assert client.app.with_options(write_concern=majority).users.write_concern == majority
    assert AsyncDatabase(client, "app", write_concern=majority).users.write_concern == majority
    assert AsyncCollection(client.app, "users", write_concern=majority).write_concern == majority
    assert users.write_concern == WriteConcern()
    assert users.with_options(CodecOptions(document_class=SON)).codec_options.document_class is SON
    with pytest.raises(TypeError, match="write_concern"):
        users.with_options(write_concern=1)  # type: ignore[call-overload]


# Commands


async def test_command(client: Client, aiomongo_server: MongoTestServer) -> None:
    """As it is: a name or a document, nothing added, nothing changed."""
    own: dict[str, Any] = {"ping": 1}
    assert await client["app"].command(own, comment="why") == {"ok": 1.0}
    assert own == {"ping": 1}
    sent = last(aiomongo_server, "ping")
    assert (sent["$db"], sent["comment"]) == ("app", "why")
    assert (await client["app"].command("buildInfo"))["ok"] == 1.0
    aiomongo_server.on("dbStats").replies({"x": {"y": 1}})
    reply = await client["app"].command("dbStats", 1, scale=1024, codec_options=CodecOptions(document_class=SON))
    assert type(reply) is SON
    assert type(reply["x"]) is SON
    assert last(aiomongo_server, "dbStats")["scale"] == 1024


async def test_commands_that_fail(client: Client) -> None:
    """Raised, or returned where the caller said so."""
    database = client["app"]
    with pytest.raises(OperationFailure) as raised:
        await database.command("nonsense")
    assert raised.value.code == 59
    assert (await database.command("nonsense", check=False))["code"] == 59
    assert (await database.command("nonsense", allowable_errors=[59]))["ok"] == 0.0
    with pytest.raises(OperationFailure):
        await database.command("nonsense", allowable_errors=[60])


# Collections


async def test_collections_come_and_go(client: Client, aiomongo_server: MongoTestServer) -> None:
    """Created, listed, renamed, dropped; dropping what is not there is no error."""
    database = client["app"]
    created = await database.create_collection("users")
    assert created == database["users"]
    with pytest.raises(CollectionInvalid, match="exists"):
        await database.create_collection("users")
    with pytest.raises(OperationFailure):
        await database.create_collection("users", check_exists=False)
    await database["orders"].insert_one({})
    assert sorted(await database.list_collection_names()) == ["orders", "users"]
    assert last(aiomongo_server, "listCollections")["nameOnly"] is True
    assert await database.list_collection_names(filter={"name": "users"}) == ["users"]
    async with await database.list_collections() as cursor:
        assert sorted([description["name"] async for description in cursor]) == ["orders", "users"]
    assert await database["nothing"].options() == {}
    assert await database["users"].options() == {}
    await database["orders"].drop()
    await database["orders"].drop()
    await database.drop_collection(database["users"])
    assert (await database.drop_collection("users", comment="why"))["ok"] in (0.0, 1.0)
    assert await database.list_collection_names() == []
    with pytest.raises(InvalidName):
        await database.drop_collection("a..b")
    with pytest.raises(NotImplementedError):
        await database.drop_collection("users", encrypted_fields={})


async def test_options_of_a_new_collection(client: Client, aiomongo_server: MongoTestServer) -> None:
    """Under the server's names; what the server lists comes back."""
    aiomongo_server.on("create").replies({})
    await client["app"].create_collection("log", check_exists=False, capped=True, size=4096, collation={"locale": "fr"})
    sent = last(aiomongo_server, "create")
    assert (sent["capped"], sent["size"], sent["collation"]) == (True, 4096, {"locale": "fr"})
    batch = [{"name": "log", "type": "collection", "options": {"capped": True}}]
    aiomongo_server.on("listCollections").replies({"cursor": {"id": 0, "ns": "app.$cmd", "firstBatch": batch}})
    assert await client["app"]["log"].options() == {"capped": True}


async def test_rename(client: Client, aiomongo_server: MongoTestServer) -> None:
    """On the admin database, with both names in full."""
    aiomongo_server.on("renameCollection").replies({})
    await client["app"]["users"].rename("people", dropTarget=True)
    sent = last(aiomongo_server, "renameCollection")
    assert (sent["renameCollection"], sent["to"], sent["dropTarget"], sent["$db"]) == (
        "app.users",
        "app.people",
        True,
        "admin",
    )
    with pytest.raises(InvalidName):
        await client["app"]["users"].rename("a..b")


async def test_a_write_concern_that_is_not_met(client: Client, aiomongo_server: MongoTestServer) -> None:
    """Raised by everything that writes; sent by everything that writes."""
    aiomongo_server.on("drop", "dropDatabase", "create", "createIndexes", "dropIndexes", "renameCollection").replies(
        {"writeConcernError": {"code": 100, "errmsg": "not enough members"}}
    )
    database = client.get_database("app", write_concern=WriteConcern(5))
    users = database["users"]
    for write in (
        users.drop(),
        database.drop_collection("users"),
        database.create_collection("users"),
        users.create_index("a"),
        users.drop_index("a"),
        users.drop_indexes(),
        users.rename("b"),
    ):
        with pytest.raises(WriteConcernError):
            await write
    for command in aiomongo_server.commands_named("drop", "create", "createIndexes", "dropIndexes", "renameCollection"):
        assert command.document["writeConcern"] == {"w": 5}
    with pytest.raises(WriteConcernError):
        await client.drop_database("app")
    with pytest.raises(WriteConcernError):
        await users.with_options(write_concern=WriteConcern(7)).drop()
    assert last(aiomongo_server, "drop")["writeConcern"] == {"w": 7}


async def test_dropping_what_is_not_there(client: Client, aiomongo_server: MongoTestServer) -> None:
    """Servers before MongoDB 7.0 call it an error; it is none."""
    aiomongo_server.on("drop").fails(26, "ns not found").times(2)
    assert (await client["app"].drop_collection("nothing"))["ok"] == 0.0
    await client["app"]["nothing"].drop()
    aiomongo_server.on("drop").fails(13)
    with pytest.raises(OperationFailure):
        await client["app"]["users"].drop()


async def test_many_collections_come_in_batches(client: Client, aiomongo_server: MongoTestServer) -> None:
    """`batchSize` goes for all of them, the first and those that follow."""
    for name in ("one", "two", "three"):
        await client["app"].create_collection(name)
    assert sorted(await client["app"].list_collection_names(batchSize=1)) == ["one", "three", "two"]
    assert last(aiomongo_server, "listCollections")["cursor"] == {"batchSize": 1}
    assert last(aiomongo_server, "getMore")["batchSize"] == 1


# Indexes


async def test_indexes_come_and_go(client: Client, aiomongo_server: MongoTestServer) -> None:
    """By keys and by models; listed, described, obeyed, dropped by name and by keys."""
    users = client["app"]["users"]
    assert await (await users.list_indexes()).to_list() == []
    assert await users.create_index("name", unique=True, comment="why", maxTimeMS=1000) == "name_1"
    sent = last(aiomongo_server, "createIndexes")
    assert (sent["comment"], sent["maxTimeMS"]) == ("why", 1000)
    assert sent["indexes"] == [{"name": "name_1", "key": {"name": 1}, "unique": True}]
    names = await users.create_indexes(
        [IndexModel([("a", ASCENDING), ("b", DESCENDING)]), IndexModel("c", name="mine")]
    )
    assert names == ["a_1_b_-1", "mine"]
    assert [index["name"] async for index in await users.list_indexes()] == ["_id_", "name_1", "a_1_b_-1", "mine"]
    information = await users.index_information()
    assert information["a_1_b_-1"]["key"] == [("a", 1), ("b", -1)]
    assert information["name_1"]["unique"] is True
    await users.insert_one({"name": "Ada"})
    with pytest.raises(DuplicateKeyError):
        await users.insert_one({"name": "Ada"})
    await users.drop_index("mine")
    await users.drop_index([("a", 1), ("b", -1)])
    with pytest.raises(OperationFailure):
        await users.drop_index("mine")
    await users.drop_indexes()
    assert list(await users.index_information()) == ["_id_"]
    await client["app"]["nothing"].drop_indexes()
    with pytest.raises(ConfigurationError, match="drop_indexes"):
        await users.drop_index("*")


@pytest.mark.aiomongo(tls="off")
class _Words(TypeDecoder):
    bson_type = str

    def transform_bson(self, value: Any) -> Any:
        return value.upper()


async def test_descriptions_are_not_documents_of_the_user(client: Client) -> None:
    """The codec options are for those: a document class or types of one's own would spoil the server's answers."""
    options: Any = CodecOptions(document_class=SON, type_registry=TypeRegistry([_Words()]))
    database = client.get_database("app", codec_options=options)
    await database["users"].create_index("a")
    assert list(await database["users"].index_information()) == ["_id_", "a_1"]
    assert await database.list_collection_names() == ["users"]
    async for description in await database.list_collections():
        assert type(description) is dict
        assert description["type"] == "collection"


async def test_a_commit_quorum_needs_a_server_that_knows_it(aiomongo_server: MongoTestServer) -> None:
    """MongoDB 4.2 would not."""
    is_old = [True]
    hello = aiomongo_server.on("hello", where=lambda _: is_old[0])
    hello.replies({"minWireVersion": 0, "maxWireVersion": 8})
    async with aiomongo_server.connect() as client:
        with pytest.raises(ConfigurationError, match=r"4\.4"):
            await client["app"]["users"].create_index("a", commitQuorum=1)
        assert hello.used
        assert await client["app"]["users"].create_index("a") == "a_1"
    is_old.clear()
    is_old.append(False)
    aiomongo_server.on("createIndexes").replies({})
    async with aiomongo_server.connect() as client:
        assert await client["app"]["users"].create_index("a", commitQuorum=1) == "a_1"
    assert last(aiomongo_server, "createIndexes")["commitQuorum"] == 1


@pytest.mark.aiomongo(tls="off")
async def test_a_hint_on_an_unacknowledged_delete_needs_one_too(aiomongo_server: MongoTestServer) -> None:
    """MongoDB 4.2 would ignore it without a word."""
    aiomongo_server.on("hello").replies({"minWireVersion": 0, "maxWireVersion": 8})
    async with aiomongo_server.connect(w=0) as client:
        with pytest.raises(ConfigurationError, match=r"4\.4"):
            await client["app"]["users"].delete_one({}, hint="a_1")
        await client["app"]["users"].delete_one({})
