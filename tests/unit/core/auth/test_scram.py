"""SCRAM as a list of replies, with the messages of RFC 7677 and, for SHA-1, of the authentication specification."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth import scram_keys
from aiomongo_tls.core.auth.conversation import CommandDocument, Computation
from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.hello import StreamDescription
from aiomongo_tls.core.auth.scram import ScramAuthentication
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    Phase,
)

HOST = ServerAddress("db.example.net")
FACTS = ConnectionFacts(host=HOST, tls=True)
SHA_1, SHA_256 = "SCRAM-SHA-1", "SCRAM-SHA-256"
REFUSED = {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}

# RFC 7677, section 3: user "user", password "pencil".
NONCE_256 = "rOprNGfwEbeRWgbNEkqO"
TALK_256 = (
    b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)
# The authentication specification's example for SHA-1: the same user; the password goes through MongoDB's digest.
NONCE_1 = "fyko+d2lbbFgONRv9qkxdawL"
TALK_1 = (
    b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    b"r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000",
    b"c=biws,r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,p=MC2T8BvbmWRckDw8oWl5IVghwCY=",
    b"v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=",
)


def said(payload: bytes, *, done: bool = False) -> dict[str, Any]:
    return {"conversationId": 7, "done": done, "payload": payload, "ok": 1.0}


def nonces(*texts: str) -> Callable[[], str]:
    left = iter(texts)
    return lambda: next(left)


def credential(mechanism: str | None = SHA_256, **changed: Any) -> MongoCredential:
    values = {"username": "user", "password": "pencil", "source": "app", "mechanism": mechanism}
    return MongoCredential(**(values | changed))


def begun(mechanism: str | None = SHA_256, *texts: str, **changed: Any) -> ScramAuthentication:
    return ScramAuthentication(credential(mechanism, **changed), FACTS, nonces(*(texts or (NONCE_256,))))


def talk(authentication: ScramAuthentication, hello: StreamDescription, *replies: dict[str, Any]) -> list[Any]:
    """Hold the conversation with these replies; what it yields, computations carried out."""
    conversation = authentication.converse(hello)
    steps: list[Any] = []
    left = list(replies)
    answer = None
    with suppress(StopIteration):
        while True:
            step = conversation.send(answer)
            steps.append(step)
            answer = step.run() if isinstance(step, Computation) else left.pop(0)
    assert not left
    return steps


def commands(steps: list[Any]) -> list[dict[str, Any]]:
    assert all(isinstance(step, Computation) or step.phase is Phase.AUTH for step in steps)
    return [step.document for step in steps if isinstance(step, CommandDocument)]


@pytest.mark.parametrize(("mechanism", "nonce", "words"), [(SHA_256, NONCE_256, TALK_256), (SHA_1, NONCE_1, TALK_1)])
def test_the_published_conversations(mechanism: str, nonce: str, words: tuple[bytes, ...]) -> None:
    """Byte for byte, in two commands to the user's database."""
    steps = talk(begun(mechanism, nonce), StreamDescription(), said(words[1]), said(words[3], done=True))
    assert commands(steps) == [
        {"saslStart": 1, "mechanism": mechanism, "payload": words[0], "options": {"skipEmptyExchange": True}},
        {"saslContinue": 1, "conversationId": 7, "payload": words[2]},
    ]
    assert {step.database for step in steps if isinstance(step, CommandDocument)} == {"app"}


def test_an_older_server_wants_one_more_message() -> None:
    """It is empty, in spite of skipEmptyExchange."""
    *_, last = commands(talk(begun(), StreamDescription(), said(TALK_256[1]), said(TALK_256[3]), said(b"", done=True)))
    assert last == {"saslContinue": 1, "conversationId": 7, "payload": b""}


def test_a_server_that_does_not_end() -> None:
    """One empty message and no more."""
    with pytest.raises(AuthenticationFailed, match="does not end") as info:
        talk(begun(), StreamDescription(), said(TALK_256[1]), said(TALK_256[3]), said(b""))
    assert info.value.reason == "server-not-trusted"


# Along with hello


def hello(reply: dict[str, Any] | None = None, mechanisms: Any = None) -> StreamDescription:
    return StreamDescription(
        speculative_reply=reply, hello={} if mechanisms is None else {"saslSupportedMechs": mechanisms}
    )


def test_speculation() -> None:
    """The first message goes with hello, and `db` beside it; its reply leaves one command."""
    authentication = begun()
    assert authentication.hello_fields() == {
        "speculativeAuthenticate": {
            "saslStart": 1,
            "mechanism": SHA_256,
            "payload": TALK_256[0],
            "options": {"skipEmptyExchange": True},
            "db": "app",
        }
    }
    reply = {key: value for key, value in said(TALK_256[1]).items() if key != "ok"}
    steps = talk(authentication, hello(reply), said(TALK_256[3], done=True))
    assert [document["payload"] for document in commands(steps)] == [TALK_256[2]]


def test_a_speculation_without_an_answer() -> None:
    """Begins anew, with another nonce."""
    authentication = begun(SHA_256, "first", NONCE_256)
    authentication.hello_fields()
    steps = talk(authentication, hello(), said(TALK_256[1]), said(TALK_256[3], done=True))
    assert [document["payload"] for document in commands(steps)] == [TALK_256[0], TALK_256[2]]


