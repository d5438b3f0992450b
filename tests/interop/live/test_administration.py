"""Databases and collections: made, listed, asked about, dropped."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls import AsyncClient, AsyncCollection, AsyncDatabase, CollectionInvalid, OperationFailure

Things = AsyncCollection[dict[str, Any]]


async def test_databases(client: AsyncClient[Any], run: str) -> None:
    """A database is there with its first document, and gone when it is dropped."""
    database = client[f"{run}_made"]
    assert database.name not in await client.list_database_names()
    await database["things"].insert_one({})
    assert database.name in await client.list_database_names()
    assert database.name in [document["name"] async for document in await client.list_databases()]
    await client.drop_database(database.name)
    assert database.name not in await client.list_database_names()
    # What is not there can be dropped.
    await client.drop_database(database)


async def test_collections(database: AsyncDatabase[Any], name: str) -> None:
    """Created once, listed with what it is, dropped as often as one likes."""
    collection = await database.create_collection(name)
    assert name in await database.list_collection_names()
    (listed,) = await (await database.list_collections(filter={"name": name})).to_list()
    assert listed["type"] == "collection"
    with pytest.raises(CollectionInvalid):
        await database.create_collection(name)
    await collection.drop()
    assert name not in await database.list_collection_names()
    await database.drop_collection(name)


async def test_many_collections(client: AsyncClient[Any], run: str) -> None:
    """All of them are listed."""
    database = client[f"{run}_many"]
    for n in range(150):
        await database.create_collection(f"c{n:03}")
    assert sorted(await database.list_collection_names()) == [f"c{n:03}" for n in range(150)]
    cursor = await database.list_collections()
    assert len(await cursor.to_list()) == 150
    await client.drop_database(database)


async def test_what_the_server_is(client: AsyncClient[Any]) -> None:
    """`server_info()` is its buildInfo; ping answers."""
    info = await client.server_info()
    assert info["version"]
    assert info["ok"] == 1
    assert (await client.ping())["ok"] == 1


@pytest.mark.parametrize(
    "command",
    [
        pytest.param({name: 1}, marks=pytest.mark.needs(name), id=name)
        for name in ("listCommands", "connectionStatus", "serverStatus")
    ],
)
async def test_commands_on_admin(client: AsyncClient[Any], command: dict[str, Any]) -> None:
    """Any command can be sent as it is."""
    assert (await client.admin.command(command))["ok"] == 1


@pytest.mark.needs("dbStats")
async def test_statistics_of_a_database(database: AsyncDatabase[Any], things: Things) -> None:
    """What `dbStats` says."""
    await things.insert_one({})
    assert (await database.command("dbStats"))["db"] == database.name


@pytest.mark.needs("collStats")
async def test_statistics_of_a_collection(database: AsyncDatabase[Any], things: Things) -> None:
    """What `collStats` says."""
    await things.insert_many([{}, {}])
    assert (await database.command("collStats", things.name))["count"] == 2


@pytest.mark.needs("capped collection")
async def test_capped_collections(database: AsyncDatabase[Any], name: str) -> None:
    """Options of `create_collection()` reach the server."""
    await database.create_collection(name, capped=True, size=1_000_000)
    (listed,) = await (await database.list_collections(filter={"name": name})).to_list()
    assert listed["options"]["capped"] is True


@pytest.mark.needs("view")
async def test_views(database: AsyncDatabase[Any], things: Things) -> None:
    """A view is a collection that is read."""
    await things.insert_many([{"_id": n} for n in range(5)])
    view = await database.create_collection(
        f"{things.name}_view", viewOn=things.name, pipeline=[{"$match": {"_id": 3}}]
    )
    assert await view.find({}).to_list() == [{"_id": 3}]
    await view.drop()


@pytest.mark.needs("validator")
async def test_validators(database: AsyncDatabase[Any], things: Things) -> None:
    """What a validator refuses is a write error with code 121."""
    await database.create_collection(things.name, validator={"n": {"$gt": 5}})
    await things.insert_one({"n": 6})
    with pytest.raises(OperationFailure) as caught:
        await things.insert_one({"n": 1})
    assert caught.value.code == 121


@pytest.mark.needs("explain")
async def test_explain(things: Things) -> None:
    """How the server would find something."""
    await things.insert_one({})
    assert await things.find({"a": 1}).explain()
