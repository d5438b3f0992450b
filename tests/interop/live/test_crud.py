"""The methods of a collection: what a real server makes of each."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from aiomongo_tls import (
    DESCENDING,
    AsyncCollection,
    DeleteMany,
    DeleteOne,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
    WriteConcern,
)

Things = AsyncCollection[dict[str, Any]]


async def test_insert_one(things: Things) -> None:
    """The server keeps the document; an `_id` is made where there is none, and put in first."""
    document = {"name": "Ada"}
    result = await things.insert_one(document)
    assert result.acknowledged
    assert isinstance(result.inserted_id, ObjectId)
    assert document["_id"] == result.inserted_id
    assert await things.find_one({"_id": result.inserted_id}) == {"_id": result.inserted_id, "name": "Ada"}
    assert (await things.insert_one({"_id": 5})).inserted_id == 5


async def test_insert_many(things: Things) -> None:
    """All are there, and the result has their ids in order."""
    result = await things.insert_many([{"_id": n, "n": n} for n in range(10)])
    assert result.inserted_ids == list(range(10))
    assert [document["n"] for document in await things.find({}).sort("n").to_list()] == list(range(10))


async def test_find_one(things: Things) -> None:
    """By id, by filter, with projection; None where nothing matches."""
    await things.insert_many([{"_id": 1, "a": 1, "b": 2}, {"_id": 2, "a": 5, "b": 6}])
    assert await things.find_one(2) == {"_id": 2, "a": 5, "b": 6}
    assert await things.find_one({"a": {"$gt": 1}}, {"b": 1, "_id": 0}) == {"b": 6}
    assert await things.find_one({}, sort=[("a", DESCENDING)]) == {"_id": 2, "a": 5, "b": 6}
    assert await things.find_one({"a": 99}) is None


@pytest.mark.parametrize(
    ("update", "after"),
    [
        ({"$set": {"a": 9}}, {"_id": 1, "a": 9, "list": [1, 2]}),
        ({"$inc": {"a": 2}}, {"_id": 1, "a": 3, "list": [1, 2]}),
        ({"$mul": {"a": 5}}, {"_id": 1, "a": 5, "list": [1, 2]}),
        ({"$min": {"a": 0}}, {"_id": 1, "a": 0, "list": [1, 2]}),
        ({"$max": {"a": 7}}, {"_id": 1, "a": 7, "list": [1, 2]}),
        ({"$unset": {"a": ""}}, {"_id": 1, "list": [1, 2]}),
        ({"$rename": {"a": "z"}}, {"_id": 1, "list": [1, 2], "z": 1}),
        ({"$push": {"list": 3}}, {"_id": 1, "a": 1, "list": [1, 2, 3]}),
        ({"$addToSet": {"list": 5}}, {"_id": 1, "a": 1, "list": [1, 2, 5]}),
        ({"$pull": {"list": 2}}, {"_id": 1, "a": 1, "list": [1]}),
        ({"$pop": {"list": -1}}, {"_id": 1, "a": 1, "list": [2]}),
        ({"$set": {"deep.er": True}}, {"_id": 1, "a": 1, "list": [1, 2], "deep": {"er": True}}),
    ],
    ids=lambda value: next(iter(value)) if str(value).startswith("{'$") else "",
)
async def test_update_one(things: Things, update: dict[str, Any], after: dict[str, Any]) -> None:
    """One document is changed, and the counts say so."""
    await things.insert_many([{"_id": 1, "a": 1, "list": [1, 2]}, {"_id": 2}])
    result = await things.update_one({"_id": 1}, update)
    assert (result.matched_count, result.modified_count, result.upserted_id) == (1, 1, None)
    assert await things.find_one({"_id": 1}) == after
    assert await things.find_one({"_id": 2}) == {"_id": 2}


async def test_an_update_that_changes_nothing(things: Things) -> None:
    """Matched is not modified."""
    await things.insert_one({"_id": 1, "a": 1})
    same = await things.update_one({"_id": 1}, {"$set": {"a": 1}})
    assert (same.matched_count, same.modified_count) == (1, 0)
    nobody = await things.update_one({"_id": 2}, {"$set": {"a": 1}})
    assert (nobody.matched_count, nobody.modified_count) == (0, 0)


async def test_update_many(things: Things) -> None:
    """All that match are changed."""
    await things.insert_many([{"_id": n, "n": n} for n in range(10)])
    result = await things.update_many({"n": {"$lt": 4}}, {"$set": {"small": True}})
    assert (result.matched_count, result.modified_count) == (4, 4)
    assert await things.count_documents({"small": True}) == 4


async def test_upserts(things: Things) -> None:
    """What is not there is made, and the result has its id: given, of the filter, or made by the server."""
    by_filter = await things.update_one({"_id": "x"}, {"$set": {"a": 1}}, upsert=True)
    assert (by_filter.matched_count, by_filter.upserted_id) == (0, "x")
    made = await things.update_one({"name": "Ada"}, {"$set": {"a": 1}}, upsert=True)
    assert isinstance(made.upserted_id, ObjectId)
    assert await things.find_one({"_id": made.upserted_id}) == {"_id": made.upserted_id, "name": "Ada", "a": 1}
    replaced = await things.replace_one({"_id": "y"}, {"b": 1}, upsert=True)
    assert replaced.upserted_id == "y"
    again = await things.replace_one({"_id": "y"}, {"b": 2}, upsert=True)
    assert (again.matched_count, again.modified_count, again.upserted_id) == (1, 1, None)


async def test_replace_one(things: Things) -> None:
    """The document is another one then, with the same id."""
    await things.insert_one({"_id": 1, "a": 1, "b": 1})
    result = await things.replace_one({"a": 1}, {"c": 1})
    assert (result.matched_count, result.modified_count) == (1, 1)
    assert await things.find_one({}) == {"_id": 1, "c": 1}


async def test_delete(things: Things) -> None:
    """One, many, all."""
    await things.insert_many([{"_id": n, "even": n % 2 == 0} for n in range(10)])
    assert (await things.delete_one({"_id": 1})).deleted_count == 1
    assert (await things.delete_one({"_id": 1})).deleted_count == 0
    assert (await things.delete_many({"even": True})).deleted_count == 5
    assert (await things.delete_many({})).deleted_count == 4
    assert await things.count_documents({}) == 0


async def test_find_one_and(things: Things) -> None:
    """The document before or after the change; None where there is none."""
    await things.insert_one({"_id": 1, "n": 1})
    assert await things.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}) == {"_id": 1, "n": 1}
    after = await things.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)
    assert after == {"_id": 1, "n": 3}
    assert await things.find_one_and_replace({"_id": 1}, {"z": 1}) == {"_id": 1, "n": 3}
    assert await things.find_one_and_delete({"_id": 1}) == {"_id": 1, "z": 1}
    assert await things.find_one_and_delete({"_id": 1}) is None
    assert await things.find_one_and_update({"_id": 1}, {"$set": {"a": 1}}) is None


@pytest.mark.needs("find_one_and_update with sort")
async def test_find_one_and_with_sort(things: Things) -> None:
    """Which of several it is."""
    await things.insert_many([{"_id": n, "n": n % 3} for n in range(6)])
    found = await things.find_one_and_delete({"n": 1}, sort=[("_id", DESCENDING)])
    assert found == {"_id": 4, "n": 1}


@pytest.mark.needs("find_one_and_update with projection")
async def test_find_one_and_with_projection(things: Things) -> None:
    """Only what was asked for."""
    await things.insert_one({"_id": 1, "n": 1, "m": 2})
    assert await things.find_one_and_update({"_id": 1}, {"$set": {"n": 5}}, projection=["m"]) == {"_id": 1, "m": 2}


@pytest.mark.needs("find_one_and_update with upsert")
async def test_find_one_and_with_upsert(things: Things) -> None:
    """None before, the new document after."""
    assert await things.find_one_and_update({"_id": 1}, {"$set": {"n": 1}}, upsert=True) is None
    after = await things.find_one_and_replace({"_id": 2}, {"n": 2}, upsert=True, return_document=ReturnDocument.AFTER)
    assert after == {"_id": 2, "n": 2}


async def test_counts(things: Things) -> None:
    """Exact by filter, with skip and limit; estimated for the whole collection."""
    assert await things.estimated_document_count() == 0
    assert await things.count_documents({}) == 0
    await things.insert_many([{"n": n} for n in range(20)])
    assert await things.estimated_document_count() == 20
    assert await things.count_documents({}) == 20
    assert await things.count_documents({"n": {"$gte": 15}}) == 5
    assert await things.count_documents({}, skip=3, limit=10) == 10
    assert await things.count_documents({}, skip=15) == 5


async def test_distinct(things: Things) -> None:
    """Each value once, of arrays too."""
    await things.insert_many([{"n": n % 3, "list": [n % 2, "x"]} for n in range(10)])
    assert sorted(await things.distinct("n")) == [0, 1, 2]
    assert sorted(await things.distinct("n", {"n": {"$gt": 0}})) == [1, 2]
    assert sorted(await things.distinct("list"), key=str) == [0, 1, "x"]
    assert await things.distinct("nothing") == []


async def test_bulk_write(things: Things) -> None:
    """Every kind of operation in one call, and counts of each."""
    result = await things.bulk_write(
        [
            InsertOne({"_id": 1, "n": 1}),
            InsertOne({"_id": 2, "n": 2}),
            UpdateOne({"_id": 1}, {"$inc": {"n": 10}}),
            UpdateMany({}, {"$set": {"seen": True}}),
            ReplaceOne({"_id": 2}, {"n": 5}),
            UpdateOne({"_id": 3}, {"$set": {"n": 3}}, upsert=True),
            DeleteOne({"_id": 1}),
            DeleteMany({"n": 99}),
        ]
    )
    assert (result.inserted_count, result.matched_count, result.modified_count) == (2, 4, 4)
    assert (result.deleted_count, result.upserted_count) == (1, 1)
    assert await things.find({}).sort("_id").to_list() == [{"_id": 2, "n": 5}, {"_id": 3, "n": 3}]


@pytest.mark.needs("upserts told by their place in a bulk")
async def test_upserts_in_a_bulk(things: Things) -> None:
    """Their ids stand at the caller's indexes."""
    await things.insert_one({"_id": 1})
    result = await things.bulk_write(
        [
            InsertOne({"_id": 2}),
            UpdateOne({"_id": 1}, {"$set": {"n": 1}}),
            UpdateOne({"_id": "new"}, {"$set": {"n": 1}}, upsert=True),
            DeleteOne({"_id": 1}),
            ReplaceOne({"_id": "newer"}, {"n": 1}, upsert=True),
        ]
    )
    assert result.upserted_ids == {2: "new", 4: "newer"}


