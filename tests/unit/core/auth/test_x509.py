"""MONGODB-X509 as a list of replies."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.conversation import CommandDocument
from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.x509 import authenticate, speculative
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.errors import AuthenticationFailed, ExecutionTimeout, NotPrimaryError, OperationFailure, Phase

HOST = ServerAddress("db.example.net")
FACTS = ConnectionFacts(host=HOST, tls=True, certificate=True, subject="CN=Ada", database="app")
ANONYMOUS = MongoCredential(source="$external", mechanism="MONGODB-X509")
NAMED = MongoCredential(username="CN=Ada", source="$external", mechanism="MONGODB-X509")
REFUSED = {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}


def talk(credential: MongoCredential, speculative_reply: Any, *replies: dict[str, Any]) -> list[CommandDocument]:
    """Hold the conversation with these replies; returns the commands."""
    conversation = authenticate(credential, speculative_reply, FACTS)
    commands: list[CommandDocument] = []
    try:
        commands.append(next(conversation))
        for reply in replies:
            commands.append(conversation.send(reply))
    except StopIteration:
        assert len(commands) == len(replies)
        return commands
    raise AssertionError("the conversation wants to go on")


def test_user_only_if_given():
    """The user goes into the command only if the application gave one, and then as given."""
    assert list(speculative(ANONYMOUS).items()) == [("authenticate", 1), ("mechanism", "MONGODB-X509")]
    assert speculative(NAMED) == {"authenticate": 1, "mechanism": "MONGODB-X509", "user": "CN=Ada"}


def test_speculation_answered():
    """A speculative reply ends the authentication: nothing is sent. One that tells of a failure does not."""
    assert talk(ANONYMOUS, {"dbname": "$external", "user": "CN=Ada"}) == []
    assert talk(ANONYMOUS, {"ok": 1.0, "dbname": "$external", "user": "CN=Ada"}) == []
    with pytest.raises(AuthenticationFailed):
        talk(ANONYMOUS, REFUSED, REFUSED)


@pytest.mark.parametrize("credential", [ANONYMOUS, NAMED])
def test_speculation_not_answered(credential: MongoCredential):
    """Without a speculative reply the command is sent to $external."""
    assert talk(credential, None, {"ok": 1.0, "dbname": "$external", "user": "CN=Ada"}) == [
        CommandDocument("$external", speculative(credential), Phase.AUTH)
    ]


def test_refused():
    """A refusal carries mechanism, user, host, the server's words and what to do."""
    with pytest.raises(AuthenticationFailed) as info:
        talk(ANONYMOUS, None, REFUSED)
    error = info.value
    assert (error.mechanism, error.user, error.host, error.phase) == ("MONGODB-X509", "CN=Ada", HOST, Phase.AUTH)
    assert (error.code, error.details) == (18, REFUSED)
    assert error.hint is not None
    assert 'createUser: "CN=Ada"' in error.hint
    assert str(error).startswith(
        "db.example.net:27017: MONGODB-X509: Authentication failed. (code 18 AuthenticationFailed) [unknown-user]; "
        "hint: "
    )


def test_refused_under_a_given_name():
    """The user of a refusal is the name that was sent."""
    credential = MongoCredential(username="CN=Bob", source="$external", mechanism="MONGODB-X509")
    with pytest.raises(AuthenticationFailed, match="leave the user name out") as info:
        talk(credential, None, REFUSED)
    assert info.value.user == "CN=Bob"


@pytest.mark.parametrize("code", [2, 11, 13, 17, 18, 59, 334, None])
def test_any_verdict_is_a_refusal(code: int | None):
    """Whatever a server's code for it, an error in answer to the credential is a refusal."""
    with pytest.raises(AuthenticationFailed) as info:
        talk(ANONYMOUS, None, {"ok": 0, "errmsg": "no", "code": code})
    assert info.value.code == code


@pytest.mark.parametrize(
    ("reply", "cls"),
    [
        ({"code": 91}, NotPrimaryError),
        ({"code": 11600}, NotPrimaryError),
        ({"code": 50}, ExecutionTimeout),
        ({"code": 6}, OperationFailure),
        ({"code": 462, "errorLabels": ["SystemOverloadedError", "RetryableError"]}, OperationFailure),
    ],
)
def test_no_verdict(reply: dict[str, Any], cls: type[Exception]):
    """A server that goes away, or cannot decide now, has not refused the credential."""
    with pytest.raises(cls) as info:
        talk(ANONYMOUS, None, {"ok": 0, "errmsg": "later", **reply})
    assert type(info.value) is cls
