"""Replies become errors of the right class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.reply import (
    error_in,
    raise_for_reply,
    raise_for_write,
    raise_for_write_concern,
    state_change_in,
    write_concern_error_in,
    write_error_in,
)
from aiomongo_tls.errors import (
    CursorNotFound,
    DuplicateKeyError,
    ExecutionTimeout,
    MongoError,
    NotPrimaryError,
    OperationFailure,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

HOST = ServerAddress("db.example.net")


@pytest.mark.parametrize("ok", [1, 1.0, True, Int64(1)])
def test_success_raises_nothing(ok: object):
    """`ok: 1` in any numeric type is a success, whatever else the reply holds."""
    raise_for_reply({"ok": ok, "code": 43, "writeErrors": [{"code": 11000}]})


@pytest.mark.parametrize("reply", [{}, {"ok": 0}, {"ok": 0.0}, {"ok": 2}, {"ok": "1"}, {"ok": None}])
def test_anything_else_is_a_failure(reply: dict[str, Any]):
    """A reply without `ok: 1` is a failure even if it says nothing more."""
    with pytest.raises(OperationFailure, match="gave no message") as info:
        raise_for_reply(reply)
    assert info.value.code is None


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (43, CursorNotFound),
        (50, ExecutionTimeout),
        (11000, DuplicateKeyError),
        (11001, DuplicateKeyError),
        (12582, DuplicateKeyError),
        (59, OperationFailure),
        (18, OperationFailure),
    ],
)
def test_class_by_code(code: int, cls: type[OperationFailure]):
    """The code decides the class; code, message, labels and details are kept."""
    reply = {"ok": 0.0, "errmsg": "no good", "code": code, "codeName": "Name", "errorLabels": ["A", "B"]}
    with pytest.raises(OperationFailure) as info:
        raise_for_reply(reply, host=HOST)
    error = info.value
    assert type(error) is cls
    assert (error.code, error.code_name, error.details) == (code, "Name", reply)
    assert error.has_error_label("A")
    assert error.has_error_label("B")
    assert not error.has_error_label("C")
    assert str(error) == f"no good (code {code} Name)"


@pytest.mark.parametrize("code", [10107, 13435, 10058, 11600, 11602, 13436, 189, 91])
def test_state_change_codes(code: int):
    """The codes of the specification's two sets say that the server is not the primary."""
    reply = {"ok": 0, "errmsg": "stepping down", "code": code, "errorLabels": ["RetryableWriteError"]}
    with pytest.raises(NotPrimaryError, match="stepping down") as info:
        raise_for_reply(reply, host=HOST)
    assert (info.value.code, info.value.host, info.value.details) == (code, HOST, reply)
    assert info.value.has_error_label("RetryableWriteError")


@pytest.mark.parametrize("message", ["not master", "not master or secondary", "node is recovering"])
def test_state_change_by_message(message: str):
    """Without a code the message counts; with one it does not."""
    assert type(error_in({"errmsg": message})) is NotPrimaryError
    assert type(error_in({"errmsg": message, "code": 1})) is OperationFailure


@pytest.mark.parametrize(
    ("code", "expected"),
    [(43.0, 43), (Int64(43), 43), (True, None), ("43", None), (43.5, None), (math.nan, None), (math.inf, None)],
)
def test_code_of_another_type(code: object, expected: int | None):
    """A code is a number; anything else counts as none."""
    error = error_in({"ok": 0, "code": code})
    assert error.code == expected


def test_single_write():
    """Of a single write the write's own error comes before its concern's."""
    duplicate = {"index": 0, "code": 11000, "errmsg": "E11000 duplicate key", "keyPattern": {"_id": 1}}
    concern = {"code": 64, "errmsg": "waiting for replication timed out"}
    reply = {"ok": 1, "n": 0, "writeErrors": [duplicate], "writeConcernError": concern, "errorLabels": ["L"]}
    with pytest.raises(DuplicateKeyError) as info:
        raise_for_write(reply)
    assert info.value.details == duplicate
    assert info.value.has_error_label("L")
    with pytest.raises(WTimeoutError):
        raise_for_write({**reply, "writeErrors": []})
    raise_for_write({"ok": 1, "n": 1})


