"""Indexes: made, listed, obeyed, dropped."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls import ASCENDING, DESCENDING, HASHED, AsyncCollection, DuplicateKeyError, IndexModel, OperationFailure

Things = AsyncCollection[dict[str, Any]]


async def names(things: Things) -> list[str]:
    """The names of a collection's indexes."""
    return sorted([index["name"] async for index in await things.list_indexes()])


async def test_an_index_on_one_field(things: Things) -> None:
    """It is there, by the name that it is given, and asking for it again changes nothing."""
    await things.insert_one({"a": 1})
    assert await names(things) == ["_id_"]
    assert await things.create_index("a") == "a_1"
    assert await things.create_index([("a", ASCENDING)]) == "a_1"
    assert await names(things) == ["_id_", "a_1"]
    assert (await things.index_information())["a_1"]["key"] == [("a", 1)]


@pytest.mark.needs("compound index")
async def test_several_indexes_at_once(things: Things) -> None:
    """Their names are returned in order."""
    made = await things.create_indexes(
        [IndexModel([("a", ASCENDING), ("b", DESCENDING)]), IndexModel("c", name="mine", unique=True)]
    )
    assert made == ["a_1_b_-1", "mine"]
    information = await things.index_information()
    assert information["a_1_b_-1"]["key"] == [("a", 1), ("b", -1)]
    assert information["mine"]["unique"] is True


async def test_a_collection_is_made_by_its_index(things: Things) -> None:
    """It need not be there before."""
    await things.create_index("a")
    assert things.name in await things.database.list_collection_names()


@pytest.mark.needs("unique index")
async def test_unique_indexes(things: Things) -> None:
    """What is there already is refused; the collection stays usable."""
    await things.create_index("name", unique=True)
    await things.insert_one({"_id": 1, "name": "Ada"})
    with pytest.raises(DuplicateKeyError) as caught:
        await things.insert_one({"_id": 2, "name": "Ada"})
    assert caught.value.code == 11000
    await things.insert_one({"_id": 2, "name": "Bob"})
    assert await things.count_documents({}) == 2


@pytest.mark.needs("unique index, obeyed by updates")
async def test_unique_indexes_and_updates(things: Things) -> None:
    """An update that would make a second one is refused the same way, also where the whole command fails."""
    await things.create_index("name", unique=True)
    await things.insert_many([{"_id": 1, "name": "Ada"}, {"_id": 2, "name": "Bob"}])
    with pytest.raises(DuplicateKeyError):
        await things.update_one({"_id": 2}, {"$set": {"name": "Ada"}})
    with pytest.raises(DuplicateKeyError):
        await things.find_one_and_update({"_id": 2}, {"$set": {"name": "Ada"}})
    assert await things.distinct("name") == ["Ada", "Bob"]


@pytest.mark.needs("unique index")
async def test_an_index_that_cannot_be(things: Things) -> None:
    """A unique one over documents that are not is refused."""
    await things.insert_many([{"name": "Ada"}, {"name": "Ada"}])
    with pytest.raises(OperationFailure):
        await things.create_index("name", unique=True)
    assert await names(things) == ["_id_"]


async def test_dropping(things: Things) -> None:
    """By name; what is not there is an error."""
    await things.create_index("a")
    await things.create_index("b")
    await things.drop_index("a_1")
    assert await names(things) == ["_id_", "b_1"]
    with pytest.raises(OperationFailure):
        await things.drop_index("a_1")


@pytest.mark.needs("dropping an index by its keys")
async def test_dropping_by_keys(things: Things) -> None:
    """As it was created."""
    await things.create_index([("a", ASCENDING), ("b", DESCENDING)])
    await things.drop_index([("a", ASCENDING), ("b", DESCENDING)])
    assert await names(things) == ["_id_"]


@pytest.mark.needs("dropping all indexes")
async def test_dropping_all(things: Things) -> None:
    """The one on `_id` stays."""
    await things.create_index("a")
    await things.create_index("b")
    await things.drop_indexes()
    assert await names(things) == ["_id_"]


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        pytest.param("a", {"sparse": True}, marks=pytest.mark.needs("sparse index"), id="sparse"),
        pytest.param("a", {"expireAfterSeconds": 60}, marks=pytest.mark.needs("expiring index"), id="expiring"),
        pytest.param(
            "a",
            {"partialFilterExpression": {"a": {"$gt": 1}}},
            marks=pytest.mark.needs("partial index"),
            id="partial",
        ),
        pytest.param([("a", HASHED)], {}, marks=pytest.mark.needs("hashed index"), id="hashed"),
    ],
)
async def test_kinds_of_indexes(things: Things, keys: Any, options: dict[str, Any]) -> None:
    """What was asked for is listed."""
    name = await things.create_index(keys, **options)
    information = (await things.index_information())[name]
    assert {option: information.get(option) for option in options} == options