@pytest.mark.needs("unacknowledged writes")
async def test_unacknowledged_writes(things: Things) -> None:
    """Nothing is waited for and nothing comes; what follows on the connection is not disturbed."""
    careless = things.with_options(write_concern=WriteConcern(w=0))
    results = [await careless.insert_one({"_id": n}) for n in range(20)]
    assert not any(result.acknowledged for result in results)
    # An acknowledged write on the same connection comes after them.
    await things.insert_one({"_id": "last"})
    assert await things.find_one({"_id": "last"}) == {"_id": "last"}
    assert await things.count_documents({}) == 21


@pytest.mark.needs("array filters")
async def test_array_filters(things: Things) -> None:
    """Which elements an update concerns."""
    await things.insert_one({"_id": 1, "list": [1, 5, 9]})
    await things.update_one({"_id": 1}, {"$set": {"list.$[big]": 0}}, array_filters=[{"big": {"$gt": 4}}])
    assert await things.find_one({}) == {"_id": 1, "list": [1, 0, 0]}


@pytest.mark.needs("positional operator")
async def test_the_positional_operator(things: Things) -> None:
    """The element that the filter has found."""
    await things.insert_one({"_id": 1, "list": [1, 5, 9]})
    await things.update_one({"_id": 1, "list": 5}, {"$set": {"list.$": 0}})
    assert await things.find_one({}) == {"_id": 1, "list": [1, 0, 9]}


@pytest.mark.needs("update by pipeline")
async def test_update_by_pipeline(things: Things) -> None:
    """A new value made of the others."""
    await things.insert_one({"_id": 1, "a": 2})
    await things.update_one({"_id": 1}, [{"$set": {"b": "$a"}}])
    assert await things.find_one({}) == {"_id": 1, "a": 2, "b": 2}


@pytest.mark.needs("collation")
async def test_collation(things: Things) -> None:
    """Small and capital letters are the same."""
    await things.insert_one({"_id": 1, "name": "Ada"})
    assert await things.find_one({"name": "ada"}, collation={"locale": "en", "strength": 2}) == {
        "_id": 1,
        "name": "Ada",
    }