def test_single_write_whose_command_failed():
    """A failed command is reported as such."""
    with pytest.raises(OperationFailure, match="Unauthorized"):
        raise_for_write({"ok": 0, "errmsg": "Unauthorized", "code": 13, "writeErrors": [{"code": 11000}]})


def test_write_error_class():
    """A write error that is not about a duplicate key is just that."""
    error = write_error_in({"code": 121, "errmsg": "Document failed validation"})
    assert type(error) is WriteError
    assert error.code == 121


@pytest.mark.parametrize(
    ("concern", "cls"),
    [
        ({"code": 64, "errmsg": "timed out"}, WTimeoutError),
        ({"code": 79, "errInfo": {"wtimeout": True}}, WTimeoutError),
        ({"code": 50, "errmsg": "maxTimeMS"}, WTimeoutError),
        ({"code": 79, "errInfo": {"wtimeout": False}}, WriteConcernError),
        ({"code": 91, "errmsg": "shutdown"}, WriteConcernError),  # the write happened: not a NotPrimaryError
        ({"code": 100, "errInfo": "?"}, WriteConcernError),
    ],
)
def test_write_concern(concern: dict[str, Any], cls: type[WriteConcernError]):
    """An unsatisfied write concern is a timeout or not, and keeps the labels of the reply."""
    reply = {"ok": 1, "writeConcernError": concern, "errorLabels": ["RetryableWriteError"]}
    with pytest.raises(WriteConcernError) as info:
        raise_for_write_concern(reply)
    assert type(info.value) is cls
    assert info.value.code == concern["code"]
    assert info.value.details == {**concern, "errorLabels": ["RetryableWriteError"]}
    assert info.value.has_error_label("RetryableWriteError")


def test_no_write_concern_error():
    """Without a write concern error nothing is raised."""
    raise_for_write_concern({"ok": 1})


def test_text_is_no_list_of_labels_or_errors() -> None:
    """Its letters would be taken for them."""
    with pytest.raises(OperationFailure) as info:
        raise_for_reply({"ok": 0, "errmsg": "x", "errorLabels": "RetryableWriteError"})
    assert not info.value.has_error_label("R")
    raise_for_write({"ok": 1, "writeErrors": "none"})


def test_a_write_concern_error_can_be_news_of_the_server() -> None:
    """With everything that the reply says beside it; other codes are no news."""
    reply = {"ok": 1, "writeConcernError": {"code": 91, "errmsg": "bye"}, "topologyVersion": {"counter": 1}}
    error = state_change_in(reply, host=ServerAddress("one"))
    assert error is not None
    assert error.details is not None
    assert (error.code, error.host, error.details["topologyVersion"]) == (91, ServerAddress("one"), {"counter": 1})
    assert state_change_in({"ok": 1, "writeConcernError": {"code": 64, "errmsg": "late"}}) is None
    assert state_change_in({"ok": 1}) is None
    assert write_concern_error_in({"ok": 1}) is None


FIELDS = ("ok", "code", "codeName", "errmsg", "errorLabels", "writeErrors", "writeConcernError")
STRANGE = (None, True, 0, 1, -1, 2**70, 1.5, math.nan, "x", b"x", [], [1, "a"], {}, [{}], {"code": "x"}, {"errInfo": 1})


def outcome(check: Callable[[Mapping[str, Any]], None], reply: Mapping[str, Any]) -> str:
    try:
        check(reply)
    except MongoError as error:
        return str(error)
    return "success"


@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(STRANGE)))
def test_strange_replies_become_ordinary_errors(reply: Mapping[str, Any]):
    """Whatever types a peer sends, what is raised is one of ours, and it can be printed."""
    for check in (raise_for_reply, raise_for_write, raise_for_write_concern):
        assert outcome(check, reply)
