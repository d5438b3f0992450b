"""Results of writes."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson.timestamp import Timestamp

from aiomongo_tls.core.commands.bulk import BulkOutcome
from aiomongo_tls.core.commands.decoding import PLAIN, DocumentsIn
from aiomongo_tls.core.commands.results import (
    BulkWriteResult,
    DeleteResult,
    InsertManyResult,
    InsertOneResult,
    UpdateResult,
)
from aiomongo_tls.errors import InvalidOperation


def test_inserts_know_their_ids_even_unacknowledged() -> None:
    """The ids were made here."""
    assert InsertOneResult(3, False).inserted_id == 3
    assert InsertManyResult([1, 2], False).inserted_ids == [1, 2]
    assert not InsertOneResult(3, False).acknowledged


def test_an_update_that_matched() -> None:
    """Matched and modified are counted apart."""
    result = UpdateResult({"n": 3, "nModified": 2}, True)
    assert (result.matched_count, result.modified_count, result.upserted_id) == (3, 2, None)
    assert not result.did_upsert


@pytest.mark.parametrize("new_id", [7, None])
def test_an_upsert_matched_nothing(new_id: Any) -> None:
    """Also where the new _id is null."""
    result = UpdateResult({"n": 1, "nModified": 0, "upserted": new_id}, True)
    assert (result.matched_count, result.modified_count, result.upserted_id) == (0, 0, new_id)
    assert result.did_upsert


def test_a_bulk_counts_by_kind() -> None:
    """All counts, and the upserted ids by the caller's index."""
    counts = BulkOutcome().document | {
        "nInserted": 1,
        "nMatched": 2,
        "nModified": 3,
        "nRemoved": 4,
        "nUpserted": 1,
        "upserted": [{"index": 5, "_id": "x"}],
    }
    result = BulkWriteResult(counts, True)
    assert result.inserted_count == 1
    assert result.matched_count == 2
    assert result.modified_count == 3
    assert result.deleted_count == 4
    assert result.upserted_count == 1
    assert result.upserted_ids == {5: "x"}
    assert result.bulk_api_result is counts


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (UpdateResult(None, False), ["matched_count", "modified_count", "upserted_id", "did_upsert"]),
        (DeleteResult({}, False), ["deleted_count"]),
        (
            BulkWriteResult({}, False),
            ["inserted_count", "matched_count", "modified_count", "deleted_count", "upserted_count", "upserted_ids"],
        ),
    ],
)
def test_what_was_not_acknowledged_cannot_be_counted(result: Any, names: list[str]) -> None:
    """An error is better than a 0 that means nothing."""
    for name in names:
        with pytest.raises(InvalidOperation, match=name):
            getattr(result, name)


def test_results_show_what_they_hold() -> None:
    """For logs and failing tests."""
    assert repr(InsertOneResult(1, True)) == "InsertOneResult(1, acknowledged=True)"
    assert repr(DeleteResult({"n": 1}, True)) == "DeleteResult({'n': 1}, acknowledged=True)"
    assert DeleteResult({"n": 1}, True).deleted_count == 1


REPLY = {
    "n": 2,
    "nModified": 1,
    "opTime": {"ts": Timestamp(1, 1), "t": 1},
    "ok": 1.0,
    "$clusterTime": {"clusterTime": Timestamp(1, 1), "signature": {"hash": b"\0" * 20, "keyId": 1}},
    "operationTime": Timestamp(1, 1),
}


def test_the_times_of_a_reply_are_there_for_who_asks() -> None:
    """They are not decoded for the counts, but `raw_result` is the whole reply."""
    counts = PLAIN.decode(bson.encode(REPLY), DocumentsIn.NOWHERE_BUT_COUNTS)
    assert "operationTime" not in counts
    update, delete = UpdateResult(counts, True), DeleteResult(counts, True)
    assert (update.matched_count, update.modified_count, update.did_upsert, delete.deleted_count) == (2, 1, False, 2)
    assert update.raw_result == REPLY | {"updatedExisting": True}
    assert delete.raw_result == REPLY
    assert (update.matched_count, update.modified_count, update.upserted_id, delete.deleted_count) == (2, 1, None, 2)
    assert "operationTime" in repr(update)
    assert "operationTime" in repr(delete)
