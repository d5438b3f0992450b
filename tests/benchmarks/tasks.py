"""What is measured, after MongoDB's benchmarking specification; the collections are those of `replies`.

A task makes, for a client, the function that is called for each operation. What belongs to the caller and not to the
driver is done before the clock runs, but for copies of what an insert writes an `_id` into.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import corpus

Operation = Callable[[int], Awaitable[object]]
DATABASE = "bench"


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        name: its name on the command line.
        title: its name in the report.
        prepare: makes the operation from a client and the module that its classes are from.
        concurrency: by how many tasks at a time it is carried out.
        documents: documents per operation.
        batches: the count and size of batches in the collection that it reads, where there are many.
    """

    name: str
    title: str
    prepare: Callable[[Any, Any], Operation]
    concurrency: tuple[int, ...] = (1, 10, 100)
    documents: int = 1


def _run_command(client: Any, module: Any) -> Operation:
    database = client["admin"]
    return lambda n: database.command({"ping": 1})


def _find_one(client: Any, module: Any) -> Operation:
    collection = client[DATABASE]["one"]
    return lambda n: collection.find_one({"_id": n})


def _find_one_small(client: Any, module: Any) -> Operation:
    collection = client[DATABASE]["small"]
    return lambda n: collection.find_one({"_id": n})


def _insert_one(document: Callable[[], dict[str, Any]]) -> Callable[[Any, Any], Operation]:
    def prepare(client: Any, module: Any) -> Operation:
        collection, original = client[DATABASE]["one"], document()
        return lambda n: collection.insert_one(original.copy())

    return prepare


def _update_one(client: Any, module: Any) -> Operation:
    collection = client[DATABASE]["one"]
    return lambda n: collection.update_one({"_id": n}, {"$inc": {"n": 1}})


def find_many(count: int, size: int) -> Callable[[Any, Any], Operation]:
    """Drain a cursor of `count` batches of `size` documents."""

    def prepare(client: Any, module: Any) -> Operation:
        collection = client[DATABASE][f"batches_{count}_{size}"]

        async def drain(n: int) -> None:
            async for _ in collection.find({}):
                pass

        return drain

    return prepare


def _to_list(client: Any, module: Any) -> Operation:
    collection = client[DATABASE][f"batches_2_{corpus.MANY}"]
    return lambda n: collection.find({}).to_list()


def insert_many(document: Callable[[], dict[str, Any]], count: int) -> Callable[[Any, Any], Operation]:
    """Insert `count` copies of a document."""

    def prepare(client: Any, module: Any) -> Operation:
        collection, original = client[DATABASE]["one"], document()
        return lambda n: collection.insert_many([original.copy() for _ in range(count)])

    return prepare


def _bulk_write(document: Callable[[], dict[str, Any]], count: int) -> Callable[[Any, Any], Operation]:
    def prepare(client: Any, module: Any) -> Operation:
        collection, original = client[DATABASE]["one"], document()
        return lambda n: collection.bulk_write([module.InsertOne(original.copy()) for _ in range(count)])

    return prepare


def _bulk_write_mixed(client: Any, module: Any) -> Operation:
    collection, original = client[DATABASE]["one"], corpus.small()

    def write(n: int) -> Awaitable[object]:
        models: list[Any] = []
        for _ in range(100):
            models += (
                module.InsertOne(original.copy()),
                module.ReplaceOne({}, original.copy()),
                module.DeleteOne({}),
            )
        return collection.bulk_write(models)

    return write


MANY, FEW = corpus.MANY, corpus.FEW
TASKS = {
    task.name: task
    for task in (
        Task("run_command", "run command", _run_command),
        Task("find_one", "find_one by _id", _find_one),
        Task("find_one_small", "find_one by _id, small", _find_one_small),
        Task("insert_one", "insert_one, small", _insert_one(corpus.small)),
        Task("update_one", "update_one", _update_one),
        Task("insert_one_large", "insert_one, large", _insert_one(corpus.large), (1,)),
        Task("find_many", "find, 10 000 documents", find_many(2, MANY), (1,), MANY),
        Task("to_list", "find, to_list, 10 000", _to_list, (1,), MANY),
        Task("insert_many", "insert_many, small", insert_many(corpus.small, MANY), (1,), MANY),
        Task("insert_many_large", "insert_many, large", insert_many(corpus.large, FEW), (1,), FEW),
        Task("bulk_write", "bulk_write, small", _bulk_write(corpus.small, MANY), (1,), MANY),
        Task("bulk_write_large", "bulk_write, large", _bulk_write(corpus.large, FEW), (1,), FEW),
        Task("bulk_write_mixed", "bulk_write, mixed, 300", _bulk_write_mixed, (1,), 300),
    )
}
