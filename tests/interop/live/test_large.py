"""Large documents, large replies, and very many documents in one call."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from aiomongo_tls import (
    AsyncClient,
    AsyncCollection,
    BulkWriteError,
    DeleteOne,
    DocumentTooLarge,
    InsertOne,
    MongoError,
    UpdateOne,
)

Things = AsyncCollection[dict[str, Any]]

LIMIT = 16 * 1024 * 1024


@pytest.mark.parametrize("size", [1_000_000, LIMIT - 100_000, LIMIT - 1000], ids=["1 MB", "100 KB less", "1 KB less"])
async def test_documents_near_the_limit(things: Things, size: int) -> None:
    """They go and come whole, and so does what is done afterwards."""
    content = bytes(range(256)) * (size // 256)
    await things.insert_one({"_id": 1, "b": content})
    found = await things.find_one({"_id": 1})
    assert found is not None
    assert found["b"] == content
    assert await things.count_documents({}) == 1


async def test_the_largest_document(things: Things) -> None:
    """16 MiB exactly are accepted."""
    content = b"x" * (LIMIT - len(bson.encode({"_id": 1, "b": b""})))
    document = {"_id": 1, "b": content}
    assert len(bson.encode(document)) == LIMIT
    await things.insert_one(document)
    found = await things.find_one({"_id": 1}, {"b": 1})
    assert found is not None
    assert len(found["b"]) == len(content)


async def test_a_document_that_is_too_large(things: Things) -> None:
    """It is refused before it is sent, and the connection is not lost."""
    with pytest.raises(DocumentTooLarge):
        await things.insert_one({"_id": 1, "b": b"x" * LIMIT})
    await things.insert_one({"_id": 2})
    assert await things.count_documents({}) == 1


@pytest.mark.parametrize(
    "batch_size",
    [
        pytest.param(0, marks=pytest.mark.needs("replies of a limited size"), id="the server's batches"),
        pytest.param(5, id="batches of 15 MB"),
        pytest.param(15, id="batches of 45 MB"),
    ],
)
async def test_large_replies(things: Things, batch_size: int) -> None:
    """Sixty megabytes in one find, over several batches."""
    text = "x" * 3_000_000
    await things.insert_many([{"_id": n, "x": text} for n in range(20)])
    sizes = {document["_id"]: len(document["x"]) async for document in things.find({}).batch_size(batch_size)}
    assert sizes == dict.fromkeys(range(20), 3_000_000)


async def test_a_hundred_thousand_documents(things: Things) -> None:
    """In one call, and back through a cursor."""
    count = 100_000
    result = await things.insert_many([{"_id": n, "n": n} for n in range(count)])
    assert len(result.inserted_ids) == count
    assert await things.estimated_document_count() == count
    seen = 0
    async for document in things.find({}, {"n": 1}):
        assert document["n"] == document["_id"]
        seen += 1
    assert seen == count


async def test_a_hundred_thousand_operations(things: Things) -> None:
    """Inserts, updates and deletes mixed in one bulk."""
    # Few changes: a server without an index for them looks at every document for each.
    inserts = [InsertOne({"_id": f"a{n}", "n": 0}) for n in range(99_980)]
    updates = [UpdateOne({"_id": f"a{n}"}, {"$set": {"n": 1}}) for n in range(10)]
    deletes = [DeleteOne({"_id": f"a{n}"}) for n in range(10, 20)]
    result = await things.bulk_write([*inserts, *updates, *deletes])
    assert (result.inserted_count, result.modified_count, result.deleted_count) == (99_980, 10, 10)
    assert await things.count_documents({}) == 99_970
    assert await things.count_documents({"n": 1}) == 10


@pytest.mark.parametrize(
    "ordered",
    [
        pytest.param(True, marks=pytest.mark.needs("ordered bulks that stop"), id="ordered"),
        pytest.param(False, marks=pytest.mark.needs("counts of failed bulks"), id="not"),
    ],
)
async def test_errors_in_a_bulk_have_the_callers_indexes(things: Things, ordered: bool) -> None:
    """Over several messages; ordered stops at the first, unordered goes on."""
    text = "x" * 100_000
    await things.insert_many([{"_id": 700}, {"_id": 900}])
    with pytest.raises(BulkWriteError) as caught:
        await things.insert_many([{"_id": n, "x": text} for n in range(1000)], ordered=ordered)
    errors = [(error["index"], error["code"]) for error in caught.value.details["writeErrors"]]
    assert errors == ([(700, 11000)] if ordered else [(700, 11000), (900, 11000)])
    assert caught.value.details["nInserted"] == (700 if ordered else 998)
    assert await things.count_documents({}) == (702 if ordered else 1000)


async def test_the_limits_are_the_servers(client: AsyncClient[Any]) -> None:
    """What hello says is what the client goes by."""
    # By its old name, which every server knows.
    hello = await client.admin.command("isMaster")
    descriptions = client.topology_description.server_descriptions().values()
    (description,) = (each for each in descriptions if each.is_writable)
    assert description.reply is not None
    for limit in ("maxBsonObjectSize", "maxMessageSizeBytes", "maxWriteBatchSize", "maxWireVersion"):
        assert description.reply[limit] == hello[limit]


@pytest.mark.needs("refusal of documents that grow too large")
async def test_a_document_that_only_the_server_refuses(things: Things) -> None:
    """An update that makes a document too large is the server's error, and changes nothing."""
    await things.insert_one({"_id": 1, "a": b"x" * (LIMIT - 1_000_000)})
    with pytest.raises(MongoError):
        await things.update_one({"_id": 1}, {"$set": {"b": b"x" * 2_000_000}})
    found = await things.find_one({"_id": 1})
    assert found is not None
    assert set(found) == {"_id", "a"}
