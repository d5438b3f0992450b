"""Commands made complete for their connections."""

from __future__ import annotations

from itertools import count
from typing import Any

import bson
import pytest
from bson.codec_options import DEFAULT_CODEC_OPTIONS

from aiomongo_tls.core.auth.hello import StreamDescription
from aiomongo_tls.core.commands.batches import Batches
from aiomongo_tls.core.commands.command import Command, Requirement
from aiomongo_tls.core.commands.completion import complete
from aiomongo_tls.core.options.read_preference import ReadPreference
from aiomongo_tls.core.retry import NO_ATTEMPTS, Attempts, Retryability
from aiomongo_tls.core.sdam.topology_description import TopologyDescription, TopologyType
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.sessions import ImplicitSession, ServerSessionPool
from aiomongo_tls.errors import ConfigurationError

AGAIN = Attempts(count=1, was_sent=True)
NOT_SENT = Attempts(count=1, was_sent=False)


class Deployment:
    """What completing asks of a topology."""

    def __init__(self, topology_type: TopologyType = TopologyType.REPLICA_SET_WITH_PRIMARY) -> None:
        self.description = TopologyDescription(topology_type=topology_type, servers={})


def hello(**changed: Any) -> StreamDescription:
    values: dict[str, Any] = {
        "server_type": ServerType.RS_PRIMARY,
        "max_wire_version": 21,
        "logical_session_timeout_minutes": 30,
    }
    return StreamDescription(**(values | changed))


@pytest.fixture
def session() -> ImplicitSession:
    numbers = count(1)
    return ImplicitSession(ServerSessionPool(lambda: next(numbers).to_bytes(16, "big")))


def write(*documents: dict[str, Any], multi: tuple[int, ...] = (), **changed: Any) -> Command:
    values: dict[str, Any] = {"document": {"update": "users"}, "retryability": Retryability.WRITE}
    command = Command(database="app", **(values | changed))
    command.batches = Batches("updates", documents or [{"q": {}, "u": {}}], DEFAULT_CODEC_OPTIONS, multi=multi)
    return command


def completed(
    command: Command,
    session: ImplicitSession,
    attempts: Attempts = NO_ATTEMPTS,
    *,
    retry_writes: bool = True,
    topology_type: TopologyType = TopologyType.REPLICA_SET_WITH_PRIMARY,
    **changed: Any,
) -> dict[str, Any]:
    deployment = Deployment(topology_type)
    body, sequences = complete(command, session, hello(**changed), attempts, retry_writes, deployment, 0.0)
    document = bson.decode(body)
    for sequence in sequences:
        document[sequence.identifier] = [bson.decode(data) for data in sequence.documents]
    return document


def test_what_is_added(session: ImplicitSession) -> None:
    """Behind the name, which stays first."""
    assert list(completed(write(), session)) == ["update", "lsid", "$db", "txnNumber", "updates"]


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({"retryability": Retryability.WRITE_ONCE}, {}),
        ({"retryability": Retryability.READ}, {}),
        ({"acknowledged": False}, {}),
        ({"in_session": False}, {}),
        ({}, {"retry_writes": False}),
        ({}, {"server_type": ServerType.STANDALONE}),
        ({}, {"logical_session_timeout_minutes": None}),
    ],
)
def test_who_gets_no_number(session: ImplicitSession, changed: dict[str, Any], options: dict[str, Any]) -> None:
    """What is no retryable write, and whoever has none."""
    assert "txnNumber" not in completed(write(**changed), session, **options)


def test_a_number_is_one_command_s(session: ImplicitSession) -> None:
    """The same when it is sent again, the next for the next; of a command that was not sent it counts as used."""
    command = write()
    assert completed(command, session)["txnNumber"] == 1
    assert completed(command, session, AGAIN)["txnNumber"] == 1
    assert completed(write(), session, NOT_SENT)["txnNumber"] == 2


def test_a_number_of_the_command_before_does_not_stay(session: ImplicitSession) -> None:
    """The same document carries each command of a bulk."""
    statements = [{"q": {}, "u": {"n": number}} for number in range(3)]
    command = write(*statements, multi=(1,))
    sent = [completed(command, session, max_write_batch_size=1) for _ in range(3)]
    assert [document.get("txnNumber") for document in sent] == [1, None, 3]
    command = write(*statements)
    completed(command, session, max_write_batch_size=1)
    elsewhere = completed(command, session, max_write_batch_size=1, server_type=ServerType.STANDALONE)
    assert "txnNumber" not in elsewhere


def test_statements_that_touch_many_never_have_a_number(session: ImplicitSession) -> None:
    """Also when they are sent once more, after an overload: servers refuse the two together."""
    command = write(multi=(0,))
    sent = [completed(command, session, attempts) for attempts in (NO_ATTEMPTS, AGAIN, AGAIN)]
    assert ["txnNumber" in document for document in sent] == [False] * 3


def test_a_session_stays_where_there_are_sessions(session: ImplicitSession) -> None:
    """A server without them is not sent the id that was meant for another."""
    command = Command(database="app", document={"find": "users"}, read_preference=ReadPreference.PRIMARY)
    assert "lsid" in completed(command, session)
    assert "lsid" not in completed(command, session, AGAIN, logical_session_timeout_minutes=None)
    assert "lsid" in completed(command, session, AGAIN)


def test_a_retry_needs_a_server_with_retryable_writes(session: ImplicitSession) -> None:
    """Where the number would not be understood, the write could be done twice."""
    command = write()
    completed(command, session)
    with pytest.raises(ConfigurationError, match="retryable writes"):
        completed(command, session, AGAIN, server_type=ServerType.STANDALONE)


def test_sessions_behind_a_load_balancer(session: ImplicitSession) -> None:
    """Always; hello says nothing of them."""
    document = completed(
        write(),
        session,
        service_id=bson.ObjectId(),
        server_type=ServerType.MONGOS,
        logical_session_timeout_minutes=None,
    )
    assert {"lsid", "txnNumber"} <= set(document)


def test_the_read_preference_is_the_server_s(session: ImplicitSession) -> None:
    """Another server may need none."""
    command = Command(database="app", document={"find": "users"}, read_preference=ReadPreference.NEAREST)
    assert completed(command, session)["$readPreference"] == {"mode": "nearest"}
    assert "$readPreference" not in completed(command, session, AGAIN, server_type=ServerType.STANDALONE)
    command = Command(database="app", document={"find": "users"}, read_preference=ReadPreference.PRIMARY)
    assert completed(command, session, topology_type=TopologyType.SINGLE)["$readPreference"] == {
        "mode": "primaryPreferred"
    }
    assert "$readPreference" not in completed(command, session, AGAIN)


def test_what_an_older_server_would_ignore(session: ImplicitSession) -> None:
    """Nothing is taken for it, neither statements nor a session."""
    command = write(requires=Requirement(25, "needs MongoDB 8.0"))
    with pytest.raises(ConfigurationError, match=r"8\.0"):
        completed(command, session)
    assert command.batches is not None
    assert command.batches.sent == 0
    assert session.taken is None


def test_the_statements_of_a_retry_are_the_same(session: ImplicitSession) -> None:
    """Whatever the other server takes."""
    command = write(*[{"q": {}, "u": {"n": number}} for number in range(3)])
    first = completed(command, session, max_write_batch_size=2)
    assert completed(command, session, AGAIN, max_write_batch_size=1) == first
    assert len(completed(command, session)["updates"]) == 1
