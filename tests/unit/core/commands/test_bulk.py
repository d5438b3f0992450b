"""Runs of a bulk and the merging of its replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.commands.bulk import BulkOutcome, Run, check_operations, runs
from aiomongo_tls.core.commands.operations import DeleteMany, InsertOne, UpdateOne
from aiomongo_tls.core.commands.statements import Kind, Statement
from aiomongo_tls.errors import BulkWriteError, InvalidOperation, ProtocolError

I, U, D = Kind.INSERT, Kind.UPDATE, Kind.DELETE  # noqa: E741


def statements(*kinds: Kind) -> list[Statement]:
    return [Statement(kind, {"n": number}) for number, kind in enumerate(kinds)]


def shape(found: list[Run]) -> list[tuple[Kind, list[int]]]:
    return [(run.kind, list(run.indexes)) for run in found]


def test_ordered_runs_end_where_the_kind_changes() -> None:
    """The order of the operations is kept."""
    found = runs(statements(I, I, U, I, D, D), ordered=True)
    assert shape(found) == [(I, [0, 1]), (U, [2]), (I, [3]), (D, [4, 5])]


def test_unordered_runs_are_one_per_kind() -> None:
    """Fewer commands: inserts, then updates, then deletes."""
    found = runs(statements(D, I, U, I, D), ordered=False)
    assert shape(found) == [(I, [1, 3]), (U, [2]), (D, [0, 4])]


@given(st.lists(st.sampled_from(list(Kind)), min_size=1), st.booleans())
def test_every_statement_is_in_one_run(kinds: list[Kind], ordered: bool) -> None:
    """Nothing lost, nothing twice, every index with its own document."""
    found = runs(statements(*kinds), ordered=ordered)
    pairs = [pair for run in found for pair in zip(run.indexes, run.documents, strict=True)]
    assert sorted(index for index, _ in pairs) == list(range(len(kinds)))
    assert all(document == {"n": index} for index, document in pairs)


def test_what_can_be_in_a_bulk() -> None:
    """Operations, and at least one."""
    assert [statement.kind for statement in check_operations([InsertOne({}), DeleteMany({})])] == [I, D]
    with pytest.raises(InvalidOperation, match="nothing to do"):
        check_operations([])
    with pytest.raises(TypeError, match="requests"):
        check_operations(InsertOne({}))
    with pytest.raises(TypeError, match="5 is not an operation"):
        check_operations([5])
    with pytest.raises(InvalidOperation, match="namespace"):
        check_operations([InsertOne({}, namespace="a.b")])


def test_counts_are_added_up() -> None:
    """An upsert is no match, though the server counts it as one."""
    outcome = BulkOutcome()
    outcome.add(Run(I, [0, 1], [{}, {}]), 0, {"n": 2, "ok": 1})
    outcome.add(
        Run(U, [2, 3, 4], [{}, {}, {}]),
        0,
        {"n": 5, "nModified": 3, "upserted": [{"index": 2, "_id": "new"}], "ok": 1},
    )
    outcome.add(Run(D, [5], [{}]), 0, {"n": 4, "ok": 1})
    outcome.raise_for_errors()
    assert outcome.document == {
        "writeErrors": [],
        "writeConcernErrors": [],
        "nInserted": 2,
        "nUpserted": 1,
        "nMatched": 4,
        "nModified": 3,
        "nRemoved": 4,
        "upserted": [{"index": 4, "_id": "new"}],
    }


def test_errors_carry_the_caller_s_index_and_operation() -> None:
    """The command's index is counted from the batch, the batch from the run, the run from the caller's list."""
    outcome = BulkOutcome()
    run = Run(I, [1, 4, 7], [{"_id": 1}, {"_id": 4}, {"_id": 7}])
    error = {"index": 0, "code": 11000, "errmsg": "E11000 dup", "keyValue": {"_id": 7}}
    outcome.add(run, 2, {"n": 0, "writeErrors": [error], "ok": 1})
    assert outcome.has_write_errors
    assert error["index"] == 0, "the server's reply is not changed"
    with pytest.raises(BulkWriteError) as raised:
        outcome.raise_for_errors()
    details: Any = raised.value.details
    assert details["writeErrors"] == [{**error, "index": 7, "op": {"_id": 7}}]
    assert raised.value.code == 65


def test_errors_are_sorted_by_the_caller_s_index() -> None:
    """Unordered runs finish in another order than the caller's."""
    outcome = BulkOutcome()
    outcome.add(Run(I, [3], [{}]), 0, {"n": 0, "writeErrors": [{"index": 0, "code": 1, "errmsg": "late"}]})
    outcome.add(Run(D, [0], [{}]), 0, {"n": 0, "writeErrors": [{"index": 0, "code": 2, "errmsg": "early"}]})
    with pytest.raises(BulkWriteError, match="the first: early") as raised:
        outcome.raise_for_errors()
    assert [error["index"] for error in (raised.value.details or {})["writeErrors"]] == [0, 3]


def test_a_write_concern_error_alone_is_raised_at_the_end() -> None:
    """The writes happened and are counted, the concern was not met; labels are kept."""
    outcome = BulkOutcome()
    concern = {"code": 64, "errmsg": "waiting for replication timed out"}
    outcome.add(Run(I, [0], [{}]), 0, {"n": 1, "writeConcernError": concern, "errorLabels": ["RetryableWriteError"]})
    assert not outcome.has_write_errors
    with pytest.raises(BulkWriteError) as raised:
        outcome.raise_for_errors()
    details: Any = raised.value.details
    assert details["writeConcernErrors"] == [{**concern, "errorLabels": ["RetryableWriteError"]}]
    assert details["nInserted"] == 1
    assert raised.value.has_error_label("RetryableWriteError")


@pytest.mark.parametrize(
    "reply",
    [
        {"n": None},
        {"n": 1, "upserted": [{"_id": 1}]},
        {"n": 1, "upserted": 5},
        {"n": 0, "writeErrors": [{"index": 3, "code": 1}]},
        {"n": 0, "writeErrors": ["no"]},
    ],
)
def test_a_reply_that_does_not_fit_is_a_clear_error(reply: dict[str, Any]) -> None:
    """And not a TypeError of ours."""
    with pytest.raises(ProtocolError, match="update"):
        BulkOutcome().add(Run(U, [0], [{}]), 0, reply)


def test_operations_are_checked_before_the_first_is_sent() -> None:
    """A bad update at the end fails the bulk before it began."""
    with pytest.raises(ValueError, match="operators"):
        check_operations([InsertOne({}), UpdateOne({}, {"a": 1})])
