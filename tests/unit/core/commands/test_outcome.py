"""What came of an attempt."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.hello import StreamDescription
from aiomongo_tls.core.commands.command import Command
from aiomongo_tls.core.commands.outcome import error_of, failure_of, news_in
from aiomongo_tls.core.error_labels import RETRYABLE_WRITE
from aiomongo_tls.core.reply import error_in
from aiomongo_tls.core.retry import Failure, Retryability
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.errors import AutoReconnect, MongoError, NotPrimaryError, OperationFailure, WriteConcernError

HOST = ServerAddress("one")
REFUSED = {"ok": 0.0, "code": 26, "errmsg": "ns not found"}
UNMET = {"ok": 1.0, "n": 1, "writeConcernError": {"code": 79, "errmsg": "unknown"}}


def command(**changed: Any) -> Command:
    return Command(database="app", document={"drop": "users"}, **changed)


@pytest.mark.parametrize(
    ("reply", "changed", "error", "is_handed_back"),
    [
        (REFUSED, {}, OperationFailure, False),
        (REFUSED, {"check": False}, OperationFailure, True),
        (REFUSED, {"allowable_errors": [26]}, None, True),
        (REFUSED, {"allowable_errors": ["ns not found"]}, None, True),
        (REFUSED, {"allowable_errors": [27]}, OperationFailure, False),
        (UNMET, {}, WriteConcernError, True),
        (UNMET, {"raises_write_concern": True}, WriteConcernError, False),
        ({"ok": 1.0, "writeConcernError": {}}, {}, None, True),
    ],
)
def test_what_a_reply_is_to_the_caller(
    reply: dict[str, Any], changed: dict[str, Any], error: type[MongoError] | None, is_handed_back: bool
) -> None:
    """An error, a reply that tells of one, or a success."""
    found, handed_back = error_of(reply, command(**changed), HOST)
    assert (type(found) if found is not None else None) is error
    assert (handed_back is reply) is is_handed_back


def test_news_of_the_server() -> None:
    """Whoever gets the reply."""
    assert isinstance(news_in({"ok": 0.0, "code": 10107}, HOST), NotPrimaryError)
    assert isinstance(news_in({"ok": 1.0, "writeConcernError": {"code": 91}}, HOST), NotPrimaryError)
    assert news_in(REFUSED, HOST) is None
    assert news_in(UNMET, HOST) is None


def failed(error: MongoError, *, numbered: bool = True, **changed: Any) -> Failure:
    sent = command(retryability=Retryability.WRITE)
    if numbered:
        sent.document["txnNumber"] = 1
    description = StreamDescription(address=HOST, server_type=ServerType.RS_PRIMARY, max_wire_version=21)
    values: dict[str, Any] = {"retry_writes": True, "is_sharded": False, "was_sent": True}
    return failure_of(error, sent, description, **(values | changed))


def test_the_client_s_label_is_put_on() -> None:
    """On what was a retryable write there; one without a number was none."""
    failure = failed(AutoReconnect("lost"))
    assert failure.error.has_error_label(RETRYABLE_WRITE)
    assert (failure.retryability, failure.address, failure.was_sent) == (Retryability.WRITE, HOST, True)
    failure = failed(AutoReconnect("lost"), numbered=False)
    assert not failure.error.has_error_label(RETRYABLE_WRITE)
    assert failure.retryability is Retryability.WRITE_ONCE
    assert not failed(AutoReconnect("lost"), retry_writes=False).error.has_error_label(RETRYABLE_WRITE)


def test_what_was_never_sent_needs_no_number() -> None:
    """A retry of it cannot do anything twice."""
    failure = failed(AutoReconnect("refused"), numbered=False, was_sent=False)
    assert failure.retryability is Retryability.WRITE
    assert failure.error.has_error_label(RETRYABLE_WRITE)


def test_without_a_connection_the_error_names_the_server() -> None:
    """As far as it knows."""
    sent = command(retryability=Retryability.READ)
    for error, expected in ((AutoReconnect("refused", host=HOST), HOST), (OperationFailure("no", 1), None)):
        failure = failure_of(error, sent, None, retry_writes=True, is_sharded=True, was_sent=False)
        assert (failure.address, failure.is_sharded) == (expected, True)


def test_a_server_without_retryable_writes_is_explained() -> None:
    """By its words or by ours; the reply stays on the error."""
    details = {"code": 20, "errmsg": "Transaction numbers are only allowed on a replica set member or mongos"}
    failure = failed(OperationFailure(details["errmsg"], 20, details))  # type: ignore[arg-type]
    assert "retryWrites=false" in str(failure.error)
    assert isinstance(failure.error, OperationFailure)
    assert (failure.error.code, failure.error.details) == (20, details)
    other = OperationFailure("something else", 20)
    assert failed(other).error is other


def test_clearer_words_keep_what_the_error_knew() -> None:
    """The labels, the service, the server's own words as the cause."""
    reply = {"ok": 0.0, "code": 20, "errmsg": "Transaction numbers are only allowed on...", "errorLabels": ["Some"]}
    service = ObjectId()
    insert = Command(database="app", document={"insert": "users", "txnNumber": 1}, retryability=Retryability.WRITE)
    failure = failure_of(
        error_in(reply),
        insert,
        StreamDescription(service_id=service),
        retry_writes=True,
        is_sharded=False,
        was_sent=True,
    )
    assert "retryWrites=false" in str(failure.error)
    assert failure.error.has_error_label("Some")
    assert failure.error.service_id == service
    assert "only allowed" in str(failure.error.__cause__)