def test_a_speculation_that_failed() -> None:
    """A failure is left out of hello; a server that tells it is asked in earnest and gives the reason."""
    authentication = begun(SHA_256, "first", NONCE_256)
    authentication.hello_fields()
    with pytest.raises(AuthenticationFailed):
        talk(authentication, hello(REFUSED), REFUSED)


def test_negotiation_asks_for_the_mechanisms() -> None:
    """With the user's name as it is, and SHA-256 for a guess."""
    fields = begun(None, username="a=b,\u2168").hello_fields()
    assert fields["saslSupportedMechs"] == "app.a=b,\u2168"
    assert fields["speculativeAuthenticate"]["mechanism"] == SHA_256


@pytest.mark.parametrize(
    ("mechanisms", "chosen"),
    [
        ([SHA_1, SHA_256], SHA_256),
        ([SHA_256], SHA_256),
        ([SHA_1], SHA_1),
        ([], SHA_1),
        (["PLAIN", "MONGODB-X509"], SHA_1),
        (None, SHA_1),
        ("SCRAM-SHA-256", SHA_1),
        ({"SCRAM-SHA-256": 1}, SHA_1),
    ],
    ids=str,
)
def test_the_choice(mechanisms: Any, chosen: str) -> None:
    """SHA-256 if it is listed, SHA-1 otherwise, never anything else."""
    conversation = begun(None).converse(hello(None, mechanisms))
    assert next(conversation).document["mechanism"] == chosen


def test_a_speculation_that_does_not_fit() -> None:
    """A user who only has SHA-1 is authenticated by it, whatever came of the guess."""
    authentication = begun(None, "guess", NONCE_1)
    authentication.hello_fields()
    guess = said(b"r=guess+,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    steps = talk(authentication, hello(guess, [SHA_1]), said(TALK_1[1]), said(TALK_1[3], done=True))
    assert [document["payload"] for document in commands(steps)] == [TALK_1[0], TALK_1[2]]


# Names and passwords


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a,b", b"a=2Cb"),
        ("a=b", b"a=3Db"),
        ("=2C", b"=3D2C"),
        ("\u2168", "\u2168".encode()),
        ("I\u00adX", "I\u00adX".encode()),
    ],
)
def test_the_name_is_escaped_and_not_prepared(name: str, sent: bytes) -> None:
    """Comma and equals sign have a meaning in SCRAM; everything else is sent as it is."""
    step = next(begun(username=name).converse(hello()))
    assert step.document["payload"] == b"n,,n=" + sent + b",r=" + NONCE_256.encode()


def computation(authentication: ScramAuthentication, first: bytes = TALK_256[1]) -> Computation:
    conversation = authentication.converse(hello())
    next(conversation)
    step = conversation.send(said(first))
    assert isinstance(step, Computation)
    return step


def test_the_password_is_prepared() -> None:
    """Two spellings of one password are one computation; for SHA-1 they are two."""
    assert computation(begun(password="\u2168")).key == computation(begun(password="IX")).key
    roman, latin = (begun(SHA_1, NONCE_1, password=text) for text in ("\u2168", "IX"))
    assert computation(roman, TALK_1[1]).key != computation(latin, TALK_1[1]).key


@pytest.mark.parametrize("changed", [{"password": "other"}, {"mechanism": SHA_1}])
def test_computations_are_told_apart(changed: dict[str, Any]) -> None:
    """By password, mechanism, salt and iterations; a nonce makes no difference."""
    usual = computation(begun())
    assert computation(begun(**changed)).key != usual.key
    nonce = computation(begun(SHA_256, "other"), TALK_256[1].replace(NONCE_256.encode(), b"other"))
    assert nonce.key == usual.key
    for first in (TALK_256[1].replace(b"s=W", b"s=X"), TALK_256[1].replace(b"4096", b"4097")):
        assert computation(begun(), first).key != usual.key


@pytest.mark.parametrize("password", ["hunter2\x07", "hunter2\ud800"])
def test_a_password_that_cannot_be_used(password: str) -> None:
    """Is the caller's mistake, and is not shown."""
    with pytest.raises(ConfigurationError, match="password cannot be used with SCRAM-SHA-256") as info:
        computation(begun(password=password))
    assert "hunter2" not in str(info.value)
    assert info.value.__cause__ is None


# Servers that cheat


def first(**changed: str) -> bytes:
    fields = {"r": NONCE_256 + "more", "s": "W22ZaJ0SNY7soEsUEjb6gQ==", "i": "4096"} | changed
    return ",".join(f"{name}={value}" for name, value in fields.items()).encode()


