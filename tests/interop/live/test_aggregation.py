"""Pipelines: stage by stage as far as the server has them, over several batches."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls import AsyncCollection, AsyncDatabase, OperationFailure

Things = AsyncCollection[dict[str, Any]]


@pytest.fixture
async def people(things: Things) -> Things:
    """Six people in three towns."""
    await things.insert_many(
        [
            {"_id": n, "town": town, "age": age, "tags": tags}
            for n, (town, age, tags) in enumerate(
                [
                    ("Ulm", 10, ["a"]),
                    ("Ulm", 30, ["a", "b"]),
                    ("Bern", 20, []),
                    ("Bern", 40, ["c"]),
                    ("Bern", 60, ["a", "c"]),
                    ("Graz", 50, ["b"]),
                ]
            )
        ]
    )
    return things


def stage(name: str, pipeline: list[dict[str, Any]], expected: list[Any]) -> Any:
    """A pipeline that needs a stage."""
    return pytest.param(pipeline, expected, marks=pytest.mark.needs(name), id=name)


@pytest.mark.parametrize(
    ("pipeline", "expected"),
    [
        pytest.param([{"$match": {"age": {"$gt": 45}}}, {"$sort": {"_id": 1}}, {"$project": {"age": 1}}],
                     [{"_id": 4, "age": 60}, {"_id": 5, "age": 50}], id="$match"),
        pytest.param([{"$sort": {"age": -1}}, {"$skip": 1}, {"$limit": 2}, {"$project": {"age": 1, "_id": 0}}],
                     [{"age": 50}, {"age": 40}], id="$skip and $limit"),
        pytest.param([{"$match": {"town": "Bern"}}, {"$count": "people"}], [{"people": 3}], id="$count"),
        stage("$group", [{"$group": {"_id": "$town", "sum": {"$sum": "$age"}}}, {"$sort": {"_id": 1}}],
              [{"_id": "Bern", "sum": 120}, {"_id": "Graz", "sum": 50}, {"_id": "Ulm", "sum": 40}]),
        stage("$group with $avg and $max",
              [{"$group": {"_id": None, "avg": {"$avg": "$age"}, "max": {"$max": "$age"}}}],
              [{"_id": None, "avg": 35.0, "max": 60}]),
        stage("$unwind", [{"$unwind": "$tags"}, {"$match": {"tags": "c"}}, {"$sort": {"_id": 1}},
                          {"$project": {"tags": 1}}], [{"_id": 3, "tags": "c"}, {"_id": 4, "tags": "c"}]),
        stage("$project with expressions",
              [{"$match": {"_id": 2}}, {"$project": {"twice": {"$multiply": ["$age", 2]}}}],
              [{"_id": 2, "twice": 40}]),
        stage("$addFields", [{"$match": {"_id": 0}}, {"$addFields": {"where": "$town"}}],
              [{"_id": 0, "town": "Ulm", "age": 10, "tags": ["a"], "where": "Ulm"}]),
        stage("$unset", [{"$match": {"_id": 0}}, {"$unset": "tags"}], [{"_id": 0, "town": "Ulm", "age": 10}]),
        stage("$replaceRoot", [{"$match": {"_id": 0}}, {"$replaceRoot": {"newRoot": {"x": "$age"}}}], [{"x": 10}]),
        stage("$facet", [{"$facet": {"old": [{"$match": {"age": {"$gt": 45}}}, {"$count": "n"}]}}],
              [{"old": [{"n": 2}]}]),
        stage("$bucket", [{"$bucket": {"groupBy": "$age", "boundaries": [0, 30, 100]}}],
              [{"_id": 0, "count": 2}, {"_id": 30, "count": 4}]),
    ],
)  # fmt: skip
async def test_stages(people: Things, pipeline: list[dict[str, Any]], expected: list[Any]) -> None:
    """The server's result comes as it is."""
    assert await (await people.aggregate(pipeline)).to_list() == expected


async def test_several_batches(things: Things) -> None:
    """A pipeline's result is read through a cursor like a find's."""
    await things.insert_many([{"_id": n, "n": n} for n in range(1000)])
    cursor = await things.aggregate([{"$match": {"n": {"$gte": 100}}}, {"$sort": {"n": 1}}], batchSize=7)
    assert [document["n"] async for document in cursor] == list(range(100, 1000))


@pytest.mark.needs("$lookup")
async def test_lookup(people: Things, database: AsyncDatabase[Any]) -> None:
    """Documents of another collection."""
    towns = database[people.name + "_towns"]
    await towns.insert_many([{"_id": "Ulm", "country": "DE"}])
    cursor = await people.aggregate(
        [
            {"$match": {"_id": 0}},
            {"$lookup": {"from": towns.name, "localField": "town", "foreignField": "_id", "as": "where"}},
        ]
    )
    (found,) = await cursor.to_list()
    assert found["where"] == [{"_id": "Ulm", "country": "DE"}]


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("$out", marks=pytest.mark.needs("$out")),
        pytest.param("$merge", marks=pytest.mark.needs("$merge")),
    ],
)
async def test_pipelines_that_write(people: Things, database: AsyncDatabase[Any], stage: str) -> None:
    """The result is in another collection then."""
    target = f"{people.name}_{stage[1:]}"
    cursor = await people.aggregate([{"$match": {"town": "Bern"}}, {stage: target}])
    assert await cursor.to_list() == []
    assert await database[target].count_documents({}) == 3


@pytest.mark.needs("aggregate on a database")
async def test_on_a_database(database: AsyncDatabase[Any]) -> None:
    """Without a collection."""
    cursor = await database.aggregate([{"$documents": [{"n": 1}, {"n": 2}]}, {"$match": {"n": 2}}])
    assert await cursor.to_list() == [{"n": 2}]


@pytest.mark.needs("refusal of stages")
async def test_a_stage_that_is_none(people: Things) -> None:
    """The server's refusal, with its code."""
    with pytest.raises(OperationFailure) as caught:
        await people.aggregate([{"$nonsense": {}}])
    assert caught.value.code
    assert "$nonsense" in str(caught.value)


async def test_an_empty_result(things: Things) -> None:
    """Of a collection that is not there."""
    assert await (await things.aggregate([{"$match": {}}])).to_list() == []
