"""Bulks of several commands."""

from __future__ import annotations

from typing import Any

import pytest
from fake_topology import FakeTopology

from aiomongo_tls import AsyncClient, BulkWriteError, DeleteOne, InsertOne
from aiomongo_tls.client.executor import Executor
from aiomongo_tls.core.options.client_options import ClientOptions


class _Client(AsyncClient[dict[str, Any]]):
    """A client of servers that take two statements in a command."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        super().__init__()
        self.topology = FakeTopology(*answers, max_write_batch_size=2)
        self._executor = Executor(ClientOptions(), self.topology, lambda: bytes(16))  # type: ignore[arg-type]


FAILED = {"n": 1, "writeErrors": [{"index": 1, "code": 121, "errmsg": "not valid"}]}


async def test_a_run_is_cut_where_the_server_says() -> None:
    """The counts are those of all its commands."""
    client = _Client({"n": 2}, {"n": 2}, {"n": 1}, {"n": 1})
    result = await client["app"]["c"].bulk_write([*(InsertOne({"_id": number}) for number in range(5)), DeleteOne({})])
    assert client.topology.names == ["insert", "insert", "insert", "delete"]
    assert (result.inserted_count, result.deleted_count) == (5, 1)


async def test_in_order_the_rest_of_a_run_is_not_sent_after_an_error() -> None:
    """The index is the caller's."""
    client = _Client({"n": 2}, FAILED)
    with pytest.raises(BulkWriteError) as raised:
        await client["app"]["c"].insert_many([{"_id": number} for number in range(6)])
    assert client.topology.names == ["insert", "insert"]
    details: Any = raised.value.details
    assert details["nInserted"] == 3
    assert [(error["index"], error["op"]) for error in details["writeErrors"]] == [(3, {"_id": 3})]


async def test_out_of_order_everything_is_tried() -> None:
    """And every error reported."""
    client = _Client(FAILED, FAILED, FAILED)
    with pytest.raises(BulkWriteError) as raised:
        await client["app"]["c"].insert_many([{"_id": number} for number in range(6)], ordered=False)
    details: Any = raised.value.details
    assert [error["index"] for error in details["writeErrors"]] == [1, 3, 5]
    assert len(client.topology.sent) == 3