@pytest.mark.parametrize(
    "payload",
    [
        first(r="somebody-else"),
        first(r=NONCE_256),
        first(r=""),
        first(r="x" + NONCE_256),
        first(s=""),
        first(s="!"),
        first(i=""),
        first(i="-5"),
        first(i="4_096"),
        first(i="\u0664\u0660\u0669\u0666"),
        first(i="9" * 5000),
        first(i="10000001"),
        b"m=ext," + first(),
        b"e=unknown-user",
        b"",
        b"\xff\xfe",
        "text",
        None,
        5,
    ],
    ids=lambda payload: repr(payload)[:40],
)
def test_a_first_message_that_is_none(payload: Any) -> None:
    """A server without our nonce, or without sense, is not answered: nothing is computed."""
    conversation = begun().converse(hello())
    next(conversation)
    with pytest.raises(AuthenticationFailed) as info:
        conversation.send(said(payload))
    assert info.value.reason == "server-not-trusted"
    assert info.value.host == HOST
    assert "pencil" not in str(info.value)


@pytest.mark.parametrize("iterations", ["0", "1", "4095"])
def test_too_few_iterations(iterations: str) -> None:
    """RFC 5802's floor; the password's proof would be easy to guess."""
    conversation = begun().converse(hello())
    next(conversation)
    with pytest.raises(AuthenticationFailed, match=f"{iterations} iterations, expected 4096") as info:
        conversation.send(said(first(i=iterations)))
    assert info.value.reason == "too-few-iterations"


@pytest.mark.parametrize("text", [first(), first(i="10000000"), first() + b",x=extension"])
def test_twins_of_the_first_messages(text: bytes) -> None:
    """What is right is computed."""
    computation(begun(), text)


@pytest.mark.parametrize(
    "payload",
    [
        b"v=" + b64encode(b"x" * 32),
        b"v=" + TALK_256[3][2:-8],
        b"v=",
        b"v=!",
        b"",
        TALK_256[2],
        b"x=" + TALK_256[3][2:],
        None,
    ],
    ids=repr,
)
@pytest.mark.parametrize("done", [True, False])
def test_a_signature_that_is_wrong(payload: Any, done: bool) -> None:
    """The server does not know the password, so it is not the server; saying `done` does not help."""
    with pytest.raises(AuthenticationFailed) as info:
        talk(begun(), StreamDescription(), said(TALK_256[1]), said(payload, done=done))
    assert info.value.reason == "server-not-trusted"


def test_done_without_a_proof() -> None:
    """A server that is content with a name alone is not believed."""
    with pytest.raises(AuthenticationFailed) as info:
        talk(begun(), StreamDescription(), said(b"", done=True))
    assert info.value.reason == "server-not-trusted"


# Refusals


@pytest.mark.parametrize(
    "replies",
    [(REFUSED,), (said(TALK_256[1]), REFUSED), (said(TALK_256[1]), said(TALK_256[3]), REFUSED)],
    ids=["saslStart", "saslContinue", "empty"],
)
@pytest.mark.parametrize("mechanism", [SHA_256, None])
def test_refused(replies: tuple[dict[str, Any], ...], mechanism: str | None) -> None:
    """The error has mechanism, user and host, what the server said, and what to look at; no secret."""
    with pytest.raises(AuthenticationFailed) as info:
        talk(begun(mechanism), hello(None, [SHA_256]), *replies)
    error = info.value
    assert (error.mechanism, error.user, error.host, error.code) == (SHA_256, "user", HOST, 18)
    assert (error.reason, error.details, error.phase) == ("bad-credentials", REFUSED, Phase.AUTH)
    assert "'user' in the database 'app'" in str(error)
    assert ("leave authMechanism out" in str(error)) is (mechanism is not None)
    assert "pencil" not in str(error) + repr(error)


@pytest.mark.parametrize("code", [59, 334])
def test_a_mechanism_that_is_not_there(code: int) -> None:
    """Told from a wrong password."""
    with pytest.raises(AuthenticationFailed, match="does not offer SCRAM-SHA-256") as info:
        talk(begun(), hello(), {"ok": 0.0, "errmsg": "no", "code": code})
    assert info.value.reason == "mechanism-unavailable"


def test_refused_in_the_words_of_the_rfc() -> None:
    """e= in place of the signature is a refusal."""
    with pytest.raises(AuthenticationFailed, match="invalid-proof") as info:
        talk(begun(), hello(), said(TALK_256[1]), said(b"e=invalid-proof", done=True))
    assert info.value.reason == "bad-credentials"


@pytest.mark.parametrize(
    ("reply", "cls"),
    [
        ({"code": 91}, NotPrimaryError),
        ({"code": 50}, ExecutionTimeout),
        ({"code": 6}, OperationFailure),
        ({"code": 462, "errorLabels": ["SystemOverloadedError", "RetryableError"]}, OperationFailure),
    ],
)
def test_no_verdict(reply: dict[str, Any], cls: type[Exception]) -> None:
    """A server that goes away, or cannot decide now, has not refused the credential."""
    with pytest.raises(cls) as info:
        talk(begun(), hello(), {"ok": 0, "errmsg": "later", **reply})
    assert type(info.value) is cls


def test_nothing_secret_in_a_repr() -> None:
    """Neither of the conversation nor of its computation."""
    authentication = begun()
    shown = repr(authentication) + repr(computation(authentication))
    assert "pencil" not in shown
    assert scram_keys.prepared(SHA_1, "user", "pencil").decode() not in shown
