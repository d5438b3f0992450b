"""The error tree: what people already catch, what `str()` says, and that one failure can be told to several tasks."""

from __future__ import annotations

import copy
import inspect
import pickle

import pymongo.errors
import pytest

from aiomongo_tls import errors
from aiomongo_tls.address import ServerAddress
from aiomongo_tls.errors import (
    AuthenticationFailed,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    MongoError,
    NetworkTimeout,
    OperationFailure,
    Phase,
    ServerSelectionTimeoutError,
    TLSError,
    TLSHandshakeTimeout,
)

HOST = ServerAddress("db.example.net", 27018)
CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, MongoError)]
SAMPLES = [
    ConfigurationError("tlsCAFile: no such file"),
    ConnectionFailure("refused", host=HOST, phase=Phase.TCP),
    NetworkTimeout("silent", host=HOST, phase=Phase.TLS, error_labels=["RetryableError"]),
    TLSHandshakeTimeout("silent", reason="handshake-timeout", host=HOST, hint="look at the proxy"),
    ServerSelectionTimeoutError("nobody", {HOST: OSError("refused")}),
    AuthenticationFailed("no", 18, {"codeName": "AuthenticationFailed"}, host=HOST, hint="create the user"),
    BulkWriteError({"writeErrors": [{"errmsg": "twice", "code": 11000}], "writeConcernErrors": []}),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_a_copy_says_the_same(error: MongoError) -> None:
    """Copied or pickled, an error keeps class, text, labels, fields and cause, but not the traceback."""
    error.__cause__ = ValueError("why")
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert repr(twin) == repr(error)
        assert twin._error_labels == error._error_labels
        assert twin.__traceback__ is None
    assert copy.copy(error).__cause__ is error.__cause__


def test_what_is_noted_on_a_copy_is_not_said_of_the_original() -> None:
    """What was noted before is on both."""
    error = ConnectionFailure("lost")
    error.add_note("before")
    twin = copy.copy(error)
    twin.add_note("after")
    assert (error.__notes__, twin.__notes__) == (["before"], ["before", "after"])


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ConfigurationError", ValueError),
        ("ConnectionFailure", ConnectionError),
        ("NetworkTimeout", TimeoutError),
        ("ServerSelectionTimeoutError", TimeoutError),
        ("WaitQueueTimeoutError", TimeoutError),
        ("TLSError", ConnectionError),
        ("TLSHandshakeTimeout", TimeoutError),
    ],
)
def test_the_builtin_that_people_catch(name: str, builtin: type[Exception]) -> None:
    """Code that catches the builtin catches ours."""
    assert issubclass(getattr(errors, name), builtin)


@pytest.mark.parametrize(
    "cls", [cls for cls in CLASSES if hasattr(pymongo.errors, cls.__name__)], ids=lambda cls: cls.__name__
)
def test_names_that_exist_in_pymongo_have_its_parents(cls: type[MongoError]) -> None:
    """A class that PyMongo knows has, by name, every ancestor that it has there."""
    theirs = getattr(pymongo.errors, cls.__name__)
    ours = {parent.__name__ for parent in cls.__mro__} | {"PyMongoError"}
    assert {p.__name__ for p in theirs.__mro__ if issubclass(p, pymongo.errors.PyMongoError)} <= ours


def test_a_tls_error_reads_as_one_line() -> None:
    """Host, what happened, reason, expected, presented and hint, in this order."""
    error = TLSError(
        "the server's certificate is for another name",
        reason="hostname-mismatch",
        host=HOST,
        expected="db.example.net",
        presented="db.internal",
        hint="connect by a name of the certificate",
    )
    assert str(error) == (
        "db.example.net:27018: the server's certificate is for another name [hostname-mismatch]; "
        "expected: db.example.net; presented: db.internal; hint: connect by a name of the certificate"
    )


def test_labels_and_code_come_from_the_reply() -> None:
    """An OperationFailure reads its labels and code name from the server's reply."""
    reply = {"codeName": "Interrupted", "errorLabels": ["RetryableWriteError"]}
    error = OperationFailure("interrupted", 11601, reply)
    assert error.has_error_label("RetryableWriteError")
    assert not error.has_error_label("TransientTransactionError")
    assert str(error) == "interrupted (code 11601 Interrupted)"


@pytest.mark.parametrize(
    ("error", "timeout"),
    [
        (NetworkTimeout("silent"), True),
        (ConnectionFailure("refused"), False),
        (OperationFailure("late", 50), True),
        (OperationFailure("no", 13), False),
        (BulkWriteError({"writeErrors": [{"errmsg": "late", "code": 50}], "writeConcernErrors": []}), True),
        (BulkWriteError({"writeErrors": [{"errmsg": "twice", "code": 11000}], "writeConcernErrors": []}), False),
        (BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"errmsg": "late", "code": 64}]}), True),
        (BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"errInfo": {"wtimeout": True}}]}), True),
        (BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"errmsg": "none", "code": 100}]}), False),
    ],
)
def test_timeout_property(error: MongoError, timeout: bool) -> None:
    """`timeout` tells whether time was the reason, on our side or on the server's."""
    assert error.timeout is timeout


def test_every_phase_has_words() -> None:
    """Each phase can stand after "while"."""
    assert all(phase.doing for phase in Phase)
